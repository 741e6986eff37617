"""How well a model predicts: mean cross entropy of windows, perplexity, bits per byte."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.errors import InputError
from tenfold.language.llama import context_of, evaluating
from tenfold.language.windows import Windows, pack

# Logits turned into float32 at a time (256 MB): 2048 positions of a vocabulary of 32,000.
CHUNK = 2**26


def perplexity(model: Callable, ids: Tensor | Windows, window: int, batch: int = 16) -> float:
    """Return the perplexity of a model over tokens, cut into windows of equal length.

    ppl = exp(1/n sum_i 1/(T-1) sum_{t=2}^T -ln p(x_it | x_i1 ... x_i,t-1)), n = floor(N/T) windows of T tokens of a
    stream ids (N,), its ragged tail dropped, or windows (n, T) as they are. Raises InputError for fewer tokens
    than one window and a window longer than the model's context.
    Source: arXiv 2410.07461 and arXiv 2306.11695 (WikiText-2: the raw test split, joined and tokenised once).
    """
    if isinstance(ids, Tensor) and ids.ndim == 1:
        count = len(ids) // window if window > 0 else 0
        if not count:
            raise InputError(f"{len(ids)} tokens do not fill a window of {window}")
        ids = ids[: count * window].view(count, window)
    windows = Windows.of(ids)
    if windows.length != window:
        raise InputError(f"windows of {windows.length} tokens are no windows of {window}")
    return math.exp(losses(model, windows, batch).double().mean().item())


@torch.no_grad()
def losses(model: Callable, windows: Tensor | Windows, batch: int = 16) -> Tensor:
    """Return the mean next-token cross entropy (n,) of each window in nats, float32 on the CPU.

    Predictions of and from padding are left out. model: a network or any function of ids (B, T) that returns logits
    (B, T, V) or an object that holds them as `logits`; a network is in evaluation mode meanwhile. Raises InputError
    for windows of embedded vectors, of one token, longer than the context, or without two real tokens in a row.
    """
    windows = Windows.of(windows)
    if windows.ids is None:
        raise InputError("cross entropy needs token ids, not embedded vectors")
    context = context_of(model)
    if windows.length < 2 or (context and windows.length > context):
        limit = f"at most the model's {context}" if windows.length >= 2 else "at least 2"
        raise InputError(f"a window of {windows.length} tokens: it needs {limit}")
    network = model if isinstance(model, nn.Module) else None
    where = next((p.device for p in network.parameters()), None) if network is not None else None
    with nullcontext() if network is None else evaluating(network):
        parts = [_losses(model, part if where is None else part.to(where)).cpu() for part in windows.split(batch)]
    return torch.cat(parts)


def bits_per_byte(model: Callable, tokenizer: Any, texts: Iterable[str], window: int, batch: int = 16) -> float:
    """Return the cross entropy per byte of UTF-8 text in bits, comparable between tokenizers.

    bpb = L N / (B ln 2), L the mean loss in nats over windows (see `perplexity`), N the number of tokens without
    those put in front of texts, B the number of bytes.
    """
    texts = list(texts)
    ids = pack(texts, tokenizer)
    tokens = int((ids != tokenizer.bos_token_id).sum())
    size = sum(len(text.encode()) for text in texts)
    return math.log(perplexity(model, ids, window, batch)) * tokens / (size * math.log(2))


def logits_of(model: Callable, windows: Windows) -> Tensor:
    """Return the logits (B, T, V) of a model, in its own precision, with the windows' own attention."""
    options: dict[str, Any] = {"use_cache": False} if hasattr(model, "config") else {}
    mask = windows.mask()
    if mask is not None:
        kind = getattr(getattr(model, "config", None), "_attn_implementation", "sdpa")
        if kind != "sdpa":
            # Another implementation adds the marks to its scores instead of masking by them.
            raise InputError(f"windows with positions left out need attention of kind sdpa, not {kind}")
        options["attention_mask"] = mask
    found = model(windows.ids, **options)
    return getattr(found, "logits", found)


def _losses(model: Callable, windows: Windows) -> Tensor:
    logits, targets = logits_of(model, windows)[:, :-1], windows.ids[:, 1:]
    rows = max(1, CHUNK // logits[0].numel())
    entropies = [
        functional.cross_entropy(some.flatten(0, 1).float(), wanted.flatten(), reduction="none").view(wanted.shape)
        for some, wanted in zip(logits.split(rows), targets.split(rows), strict=True)
    ]
    entropy = torch.cat(entropies)
    if windows.real is None:
        return entropy.mean(dim=1)
    both = windows.real[:, 1:] & windows.real[:, :-1]
    counts = both.sum(dim=1)
    if not bool(counts.all()):
        raise InputError("a window holds no two real tokens in a row: nothing is predicted in it")
    return (entropy * both).sum(dim=1) / counts
