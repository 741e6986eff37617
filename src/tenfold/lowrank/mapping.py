"""Ranks per layer: shapes over depth that keep one budget."""

from __future__ import annotations

import numpy as np

from tenfold.errors import InputError, unknown

SHAPES = ("uniform", "increasing", "decreasing", "triangle", "inverse-triangle")


def rank_mapping(rho: float, layers: int, shape: str, full: int | None = None) -> np.ndarray:
    """Return the kept share of the rank rho_l (L,) of each layer, of mean rho; or with `full` the ranks r_l themselves.

    "increasing": rho_l = rho_1 + (rho_L - rho_1) (l - 1) / (L - 1) from 0.5 rho to 1.5 rho; "decreasing": its mirror
    image; "triangle": highest in the middle, as far from rho; "inverse-triangle"; "uniform". Where 1.5 rho exceeds 1
    the span shrinks, so that no share does and the mean stays rho. full: r_l = rho_l full rounded by largest
    remainders within 1 ... full, of sum L max(1, round(rho full)), the budget of equal ranks. Raises InputError for
    rho outside (0, 1], no layer, an unknown shape. Source: arXiv 2410.07771 (a linear mapping; its formula could not
    be read, this one is our definition).
    """
    if not 0 < rho <= 1:
        raise InputError(f"the kept share of the rank lies in (0, 1], not {rho}")
    if layers < 1:
        raise InputError(f"a mapping needs at least one layer, not {layers}")
    if shape not in SHAPES:
        raise unknown("shape of a mapping", shape, SHAPES)
    shares = rho + min(0.5 * rho, 1 - rho) * _tilt(layers, shape)
    return shares if full is None else _rounded(shares, layers * equal_rank(rho, full), full)


def equal_rank(rho: float, full: int) -> int:
    """Return r = max(1, round(rho full)), the rank of every layer without a mapping; halves are rounded to even."""
    if full < 1:
        raise InputError(f"a matrix has a rank of at least 1, not {full}")
    return max(1, round(rho * full))


def _tilt(layers: int, shape: str) -> np.ndarray:
    """Return the deviation of each layer, of mean 0 and largest size 1 (0 for one layer)."""
    place = np.linspace(-1, 1, layers) if layers > 1 else np.zeros(1)
    tilt = {
        "uniform": 0 * place,
        "increasing": place,
        "decreasing": -place,
        "triangle": -np.abs(place),
        "inverse-triangle": np.abs(place),
    }[shape]
    tilt = tilt - tilt.mean()
    # Two layers of a triangle are as high as each other, but for rounding.
    largest = np.abs(tilt).max()
    return tilt / largest if largest > 1e-12 else np.zeros(layers)


def _rounded(shares: np.ndarray, budget: int, full: int) -> np.ndarray:
    """Return whole ranks of a given sum, each in 1 ... full, by largest remainders; of equal ones the higher share."""
    wanted = shares * budget / shares.sum()
    ranks = np.clip(np.floor(wanted + 1e-9), 1, full).astype(int)
    # Clipping may have given too many; ties are broken by the shares alone, so that mirror images stay such.
    while ranks.sum() != budget:
        step = 1 if ranks.sum() < budget else -1
        open_ = ranks < full if step == 1 else ranks > 1
        gap = np.where(open_, step * (wanted - ranks), -np.inf)
        best = np.flatnonzero(gap >= gap.max() - 1e-9)
        ranks[best[np.argmax(shares[best])]] += step
    return ranks
