"""Sentences to speak: those of the GRID corpus, six words each, and strings of digits."""

from __future__ import annotations

import numpy as np

from tenfold.datasets.speech import DIGITS
from tenfold.errors import InputError

LETTERS = tuple("abcdefghijklmnopqrstuvxyz")  # w is left out: its name is the only one of three syllables
GRID = (
    ("bin", "lay", "place", "set"),
    ("blue", "green", "red", "white"),
    ("at", "by", "in", "with"),
    LETTERS,
    DIGITS,
    ("again", "now", "please", "soon"),
)
GRID_WORDS = tuple(word for slot in GRID for word in slot)


def grid_sentences(count: int, generator: np.random.Generator) -> list[str]:
    """Return random sentences: command, colour, preposition, letter, digit, adverb; 64,000 there are.

    Source: Cooke, Barker, Cunningham and Shao 2006, J. Acoust. Soc. Am. 120, 2421.
    """
    _check(count)
    columns = [generator.integers(len(slot), size=count) for slot in GRID]
    return [" ".join(slot[i] for slot, i in zip(GRID, row, strict=True)) for row in zip(*columns, strict=True)]


def digit_strings(count: int, generator: np.random.Generator, shortest: int = 2, longest: int = 5) -> list[str]:
    """Return random strings of `shortest` to `longest` digits, such as "four zero nine"."""
    _check(count)
    if not 1 <= shortest <= longest:
        raise InputError(f"strings of {shortest} to {longest} digits there are none")
    lengths = generator.integers(shortest, longest + 1, size=count)
    return [" ".join(DIGITS[i] for i in generator.integers(10, size=n)) for n in lengths]


def _check(count: int) -> None:
    if count < 1:
        raise InputError(f"a corpus needs at least one sentence, not {count}")
