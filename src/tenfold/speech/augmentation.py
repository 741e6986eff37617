"""Augmentation: masks of time and frequency on features, babble and white noise on waveforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tenfold.errors import InputError

SNRS = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)  # dB, of the public code; with equal odds for none


def spec_augment(
    features: Tensor,
    generator: torch.Generator,
    time_masks: int = 2,
    time_width: int = 10,
    frequency_masks: int = 2,
    frequency_width: int = 8,
) -> Tensor:
    """Return features with random bands of frames and of frequencies set to 0, the mean of what is standardised.

    features (B, T, F). Each mask is w wide, w uniform in 0 ... width, and begins anywhere it fits. Source:
    arXiv 1904.08779, without time warping. Raises InputError for negative numbers and for features of another form.
    """
    if features.ndim != 3:
        raise InputError(f"features are (B, T, F), not {tuple(features.shape)}")
    if min(time_masks, time_width, frequency_masks, frequency_width) < 0:
        raise InputError("numbers and widths of masks are at least 0")
    hidden_T = _spans(features.shape[0], time_masks, time_width, features.shape[1], generator)
    hidden_F = _spans(features.shape[0], frequency_masks, frequency_width, features.shape[2], generator)
    hidden = hidden_T[:, :, None] | hidden_F[:, None, :]
    return features.masked_fill(hidden.to(features.device), 0.0)


def _spans(rows: int, count: int, width: int, length: int, generator: torch.Generator) -> Tensor:
    """Return (rows, length), True within any of `count` random spans of a row."""
    drawn = torch.rand(2, rows, count, 1, generator=generator, device=generator.device)
    widths = (drawn[0] * (min(width, length) + 1)).floor()
    begins = (drawn[1] * (length - widths + 1)).floor()
    places = torch.arange(length, device=generator.device)
    return ((places >= begins) & (places < begins + widths)).any(1)


def adaptive_time_mask(
    waveform: Tensor, rate: int, generator: torch.Generator, longest: float = 0.4, every: float = 1.0
) -> Tensor:
    """Return a waveform (N,) with up to `longest` seconds set to 0 for each `every` seconds of it.

    One mask a second of speech, each w long, w uniform in 0 ... longest, as in the public code mpc001/auto_avsr.
    """
    count, width = int(len(waveform) / rate / every), round(longest * rate)
    return waveform.masked_fill(_spans(1, count, width, len(waveform), generator)[0].to(waveform.device), 0.0)


def mixed(speech: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Return speech + g noise with 10 log10(P_speech / P_(g noise)) = snr dB, P the mean square; both (N,).

    Raises InputError for lengths that differ and for silent noise.
    """
    if speech.shape != noise.shape:
        raise InputError(f"speech {speech.shape} and noise {noise.shape} differ in length")
    power, disturbance = np.square(speech, dtype=np.float64).mean(), np.square(noise, dtype=np.float64).mean()
    if disturbance == 0:
        raise InputError("noise that is silent has no level")
    # g = sqrt(P_speech / (P_noise 10^(snr / 10)))
    return (speech + np.sqrt(power / disturbance * 10 ** (-snr / 10)) * noise).astype(np.float32)


def babble(waves: Sequence[np.ndarray], samples: int, generator: np.random.Generator, voices: int = 4) -> np.ndarray:
    """Return the sum (samples,) of `voices` other utterances, each of power 1, repeated and begun anywhere."""
    if not len(waves) or voices < 1:
        raise InputError("babble needs utterances and at least one voice")
    total = np.zeros(samples, dtype=np.float64)
    for i in generator.choice(len(waves), voices, replace=len(waves) < voices):
        wave = np.asarray(waves[i], dtype=np.float64)
        power = np.sqrt(np.square(wave).mean()) or 1.0
        total += np.take(wave, np.arange(samples) + generator.integers(len(wave)), mode="wrap") / power
    return total


def noisy(
    waves: Sequence[np.ndarray],
    seed: int,
    snr: tuple[float, float] = (0.0, 15.0),
    voices: int = 4,
    white: float = 0.3,
) -> list[np.ndarray]:
    """Return waves in babble of each other with white noise, each at an SNR drawn from `snr`, in dB.

    white: share of the noise's power; the same seed gives the same noise, whatever the number of cores.
    """
    found = []
    for i, wave in enumerate(waves):
        generator = np.random.default_rng([seed, i])
        others = [waves[j] for j in _others(len(waves), i, voices, generator)]
        voiced = babble(others, len(wave), generator, voices)
        hiss = generator.standard_normal(len(wave))
        noise = np.sqrt((1 - white) / voices) * voiced + np.sqrt(white) * hiss
        found.append(mixed(wave, noise, generator.uniform(*snr)))
    return found


def _others(count: int, own: int, voices: int, generator: np.random.Generator) -> np.ndarray:
    """Return the numbers of other utterances; the own one where there is no other."""
    if count == 1:
        return np.zeros(1, dtype=int)
    drawn = generator.choice(count - 1, min(voices, count - 1), replace=False)
    return drawn + (drawn >= own)
