"""A formant synthesiser: pulses and noise through three moving resonances, all states of an utterance at once.

Fast rather than fine: 2,000 sentences of 1.5 s in a few seconds on one core. Its voices need no licence and no
library, and every word stays told from every other by its resonances, bursts and hiss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, rfft
from scipy.ndimage import uniform_filter1d

from tenfold.errors import InputError
from tenfold.speech.phones import Stretch, stretches

HOP = 0.005  # seconds between two states of the tract
WINDOW = 0.020  # seconds shaped by one state, half of it overlapping with the next
BANDWIDTHS = (70.0, 100.0, 150.0)  # Hz, of the three resonances
PEAK = 0.5  # of every wave
SMOOTHING = 7  # states over which resonances and levels glide from phone to phone


@dataclass(frozen=True)
class Voice:
    """A speaker: mean pitch in Hz, scale of all resonances (a short tract has a large one), tempo, breath.

    tempo: 1 is 6 words in 1.6 s, 2 twice as fast; breath: level of noise under the voice. Raises InputError for
    values that no one could speak with.
    """

    name: str
    pitch: float = 120.0
    tract: float = 1.0
    tempo: float = 1.0
    breath: float = 0.02

    def __post_init__(self):
        if not (40 <= self.pitch <= 400 and 0.5 <= self.tract <= 2 and 0.2 <= self.tempo <= 5 and self.breath >= 0):
            raise InputError(f"a voice {self} cannot be spoken with")


def voices(count: int, seed: int = 0) -> list[Voice]:
    """Return voices v0, v1, ...: pitch 85-240 Hz, tract 0.88-1.18, tempo 0.75-1.3; the first of more are the same."""
    drawn = [np.random.default_rng([seed, i]).random(4) for i in range(count)]
    return [
        Voice(f"v{i}", 85 * (240 / 85) ** a, 0.88 + 0.30 * (0.6 * a + 0.4 * b), 0.75 + 0.55 * c, 0.01 + 0.05 * d)
        for i, (a, b, c, d) in enumerate(drawn)
    ]


def synthesise(texts: Sequence[str], speakers: Sequence[Voice], rate: int = 8000, seed: int = 0) -> list[np.ndarray]:
    """Return one wave (float32, peak 0.5) for each text, spoken by the voice of the same place.

    Each is said with its own tempo, pitch and contour, drawn from (seed, place): the same call gives the same bits,
    and no wave depends on the others. Raises InputError for lists of different length, a rate below 4000 Hz, an empty
    text and a word that is not in the lexicon.
    """
    if len(texts) != len(speakers) or not texts:
        raise InputError(f"{len(texts)} texts cannot be spoken by {len(speakers)} voices")
    if rate < 4000 or rate * HOP % 1:
        raise InputError(f"speech needs a rate of 4000 Hz or more, a multiple of {round(1 / HOP)}, not {rate}")
    triples = zip(texts, speakers, range(len(texts)), strict=True)
    return [_spoken(text, voice, rate, np.random.default_rng([seed, place])) for text, voice, place in triples]


def _spoken(text: str, voice: Voice, rate: int, generator: np.random.Generator) -> np.ndarray:
    score, hop = _score(text, voice, generator), round(HOP * rate)
    white = generator.standard_normal(len(score["pitch"]) * hop, dtype=np.float32)
    pulses = _pulses(score["pitch"], hop, rate)
    wave = _shaped(pulses, _tract(score, rate), hop, rate) + _shaped(white, _noise(score, rate), hop, rate)
    return (PEAK / np.abs(wave).max()) * wave


def _score(text: str, voice: Voice, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what is said, state by state: pitch, resonances (n, 3), levels of voice, noise and breath, noise band."""
    said = stretches(text)
    table = np.array([_row(part) for part in said])
    tempo = voice.tempo * generator.uniform(0.9, 1.1)
    lengths = table[:, 0] / tempo * generator.uniform(0.8, 1.25, len(said))
    states = np.maximum(1, np.round(lengths / (1000 * HOP))).astype(int)
    rows, n = np.repeat(table, states, axis=0), states.sum()
    begun = np.repeat(np.cumsum(states) - states, states)
    share = ((np.arange(n) - begun + 0.5) / np.repeat(states, states))[:, None]
    glide = (1 - share) * rows[:, 1:4] + share * rows[:, 4:7]
    fall = np.linspace(1.12, 0.88, n) * generator.uniform(0.95, 1.05)
    sway = 1 + 0.04 * np.sin(2 * np.pi * (np.arange(n) * HOP * generator.uniform(1.5, 3) + generator.random()))
    score = {
        "pitch": voice.pitch * fall * sway,
        "resonances": _smooth(glide) * voice.tract * (1 + 0.02 * generator.standard_normal(3)),
        "voice": _smooth(rows[:, 7], 3),
        "noise": _smooth(rows[:, 8], 3),
        "band": rows[:, 9] * np.sqrt(voice.tract),
        "spread": rows[:, 10],
    }
    score["breath"] = voice.breath * score["voice"]
    return score


