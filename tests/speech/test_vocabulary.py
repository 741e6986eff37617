"""Units of transcripts: there and back, what is stored, what is unknown."""

import pytest

from tenfold.errors import InputError
from tenfold.speech import Vocabulary, subwords, vocabulary
from tenfold.speech.vocabulary import restored

TEXTS = ["place blue at f two now", "lay red  with Z nine soon", "one two three four five six seven"]


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_there_and_back(kind):
    known = vocabulary(TEXTS, kind)
    for text in TEXTS:
        numbers = known.encode(text)
        assert min(numbers) >= 1
        assert known.decode(numbers) == " ".join(text.lower().split())
    assert len(known) == len(set(known.units)) + 1
    assert known.decode([0, *known.encode("two"), 0, 999]) == "two"


def test_words_and_characters_are_sorted():
    assert vocabulary(["b a", "c a"]).units == ("a", "b", "c")
    assert vocabulary(["b a"], "characters").encode("a b") == [2, 1, 3]


def test_subwords_write_any_word_of_their_letters():
    known = subwords(TEXTS * 20, 60)
    assert len(known) <= 61
    assert known.decode(known.encode("one soon  Place")) == "one soon place"
    other = restored(known.stored())
    assert other.encode("place blue") == known.encode("place blue")
    assert other.decode(known.encode("place blue")) == "place blue"


def test_what_is_stored_comes_back():
    known = restored(vocabulary(TEXTS).stored())
    assert isinstance(known, Vocabulary)
    assert known.units == vocabulary(TEXTS).units


def test_what_is_unknown():
    known = vocabulary(TEXTS)
    with pytest.raises(InputError, match="unknown word 'thre'; did you mean 'three'"):
        known.encode("thre")
    with pytest.raises(InputError, match="must not be empty"):
        known.encode("  ")
    with pytest.raises(InputError, match="did you mean 'words'"):
        vocabulary(TEXTS, "word")
    with pytest.raises(InputError, match="units, each once"):
        vocabulary([" "])
