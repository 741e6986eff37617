"""Paired differences between two methods: their interval, and the test that they are the same up to a margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tenfold.errors import InputError


@dataclass(frozen=True)
class Paired:
    """Mean, median and standard deviation of n paired differences, with the t interval of the mean."""

    mean: float
    median: float
    deviation: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Equivalence:
    """Outcome of two one-sided tests: the mean difference, their p-value, and whether it is below the level."""

    mean: float
    p: float
    equivalent: bool
    low: float
    high: float


def paired(difference: ArrayLike, confidence: float = 0.95) -> Paired:
    """Summarise paired differences d (n,), such as the accuracy of two methods trained on the same seeds.

    mean d -+ t_{n-1, (1 + confidence)/2} s / sqrt n, with s the sample deviation; in the unit of d. Raises InputError
    for fewer than two differences, values that are not finite, or a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise InputError(f"the confidence must be in (0, 1), not {confidence}")
    d = _differences(difference)
    mean, deviation, error = _moments(d)
    half = float(stats.t.ppf((1 + confidence) / 2, len(d) - 1)) * error
    return Paired(mean, float(np.median(d)), deviation, mean - half, mean + half, len(d))


def equivalent(difference: ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """Test by two one-sided t tests (TOST) that the mean of paired differences lies within (-margin, margin).

    p = max( P(T > (mean + margin) sqrt n / s), P(T > (margin - mean) sqrt n / s) ) with T of n - 1 degrees; equivalent
    where p < alpha, which is where the 1 - 2 alpha interval (`low`, `high`) lies inside the margin. Raises
    InputError as `paired`, and for a margin that is not positive or a level outside (0, 1/2).
    """
    if not margin > 0 or not 0 < alpha < 0.5:
        raise InputError(f"equivalence needs margin > 0 and 0 < alpha < 0.5, not {margin} and {alpha}")
    d = _differences(difference)
    mean, _, error = _moments(d)
    distances = np.array([margin + mean, margin - mean])
    with np.errstate(divide="ignore", invalid="ignore"):  # equal differences: t is infinite, or 0/0 at the margin
        t = np.nan_to_num(distances / error, nan=0.0, posinf=np.inf, neginf=-np.inf)
    p = float(stats.t.sf(t, len(d) - 1).max())
    interval = paired(d, 1 - 2 * alpha)
    return Equivalence(mean, p, p < alpha, interval.low, interval.high)


def _differences(difference: ArrayLike) -> NDArray:
    d = np.asarray(difference, dtype=float)
    if d.ndim != 1 or len(d) < 2 or not np.isfinite(d).all():
        raise InputError("paired differences must be one row of at least two finite numbers")
    return d


def _moments(d: NDArray) -> tuple[float, float, float]:
    """Return mean, sample deviation and standard error; the deviation of equal numbers is exactly 0."""
    deviation = float(d.std(ddof=1)) if np.ptp(d) > 0 else 0.0
    return float(d.mean()), deviation, deviation / len(d) ** 0.5
