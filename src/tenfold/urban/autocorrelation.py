"""Spatial autocorrelation: who neighbours whom, Moran's I of a map, and where like values cluster."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from libpysal.weights import W

QUADRANTS = ("high-high", "low-high", "low-low", "high-low")  # a place, then its neighbours
QUIET = "not significant"


class Moran(NamedTuple):
    """Moran's I, its expectation -1/(N - 1) without autocorrelation, and the pseudo p-value of permutations."""

    i: float
    expected: float
    p: float


def contiguity(frame: gpd.GeoDataFrame) -> W:
    """Return row-standardised queen weights of polygons: neighbours share an edge or a corner.

    A polygon without neighbours (an island, or a gap left by simplified outlines) gets the one whose centroid is
    nearest. Raises InputError for fewer than three polygons or other geometries.
    """
    from libpysal.weights import KNN, Queen, attach_islands

    if len(frame) < 3 or not frame.geom_type.isin(["Polygon", "MultiPolygon"]).all():
        raise InputError(f"contiguity needs three polygons or more, not {len(frame)} geometries of other kinds")
    weights = Queen.from_dataframe(frame, use_index=False, silence_warnings=True)
    if weights.islands:
        centres = frame.geometry.centroid
        weights = attach_islands(weights, KNN(np.c_[centres.x, centres.y], k=1, silence_warnings=True))
    weights.transform = "r"
    return weights


def neighbours(xy: ArrayLike, k: int = 8) -> W:
    """Return row-standardised weights of the k nearest points; xy (N, 2) in metres. InputError unless 1 <= k < N."""
    from libpysal.weights import KNN

    xy = np.asarray(xy, dtype=float)
    if xy.ndim != 2 or xy.shape[1] != 2 or not 1 <= k < len(xy):
        raise InputError(f"{k} nearest neighbours need points (N, 2) with N > k >= 1, not {xy.shape}")
    weights = KNN(xy, k=k, silence_warnings=True)
    weights.transform = "r"
    return weights


def moran(values: ArrayLike, weights: W, permutations: int = 999, seed: int = 0) -> Moran:
    """Return Moran's I of values (N,), with a pseudo p-value from seeded permutations.

    I = N / sum_ij w_ij * sum_ij w_ij d_i d_j / sum_i d_i^2, d = value - mean. p = (R + 1)/(permutations + 1),
    where R of the permuted maps lie beyond I, on the side that fewer of them reach (one-sided). I itself is
    esda's; the permutations are ours because esda draws them from numpy's global state. Raises InputError for
    values that do not fit the weights, are not finite, or are all equal.
    """
    from esda import Moran as Statistic

    values = _fitting(values, weights)
    statistic = Statistic(values, weights, permutations=0)
    rng, matrix = np.random.default_rng(seed), weights.sparse
    d = values - values.mean()
    scale = len(d) / matrix.sum() / (d @ d)
    beyond = sum(scale * (p @ (matrix @ p)) >= statistic.I for p in (rng.permutation(d) for _ in range(permutations)))
    p = (min(beyond, permutations - beyond) + 1) / (permutations + 1)
    return Moran(float(statistic.I), float(statistic.EI), float(p))


def moran_indices(values: ArrayLike, weights: W) -> NDArray:
    """Return Moran's I (K,) of each column of values (N, K), as `moran` gives it, without p-values and at once."""
    matrix = weights.sparse
    d = np.asarray(values, dtype=float)
    if d.ndim != 2 or len(d) != weights.n or not np.isfinite(d).all():
        raise InputError(f"values {d.shape} must be finite rows of {weights.n} places")
    d = d - d.mean(axis=0)
    return len(d) / matrix.sum() * (d * (matrix @ d)).sum(axis=0) / (d * d).sum(axis=0)


def lisa(values: ArrayLike, weights: W, permutations: int = 999, seed: int = 0, level: float = 0.05) -> pd.DataFrame:
    """Return local Moran statistics of values (N,) (esda), one row per place: local_i, quadrant, p, label.

    I_i = (N - 1) d_i / sum_k d_k^2 * sum_j w_ij d_j; quadrant names the place and then its neighbours; p is the
    one-sided pseudo p-value of conditional permutations. `label` is the quadrant where p stands up to a false
    discovery rate of `level` over all places (N tests at once: 5 % of an empty map would look significant
    otherwise), else "not significant". Raises InputError like `moran`.
    """
    import pandas as pd
    from esda import Moran_Local, fdr

    values = _fitting(values, weights)
    with _global_state_kept(), warnings.catch_warnings():
        # esda will double its p-values one day, and offers no way yet to ask for either kind.
        warnings.simplefilter("ignore", DeprecationWarning)
        local = Moran_Local(values, weights, permutations=permutations, seed=seed, keep_simulations=False)
    quadrant = np.array(QUADRANTS)[local.q - 1]
    # esda answers level / N where nothing at all is significant.
    found = local.p_sim <= fdr(local.p_sim, level)
    label = np.where(found, quadrant, QUIET)
    return pd.DataFrame({"local_i": local.Is, "quadrant": quadrant, "p": local.p_sim, "label": label})


def _fitting(values: ArrayLike, weights: W) -> NDArray:
    values = np.asarray(values, dtype=float)
    if values.shape != (weights.n,):
        raise InputError(f"values {values.shape} do not fit weights of {weights.n} places")
    if not np.isfinite(values).all():
        raise InputError(f"value {int(np.argmin(np.isfinite(values)))} is not finite")
    if np.ptp(values) == 0:
        raise InputError("all values are equal: nothing can be autocorrelated")
    return values


@contextmanager
def _global_state_kept() -> Iterator[None]:
    """Put numpy's global random state back: esda seeds it."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
