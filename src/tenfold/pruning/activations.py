"""Activations on their way through the decoder blocks of a Llama, one block at a time, all windows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.language.llama import blocks, context_of
from tenfold.language.shards import KINDS

if TYPE_CHECKING:
    from tenfold.language.windows import Windows

ATTENTIONS = ("sdpa", "eager")

Rotary = tuple[Tensor, Tensor]


class AttentionMasks:
    """Who attends to whom: causal, to positions that may be attended to, and no further back than a sliding window.

    attend (n, T), bool, or None for all. A position that may attend to nothing attends to itself.
    """

    def __init__(self, config: object, length: int, attend: Tensor | None = None):
        self.implementation = getattr(config, "_attn_implementation", None)
        if self.implementation not in ATTENTIONS:
            known = " or ".join(ATTENTIONS)
            raise InputError(f"attention '{self.implementation}' is not supported: load the model with {known}")
        reach = getattr(config, "sliding_window", None)
        self.length, self.attend = length, attend
        self.reach = reach if reach is not None and reach < length else None

    def batch(self, start: int, stop: int, dtype: torch.dtype, device: torch.device) -> Tensor | None:
        """Return the mask of windows start ... stop-1, (b or 1, 1, T, T); None where causal is all there is to say."""
        # Without a mask "sdpa" is causal, and fast; "eager" would attend to the future.
        if self.attend is None and self.reach is None and self.implementation == "sdpa":
            return None
        place = torch.arange(self.length, device=device)
        back = place[:, None] - place
        allowed = (back >= 0) if self.reach is None else (back >= 0) & (back < self.reach)
        if self.attend is None:
            allowed = allowed[None]
        else:
            allowed = allowed & self.attend[start:stop, None, :].to(device)
            allowed |= (back == 0) & ~allowed.any(-1, keepdim=True)
        if self.implementation == "sdpa":
            return allowed[:, None]
        barred = torch.zeros((), dtype=dtype, device=device)
        return barred.masked_fill(~allowed[:, None], torch.finfo(dtype).min)


def check_model(model: nn.Module) -> None:
    """Raise InputError unless a model is a Llama or Mistral with decoder blocks."""
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if kind not in KINDS:
        raise InputError(f"only {' and '.join(KINDS)} models can be pruned, not {kind or type(model).__name__}")
    blocks(model)


def check_windows(windows: Windows, vocabulary: int, width: int, context: int | None) -> None:
    """Raise InputError for windows longer than the context, ids outside the vocabulary, vectors of another width."""
    if context is not None and windows.length > context:
        raise InputError(f"windows of {windows.length} positions do not fit a context of {context}")
    if windows.ids is not None and not 0 <= int(windows.ids.min()) <= int(windows.ids.max()) < vocabulary:
        raise InputError(f"token ids lie in [0, {vocabulary}): the windows come from another tokenizer")
    if windows.embeds is not None and windows.embeds.shape[2] != width:
        raise InputError(f"vectors of width {windows.embeds.shape[2]} do not fit a model of width {width}")


def block_inputs(model: nn.Module, windows: Windows) -> tuple[Tensor, AttentionMasks, Rotary]:
    """Return what enters block 0: embedded windows (n, T, d), a copy; attention masks; cos and sin of positions 0..T-1.

    Raises InputError for another class of model and for windows that do not fit it. Source: arXiv 2306.11695.
    """
    check_model(model)
    inner = model.model
    embedding: Tensor = inner.embed_tokens.weight
    check_windows(windows, *embedding.shape, context_of(model))
    with torch.no_grad():
        if windows.embeds is None:
            hidden = inner.embed_tokens(windows.ids.to(embedding.device))
        else:
            hidden = windows.embeds.to(embedding.device, embedding.dtype, copy=True)
        positions = torch.arange(windows.length, device=hidden.device)[None]
        rotary = inner.rotary_emb(hidden[:1], positions)
    return hidden, AttentionMasks(model.config, windows.length, windows.attend), rotary


def forward_block(
    block: nn.Module, hidden: Tensor, masks: AttentionMasks, rotary: Rotary, *, batch: int = 16, keep: bool = True
) -> Tensor:
    """Pass all windows through a decoder block, `batch` at a time, and return the activations (n, T, d).

    keep: the outputs replace the inputs in `hidden`, in place; without it they are dropped, as when only the maps'
    inputs are wanted. Raises InputError for a batch without windows.
    """
    if batch < 1:
        raise InputError(f"a batch holds at least one window, not {batch}")
    device = next(block.parameters()).device
    cos, sin = (part.to(device) for part in rotary)
    positions = torch.arange(hidden.shape[1], device=device)[None]
    with torch.no_grad():
        for start in range(0, len(hidden), batch):
            part = hidden[start : start + batch].to(device)
            mask = masks.batch(start, start + batch, part.dtype, device)
            out = block(part, attention_mask=mask, position_ids=positions, position_embeddings=(cos, sin))
            if keep:
                hidden[start : start + batch] = out
    return hidden
