"""Corpora: the same twice, disjoint, in noise of their level; FSDD from a folder and from the mirror."""

import numpy as np
import pytest

from tenfold.datasets.provenance import Resolution, note
from tenfold.datasets.speech import DIGITS, SPEAKERS, Utterances
from tenfold.errors import InputError
from tenfold.speech import corpora, corpus, espeak

PARTS = ("train", "test", "unseen")


def fresh(*arguments, **options):
    corpora.made.cache_clear()
    return corpus(*arguments, **options)


@pytest.mark.parametrize("name", ["formant-grid", "formant-digits"])
def test_the_same_corpus_twice(name):
    first, again = fresh(name, 12, 5, seed=1), fresh(name, 12, 5, seed=1)
    assert [getattr(first, p).digest() for p in PARTS] == [getattr(again, p).digest() for p in PARTS]
    other = fresh(name, 12, 5, seed=2)
    assert all(getattr(first, p).digest() != getattr(other, p).digest() for p in PARTS)
    assert [len(getattr(first, p)) for p in PARTS] == [12, 5, 5]
    assert first.rate == 8000


def test_tests_are_disjoint_from_training():
    found = fresh("formant-grid", 60, 30, None)
    heard = {wave.tobytes() for wave in found.train.waves}
    for part in (found.test, found.unseen):
        assert not heard & {wave.tobytes() for wave in part.waves}
    assert set(found.test.speakers) <= {f"v{i}" for i in range(12)}
    assert set(found.unseen.speakers) == {f"v{i}" for i in range(12, 16)}


def test_seeds_share_no_sentence():
    """Waves of part p and seed s come from 3 s + p: no corpus repeats a part of another."""
    found = [fresh("formant-digits", 10, 10, None, seed=seed) for seed in range(3)]
    waves = [wave.tobytes() for c in found for part in (c.train, c.test, c.unseen) for wave in part.waves]
    assert len(set(waves)) == len(waves)


def test_noise_has_its_level():
    clean, noisy = fresh("formant-digits", 8, 4, None), fresh("formant-digits", 8, 4, (3.0, 3.0))
    assert clean.train.texts == noisy.train.texts
    for a, b in zip(clean.train.waves, noisy.train.waves, strict=True):
        assert 10 * np.log10(np.square(a).mean() / np.square(b - a).mean()) == pytest.approx(3, abs=0.01)


class Recordings(dict):
    """All 3,000 recordings, short, each with its own level; remembers which were asked for."""

    def __init__(self):
        keys = [(digit, speaker, take) for digit in range(10) for speaker in SPEAKERS for take in range(50)]
        super().__init__({key: np.full(300, (i + 1) / 4000, dtype=np.float32) for i, key in enumerate(keys)})
        self.asked = []

    def __getitem__(self, key):
        self.asked.append(key)
        return super().__getitem__(key)


@pytest.fixture
def recordings(monkeypatch):
    found = Recordings()
    where = Resolution("fsdd", "real", None, "0" * 64, "digits")
    monkeypatch.setattr(corpora, "takes", lambda folder: (found, where))
    return found


def test_strings_of_recorded_digits(recordings):
    """Takes 0-4 of five speakers are for tests alone, and the sixth speaker is never trained on."""
    found = fresh("fsdd", 40, 20, None)
    words = {part: [word for text in getattr(found, part).texts for word in text.split()] for part in PARTS}
    first, second = len(words["train"]), len(words["train"]) + len(words["test"])
    asked = {"train": recordings.asked[:first], "test": recordings.asked[first:second]}
    asked["unseen"] = recordings.asked[second:]
    for part in PARTS:
        assert [DIGITS[digit] for digit, _, _ in asked[part]] == words[part]
    assert {speaker for _, speaker, _ in asked["train"]} == set(SPEAKERS) - {"lucas"}
    assert {speaker for _, speaker, _ in asked["unseen"]} == {"lucas"}
    assert {take for _, _, take in asked["train"]} <= set(range(5, 50))
    assert {take for _, _, take in asked["test"]} == set(range(5))
    assert {len(text.split()) for text in found.train.texts} == {3, 4, 5, 6}
    assert all(wave.max() == pytest.approx(0.5) for wave in found.test.waves)
    assert all(300 * n <= len(w) <= 300 * n + 800 * (n + 1) for w, n in with_counts(found.train))


