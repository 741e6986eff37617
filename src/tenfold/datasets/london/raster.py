"""A raster of square cells over boroughs: where a place lies, and draws from intensities known per cell."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from tenfold.datasets.london.boundaries import borough_of
from tenfold.errors import InputError

Array = NDArray[np.float64]
Index = NDArray[np.intp]

MARGIN = 1000.0  # metres around the boroughs in which a place still has a cell, and the nearest borough


def places(xy: ArrayLike) -> Array:
    """Return coordinates as rows of (easting, northing) in metres; raises InputError where they are not."""
    xy = np.asarray(xy, dtype=float)
    if xy.ndim != 2 or xy.shape[1] != 2 or not np.isfinite(xy).all():
        raise InputError(f"places are rows of two finite numbers, (easting, northing), not of shape {xy.shape}")
    return xy


def product(a: Array, b: Array) -> Array:
    """Return the matrix product (N, M) of (N, K) and (K, M), the same bits for any number of threads.

    BLAS splits its sums by threads, and one seed would give two cities.
    """
    return np.einsum("nk,km->nm", a, b)


class Raster:
    """Square cells over boroughs, cut at their borders into pieces.

    centres (cells, 2) in metres; pieces: cell (P,), borough (P,) and area (P,) in m2, all areas above zero; the areas
    of one borough's pieces sum to its area.
    """

    def __init__(self, boroughs: gpd.GeoDataFrame, side: float = 250.0):
        self.boroughs = boroughs
        self.polygons = boroughs.geometry.to_numpy()
        shapely.prepare(self.polygons)
        self.side = side
        west, south, east, north = boroughs.total_bounds
        self.origin = np.floor((np.array([west, south]) - MARGIN) / side) * side
        self.columns, self.rows = (int(n) for n in np.ceil((np.array([east, north]) + MARGIN - self.origin) / side))
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        self.centres = self.origin + side * (np.column_stack([column, row]) + 0.5)
        self._cut()

    def _cut(self) -> None:
        low, high = self.centres - self.side / 2, self.centres + self.side / 2
        boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
        borough, cell = shapely.STRtree(boxes).query(self.polygons, predicate="intersects")
        order = np.lexsort((cell, borough))
        cell, borough = cell[order], borough[order]
        self.whole = shapely.contains_properly(self.polygons[borough], boxes[cell])
        area = np.full(len(cell), self.side**2)
        cut = ~self.whole
        area[cut] = shapely.area(shapely.intersection(boxes[cell[cut]], self.polygons[borough[cut]]))
        keep = area > 0
        self.cell, self.borough, self.area, self.whole = cell[keep], borough[keep], area[keep], self.whole[keep]
        self.bounds = np.searchsorted(self.borough, np.arange(len(self.polygons) + 1))

    def cell_of(self, xy: ArrayLike) -> Index:
        """Return the cell (N,) of places (N, 2); raises InputError for places off the raster."""
        xy = places(xy)
        column, row = np.floor((xy - self.origin) / self.side).T
        off = ~((column >= 0) & (column < self.columns) & (row >= 0) & (row < self.rows))
        if off.any():
            first = int(np.flatnonzero(off)[0])
            raise InputError(
                f"place {first} at ({xy[first, 0]:.0f}, {xy[first, 1]:.0f}) lies outside the simulated city"
            )
        return (row * self.columns + column).astype(np.intp)

    def borough_of(self, xy: ArrayLike) -> Index:
        """Return the row (N,) of the borough that holds each place (N, 2), or of the nearest one."""
        named = borough_of(places(xy), self.boroughs)
        return pd.Index(self.boroughs["name"]).get_indexer(named)

    def sums(self, intensity: Array) -> Array:
        """Return the integral (boroughs, C) over each borough of an intensity (cells, C) per m2."""
        return np.add.reduceat(intensity[self.cell] * self.area[:, None], self.bounds[:-1], axis=0)

    def smooth(self, values: Array, length: float) -> Array:
        """Return figures of boroughs (boroughs, C) per cell (cells, C), averaged with a Gaussian of `length` metres."""
        weighted = np.column_stack([values, np.ones(len(values))])[self.borough] * self.area[:, None]
        grids = np.stack([np.bincount(self.cell, column, len(self.centres)) for column in weighted.T])
        spread = gaussian_filter(grids.reshape(-1, self.rows, self.columns), length / self.side, axes=(1, 2))
        *sums, area = spread.reshape(len(grids), -1)
        return np.stack(sums, axis=1) / np.maximum(area, np.finfo(float).tiny)[:, None]

    def draw(
        self, intensity: Array, counts: NDArray[np.integer], rng: np.random.Generator
    ) -> tuple[Array, Index, Index]:
        """Return places (N, 2), their boroughs (N,) and columns (N,): counts (boroughs, C) of intensity (cells, C).

        Exactly counts[b, c] places lie in borough b, independent, with density proportional to intensity[cell, c].
        A place that falls beyond the border in a cell that the border cuts is drawn anew, cell and all.
        """
        borough, column = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
        rates = np.vstack([np.zeros(intensity.shape[1]), np.cumsum(intensity[self.cell], axis=0)])
        xy = np.empty((len(borough), 2))
        left = np.arange(len(borough))
        while len(left):
            piece = self._pieces(rates, borough[left], column[left], rng)
            xy[left] = self.centres[self.cell[piece]] + self.side * rng.uniform(-0.5, 0.5, (len(left), 2))
            east, north = xy[left].T
            inside = self.whole[piece]
            cut = ~inside
            inside[cut] = shapely.contains_xy(self.polygons[borough[left[cut]]], east[cut], north[cut])
            left = left[~inside]
        return xy, borough, column

    def _pieces(self, rates: Array, borough: Index, column: Index, rng: np.random.Generator) -> Index:
        """Return one piece (N,) of each place's borough by the inverse of the cumulative rates (P + 1, C)."""
        first, last = self.bounds[borough], self.bounds[borough + 1]
        low, high = rates[first, column], rates[last, column]
        target = low + rng.random(len(borough)) * (high - low)
        piece = np.empty(len(borough), dtype=np.intp)
        for c in range(rates.shape[1]):
            of_c = column == c
            piece[of_c] = np.searchsorted(rates[:, c], target[of_c], side="right") - 1
        # A sum that rounds up to the end would fall into the next borough.
        return np.clip(piece, first, last - 1)
