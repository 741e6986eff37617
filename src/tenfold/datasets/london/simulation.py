"""The simulated city: real boroughs with their real figures, and below them a truth known in closed form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from tenfold.datasets.london.boundaries import boroughs
from tenfold.datasets.london.figures import SHARES, ns_sec_figures, poi_figures
from tenfold.datasets.london.neighbourhoods import centroids, fit_margins, leanings, split, voronoi
from tenfold.datasets.london.profiles import POI_DENSITY, POPULATION, class_profiles
from tenfold.datasets.london.raster import Raster, product
from tenfold.datasets.london.wording import describe
from tenfold.datasets.london.zones import ZONES, Zones, radius
from tenfold.errors import InputError

Array = NDArray[np.float64]

THINNING = 15_000.0  # metres in which places and people thin out by e
NAME = "london_simulation"  # as figures and records know it
LICENCE = "none (simulated)"


@lru_cache(maxsize=4)
def simulation(seed: int = 0, *, lsoa_fraction: float = 1.0) -> Simulation:
    """Return the simulated city of `seed` in the embedded outlines, with the embedded figures of the boroughs."""
    figures = poi_figures()
    parts = (boroughs("simulated"), ns_sec_figures(), figures.counts, figures.categories)
    return Simulation(*parts, seed, lsoa_fraction=lsoa_fraction)


class Simulation:
    """A city with a known truth inside real borough outlines, all of it from one seed.

    Intensity of class c per m2 in borough b: lambda_c(x) = N_bc g_c(x) / int_b g_c, with
    g_c(x) = density(x) sum_k w_k(x) pi_k[c] constant in each cell of a raster; N_bc are the counts given. So
    P(c | x) = lambda_c(x) / sum_c' lambda_c'(x), and the boroughs hold the numbers of places that they really hold.
    boroughs: `code`, `name` and polygons in EPSG:27700; shares: `code`, `lsoas`, `residents`, `ns_sec_1..9`;
    counts: `code` and one column per class of `categories` (class -> category). `lsoa_fraction` shrinks the number of
    neighbourhoods, `side` is that of a cell in metres. Raises InputError for figures that do not fit the boroughs.
    """

    zone_names = ZONES

    def __init__(
        self,
        boroughs: gpd.GeoDataFrame,
        shares: pd.DataFrame,
        counts: pd.DataFrame,
        categories: Mapping[str, str],
        seed: int = 0,
        *,
        lsoa_fraction: float = 1.0,
        side: float = 250.0,
    ):
        if not 0 < lsoa_fraction <= 1:
            raise InputError(f"lsoa_fraction lies above 0 and at most at 1, not {lsoa_fraction}")
        self.seed = seed
        self.boroughs = boroughs[["code", "name", "geometry"]].reset_index(drop=True)
        self.classes = tuple(categories)
        self.categories = dict(categories)
        self.figures = _rows(self.boroughs, shares, ["lsoas", "residents", *SHARES], "shares")
        self.counts = _whole(_rows(self.boroughs, counts, self.classes, "counts").to_numpy())
        self.lsoa_fraction = lsoa_fraction
        self.raster = Raster(self.boroughs, side)
        self.zones = Zones(self.boroughs.union_all(), seed)
        self._build()

    def _build(self) -> None:
        weights = self.zones(self.raster.centres)
        thinning = np.exp(-radius(self.raster.centres) / THINNING)
        self.population = (weights * POPULATION).sum(axis=1) * thinning
        profiles = class_profiles(self.categories, np.random.default_rng([self.seed, 2]))
        density = (weights * POI_DENSITY).sum(axis=1) * thinning
        self.intensity = density[:, None] * product(weights, profiles)
        self.rates = self.counts / self.raster.sums(self.intensity)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the figures, the outlines, the seed and the sizes: what decides every number of this city."""
        said = (self.seed, self.lsoa_fraction, self.raster.side, self.categories, self.boroughs.code.tolist())
        parts = (repr(said).encode(), self.counts.tobytes(), self.figures.to_numpy(np.float64).tobytes())
        return hashlib.sha256(b"".join([*parts, *shapely.to_wkb(self.boroughs.geometry.to_numpy())])).hexdigest()

    def class_probability(self, xy: ArrayLike) -> Array:
        """Return P(c | x) = lambda_c(x) / sum_c' lambda_c'(x) (N, C) at places (N, 2); InputError outside the city.

        A place beyond the boroughs is taken to the nearest one; outside is more than 1 km off their bounding box.
        """
        rates = self.intensity[self.raster.cell_of(xy)] * self.rates[self.raster.borough_of(xy)]
        return rates / rates.sum(axis=1, keepdims=True)

    def entropy(self) -> float:
        """Return the entropy H(class) = -sum_c p_c ln p_c of a place of this city, in nats."""
        share = self.counts.sum(axis=0) / self.counts.sum()
        return float(-share @ np.log(share))

    def information(self) -> float:
        """Return the mutual information I(x; class) of a place of this city, in nats.

        I = sum_{piece, c} p(piece, c) ln[p(piece, c) / (p(piece) p(c))], exact since the intensities are constant on
        the pieces into which borders cut the cells. ln B - loss of a contrastive model cannot exceed it by more than
        sampling noise, whatever the batch size B.
        """
        raster = self.raster
        joint = self.intensity[raster.cell] * self.rates[raster.borough] * raster.area[:, None] / self.counts.sum()
        place, share = joint.sum(axis=1, keepdims=True), joint.sum(axis=0)
        return float(np.sum(joint * np.log(joint / (place * share), where=joint > 0, out=np.zeros_like(joint))))

    def pois(self, n: int | None = None) -> gpd.GeoDataFrame:
        """Return the places: in every borough as many of each class as the counts say, or n of them all.

        One row each: `poi_class`, `category`, `text`, `name` (""), `source`, `licence`, `borough`, `easting`,
        `northing` and a point, in the order of boroughs and classes. Fewer are thinned evenly: each class of each
        borough keeps its share of n, rounded up or down.
        Raises InputError for n beyond the number of places.
        """
        total = int(self.counts.sum())
        if n is not None and not 1 <= n <= total:
            raise InputError(f"n lies in 1..{total}, not {n}")
        rng = np.random.default_rng([self.seed, 3])
        xy, borough, kind = self.raster.draw(self.intensity, self.counts, rng)
        if n is not None:
            kept = np.floor((np.arange(n) + rng.random()) * total / n).astype(np.intp)
            xy, borough, kind = xy[kept], borough[kept], kind[kept]
        classes = np.array(self.classes, dtype=object)[kind]
        columns = {
            "poi_class": classes,
            "category": np.array(list(self.categories.values()), dtype=object)[kind],
            "text": np.array([describe(*pair) for pair in self.categories.items()], dtype=object)[kind],
            "name": "",
            "source": "simulation",
            "licence": LICENCE,
            "borough": self.boroughs.name.to_numpy()[borough],
            "easting": xy[:, 0],
            "northing": xy[:, 1],
        }
        return self._frame(columns, shapely.points(xy))

    def ns_sec(self) -> gpd.GeoDataFrame:
        """Return neighbourhoods as points: `code`, `name`, `borough`, `ns_sec_1..9` (sum 1), `residents`.

        shares = softmax(o_b + trend(x) + B w(x) + smooth fields + chance); o_b makes the mean of each
        borough, weighted by residents, the share given.
        """
        xy, rng = self._centroids, np.random.default_rng([self.seed, 5])
        totals = self.figures.residents.to_numpy(np.int64)
        residents = np.concatenate([split(total, n, rng) for total, n in zip(totals, self._sizes, strict=True)])
        margins = self.figures[[*SHARES]].to_numpy()
        leaning = leanings(self.raster, xy, self.zones(xy), margins, rng)
        shares = fit_margins(leaning, self._borough, residents, margins)
        columns = {**self._names, **dict(zip(SHARES, shares.T, strict=True)), "residents": residents}
        return self._frame(columns, shapely.points(xy))

    def lsoas(self) -> gpd.GeoDataFrame:
        """Return the same neighbourhoods as polygons: the places of a borough nearest to each centroid."""
        sites = np.split(self._centroids, np.cumsum(self._sizes)[:-1])
        cells = [voronoi(part, polygon) for part, polygon in zip(sites, self.raster.polygons, strict=True)]
        return self._frame(self._names, np.concatenate(cells))

    def land_use(self, n: int = 6697) -> gpd.GeoDataFrame:
        """Return n places labelled with their strongest zone, argmax_k w_k(x).

        As many of each of the eight zones as there are, up to n / 8, among 20 n places drawn evenly over the city;
        the rest are the first of those left. Columns `label`, `borough`. Raises InputError for n < 1.
        """
        if n < 1:
            raise InputError(f"n must be at least 1, not {n}")
        rng = np.random.default_rng([self.seed, 6])
        counts = rng.multinomial(20 * n, (area := self.boroughs.area.to_numpy()) / area.sum())
        xy, borough, _ = self.raster.draw(np.ones((len(self.raster.centres), 1)), counts[:, None], rng)
        order = rng.permutation(len(xy))
        xy, borough = xy[order], borough[order]
        zone = self.zones(xy).argmax(axis=1)
        rank = pd.Series(zone).groupby(zone).cumcount().to_numpy()
        chosen = np.sort(np.argsort(rank >= -(-n // len(ZONES)), kind="stable")[:n])
        names = {"label": np.array(ZONES, dtype=object)[zone], "borough": self.boroughs.name.to_numpy()[borough]}
        frame = self._frame({key: values[chosen] for key, values in names.items()}, shapely.points(xy[chosen]))
        frame.attrs["task"] = "the strongest of eight simulated zones"
        return frame

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        """Neighbourhoods per borough."""
        return np.maximum(1, np.rint(self.figures.lsoas.to_numpy() * self.lsoa_fraction)).astype(np.int64)

    @cached_property
    def _borough(self) -> NDArray[np.intp]:
        """Row of the borough of each neighbourhood."""
        return np.repeat(np.arange(len(self._sizes)), self._sizes)

    @cached_property
    def _centroids(self) -> Array:
        return centroids(self.raster, self.population, self._sizes, np.random.default_rng([self.seed, 4]))

    @cached_property
    def _names(self) -> dict[str, NDArray[np.object_]]:
        """Codes and names that no real neighbourhood has."""
        number = np.concatenate([np.arange(1, size + 1) for size in self._sizes])
        code, name = (self.boroughs[column].to_numpy(object)[self._borough] for column in ("code", "name"))
        rows = list(zip(code, name, number, strict=True))
        return {
            "code": np.array([f"SIM-{code}-{i:03d}" for code, _, i in rows], dtype=object),
            "name": np.array([f"{name} {i:03d} (simulated)" for _, name, i in rows], dtype=object),
            "borough": name,
        }

    def _frame(self, columns: Mapping[str, ArrayLike], geometry: NDArray[np.object_]) -> gpd.GeoDataFrame:
        frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=self.boroughs.crs)
        frame = frame.astype({name: "str" for name in frame if frame[name].dtype == object})
        frame.attrs |= {"dataset": NAME, "datasets": (NAME,), "kind": "synthetic"}
        return frame


def _rows(boroughs: gpd.GeoDataFrame, table: pd.DataFrame, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Return columns of a table, one row per borough in their order; raises InputError where something is lacking."""
    if lacking := [name for name in ("code", *columns) if name not in table.columns]:
        raise InputError(f"{what} lack the column '{lacking[0]}'")
    if table.code.duplicated().any() or set(table.code) != set(boroughs.code):
        raise InputError(f"{what} must have one row for each of the {len(boroughs)} boroughs")
    rows = table.set_index("code").loc[boroughs.code, list(columns)].astype(np.float64)
    if not (np.isfinite(rows) & (rows >= 0)).all(axis=None):
        raise InputError(f"{what} must be finite and at least 0")
    return rows


def _whole(counts: Array) -> NDArray[np.int64]:
    """Return counts (boroughs, C) as whole numbers; raises InputError where they are not, or hold nothing."""
    if (counts != np.rint(counts)).any() or not counts.sum(axis=1).all() or not counts.sum(axis=0).all():
        raise InputError("counts must be whole numbers, with a place in every borough and of every class")
    return counts.astype(np.int64)
