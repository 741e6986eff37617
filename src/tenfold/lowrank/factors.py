"""Factors of a matrix: one decomposition, from which truncations at every rank follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tenfold.errors import unknown
from tenfold.lowrank.spectra import check_matrix, check_rank, gram, sketch, solved
from tenfold.pruning.precision import full_float32

METHODS = ("gram", "svd", "randomised")
# Directions of a singular value below this share of the largest are no more than rounding of float32: they are left
# out, so that nothing is divided by zero.
FLOOR = 1e-7


@dataclass(frozen=True, eq=False)
class Factors:
    """W = U diag(S) V^T of a matrix (m, n), kept as W itself, S (p,) in descending order, and its thin side.

    thin: V (n, p) where m >= n, else U (m, p), p = min(m, n); the other side follows at any rank by one product with W.
    back (p, n): where W T stands in the place of W and m >= n, the rows of V^T T^-1, None without a scaling. W, thin
    and back may be slices of a file of safetensors: only what a rank needs is read.
    """

    W: Any
    S: Tensor
    thin: Any
    back: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return tuple(self.W.shape if isinstance(self.W, Tensor) else self.W.get_shape())

    def pair(self, rank: int) -> tuple[Tensor, Tensor]:
        """Return A = U_r diag(S_r)^{1/2} (m, r) and B = diag(S_r)^{1/2} V_r^T (r, n): W ~ A B.

        m >= n: U_r = W V_r diag(S_r)^-1, else V_r^T = diag(S_r)^-1 U_r^T W; A^T A = B B^T = diag(sigma_1 .. sigma_r).
        Computed in the type of the thin side, returned in float32. Raises InputError for a rank outside
        1 ... min(m, n). Source: arXiv 2407.11239.
        """
        check_rank(rank, torch.empty(self.shape, device="meta"))
        thin = self.thin[:, :rank]
        thin = thin.to(self.S.device, torch.promote_types(thin.dtype, torch.float32))
        s, w = self.S[:rank].to(thin), self.W[:].to(thin)
        root = s.sqrt()
        inverse = torch.where(s > FLOOR * self.S[0], 1 / root, 0)
        with full_float32():
            if w.shape[0] >= w.shape[1]:
                right = thin.mT if self.back is None else self.back[:rank].to(thin)
                pair = (w @ thin * inverse, root[:, None] * right)
            else:
                pair = (thin * root, inverse[:, None] * (thin.mT @ w))
        return pair[0].float(), pair[1].float()

    def lost(self, rank: int) -> float:
        """Return |W - A B|_F^2 = sum_{i > r} sigma_i^2 at a rank, of the scaled matrices if W was scaled."""
        return self.S[rank:].double().square().sum().item()


def factorize(weight: Tensor, rank: int, method: str = "gram", seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return A (m, r) and B (r, n), the truncated singular value decomposition of W (m, n): W ~ A B, |W - A B| least.

    A = U_r diag(S_r)^{1/2}, B = diag(S_r)^{1/2} V_r^T, of the type of W, found in float64 ("gram"), float32 ("svd") or
    nearly, from random directions ("randomised"; see `singular_values`). Raises InputError for a rank outside
    1 ... min(m, n), weights that are not finite and an unknown method. Source: arXiv 2407.11239.
    """
    check_matrix(weight)
    check_rank(rank, weight)
    weight = weight.detach()
    if method == "randomised":
        u, s, vh = sketch(weight, rank, seed)
        pair = (u * s.sqrt(), s.sqrt()[:, None] * vh)
    else:
        pair = Factors(weight, *principal(weight, method)).pair(rank)
    return tuple(part.to(weight.dtype) for part in pair)


def principal(weight: Tensor, method: str = "gram") -> tuple[Tensor, Tensor]:
    """Return S (..., p) in float32 and the thin side of finite matrices (..., m, n): V (..., n, p) or U (..., m, p).

    "gram": m >= n: W^T W = V diag(S)^2 V^T, else W W^T = U diag(S)^2 U^T, in float64; "svd": in float32. Raises
    InputError for an unknown method.
    """
    if method not in METHODS[:2]:
        raise unknown("method of decomposition", method, METHODS)
    if method == "svd":
        u, s, vh = solved(lambda w: torch.linalg.svd(w, full_matrices=False), weight.float())
        return s, vh.mT if weight.shape[-2] >= weight.shape[-1] else u
    squares, vectors = solved(torch.linalg.eigh, gram(weight.double()))
    return squares.clamp(min=0).sqrt().flip(-1).float(), vectors.flip(-1)


def break_even(m: int, n: int) -> float:
    """Return r* = m n / (m + n), the rank below which factors (m, r) and (r, n) are fewer numbers than a matrix."""
    return m * n / (m + n)
