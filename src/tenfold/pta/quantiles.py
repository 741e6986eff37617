"""Densities rebuilt from a table of quantiles, for machines without the full densities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from tenfold.errors import InputError

FLOOR = -36.0  # about ln(2^-52): below it a density built from a finite chain says nothing
STEP = 0.002  # dex; the narrowest bin of the real sets has a standard deviation of 0.1 dex
MARGIN = 4.0  # dex above the largest quantile; spectra beyond are excluded


def table_from_quantiles(probabilities: ArrayLike, values: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return (grid, log_density) with shapes (grid,), (bins, grid) from quantiles (bins, n) of log10 rho.

    Inside, the density is the derivative of the monotone cubic (PCHIP) distribution function through the
    quantiles. Outside, F = p0 exp(+-(x - x0)/s) with s = p0/f(x0): exponential tails that continue value
    and slope of F. The natural log never falls below -36. The grid starts at the lowest quantile of all
    bins, which is where the prior of the chains ends: a weaker spectrum gets the density found there.
    Raises InputError for quantiles that do not increase.
    """
    probabilities, values = np.asarray(probabilities, float), np.atleast_2d(np.asarray(values, float))
    _check(probabilities, values)
    low, high = values.min(), values.max() + MARGIN
    grid = low + STEP * np.arange(int(np.ceil((high - low) / STEP)) + 1)
    return grid, np.stack([_log_density(grid, probabilities, row) for row in values])


def _check(probabilities: NDArray, values: NDArray) -> None:
    if probabilities.ndim != 1 or values.ndim != 2 or values.shape[1] != probabilities.size:
        raise InputError(f"quantiles {values.shape} do not fit {probabilities.shape} probabilities")
    if not (np.all(np.diff(probabilities) > 0) and probabilities[0] > 0 and probabilities[-1] < 1):
        raise InputError("the probabilities of the quantiles must increase inside (0, 1)")
    if not np.all(np.diff(values, axis=1) > 0):
        bad = int(np.argmin(np.all(np.diff(values, axis=1) > 0, axis=1)))
        raise InputError(f"the quantiles of bin {bad} do not increase")


def _log_density(grid: NDArray, probabilities: NDArray, quantiles: NDArray) -> NDArray:
    cumulative = PchipInterpolator(quantiles, probabilities)
    density = cumulative(np.clip(grid, quantiles[0], quantiles[-1]), nu=1)
    log_density = np.log(np.maximum(density, np.exp(FLOOR)))
    secants = np.diff(probabilities) / np.diff(quantiles)
    for end, mass, sign in ((0, probabilities[0], 1.0), (-1, 1 - probabilities[-1], -1.0)):
        # PCHIP may flatten at the end of its range (slope 0 up to rounding); a tail still needs a rate.
        height = float(cumulative(quantiles[end], nu=1))
        height = height if height > 1e-3 * secants[end] else secants[end]
        outside = sign * (grid - quantiles[end]) < 0
        log_density[outside] = np.log(height) + sign * (grid[outside] - quantiles[end]) * height / mass
    return np.maximum(log_density, FLOOR)