def with_counts(spoken):
    return [(wave, len(text.split())) for wave, text in zip(spoken.waves, spoken.texts, strict=True)]


def test_a_recording_that_is_missing(recordings):
    for key in [key for key in recordings if key[0] == 3]:
        del recordings[key]
    with pytest.raises(InputError, match=r"the recording 3_[a-z]+_[0-9]+\.wav is missing"):
        fresh("fsdd", 10, 10, None)


def test_espeak_corpora_cut_one_list(monkeypatch):
    """All lines are spoken by one process in one order, and shared out afterwards."""
    asked = []

    def speak(lines, rate):
        asked.append(lines)
        return [np.full(400, i + 1.0, dtype=np.float32) for i in range(len(lines))], "d" * 64

    monkeypatch.setattr(espeak, "speak", speak)
    found = fresh("espeak-digits", 6, 3, None)
    assert len(asked) == 1
    assert [int(w[0]) for part in (found.train, found.test, found.unseen) for w in part.waves] == list(range(1, 13))
    lines = asked[0]
    assert [line.text for line in lines[6:9]] == list(found.test.texts)
    assert {line.voice for line in lines[:9]} <= set(espeak.espeak_voices()[:12])
    assert {line.voice for line in lines[9:]} <= set(espeak.espeak_voices()[12:])
    assert all(150 <= line.speed <= 260 and 25 <= line.pitch <= 75 and 30 <= line.span <= 70 for line in lines)
    assert found.resolution.digest == "d" * 64


@pytest.mark.mirror
def test_fsdd_of_the_mirror(mirror):
    found = fresh("fsdd", 30, 10, None)
    assert found.resolution.source == "mirror"
    assert 1.5 < found.train.seconds / 30 < 3
    assert found.train.digest() == fresh("fsdd", 30, 10, None).train.digest()


def test_mini_librispeech_tests_all_readers_it_trained_on(monkeypatch):
    """The last utterances of each reader are held out; readers of the other part are never trained on."""

    def librispeech(part, folder, limit=None):
        readers = ["a"] * 6 + ["b"] * 5 if part == "train-clean-5" else ["c"] * 9
        waves = [np.full(900, i + 1.0, dtype=np.float32) for i in range(len(readers))][:limit]
        where = note(Resolution(f"librispeech:{part}", "cache", None, part, part))
        assert where.digest == part
        return Utterances(waves, [f"{part} {i}" for i in range(len(waves))], readers[: len(waves)], 16000)

    monkeypatch.setattr(corpora, "librispeech", librispeech)
    found = fresh("mini-librispeech", 100, 4, None)
    assert [int(wave[0]) for wave in found.test.waves] == [5, 6, 10, 11]
    assert [int(wave[0]) for wave in found.train.waves] == [1, 2, 3, 4, 7, 8, 9]
    assert set(found.unseen.speakers) == {"c"}
    assert (len(found.unseen), found.rate, found.resolution.digest) == (4, 16000, "train-clean-5")
    with pytest.raises(InputError, match="11 utterances are too few for 20 tests"):
        fresh("mini-librispeech", 100, 20, None)


def test_what_is_no_corpus():
    with pytest.raises(InputError, match="did you mean 'formant-grid'"):
        corpus("formant-grids")
    with pytest.raises(InputError, match="not 0 and 200"):
        corpus("formant-grid", 0)
    with pytest.raises(InputError, match="no folder of recordings"):
        fresh("fsdd", 3, 3, folder="nowhere")
    assert set(corpora.NAMES) >= {"fsdd", "espeak-grid"}
