"""The small driver's words: the phrases that its labels are made of, and single digits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from tenfold.errors import InputError

PAD, BOS, EOS = "<pad>", "<s>", "</s>"
SPECIAL = (PAD, BOS, EOS)
DIGITS = tuple("0123456789")
# Whole phrases: what always follows what before it needs no token of its own, and a step takes half the time.
PHRASES = (
    *("I'm observing ", " cars and ", " pedestrians.\n"),
    *("There is no traffic lights.\n", "There is a traffic light and it is ", ". It is ", "m ahead.\n"),
    *("green", "yellow", "red+yellow", "red"),
    *("- Accelerator pedal ", "%\n- Brake pedal ", "%\n- Going to steer ", "% to the ", "left.", "right."),
)
_PIECE = re.compile("|".join(map(re.escape, (*PHRASES, *DIGITS))))


class Vocabulary:
    """Words with their numbers: texts to ids and back.

    words: all of them; ids: word -> number; pad, bos, eos: numbers of the special ones; digits: those of 0 to 9;
    longest: tokens of the longest label, special ones included.
    """

    def __init__(self):
        self.words = (*SPECIAL, *DIGITS, *PHRASES)
        self.ids = {word: i for i, word in enumerate(self.words)}
        self.pad, self.bos, self.eos = (self.ids[word] for word in SPECIAL)
        self.digits = tuple(self.ids[digit] for digit in DIGITS)
        # <s>, </s>, 12 phrases; counts of one digit, a distance of two, pedals of three and one, steering of three.
        self.longest = 2 + 12 + 2 + 2 + 3 + 1 + 3

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return ids (n, T) of <s>, text and </s>, filled up on the right; raises InputError for other words."""
        rows = [[self.bos, *self._numbers(text), self.eos] for text in texts]
        longest = max(map(len, rows), default=0)
        return torch.tensor([row + [self.pad] * (longest - len(row)) for row in rows]).view(len(rows), longest)

    def decode(self, ids: Tensor | Iterable[list[int]]) -> list[str]:
        """Return the text of each row (n, T) up to its </s>, special words left out."""
        texts = []
        for row in ids.tolist() if isinstance(ids, Tensor) else ids:
            end = row.index(self.eos) if self.eos in row else len(row)
            texts.append("".join(self.words[i] for i in row[:end] if i >= len(SPECIAL)))
        return texts

    def _numbers(self, text: str) -> list[int]:
        pieces = _PIECE.findall(text)
        if "".join(pieces) != text:
            raise InputError(f"the small driver does not know all words of {text!r}")
        return [self.ids[piece] for piece in pieces]


def vocabulary() -> Vocabulary:
    """Return the words of the small driver: 17 phrases, ten digits and three special ones."""
    return Vocabulary()
