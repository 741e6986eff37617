"""Spectra of matrices: singular values by several ways, their normalisations, and the effective ranks they give."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tenfold.errors import InputError, unknown
from tenfold.pruning.precision import full_float32

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("gram", "svd", "gram32", "randomised")
NORMALISATIONS = ("minmax", "max", "raw", "energy")
OVERSAMPLING, POWERS = 10, 4  # of the randomised method: additional directions, and passes over the matrix


def singular_values(weight: Tensor, method: str = "gram", rank: int | None = None, seed: int = 0) -> Tensor:
    """Return the singular values sigma_1 >= ... >= sigma_p (..., p) of matrices (..., m, n), p = min(m, n), in float32.

    "gram": square roots of the eigenvalues of W^T W or W W^T, whichever is smaller, in float64: nothing is lost below
    1e-8 sigma_1; "svd": LAPACK's or cuSOLVER's, in float32, errors of some 1e-6 sigma_1; "gram32": the Gram matrix in
    float32, errors of 1e-4 sigma_1 and more in the tail, which min-max normalisation subtracts; "randomised": the
    largest `rank` values from as many random directions, 10 more and 4 passes, drawn from `seed`. Raises InputError
    for weights that are not finite, an unknown method and a rank that does not fit. Sources: arXiv 2407.11239 (svd),
    arXiv 0909.4061 (randomised).
    """
    check_matrix(weight)
    if method not in METHODS:
        raise unknown("method for singular values", method, METHODS)
    if method == "svd":
        return solved(torch.linalg.svdvals, weight.float())
    if method == "randomised":
        return sketch(weight, check_rank(rank, weight), seed)[1]
    squares = solved(torch.linalg.eigvalsh, gram(weight.double() if method == "gram" else weight.float()))
    return squares.clamp(min=0).sqrt().flip(-1).float()


def gram(weight: Tensor) -> Tensor:
    """Return W^T W where m >= n, else W W^T, of matrices (..., m, n)."""
    with full_float32():
        return weight.mT @ weight if weight.shape[-2] >= weight.shape[-1] else weight @ weight.mT


def sketch(weight: Tensor, rank: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return U (..., m, r), S (..., r) and V^T (..., r, n), nearly the largest r of each, from random directions."""
    directions = min(rank + OVERSAMPLING, *weight.shape[-2:])
    # The library draws from the global generator: it is lent here and given back as it was.
    with torch.random.fork_rng([weight.device] if weight.is_cuda else []), full_float32():
        torch.manual_seed(seed)
        u, s, v = torch.svd_lowrank(weight.float(), directions, niter=POWERS)
    return u[..., :rank], s[..., :rank], v[..., :rank].mT


def solved(solver: Callable[[Tensor], Any], matrix: Tensor) -> Any:
    """Return what a solver finds, in float64 on the CPU where it does not converge in place."""
    try:
        return solver(matrix)
    except torch.linalg.LinAlgError:
        found = solver(matrix.double().cpu())
    return found.to(matrix) if isinstance(found, Tensor) else tuple(part.to(matrix) for part in found)


def check_matrix(weight: Tensor, name: str = "a weight") -> None:
    """Raise InputError unless a tensor (..., m, n) holds matrices of finite numbers."""
    if weight.ndim < 2 or not weight.numel() or not weight.is_floating_point():
        raise InputError(f"{name} is no matrix of real numbers but {weight.dtype} {tuple(weight.shape)}")
    if not bool(torch.isfinite(weight).all()):
        raise InputError(f"{name} holds NaN or infinite values: it has no singular values")


def check_rank(rank: int | None, weight: Tensor) -> int:
    """Return a rank; raise InputError unless it lies in 1 ... min(m, n)."""
    full = min(weight.shape[-2:])
    if not isinstance(rank, int | np.integer) or isinstance(rank, bool) or not 1 <= rank <= full:
        raise InputError(f"the rank of a matrix {tuple(weight.shape[-2:])} lies in 1 ... {full}, not {rank}")
    return int(rank)


