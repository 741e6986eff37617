"""Classes of a choropleth: few colours for many values, with bounds that a legend can print."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tenfold.errors import InputError, unknown

SCHEMES = ("quantiles", "natural breaks", "equal intervals")


@dataclass(frozen=True)
class Classes:
    """K classes of values: class k holds bounds[k] < v <= bounds[k+1], the first its lower bound as well.

    An infinite bound leaves a class open; `decimals` are those that the finite bounds need.
    """

    bounds: np.ndarray
    decimals: int

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the class of each value; -1 where it is missing. What lies beyond joins the first or last class."""
        values = np.asarray(values, dtype=float)
        found = np.searchsorted(self.bounds[1:-1], values, side="left")
        return np.where(np.isnan(values), -1, found)

    def labels(self, unit: str = "", hundredths: bool = False) -> list[str]:
        """Return "low to high" of each class, lowest first, with the unit behind it; shares in hundredths."""
        factor, decimals = (100.0, max(self.decimals - 2, 0)) if hundredths else (1.0, self.decimals)
        sign = f" {unit}" if unit else ""
        told = [f"{factor * bound + 0.0:.{decimals}f}".replace("-", "−") for bound in self.bounds]
        words = [f"{low} to {high}" for low, high in pairwise(told)]
        if np.isinf(self.bounds[0]):
            words[0] = f"under {told[1]}"
        if np.isinf(self.bounds[-1]):
            words[-1] = f"over {told[-2]}"
        return [word + sign for word in words]


def classify(values: np.ndarray, scheme: str = "quantiles", k: int = 5) -> Classes:
    """Return at most `k` classes of the values that are there, by "quantiles", "natural breaks" or "equal intervals".

    The bounds are rounded first and the classes made of the rounded bounds, so a legend says exactly what is drawn.
    Natural breaks are k-means on a line (Jenks); the seed is fixed. Raises `InputError` when nothing can be told apart.
    """
    if scheme not in SCHEMES:
        raise unknown("class scheme", scheme, SCHEMES)
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    distinct = np.unique(values)
    if len(distinct) < 2:
        raise InputError("a choropleth needs at least two different values")
    k = min(k, len(distinct))
    inner = _natural(values, k) if scheme == "natural breaks" else _library(values, scheme, k)
    inner = np.unique(inner[(inner > distinct[0]) & (inner < distinct[-1])])
    return _rounded(np.concatenate([distinct[:1], inner, distinct[-1:]]))


def symmetric(values: np.ndarray, steps: int = 2, quantile: float = 0.95) -> Classes:
    """Return 2 steps + 1 classes about zero, for residuals; the open outermost begin near the quantile of |v|.

    Their width is 1, 2 or 4 times a power of ten, so that its odd halves are short. Raises `InputError` for all zeros.
    """
    size = np.abs(np.asarray(values, dtype=float))
    size = size[np.isfinite(size)]
    reach = float(np.quantile(size, quantile)) if len(size) else 0.0
    if reach <= 0:
        raise InputError("residuals that are all zero have no classes")
    wanted = reach / (steps - 0.5)
    power = int(np.floor(np.log10(wanted)))
    factor = min((1, 2, 4, 10), key=lambda item: abs(np.log(item * 10.0**power / wanted)))
    half = (np.arange(steps) + 0.5) * factor * 10.0**power
    return Classes(np.concatenate([[-np.inf], -half[::-1], half, [np.inf]]), max((factor == 1) - power, 0))


def _library(values: np.ndarray, scheme: str, k: int) -> np.ndarray:
    import mapclassify

    kind = {"quantiles": mapclassify.Quantiles, "equal intervals": mapclassify.EqualInterval}[scheme]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ties leave fewer classes, which the legend shows
        return np.asarray(kind(values, k=k).bins, dtype=float)


def _natural(values: np.ndarray, k: int) -> np.ndarray:
    """Return the upper bound of each class of least squares; mapclassify's own draws from the global generator."""
    from sklearn.cluster import KMeans

    labels = KMeans(k, n_init=4, random_state=0).fit_predict(values[:, None])
    return np.array([values[labels == label].max() for label in range(k)])


def _rounded(bounds: np.ndarray) -> Classes:
    """Round to the coarsest power of ten that moves no bound by more than an eighth of the narrowest class."""
    decimals = int(np.ceil(-np.log10(np.diff(bounds).min() / 4)))
    unit = 10.0**-decimals
    inner = np.round(bounds[1:-1], decimals)
    low, high = np.floor(bounds[0] / unit + 1e-9) * unit, np.ceil(bounds[-1] / unit - 1e-9) * unit
    return Classes(np.round(np.unique([low, *inner, high]), decimals), max(decimals, 0))
