"""Attention with relative positions: what counts is how far away another frame is, not where it is."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tenfold.errors import InputError

# Builds the linear map of a name, such as "encoders.0.self_attn.linear_q", from so many inputs to so many outputs.
LinearFactory = Callable[[str, int, int], nn.Module]


def dense(name: str, inputs: int, outputs: int) -> nn.Module:
    """Return the dense map y = W x + b, W and b drawn from U(-1/sqrt(n), 1/sqrt(n)), n the inputs."""
    return nn.Linear(inputs, outputs)


def unbiased(name: str, inputs: int, outputs: int) -> nn.Module:
    """Return the dense map y = W x: a bias on positions would shift all scores of a query alike, so do nothing."""
    return nn.Linear(inputs, outputs, bias=False)


def sinusoids(positions: Tensor, d: int) -> Tensor:
    """Return the codes (N, d) of positions (N,): sin(p w_i), cos(p w_i) in turn, w_i = 10000^(-2i/d).

    Raises InputError for an odd d.
    """
    if d % 2:
        raise InputError(f"codes of positions need an even width, not {d}")
    frequencies = torch.exp(torch.arange(0, d, 2, device=positions.device) * (-math.log(10000.0) / d))
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class RelPositionalEncoding(nn.Module):
    """Return sqrt(d) x and the codes of all offsets T-1, T-2, ..., -(T-1).

    x (B, T, d) -> x (B, T, d), codes (1, 2T-1, d). Dropout on either. Source: arXiv 1901.02860, appendix B.
    """

    def __init__(self, d: int, dropout: float = 0.0):
        super().__init__()
        self.d, self.dropout = d, nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scaled x and the codes."""
        frames = x.shape[1]
        offsets = torch.arange(frames - 1, -frames, -1, device=x.device, dtype=torch.float32)
        codes = sinusoids(offsets, self.d)[None].to(x.dtype)
        return self.dropout(math.sqrt(self.d) * x), self.dropout(codes)


class MultiheadAttention(nn.Module):
    """softmax(q k^T / sqrt(d_k)) v in each of several heads of width d_k = d / heads, then a linear map.

    query (B, T, d), key and value (B, K, d), mask (B, 1, K) or (B, T, K), True where a query may look; a masked key
    gets weight 0 exactly. Raises InputError where the heads do not divide d.
    """

    def __init__(self, d: int, heads: int, dropout: float = 0.0, linear: LinearFactory = dense, name: str = ""):
        super().__init__()
        if heads < 1 or d % heads:
            raise InputError(f"{heads} heads do not divide a width of {d}")
        self.heads, self.width = heads, d // heads
        self.linear_q = linear(f"{name}linear_q", d, d)
        self.linear_k = linear(f"{name}linear_k", d, d)
        self.linear_v = linear(f"{name}linear_v", d, d)
        self.linear_out = linear(f"{name}linear_out", d, d)
        self.dropout = nn.Dropout(dropout)

    def split(self, x: Tensor) -> Tensor:
        """Return x (B, T, d) as heads (B, H, T, d_k)."""
        return x.unflatten(-1, (self.heads, self.width)).transpose(1, 2)

    def weights(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Return softmax(scores) over the keys, scores (B, H, T, K); 0 for masked keys, also where all are masked."""
        if mask is None:
            return scores.softmax(-1)
        hidden = ~mask[:, None]
        return scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(hidden, 0.0)

    def combine(self, weights: Tensor, v: Tensor) -> Tensor:
        """Return the output (B, T, d) of weights (B, H, T, K) and values (B, H, K, d_k)."""
        return self.linear_out((self.dropout(weights) @ v).transpose(1, 2).flatten(2))

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what the queries find."""
        q, k, v = (self.split(f(x)) for f, x in zip(self._maps(), (query, key, value), strict=True))
        return self.combine(self.weights(q @ k.mT / math.sqrt(self.width), mask), v)

    def _maps(self) -> tuple[nn.Module, ...]:
        return self.linear_q, self.linear_k, self.linear_v


class RelPositionMultiheadAttention(MultiheadAttention):
    """Attention whose scores are [(q + u) k^T + shift((q + v) (W_p p)^T)] / sqrt(d_k).

    p (1, 2T-1, d): the codes of `RelPositionalEncoding`; u, v (H, d_k) are learned. The rest is as in
    `MultiheadAttention`. linear builds the maps of queries, keys, values and outputs, positions that of W_p.
    Parameters have the names of the public code mpc001/auto_avsr. Source: arXiv 1901.02860; arXiv 2005.08100.
    """

    def __init__(
        self,
        d: int,
        heads: int,
        dropout: float = 0.0,
        linear: LinearFactory = dense,
        positions: LinearFactory = unbiased,
        name: str = "",
    ):
        super().__init__(d, heads, dropout, linear, name)
        self.linear_pos = positions(f"{name}linear_pos", d, d)
        self.pos_bias_u = nn.Parameter(torch.empty(self.heads, self.width))
        self.pos_bias_v = nn.Parameter(torch.empty(self.heads, self.width))
        nn.init.xavier_uniform_(self.pos_bias_u)
        nn.init.xavier_uniform_(self.pos_bias_v)

    def scores(self, query: Tensor, key: Tensor, codes: Tensor) -> Tensor:
        """Return the scores (B, H, T, T) before the mask."""
        q, k = self.linear_q(query).unflatten(-1, (self.heads, self.width)), self.split(self.linear_k(key))
        p = self.split(self.linear_pos(codes))[0]
        content = (q + self.pos_bias_u).transpose(1, 2) @ k.mT
        # All queries of a head at once: a product of (B, H) matrices would copy p for each utterance.
        place = (q + self.pos_bias_v).permute(2, 0, 1, 3).flatten(1, 2) @ p.mT
        place = place.unflatten(1, query.shape[:2]).transpose(0, 1)
        # [(q + u) k^T + shift((q + v) (W_p p)^T)] / sqrt(d_k)
        return (content + shift(place)) / math.sqrt(self.width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, codes: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what the queries find."""
        weights = self.weights(self.scores(query, key, codes), mask)
        return self.combine(weights, self.split(self.linear_v(value)))


def shift(scores: Tensor) -> Tensor:
    """Return entry (i, j) = the score of query i at offset i - j.

    scores (..., T, 2T-1), column c that of offset T-1-c -> (..., T, T). A column of zeros to the left, read in rows
    one shorter, moves each row one place further. Source: arXiv 1901.02860, appendix B.
    """
    frames = scores.shape[-2]
    padded = nn.functional.pad(scores, (1, 0))
    rows = padded.flatten(-2).unflatten(-1, (2 * frames, frames))[..., 1:, :]
    return rows.flatten(-2).unflatten(-1, (frames, 2 * frames - 1))[..., :frames]
