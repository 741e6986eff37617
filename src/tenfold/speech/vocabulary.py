"""Units of transcripts: words, characters, or subwords of a unigram model; unit 0 is CTC's blank."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tenfold.errors import InputError, unknown

KINDS = ("words", "characters", "subwords")
SPACE = "▁"  # how a subword writes the space before it


class Vocabulary:
    """Units by number: encode(text) -> numbers from 1, decode(numbers) -> text; 0 is the blank.

    kind "words" or "characters" knows the units seen in texts, sorted; see `subwords` for the third. Raises InputError
    for an unknown kind, no unit, and, when encoding, an empty text or a unit that is not known.
    """

    def __init__(self, kind: str, units: Sequence[str], model: Any = None):
        if kind not in KINDS:
            raise unknown("kind of units", kind, KINDS)
        if not units or len(set(units)) < len(units):
            raise InputError("a vocabulary needs units, each once")
        self.kind, self.units, self.model = kind, tuple(units), model
        self.numbers = {unit: i for i, unit in enumerate(self.units, 1)}

    def __len__(self) -> int:
        """Number of outputs of a recogniser: the units and the blank."""
        return len(self.units) + 1

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's units."""
        text = " ".join(text.lower().split())
        if not text:
            raise InputError("a transcript must not be empty")
        if self.model is not None:
            return [i + 1 for i in self.model.encode(text).ids]
        units = text.split() if self.kind == "words" else text
        for unit in units:
            if unit not in self.numbers:
                raise unknown(self.kind[:-1], unit, self.units)
        return [self.numbers[unit] for unit in units]

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of numbers; blanks and what lies beyond the units are left out."""
        found = [self.units[i - 1] for i in numbers if 0 < i <= len(self.units)]
        if self.kind == "subwords":
            return " ".join("".join(found).replace(SPACE, " ").split())
        return " ".join(found) if self.kind == "words" else "".join(found)

    def stored(self) -> dict[str, Any]:
        """Return it as plain values; see `restored`."""
        return {"kind": self.kind, "units": list(self.units), "model": self.model and self.model.to_str()}


def restored(stored: dict[str, Any]) -> Vocabulary:
    """Return the vocabulary of what `Vocabulary.stored` gave."""
    model = None
    if stored["model"]:
        from tokenizers import Tokenizer

        model = Tokenizer.from_str(stored["model"])
    return Vocabulary(stored["kind"], stored["units"], model)


def vocabulary(texts: Iterable[str], kind: str = "words") -> Vocabulary:
    """Return the words or characters of texts as units, sorted; raises InputError for another kind."""
    texts = [" ".join(text.lower().split()) for text in texts]
    if kind not in KINDS[:2]:
        raise unknown("kind of units", kind, KINDS[:2])
    return Vocabulary(kind, sorted({unit for text in texts for unit in (text.split() if kind == "words" else text)}))


def subwords(texts: Iterable[str], size: int = 5047) -> Vocabulary:
    """Return at most `size` units of a unigram language model of the texts; arXiv 1804.10959.

    5047 with blank and the decoder's sentence mark make the 5049 outputs of the public code mpc001/auto_avsr.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    model = Tokenizer(models.Unigram())
    model.pre_tokenizer, model.decoder = pre_tokenizers.Metaspace(SPACE), decoders.Metaspace(SPACE)
    trainer = trainers.UnigramTrainer(vocab_size=size, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    model.train_from_iterator([" ".join(text.lower().split()) for text in texts], trainer)
    pieces = [piece for piece, _ in json.loads(model.to_str())["model"]["vocab"]]
    return Vocabulary("subwords", pieces, model)
