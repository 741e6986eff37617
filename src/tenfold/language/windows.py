"""Windows: equal lengths of tokens, what of them is padding, and what of them counts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tenfold.errors import InputError
from tenfold.language import formats
from tenfold.language.documents import Document
from tenfold.language.domains import Domain, domain

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Source = str | Domain | Sequence[str | Document]


@dataclass(frozen=True, eq=False)
class Windows:
    """n windows of T positions each, as token ids or as embedded vectors.

    ids (n, T), int64, or embeds (n, T, d): exactly one of them. attend (n, T), bool: positions that may be attended
    to, None for all. count (n, T), bool: positions that enter statistics, None for all. real (n, T), bool: positions
    that are no padding, None for all. Position numbers are 0 ... T-1 in every window, padded or not. Raises InputError
    for shapes and types that do not fit, and for no window at all.
    """

    ids: Tensor | None = None
    embeds: Tensor | None = None
    attend: Tensor | None = None
    count: Tensor | None = None
    real: Tensor | None = None

    def __post_init__(self):
        if (self.ids is None) == (self.embeds is None):
            raise InputError("windows are token ids or embedded vectors: exactly one of ids and embeds")
        if self.ids is not None and (self.ids.ndim != 2 or self.ids.dtype != torch.int64):
            raise InputError(f"token ids are int64 (n, T), not {self.ids.dtype} {tuple(self.ids.shape)}")
        if self.embeds is not None and (self.embeds.ndim != 3 or not self.embeds.is_floating_point()):
            raise InputError(f"embedded vectors are (n, T, d), not {self.embeds.dtype} {tuple(self.embeds.shape)}")
        if not len(self) or not self.length:
            raise InputError("windows need at least one window of one position")
        for name in ("attend", "count", "real"):
            marks = getattr(self, name)
            if marks is not None and (marks.dtype != torch.bool or marks.shape != self._content.shape[:2]):
                shape = tuple(self._content.shape[:2])
                raise InputError(f"{name} marks are bool {shape}, not {marks.dtype} {tuple(marks.shape)}")

    @classmethod
    def of(cls, source: Tensor | Windows) -> Windows:
        """Return windows as they are, and a tensor of ids (n, T) or vectors (n, T, d) as windows."""
        if isinstance(source, Windows):
            return source
        if not isinstance(source, Tensor):
            raise InputError(f"windows are a tensor of token ids or Windows, not {type(source).__name__}")
        return cls(embeds=source) if source.is_floating_point() else cls(ids=source)

    @property
    def _content(self) -> Tensor:
        return self.embeds if self.ids is None else self.ids

    def __len__(self) -> int:
        return self._content.shape[0]

    @property
    def length(self) -> int:
        """Positions T of a window."""
        return self._content.shape[1]

    @property
    def pad_share(self) -> float:
        """Share of the positions that are padding."""
        return 0.0 if self.real is None else 1 - self.real.double().mean().item()

    def mask(self) -> Tensor | None:
        """Return who attends to whom, bool (n, 1, T, T), None for plain causal attention.

        Position t attends to every s <= t that may be attended to, and to itself where there is none.
        """
        if self.attend is None or bool(self.attend.all()):
            return None
        causal = torch.ones(self.length, self.length, dtype=torch.bool, device=self.attend.device).tril()
        seen = self.attend[:, None, :] & causal
        alone = torch.eye(self.length, dtype=torch.bool, device=seen.device) & ~seen.any(-1, keepdim=True)
        return (seen | alone)[:, None]

    def split(self, size: int) -> Iterator[Windows]:
        """Yield the windows in order, `size` at a time."""
        if size < 1:
            raise InputError(f"a batch holds at least one window, not {size}")
        for start in range(0, len(self), size):
            yield self._mapped(lambda tensor, rows=slice(start, start + size): tensor[rows])

    def to(self, device: torch.device | str) -> Windows:
        """Return the windows on a device."""
        return self._mapped(lambda tensor: tensor.to(device))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Windows:
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return Windows(**{name: None if part is None else change(part) for name, part in parts.items()})


def calibration_windows(
    source: Source | Sequence[Source],
    tokenizer: PreTrainedTokenizerBase,
    fmt: str,
    n: int,
    length: int,
    seed: int,
    count_padding: bool = False,
    *,
    attend_padding: bool | None = None,
    rationale: bool = False,
    pairs: int | None = None,
    steps: int | None = None,
    join: bool = False,
    folder: str | Path | None = None,
) -> Windows:
    """Return n windows of `length` tokens of a source for calibration, drawn by Python's `random.Random(seed)`.

    source: the name of a domain (its training documents; `folder`: where a reader keeps it), a `Domain`, texts or
    `Document`s, or a control, which has no format: "ellipses" (dots), "random" (letters and digits), "tokens" (random
    token ids). A sequence of domains, lists and names (words of no blanks) is a mixture: n is divided evenly, the
    first ones get what is left over, and each is drawn as if it were alone.
    fmt: "text" (a random slice of a random document longer than the window; with `join` a slice of all documents in
    one stream), "zero" (a question without its answer), "single" (with it), "icl" or "concat" (pairs of question and
    answer, each tokenised on its own, until longer than the window, then a random slice), "cot" (icl with rationales).
    pairs: so many pairs in each window, then padding; steps: only documents whose rationale has so many steps.
    Padding lies on the left. Counted (`count_padding`) it enters the statistics; attended to (`attend_padding`, by
    default as it is counted) it is seen by the tokens after it. Both: GSM8K in the official code; counted only: ANLI
    and SVAMP there; neither: clean. Raises InputError for what cannot be drawn.
    Source: arXiv 2410.07461 (formats, controls, mixtures), arXiv 2306.11695 ("text").
    """
    if n < 1 or length < 1:
        raise InputError(f"calibration needs at least one window of one token, not {n} of {length}")
    style = formats.Style.of(fmt, rationale, pairs, steps, join)
    members = list(source) if _mixed(source) else [source]
    if len(members) > n:
        raise InputError(f"{n} windows cannot be divided among {len(members)} sources")
    drawn: list[list[int]] = []
    for i, member in enumerate(members):
        share = n // len(members) + (i < n % len(members))
        numbers = random.Random(seed)
        if isinstance(member, str) and member in formats.CONTROLS:
            endless = formats.control(member, tokenizer, length, numbers)
        else:
            endless = formats.draws(_documents(member, folder), tokenizer, style, length, numbers)
        drawn += itertools.islice(endless, share)
    return _padded(drawn, tokenizer, length, count_padding, count_padding if attend_padding is None else attend_padding)


def pack(documents: Iterable[str | Document], tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """Return documents as one stream of tokens (N,), each tokenised on its own and so beginning with BOS."""
    texts = [getattr(document, "text", document) for document in documents]
    if not texts:
        raise InputError("there is no document to tokenise")
    return torch.tensor(list(itertools.chain.from_iterable(tokenizer(texts)["input_ids"])), dtype=torch.int64)


def stream_windows(ids: Tensor, length: int, n: int | None = None, seed: int | None = None) -> Windows:
    """Return windows of a stream of tokens (N,): all that follow one another, n of them, or n random slices.

    Without a seed the windows do not overlap and the ragged tail is dropped; n of them are spread evenly. With a seed
    n slices begin anywhere. Raises InputError for a stream that is too short, and for a seed without n.
    """
    count = len(ids) // length if length > 0 else 0
    if ids.ndim != 1 or not count:
        raise InputError(f"a stream {tuple(ids.shape)} holds no window of {length} tokens")
    if seed is not None:
        if n is None:
            raise InputError("random windows need a number of windows")
        numbers = torch.Generator().manual_seed(seed)
        starts = torch.randint(len(ids) - length + 1, (n,), generator=numbers)
    else:
        if n is not None and not 1 <= n <= count:
            raise InputError(f"{len(ids)} tokens hold {count} windows of {length}, not {n}")
        starts = (torch.arange(n or count) * count // (n or count)) * length
    return Windows(ids=ids[starts[:, None] + torch.arange(length)])


def held_out(
    domain: Domain, tokenizer: PreTrainedTokenizerBase, length: int, n: int | None = None, joined: bool = False
) -> Windows:
    """Return windows of a domain's test documents: n of them, spread evenly, or as many as there are if they are fewer.

    Each document is tokenised on its own, as a model is pretrained here; `joined`: running text is joined by blank
    lines and tokenised once, as the perplexities of arXiv 2306.11695 are. Raises InputError where no window is filled.
    """
    texts = [document.text for document in domain.test]
    if joined and all(document.question is None for document in domain.test):
        texts = ["\n\n".join(texts)]
    stream = pack(texts, tokenizer)
    count = len(stream) // length
    return stream_windows(stream, length, min(n or count, count) or None)


def _mixed(source: Source | Sequence[Source]) -> bool:
    """Tell whether a source is a sequence of sources: a text has blanks, the name of a source has none."""
    if isinstance(source, str | Domain):
        return False
    if not source:
        raise InputError("an empty list is no source of windows")
    return all(not isinstance(item, Document) and not (isinstance(item, str) and " " in item) for item in source)


def _documents(source: Source, folder: str | Path | None) -> Sequence[str | Document]:
    if isinstance(source, str):
        source = domain(source, folder=folder)
    return source.train if isinstance(source, Domain) else source


def _padded(
    drawn: list[list[int]], tokenizer: PreTrainedTokenizerBase, length: int, counted: bool, attended: bool
) -> Windows:
    """Return token lists as windows, padded on the left."""
    lengths = torch.tensor([len(tokens) for tokens in drawn])
    if bool((lengths == length).all()):
        return Windows(ids=torch.tensor(drawn, dtype=torch.int64))
    pad = tokenizer.pad_token_id
    if pad is None:
        raise InputError(f"{int((lengths < length).sum())} windows need padding, but the tokenizer has no pad token")
    ids = torch.tensor([[pad] * (length - len(tokens)) + tokens for tokens in drawn], dtype=torch.int64)
    real = torch.arange(length) >= (length - lengths)[:, None]
    return Windows(ids=ids, attend=None if attended else real, count=None if counted else real, real=real)
