"""Neighbourhoods of the simulated city: cells of equal population, and who lives in them."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tenfold.datasets.london.profiles import FACTORS, RESIDENTS
from tenfold.datasets.london.raster import Raster, product

Array = NDArray[np.float64]

HOMES = 24  # drawn per neighbourhood
ROUNDS = 4  # of moving each centroid to the middle of its homes
SPREAD = 0.17  # of residents per neighbourhood around their mean; 0.18 in the census of 2021

# Residents follow the zones (`RESIDENTS`), but not alone: fields that vary over LENGTHS metres, chance for each
# neighbourhood, and the boroughs' figures, which blend over BORDER metres. Chosen so that the shares are as hard to
# tell as in the census of 2021. KL in nats over eight seeds, the census in brackets: from their mean 0.069..0.079
# (0.073), from the borough's mean 0.047..0.057 (0.051), from the ten nearest neighbourhoods 0.024..0.028 (0.029),
# from the ten nearest in other boroughs 0.065..0.079 (0.061).
LENGTHS = (2500.0, 1500.0, 3000.0)
FIELD_SD = 0.14
CHANCE_SD = 0.19
BORDER = 5000.0

LEAST = 1e-12  # share of a class that a borough lacks
_WAVES = 96
_FIT_ROUNDS = 200  # some 20 suffice


def centroids(raster: Raster, population: Array, counts: NDArray[np.integer], rng: np.random.Generator) -> Array:
    """Return centroids (sum of counts, 2) of neighbourhoods with like many homes, borough by borough.

    Homes are drawn from the population density (cells,); Lloyd's rounds move every centroid to the home that is
    nearest to the mean of those homes that it serves, so that it always lies in its borough.
    """
    homes, *_ = raster.draw(population[:, None], HOMES * counts[:, None], rng)
    ends = np.cumsum(HOMES * counts)
    return np.concatenate([_lloyd(homes[end - HOMES * n : end], n, rng) for end, n in zip(ends, counts, strict=True)])


def _lloyd(homes: Array, count: int, rng: np.random.Generator) -> Array:
    chosen = homes[rng.choice(len(homes), count, replace=False)]
    for _ in range(ROUNDS):
        served = cKDTree(chosen).query(homes)[1]
        number = np.bincount(served, minlength=count)
        means = np.column_stack([np.bincount(served, homes[:, i], count) for i in (0, 1)]) / number[:, None]
        # Each keeps to its own homes: two centroids never meet.
        order = np.lexsort((np.hypot(*(homes - means[served]).T), served))
        chosen = homes[order[np.cumsum(number) - number]]
    return chosen


def voronoi(sites: Array, polygon: shapely.Geometry) -> NDArray[np.object_]:
    """Return the cells (N,) of a polygon's places that are nearest to each of its sites (N, 2)."""
    if len(sites) == 1:
        return np.array([polygon])
    points = shapely.points(sites)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=polygon))
    site, cell = shapely.STRtree(cells).query(points, predicate="intersects")
    ordered = np.empty(len(sites), dtype=object)
    ordered[site] = cells[cell]
    return shapely.intersection(ordered, polygon)


def split(total: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the residents of `count` neighbourhoods, whole numbers that sum to the total of their borough."""
    upto = np.cumsum(rng.lognormal(sigma=SPREAD, size=count))
    return np.diff(np.rint(upto / upto[-1] * total).astype(np.int64), prepend=0)


def leanings(raster: Raster, xy: Array, zones: Array, margins: Array, rng: np.random.Generator) -> Array:
    """Return ln of the nine shares (N, 9) but for one constant per borough: trend(x) + B w(x) + fields + chance.

    trend is ln of the boroughs' margins (boroughs, 9), smoothed across their borders: who lives on one side of a
    border is no stranger to the other.
    """
    fields = np.column_stack([_field(xy, length, rng) for length in LENGTHS]) * FIELD_SD
    chance = CHANCE_SD * rng.standard_normal((len(xy), 9))
    trend = raster.smooth(np.log(np.maximum(margins, LEAST)), BORDER)[raster.cell_of(xy)]
    return trend + product(product(zones, RESIDENTS) + fields, FACTORS) + chance


def _field(xy: Array, length: float, rng: np.random.Generator) -> Array:
    """Return a random field (N,) of unit variance whose covariance falls as exp(-d^2 / (2 length^2))."""
    waves = rng.standard_normal((2, _WAVES)) / length
    return np.sqrt(2 / _WAVES) * np.cos(product(xy, waves) + rng.uniform(0, 2 * np.pi, _WAVES)).sum(axis=1)


def fit_margins(leaning: Array, borough: NDArray[np.intp], residents: NDArray[np.integer], margins: Array) -> Array:
    """Return shares (N, 9) = softmax(leaning + o_b) whose means per borough, weighted by residents, are the margins.

    o_b <- o_b + ln(margin_b / mean_b) until every mean is its margin (boroughs, 9) to 1e-13.
    """
    weights = residents / np.bincount(borough, residents)[borough]
    starts = np.searchsorted(borough, np.arange(len(margins)))
    margins = np.maximum(margins, LEAST)
    offset = np.zeros_like(margins)
    for _ in range(_FIT_ROUNDS):
        logits = leaning + offset[borough]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        means = np.add.reduceat(shares * weights[:, None], starts, axis=0)
        if np.abs(means - margins).max() < 1e-13:
            break
        offset += np.log(margins / means)
    return shares
