"""Error rates of words and characters, by edit distance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from tenfold.errors import InputError

Texts = str | Sequence[str]


def edit_distance(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> int:
    """Return the least number of substitutions, deletions and insertions that make one sequence the other."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(reference, hypothesis)


def word_error_rate(reference: Texts, hypothesis: Texts) -> float:
    """Return WER = edits between words / words of the references, in [0, inf); 0.1 is 10 %.

    A text, or texts that belong together in order: then edits and words are summed over all. Lower case, split at
    white space. Raises InputError for references without a word and for lists of different length.
    """
    return _rate(reference, hypothesis, words)


def character_error_rate(reference: Texts, hypothesis: Texts) -> float:
    """Return CER = edits between characters / characters of the references, spaces between words among them."""
    return _rate(reference, hypothesis, characters)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return text.lower().split()


def characters(text: str) -> str:
    """Return a text in lower case with one space between words."""
    return " ".join(words(text))


def edits(reference: Sequence[str], hypothesis: Sequence[str], split=words) -> np.ndarray:
    """Return edits and length of the reference (N, 2) of each utterance: what a bootstrap of error rates draws from.

    Raises InputError for lists of different length.
    """
    if len(reference) != len(hypothesis):
        raise InputError(f"{len(reference)} references for {len(hypothesis)} hypotheses")
    pairs = [(split(r), split(h)) for r, h in zip(reference, hypothesis, strict=True)]
    return np.array([(edit_distance(r, h), len(r)) for r, h in pairs], dtype=np.int64).reshape(-1, 2)


def _rate(reference: Texts, hypothesis: Texts, split) -> float:
    pair = [[texts] if isinstance(texts, str) else list(texts) for texts in (reference, hypothesis)]
    wrong, length = edits(*pair, split).sum(axis=0)
    if length == 0:
        raise InputError("an error rate needs a reference that is not empty")
    return float(wrong / length)
