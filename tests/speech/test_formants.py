"""Synthesised speech: resonances, pitch, determinism, grammar and lexicon."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.speech import GRID, GRID_WORDS, Voice, digit_strings, grid_sentences, synthesise, voices
from tenfold.speech.phones import LEXICON, PHONES, stretches


def spectrum(wave, rate=8000):
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    return np.fft.rfftfreq(len(wave), 1 / rate), power


def test_each_voice_has_its_pitch():
    """The vowel of "e" repeats itself every 1 / pitch seconds."""
    for pitch in (90.0, 150.0, 220.0):
        (wave,) = synthesise(["e e e e"], [Voice("v", pitch, breath=0.0)])
        found = np.correlate(wave, wave, "full")[len(wave) - 1 :]
        lag = 30 + found[30:110].argmax()
        assert 8000 / lag == pytest.approx(pitch, rel=0.12)


def test_vowels_stand_where_their_resonances_are():
    """More power around the first two resonances of a word's vowel than of the other word's."""
    near = lambda f, at: np.abs(f - at) < 150  # noqa: E731
    f, iy = spectrum(synthesise(["e"], [Voice("v", 100.0)])[0])
    _, aa = spectrum(np.resize(synthesise(["r"], [Voice("v", 100.0)])[0], 2 * (len(f) - 1)))
    share = lambda power, at: power[near(f, at)].sum() / power.sum()  # noqa: E731
    assert share(iy, 270) > 3 * share(aa, 270)
    assert share(iy, 2290) > 3 * share(aa, 2290)
    assert share(aa, 900) > 3 * share(iy, 900)


def test_a_short_tract_has_high_resonances():
    """The mean frequency of what is said grows with the tract's scale, the pitch being the same."""
    centres = []
    for tract in (0.88, 1.0, 1.18):
        f, power = spectrum(synthesise(["r"], [Voice("v", 100.0, tract)])[0])
        centres.append((f * power).sum() / power.sum())
    assert centres[1] / centres[0] > 1.04
    assert centres[2] / centres[1] > 1.05


def test_hiss_is_high_and_voice_is_low():
    f, power = spectrum(synthesise(["s"], [Voice("v", 120.0)])[0])
    late = synthesise(["s"], [Voice("v", 120.0)])[0][-900:]
    g, tail = spectrum(late)
    assert tail[g > 2500].sum() > 5 * tail[g < 1500].sum()
    assert power[f < 1500].sum() > power[f > 2500].sum()


def test_same_call_same_bits_and_no_wave_hears_another():
    lines, people = ["bin blue at a one again", "set red by z nine soon", "lay white in q two now"], voices(3)
    first, again = synthesise(lines, people, seed=4), synthesise(lines, people, seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.array_equal(synthesise(lines[:1], people[:1], seed=4)[0], first[0])
    twice = synthesise(lines[:1] * 2, people[:1] * 2, seed=4)
    assert len(twice[0]) != len(twice[1])
    other = synthesise(lines, people, seed=5)
    assert all(len(a) != len(b) or not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert all(wave.dtype == np.float32 and np.abs(wave).max() == pytest.approx(0.5) for wave in first)


def test_tempo_and_rate():
    slow, fast = (synthesise(["bin blue at a one again"] * 20, [Voice("v", tempo=t)] * 20) for t in (0.75, 1.5))
    assert sum(map(len, slow)) == pytest.approx(2 * sum(map(len, fast)), rel=0.05)
    wide = synthesise(["seven"], [Voice("v")], rate=16000)[0]
    assert len(wide) == 2 * len(synthesise(["seven"], [Voice("v")])[0])


def test_voices_are_the_same_however_many_there_are():
    assert voices(16)[:12] == voices(12)
    assert len({voice.pitch for voice in voices(16)}) == 16
    assert all(85 <= v.pitch <= 240 and 0.88 <= v.tract <= 1.18 and 0.75 <= v.tempo <= 1.3 for v in voices(50))
    assert voices(3, seed=1) != voices(3)


def test_every_word_is_said_in_its_own_way():
    assert set(GRID_WORDS) == set(LEXICON)
    assert len(GRID_WORDS) == len(set(GRID_WORDS)) == 51
    assert len(set(LEXICON.values())) == 51
    assert {phone for said in LEXICON.values() for phone in said.split()} == set(PHONES)


def test_sentences_of_the_grammar():
    said = grid_sentences(300, np.random.default_rng(0))
    for text in said:
        words = text.split()
        assert len(words) == 6
        assert all(word in slot for word, slot in zip(words, GRID, strict=True))
    assert {text.split()[3] for text in said} == set(GRID[3])
    assert said == grid_sentences(300, np.random.default_rng(0))
    lengths = {len(text.split()) for text in digit_strings(200, np.random.default_rng(1), 2, 5)}
    assert lengths == {2, 3, 4, 5}


def test_what_cannot_be_said():
    with pytest.raises(InputError, match="empty text"):
        stretches(" ")
    with pytest.raises(InputError, match="unknown word 'sevn'; did you mean 'seven'"):
        synthesise(["sevn"], voices(1))
    with pytest.raises(InputError, match="2 texts cannot be spoken by 1"):
        synthesise(["one", "two"], voices(1))
    with pytest.raises(InputError, match="rate of 4000 Hz or more"):
        synthesise(["one"], voices(1), rate=2000)
    with pytest.raises(InputError, match="cannot be spoken with"):
        Voice("v", pitch=5)
    with pytest.raises(InputError, match="at least one sentence"):
        grid_sentences(0, np.random.default_rng(0))
