"""Corpora to train small recognisers on: synthesised sentences and strings of recorded digits, in noise or clean."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold.datasets.provenance import Resolution, note, synthetic, used
from tenfold.datasets.resolution import local
from tenfold.datasets.speech import DIGITS, FSDD_RATE, SPEAKERS, TAKES, Utterances, manifest, takes
from tenfold.datasets.speechlibrary import librispeech
from tenfold.errors import InputError, unknown
from tenfold.speech import espeak
from tenfold.speech.augmentation import noisy
from tenfold.speech.formants import synthesise, voices
from tenfold.speech.grammar import digit_strings, grid_sentences

RATE = 8000
KNOWN, UNSEEN = 12, 4  # voices
TEST_TAKES = 5  # FSDD's own split: takes 0-4 are for tests
UNSEEN_SPEAKER = "lucas"
FIRST_SEEDS = {"train": 0, "test": 1, "unseen": 2}


@dataclass(frozen=True, eq=False)
class Corpus:
    """Utterances to train on, to test with by the same voices, and by voices never heard; where they came from."""

    name: str
    train: Utterances
    test: Utterances
    unseen: Utterances
    resolution: Resolution

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.train.rate


def corpus(
    name: str,
    utterances: int = 2000,
    tests: int = 200,
    snr: tuple[float, float] | None = (0.0, 15.0),
    seed: int = 0,
    folder: str | Path | None = None,
) -> Corpus:
    """Return a corpus: `utterances` to train on, `tests` of known voices, `tests` of unseen ones.

    "formant-grid", "formant-digits": GRID sentences (six of 51 words), or 2 to 5 digits, by the formant synthesiser,
    12 voices and 4 unseen; "espeak-grid", "espeak-digits": the same texts by espeak-ng (extra `speech`); "fsdd":
    strings of 3 to 6 recorded digits (takes 5-49 of five speakers; tests from takes 0-4; unseen the sixth). At 16 kHz:
    "mini-librispeech" (train-clean-5, whose last utterances of each reader are the tests; unseen: dev-clean-2) and
    "manifest", where `folder` is a csv file with the splits train, test and unseen (see `tenfold.datasets.speech`).
    snr: range in dB of babble and white noise on all of them, or None. folder: of a reader's own recordings. The same
    arguments give the same samples; the last two corpora are kept. Raises InputError for an unknown name, and for
    voices or recordings that are nowhere.
    """
    if name not in NAMES:
        raise unknown("corpus", name, NAMES)
    if min(utterances, tests) < 1:
        raise InputError(f"a corpus needs utterances of each kind, not {utterances} and {tests}")
    found = made(name, utterances, tests, snr and tuple(snr), seed, folder)
    note(found.resolution)
    return found


@functools.lru_cache(maxsize=2)
def made(
    name: str, utterances: int, tests: int, snr: tuple[float, float] | None, seed: int, folder: str | Path | None
) -> Corpus:
    """Return what `corpus` keeps."""
    sizes = {"train": utterances, "test": tests, "unseen": tests}
    make = MAKERS.get(name)
    parts, resolution = make(sizes, seed, folder) if make else _synthesised(name, sizes, seed)
    if snr is not None:
        parts = {part: _in_noise(spoken, seed + i, snr) for i, (part, spoken) in enumerate(parts.items())}
    return Corpus(name, **parts, resolution=resolution)


def _synthesised(name: str, sizes: dict[str, int], seed: int) -> tuple[dict[str, Utterances], Resolution]:
    engine, _, grammar = name.partition("-")
    draw = grid_sentences if grammar == "grid" else digit_strings
    texts = {part: draw(size, np.random.default_rng([seed, FIRST_SEEDS[part]])) for part, size in sizes.items()}
    return (_formants if engine == "formant" else _espeak)(texts, seed)


def _formants(texts: dict[str, list[str]], seed: int) -> tuple[dict[str, Utterances], Resolution]:
    parts = {}
    for part, lines in texts.items():
        generator = np.random.default_rng([seed, FIRST_SEEDS[part], 1])
        people = voices(KNOWN + UNSEEN)[KNOWN:] if part == "unseen" else voices(KNOWN)
        spoken = [people[i] for i in generator.integers(len(people), size=len(lines))]
        waves = synthesise(lines, spoken, RATE, seed=3 * seed + FIRST_SEEDS[part])
        parts[part] = Utterances(waves, lines, [voice.name for voice in spoken], RATE)
    digest = "".join(part.digest()[:16] for part in parts.values())
    return parts, synthetic("formant speech", digest, "formant synthesis of GRID sentences or digits")


def _espeak(texts: dict[str, list[str]], seed: int) -> tuple[dict[str, Utterances], Resolution]:
    people, lines = espeak.espeak_voices(), []
    for part, said in texts.items():
        generator = np.random.default_rng([seed, FIRST_SEEDS[part], 1])
        chosen = people[KNOWN:] if part == "unseen" else people[:KNOWN]
        for text in said:
            voice = chosen[generator.integers(len(chosen))]
            numbers = generator.integers((150, 25, 30), (261, 76, 71)).tolist()
            lines.append(espeak.Line(text, voice, *numbers))
    waves, digest = espeak.speak(lines, RATE)
    parts, begin = {}, 0
    for part, said in texts.items():
        end = begin + len(said)
        parts[part] = Utterances(waves[begin:end], said, [line.voice for line in lines[begin:end]], RATE)
        begin = end
    return parts, synthetic("espeak speech", digest, "espeak-ng synthesis of GRID sentences or digits")


def _fsdd(sizes: dict[str, int], seed: int, folder: str | Path | None) -> tuple[dict[str, Utterances], Resolution]:
    recordings, resolution = takes(folder)
    known = [speaker for speaker in SPEAKERS if speaker != UNSEEN_SPEAKER]
    people = {"train": known, "test": known, "unseen": [UNSEEN_SPEAKER]}
    chosen = {"train": (TEST_TAKES, TAKES), "test": (0, TEST_TAKES), "unseen": (0, TAKES)}
    parts = {}
    for part, size in sizes.items():
        generator = np.random.default_rng([seed, FIRST_SEEDS[part], 2])
        strings = [_string(recordings, people[part], chosen[part], generator) for _ in range(size)]
        parts[part] = Utterances(*zip(*strings, strict=True), FSDD_RATE)
    return parts, resolution


def _string(
    recordings: dict[tuple[int, str, int], np.ndarray],
    people: list[str],
    chosen: tuple[int, int],
    generator: np.random.Generator,
) -> tuple[np.ndarray, str, str]:
    """Return 3 to 6 takes of one speaker, with up to 0.1 s of faint noise before, between and after them."""
    speaker = people[generator.integers(len(people))]
    digits = generator.integers(10, size=generator.integers(3, 7))
    pieces = [_pause(generator)]
    for digit in digits.tolist():
        key = digit, speaker, int(generator.integers(*chosen))
        if key not in recordings:
            raise InputError(f"the recording {digit}_{speaker}_{key[2]}.wav is missing")
        wave = recordings[key]
        pieces += [wave / max(float(np.abs(wave).max()), 1e-3) / 2, _pause(generator)]
    return np.concatenate(pieces).astype(np.float32), " ".join(DIGITS[i] for i in digits), speaker


def _pause(generator: np.random.Generator) -> np.ndarray:
    return 1e-3 * generator.standard_normal(int(generator.uniform(0, 0.1) * FSDD_RATE))


def _mini_librispeech(
    sizes: dict[str, int], seed: int, folder: str | Path | None
) -> tuple[dict[str, Utterances], Resolution]:
    spoken = librispeech("train-clean-5", folder)
    resolution = used()[-1]
    by_reader: dict[str, list[int]] = {}
    for i, reader in enumerate(spoken.speakers):
        by_reader.setdefault(reader, []).append(i)
    # One after the other from each reader's end, so that the test has all readers.
    held = [
        i for row in itertools.zip_longest(*(rows[::-1] for rows in by_reader.values())) for i in row if i is not None
    ]
    test = sorted(held[: sizes["test"]])
    train = sorted(set(range(len(spoken))) - set(test))[: sizes["train"]]
    if not train:
        raise InputError(f"{len(spoken)} utterances are too few for {sizes['test']} tests and a training")
    unseen = librispeech("dev-clean-2", folder, sizes["unseen"])
    return {"train": spoken[train], "test": spoken[test], "unseen": unseen}, resolution


def _manifest(sizes: dict[str, int], seed: int, folder: str | Path | None) -> tuple[dict[str, Utterances], Resolution]:
    if folder is None:
        raise InputError("the corpus manifest needs a folder: the csv file that lists the recordings")
    found = manifest(folder)
    if missing := [part for part in sizes if part not in found]:
        raise InputError(f"{folder} has no split {' and no '.join(missing)}")
    return {part: found[part][:size] for part, size in sizes.items()}, local(Path(folder))


def _in_noise(spoken: Utterances, seed: int, snr: tuple[float, float]) -> Utterances:
    return Utterances(noisy(spoken.waves, seed, snr), spoken.texts, spoken.speakers, spoken.rate)


MAKERS = {"fsdd": _fsdd, "mini-librispeech": _mini_librispeech, "manifest": _manifest}
NAMES = ("formant-grid", "formant-digits", "espeak-grid", "espeak-digits", *MAKERS)
