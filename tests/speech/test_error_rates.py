"""Edit distance: a metric, a table filled by hand; error rates of words and characters."""

import itertools

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.speech import character_error_rate, edit_distance, edits, word_error_rate


def strings(count, seed=0):
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("abc"), generator.integers(0, 7))) for _ in range(count)]


def table(a, b):
    """Return the distance by Wagner and Fischer's table."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def test_distance_is_a_metric():
    words = strings(12)
    for a, b in itertools.product(words, repeat=2):
        assert edit_distance(a, b) == table(a, b) == edit_distance(b, a)
        assert (edit_distance(a, b) == 0) == (a == b)
    for a, b, c in itertools.product(words, repeat=3):
        assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_words_are_units_of_their_own():
    assert edit_distance(["seven", "six"], ["six"]) == 1
    assert edit_distance(["seven", "six"], ["seven", "seven", "six"]) == 1


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("one two three", "one two three", 0.0),
        ("one two three", "", 1.0),
        ("one two three", "one too three four", 2 / 3),
        ("One  TWO", "one two", 0.0),
        ("one", "one one one", 2.0),
        (["one two", "three four five"], ["one", "three four six"], 2 / 5),
    ],
)
def test_word_error_rate(reference, hypothesis, expected):
    assert word_error_rate(reference, hypothesis) == pytest.approx(expected)


def test_character_error_rate_counts_spaces():
    assert character_error_rate("ab cd", "abcd") == pytest.approx(1 / 5)
    assert character_error_rate("Ab  cd", "ab cd") == 0


def test_edits_of_each_utterance_add_up():
    references, said = ["one two", "three"], ["one", "four"]
    counts = edits(references, said)
    assert counts.tolist() == [[1, 2], [1, 1]]
    assert word_error_rate(references, said) == counts[:, 0].sum() / counts[:, 1].sum()


def test_what_has_no_rate():
    for empty in ("", "  ", []):
        with pytest.raises(InputError, match="reference that is not empty"):
            word_error_rate(empty, empty)
    with pytest.raises(InputError, match="2 references for 1"):
        word_error_rate(["one", "two"], ["one"])
