"""How documents become the tokens of a calibration window: formats of arXiv 2410.07461, and controls."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenfold.errors import InputError, unknown
from tenfold.language import questions
from tenfold.language.documents import Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORMATS = ("text", "zero", "single", "icl", "cot")
ALIASES = {"concat": "icl"}  # as the official code says
CONTROLS = ("ellipses", "random", "tokens")
CHARACTERS = 1000  # of a control, repeated until the window is full


@dataclass(frozen=True)
class Style:
    """A format with its options: see `calibration_windows`."""

    name: str
    rationale: bool = False
    pairs: int | None = None
    steps: int | None = None
    join: bool = False

    @classmethod
    def of(cls, fmt: str, rationale: bool, pairs: int | None, steps: int | None, join: bool) -> Style:
        """Return a checked style; raises InputError for an unknown format and options that it does not have."""
        name = ALIASES.get(fmt, fmt)
        if name not in FORMATS:
            raise unknown("format of windows", fmt, (*FORMATS, *ALIASES))
        if pairs is not None and (name not in ("icl", "cot") or pairs < 1):
            raise InputError(f"pairs are at least 1, and of the formats icl and cot: not {pairs} of '{fmt}'")
        if steps is not None and (name in ("text", "zero") or steps < 0):
            raise InputError(f"steps are at least 0, and of formats with answers: not {steps} of '{fmt}'")
        if join and name != "text":
            raise InputError(f"only the format text joins documents, not '{fmt}'")
        return cls("icl" if name == "cot" else name, rationale or name == "cot", pairs, steps, join)


class _Tokens:
    """Tokens of texts, each tokenised on its own when it is first asked for."""

    def __init__(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase):
        self.texts, self.tokenizer = texts, tokenizer
        self._known: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, i: int) -> list[int]:
        if i not in self._known:
            self._known[i] = self.tokenizer(self.texts[i])["input_ids"]
        return self._known[i]


def draws(
    documents: Sequence[str | Document],
    tokenizer: PreTrainedTokenizerBase,
    style: Style,
    length: int,
    numbers: random.Random,
) -> Iterator[list[int]]:
    """Yield lists of at most `length` tokens without end; a shorter one is to be padded.

    Raises InputError where no document has what the format needs.
    """
    if style.name == "text":
        texts = [getattr(document, "text", document) for document in documents]
        return (_joined if style.join else _slices)(_Tokens(texts, tokenizer), length, numbers)
    tokens = _Tokens(_asked(documents, style), tokenizer)
    if style.name in ("zero", "single"):
        return (tokens[numbers.randint(0, len(tokens) - 1)][:length] for _ in iter(int, 1))
    return _packed(tokens, style.pairs, length, numbers)


def _asked(documents: Sequence[str | Document], style: Style) -> list[str]:
    """Return the question of each document, with answer or rationale where the format has them."""
    asked = [document for document in documents if isinstance(document, Document) and document.question is not None]
    if style.steps is not None:
        asked = [document for document in asked if questions.steps(document.rationale or "") == style.steps]
    if style.rationale:
        asked = [document for document in asked if document.rationale]
    if not asked:
        wanted = [f"{style.steps} steps"] if style.steps is not None else []
        wanted += ["a rationale"] if style.rationale else []
        raise InputError(f"no document has a question{' with ' + ' and '.join(wanted) if wanted else ''}")
    if style.name == "zero":
        return [document.question for document in asked]
    return [questions.pair(document, style.rationale) for document in asked]


def control(name: str, tokenizer: PreTrainedTokenizerBase, length: int, numbers: random.Random) -> Iterator[list[int]]:
    """Yield windows of nonsense: dots, 1000 random letters and digits repeated, or uniform random token ids."""
    if name == "tokens":
        ids = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
        while True:
            yield numbers.choices(ids, k=length)
    alphabet = {"ellipses": ".", "random": string.ascii_letters + string.digits}[name]
    while True:
        yield _repeated("".join(numbers.choices(alphabet, k=CHARACTERS)), tokenizer, length)


def _repeated(text: str, tokenizer: PreTrainedTokenizerBase, length: int) -> list[int]:
    tokens = tokenizer(text)["input_ids"]
    while len(tokens) < length:
        text += text
        tokens = tokenizer(text)["input_ids"]
    return tokens[:length]


def _slice(tokens: Sequence[int], length: int, numbers: random.Random) -> list[int]:
    """Return a random slice of more tokens than that; the last one possible is never drawn, as in arXiv 2306.11695."""
    start = numbers.randint(0, len(tokens) - length - 1)
    return list(tokens[start : start + length])


def _slices(tokens: _Tokens, length: int, numbers: random.Random) -> Iterator[list[int]]:
    """Yield slices of documents drawn with replacement until one is longer than the window: only long ones count."""
    failed = 0
    while True:
        drawn = tokens[numbers.randint(0, len(tokens) - 1)]
        if len(drawn) > length:
            failed = 0
            yield _slice(drawn, length, numbers)
        elif (failed := failed + 1) >= len(tokens):
            longest = max(range(len(tokens)), key=lambda i: len(tokens[i]))
            if len(tokens[longest]) <= length:
                raise InputError(
                    f"no document is longer than a window of {length} tokens: the longest has {len(tokens[longest])},"
                    f" '{tokens.texts[longest][:40].strip()}...'; join packs documents into one stream"
                )
            failed = 0


def _joined(tokens: _Tokens, length: int, numbers: random.Random) -> Iterator[list[int]]:
    stream = [token for i in range(len(tokens)) for token in tokens[i]]
    if len(stream) <= length:
        raise InputError(f"all documents together have {len(stream)} tokens, not more than a window of {length}")
    while True:
        yield _slice(stream, length, numbers)


def _packed(tokens: _Tokens, pairs: int | None, length: int, numbers: random.Random) -> Iterator[list[int]]:
    """Yield pairs one after the other: so many, or until they are longer than the window; then a random slice."""
    while True:
        found: list[int] = []
        count = 0
        while len(found) <= length if pairs is None else count < pairs:
            found += tokens[numbers.randint(0, len(tokens) - 1)]
            count += 1
        yield _slice(found, length, numbers) if len(found) > length else found
