"""Losses of the pre-training, and the value that copies of a text keep them above."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional

from tenfold.errors import InputError


def clip_loss(
    text: torch.Tensor, location: torch.Tensor, log_scale: torch.Tensor | float, normalize_text: bool = False
) -> torch.Tensor:
    """Return [CE(A, diag) + CE(A^T, diag)]/2, A_ij = exp(s) u_i . l_j, l_j = z_j/|z_j|: a mean over the batch, in nats.

    text: u (B, D), the projected text, taken as it is; with `normalize_text` divided by its norm, so that A is a
    cosine times exp(s). location: z (B, D), of any length. log_scale: s.
    Without information it is ln B, and ln B - loss bounds the mutual information of place and text from below.
    Raises InputError unless both have the same shape (B, D), B >= 1. Source: the official code, which leaves
    the text as it is though the papers write a cosine.
    """
    if text.ndim != 2 or text.shape != location.shape or not len(text):
        raise InputError(f"texts and locations must share one shape (B, D), not {_shapes(text, location)}")
    logits = _logits(text, location, log_scale, normalize_text)
    both = logits.logsumexp(dim=1) + logits.logsumexp(dim=0)
    return both.mean() / 2 - logits.diagonal().mean()


def distinct_clip_loss(
    text: torch.Tensor,
    index: torch.Tensor,
    location: torch.Tensor,
    log_scale: torch.Tensor | float,
    normalize_text: bool = False,
) -> torch.Tensor:
    """Return `clip_loss(text[index], location, ...)` from the distinct texts alone: T B numbers in place of B^2.

    [sum_c n_c LSE_j A_cj + sum_j LSE_c(A_cj + ln n_c) - 2 sum_i A_c(i),i]/(2B), n_c = copies of text c in the batch.
    text: (T, D), each text once; a text without copy in the batch counts for nothing. index: (B,), the text of
    each row. location: (B, D). Equal to the dense loss up to rounding, gradients too.
    Raises InputError for shapes that do not fit, or an empty batch.
    """
    logits, own, counts = _distinct(text, index, location, log_scale, normalize_text)
    rows = counts @ logits.logsumexp(dim=1)
    columns = (logits + counts.log()[:, None]).logsumexp(dim=0).sum()
    return (rows + columns) / (2 * len(index)) - own.mean()


def multi_positive_loss(
    text: torch.Tensor,
    index: torch.Tensor,
    location: torch.Tensor,
    log_scale: torch.Tensor | float,
    normalize_text: bool = False,
) -> torch.Tensor:
    """Return the contrastive loss for which every copy of a text is a positive: it has no floor but 0.

    -[mean_i ln sum_{j: c(j) = c(i)} softmax_j A_c(i),j + mean_j ln (n_c(j) exp A_c(j),j / sum_c n_c exp A_cj)]/2
    The sum stands inside the logarithm: with the mean of logarithms over positives instead, all terms of equal
    texts add up to `clip_loss` itself. The second part differs from that of `clip_loss` by mean ln n_c, a
    constant: copies of a text do not mislead the direction from place to text, only the one from text to place.
    Shapes and errors as in `distinct_clip_loss`. Source: the sum over positives of MIL-NCE (arXiv 1912.06430).
    """
    logits, own, counts = _distinct(text, index, location, log_scale, normalize_text)
    total = logits.logsumexp(dim=1)
    # A text without copy counts for nothing, but a row of -inf alone would give its gradient NaN.
    mine = (index == torch.arange(len(text), device=index.device)[:, None]) | (counts == 0)[:, None]
    positive = logits.masked_fill(~mine, -torch.inf).logsumexp(dim=1)
    rows = counts @ (total - positive)
    columns = (logits + counts.log()[:, None]).logsumexp(dim=0) - own - counts.log()[index]
    return (rows + columns.sum()) / (2 * len(index))


def space2vec_loss(location: torch.Tensor, positive: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    """Return -mean[ln sig(E_c . d) + (1/K) sum over K negatives of ln sig(-E_n . d)], in nats.

    location: decoded places d(x) (B, D); positive: E_c (B, D), the vectors of their classes; negatives: E_n
    (B, K, D), K = 10. With vectors that say nothing it is 2 ln 2.
    Raises InputError for shapes that do not fit. Source: location modelling of Space2Vec.
    """
    fits = location.shape == positive.shape and negatives.ndim == 3
    if not fits or (negatives.shape[0], negatives.shape[2]) != tuple(location.shape) or not negatives.numel():
        raise InputError(f"(B, D), (B, D) and (B, K, D) are needed, not {_shapes(location, positive, negatives)}")
    attracted = functional.logsigmoid((positive * location).sum(dim=1))
    repelled = functional.logsigmoid(-(negatives @ location[:, :, None])[:, :, 0]).mean(dim=1)
    return -(attracted + repelled).mean()


def information_floor(index: ArrayLike | torch.Tensor) -> float:
    """Return mean_i ln n_c(i): no model takes `clip_loss` of a batch with n_c copies of text c below this, in nats.

    index: (B,), the text of each row. It equals ln B - H, H the entropy of the texts in the batch; over a whole
    data set, H = ln N - floor. Raises InputError for an empty batch.
    """
    _, counts = np.unique(np.asarray(index), return_counts=True)
    if not len(counts):
        raise InputError("an empty batch has no floor")
    return float(counts @ np.log(counts) / counts.sum())


def _logits(
    text: torch.Tensor, location: torch.Tensor, log_scale: torch.Tensor | float, normalize_text: bool
) -> torch.Tensor:
    """Return A (T, B) = exp(s) u . z/|z|."""
    scale = torch.as_tensor(log_scale, dtype=text.dtype, device=text.device).exp()
    text = functional.normalize(text, dim=1) if normalize_text else text
    # A double-precision encoder beside single-precision texts: its output is cast, as in the official code.
    return (scale * text) @ functional.normalize(location.to(text), dim=1).T


def _distinct(
    text: torch.Tensor,
    index: torch.Tensor,
    location: torch.Tensor,
    log_scale: torch.Tensor | float,
    normalize_text: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return A (T, B), each row's own entry A_c(i),i (B,), and the copies n_c (T,)."""
    if text.ndim != 2 or location.shape != (len(index), text.shape[1]) or not len(index):
        raise InputError(f"(T, D), (B,) and (B, D) are needed, not {_shapes(text, index, location)}")
    logits = _logits(text, location, log_scale, normalize_text)
    own = logits.gather(0, index[None])[0]
    return logits, own, torch.bincount(index, minlength=len(text)).to(logits.dtype)


def _shapes(*tensors: torch.Tensor) -> str:
    return " and ".join(str(tuple(tensor.shape)) for tensor in tensors)