def _row(part: Stretch) -> tuple[float, ...]:
    return (part.duration, *part.begin, *part.end, part.voice, part.noise, part.band, part.spread)


def _smooth(track: np.ndarray, states: int = SMOOTHING) -> np.ndarray:
    return uniform_filter1d(track, states, axis=0, mode="nearest")


def _pulses(pitch: np.ndarray, hop: int, rate: int) -> np.ndarray:
    """Return glottal pulses, one whenever the phase passes a whole number."""
    cycles = np.floor(np.cumsum(np.repeat(pitch, hop) / rate))
    pulses = np.diff(cycles, prepend=0.0)
    # A pulse of a low voice carries more than one of a high voice, so that both are as loud.
    return (pulses * np.sqrt(rate / np.repeat(pitch, hop))).astype(np.float32)


def _tract(score: dict[str, np.ndarray], rate: int) -> np.ndarray:
    """Return the gains (n, bins) of the voice: resonances times the fall of the glottal source, 6 dB an octave.

    |H(f)| = prod_k (F_k^2 + B_k^2) / sqrt(((f - F_k)^2 + B_k^2) ((f + F_k)^2 + B_k^2)), B half the bandwidths.
    """
    f = _frequencies(rate)
    gain = (1 / (1 + f / 300)).astype(np.float32)[None]
    for k, bandwidth in enumerate(BANDWIDTHS):
        at, half = score["resonances"][:, k, None].astype(np.float32), np.float32((bandwidth / 2) ** 2)
        gain = gain * (at**2 + half) / np.sqrt(((f - at) ** 2 + half) * ((f + at) ** 2 + half))
    return gain * score["voice"][:, None].astype(np.float32)


def _noise(score: dict[str, np.ndarray], rate: int) -> np.ndarray:
    """Return the gains (n, bins) of the noise: exp(-((f - band) / spread)^2 / 2), and breath under the voice."""
    f = _frequencies(rate)
    band, spread = score["band"][:, None].astype(np.float32), score["spread"][:, None].astype(np.float32)
    hiss = score["noise"][:, None].astype(np.float32) * np.exp(-0.5 * ((f - band) / spread) ** 2)
    return hiss + score["breath"][:, None].astype(np.float32)


def _frequencies(rate: int) -> np.ndarray:
    length = round(WINDOW * rate)
    return (np.arange(length // 2 + 1) * rate / length).astype(np.float32)


def _shaped(signal: np.ndarray, gains: np.ndarray, hop: int, rate: int) -> np.ndarray:
    """Return the signal with the spectrum of each Hann window around a state multiplied by that state's gains.

    Windows of 4 hops add up to 2 everywhere. Every second state is enough: resonances move slowly.
    """
    step, length = 2 * hop, round(WINDOW * rate)
    gains = gains[::2]
    padded = np.zeros(len(gains) * step + length, dtype=np.float32)
    padded[length // 4 : length // 4 + len(signal)] = signal
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::step][: len(gains)]
    hann = np.hanning(length + 1)[:-1].astype(np.float32)
    shaped = irfft(rfft(frames * hann, axis=1) * gains, length, axis=1)
    total = np.zeros(len(gains) * step + length, dtype=np.float32)
    blocks = total[: len(gains) * step].reshape(-1, step)
    blocks += shaped[:, :step]
    total[step : step + len(gains) * step].reshape(-1, step)[...] += shaped[:, step : 2 * step]
    return total[length // 4 : length // 4 + len(signal)]