def spectrum_errors(weight: Tensor, rank: int | None = None, methods: Sequence[str] = METHODS) -> pd.DataFrame:
    """Return how far the values of each method lie from those of an SVD in float64, and what they cost.

    Columns method, values (how many), error (largest |sigma_i - exact| / sigma_1), last (the same of the last value
    alone), seconds. rank: values of the randomised method, by default p / 4. Raises InputError as `singular_values`.
    """
    import pandas as pd

    check_matrix(weight)
    exact, rank = torch.linalg.svdvals(weight.double()), rank or max(1, min(weight.shape) // 4)
    rows = []
    for method in methods:
        start = time.perf_counter()
        found = singular_values(weight, method, rank).double()
        seconds = time.perf_counter() - start
        off = (found - exact[: len(found)]).abs() / exact[0]
        rows.append((method, len(found), off.max().item(), off[-1].item(), seconds))
    return pd.DataFrame(rows, columns=["method", "values", "error", "last", "seconds"])


def normalized_spectrum(sigma: Tensor | ArrayLike, by: str = "minmax") -> Tensor | np.ndarray:
    """Return a spectrum (p,) on a scale that one threshold can cut for all matrices, in its own order.

    "minmax": s_i = (sigma_i - sigma_p) / (sigma_1 - sigma_p), so that s_1 = 1 and s_p = 0, and s = 1 where all values
    are equal; "max": sigma_i / sigma_1; "raw": sigma_i; "energy": sum_{j >= i} sigma_j^2 / sum_j sigma_j^2. A tensor
    gives a tensor of its type, anything else a float64 array. Raises InputError for values that are not finite or
    negative, and an unknown normalisation. Source: code of arXiv 2407.11239 (minmax); the others are for comparison.
    """
    if by not in NORMALISATIONS:
        raise unknown("normalisation of a spectrum", by, NORMALISATIONS)
    values = spectrum(sigma)
    top, last = values.max(), values.min()
    if by == "minmax":
        scaled = (values - last) / (top - last) if top > last else np.ones_like(values)
    elif by == "max":
        scaled = values / top if top > 0 else np.ones_like(values)
    elif by == "energy":
        scaled = _tails(values)
    else:
        scaled = values
    return torch.as_tensor(scaled).to(sigma) if isinstance(sigma, Tensor) else scaled


def _tails(values: np.ndarray) -> np.ndarray:
    """Return the share of the energy in each value and all smaller ones."""
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(values[order] ** 2)
    tails = np.empty_like(values)
    tails[order] = sums / sums[-1] if sums[-1] > 0 else 1.0
    return tails


def spectrum(sigma: Tensor | ArrayLike) -> np.ndarray:
    """Return singular values (p,) in float64; raises InputError for none, and for negative or infinite ones."""
    found = sigma.detach().cpu().double().numpy() if isinstance(sigma, Tensor) else np.asarray(sigma, dtype=float)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all() or (found < 0).any():
        raise InputError(
            f"a spectrum is (p,) finite singular values of at least 0, not {found.shape}: {found.ravel()[:3]}"
        )
    return found


def stable_rank(sigma: Tensor | ArrayLike) -> float:
    """Return |W|_F^2 / sigma_1^2 = sum_i sigma_i^2 / sigma_1^2 of a spectrum (p,), 0 for a matrix of zeros."""
    values = spectrum(sigma)
    return float(((values / values.max()) ** 2).sum()) if values.max() > 0 else 0.0


def entropy_rank(sigma: Tensor | ArrayLike) -> float:
    """Return exp(-sum_i p_i log p_i), p_i = sigma_i / sum_j sigma_j, of a spectrum (p,), 0 for a matrix of zeros."""
    values = spectrum(sigma)
    shares = values[values > 0] / max(values.sum(), np.finfo(float).tiny)
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0
