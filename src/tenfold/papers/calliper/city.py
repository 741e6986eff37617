"""The city of a run: POIs to train on, areas and land use to predict, hexagons to draw, all from plain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import starmap
from typing import Any

import geopandas as gpd
import numpy as np

from tenfold.datasets import london
from tenfold.papers.calliper.parameters import Parameters

LAND_USES = 10
"""Classes of the paper's labelled points."""
OFFICIAL = 400
"""Classes above which a reader's own POIs count as those of the Ordnance Survey, which has 578 in London."""
SIMULATED = "Outlines and the figures of each borough are real; everything below the boroughs is simulated."
SHARES = [f"ns_sec_{k}" for k in range(1, 10)]
# Census 2021, TS062: the nine classes of the National Statistics Socio-economic Classification.
NS_SEC = (
    "higher managers and professionals",
    "lower managers and professionals",
    "intermediate occupations",
    "small employers, own account",
    "lower supervisory, technical",
    "semi-routine",
    "routine",
    "never worked, long-term unemployed",
    "full-time students",
)


@dataclass(frozen=True)
class Task:
    """What is to be predicted at points (N, 2) in metres: shares (N, 9), or class numbers (N,)."""

    name: str
    xy: np.ndarray
    target: np.ndarray
    boroughs: np.ndarray
    classes: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The kind of probe: distribution or classes."""
        return "distribution" if self.target.ndim == 2 else "classes"


def plan(parameters: Parameters, **changes: Any) -> dict[str, Any]:
    """Return the plain values from which a worker builds the same `City`."""
    values = {
        "source": parameters.london,
        "pois_file": parameters.pois_file,
        "land_use_file": parameters.land_use_file,
        "names": parameters.names,
        "pois": parameters.pois,
        "areas": parameters.areas,
        "land_use_points": parameters.land_use_points,
        "resolution": parameters.resolution,
        "seed": parameters.seed,
    }
    return values | changes


@lru_cache(maxsize=2)
def build(**values: Any) -> City:
    """Return the city of a `plan`; one process that studies it again finds it built."""
    return City(**values)


@dataclass(frozen=True)
class City:
    """London as a run sees it; `source` is auto or simulated, numbers of 0 mean all there are."""

    source: str
    pois_file: str
    land_use_file: str
    names: bool
    pois: int
    areas: int
    land_use_points: int
    resolution: int
    seed: int

    @cached_property
    def places(self) -> gpd.GeoDataFrame:
        """The POIs of the run: all, or `pois` of them with every class in its proportion."""
        table = london.pois(self.source, path=self.pois_file or None)
        if not self.pois or self.pois >= len(table):
            return table
        # Systematic sampling of the shuffled table in order of its classes keeps each class's share to one POI.
        shuffled = table.iloc[np.random.default_rng(self.seed).permutation(len(table))]
        ordered = shuffled.sort_values("poi_class", kind="stable")
        kept = np.floor(np.arange(self.pois) * (len(table) / self.pois)).astype(int)
        return ordered.iloc[kept].sort_index()

    def load(self) -> None:
        """Read at once what studies need."""
        for name in ("poi_xy", "poi_class", "texts", "tasks"):
            getattr(self, name)

    @cached_property
    def poi_xy(self) -> np.ndarray:
        """Coordinates (N, 2) of the POIs in metres."""
        return self.places[["easting", "northing"]].to_numpy()

    @cached_property
    def classes(self) -> list[str]:
        """Every POI class, in alphabetical order."""
        return sorted(self.places.poi_class.unique())

    @cached_property
    def poi_class(self) -> np.ndarray:
        """Number (N,) of each POI's class among `classes`."""
        return np.searchsorted(self.classes, self.places.poi_class.to_numpy(dtype=str))

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The category of each class, in the order of `classes`."""
        pairs = self.places.drop_duplicates("poi_class").set_index("poi_class").category
        return pairs.loc[self.classes].to_dict()

    @cached_property
    def category(self) -> np.ndarray:
        """Number (C,) of each class's category."""
        return np.unique([*self.kinds.values()], return_inverse=True)[1]

    @cached_property
    def texts(self) -> tuple[list[str], np.ndarray]:
        """The distinct texts, and the number (N,) of each POI's text among them."""
        columns = ["poi_class", "category", "name"]
        texts = starmap(london.describe, self.places[columns].to_numpy(dtype=str)) if self.names else self.places.text
        found, index = np.unique(np.array([*texts], dtype=str), return_inverse=True)
        return found.tolist(), index

    @cached_property
    def census(self) -> gpd.GeoDataFrame:
        """Areas with their NS-SeC shares, or `areas` of them."""
        table = london.ns_sec(self.source)
        if not self.areas or self.areas >= len(table):
            return table
        rows = np.random.default_rng(self.seed).choice(len(table), self.areas, replace=False)
        return table.iloc[np.sort(rows)].reset_index(drop=True)

    @cached_property
    def regions(self) -> tuple[np.ndarray, gpd.GeoSeries]:
        """Centres (R, 2) in metres and polygons (R,) of all census areas."""
        return _xy(london.ns_sec(self.source)), london.lsoas(self.source).geometry

    @cached_property
    def polygons(self) -> gpd.GeoDataFrame:
        """The polygons of the areas of `census`, row by row."""
        areas = london.lsoas(self.source)
        return areas.set_index("code").loc[self.census.code].reset_index()

    @cached_property
    def boroughs(self) -> gpd.GeoDataFrame:
        """The 33 boroughs."""
        return london.boroughs(self.source)

    @cached_property
    def outline(self) -> gpd.GeoDataFrame:
        """The outline of London."""
        return london.outline(self.source)

    @cached_property
    def hexagons(self) -> gpd.GeoDataFrame:
        """The paper's hexagons, or H3 cells where they are not at hand."""
        return london.hexagons(self.source, resolution=self.resolution)

    @cached_property
    def hexagon_xy(self) -> np.ndarray:
        """Centres (H, 2) of the hexagons in metres."""
        return self.hexagons[["x", "y"]].to_numpy()

    @property
    def real(self) -> bool:
        """Whether POIs and census are those of the real city."""
        return {self.places.attrs["kind"], self.census.attrs["kind"]} <= {"real", "mirror"}

    @property
    def note(self) -> str:
        """What is real and what is simulated, as a map must say."""
        if self.real:
            return "Points of interest and census shares are real."
        given = {"points of interest": self.pois_file, "labels of land use": self.land_use_file}
        if own := " and ".join(name for name, path in given.items() if path):
            return f"{SIMULATED[:-1]}, but for the reader's own {own}."
        return SIMULATED

    @property
    def own(self) -> set[str]:
        """What the files of this run stand for, in the words of the claims: a reader's own, or open land use."""
        names = set()
        if not self.land_use_file and self.land_use.attrs["kind"] in ("real", "mirror"):
            names.add("open_land_use")
        if self.land_use_file and len(self.tasks["luc"].classes) == LAND_USES:
            names.add("land_use_labels")
        if self.pois_file:
            names.add("london_pois")
            # The 578 classes of the paper's source; our open POIs have 26.
            names |= {"os_pois"} if len(self.classes) > OFFICIAL else set()
        return names

    def data(self, *layers: str) -> list[str]:
        """Return the names of the data behind some layers: places, census, hexagons, land_use."""
        names = [name for layer in layers for name in getattr(self, layer).attrs["datasets"]]
        return list(dict.fromkeys(names))

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """Socioeconomic distribution mapping (sdm) and land use classification (luc)."""
        areas, uses = self.census, self.land_use
        classes, target = np.unique(uses.label.to_numpy(dtype=str), return_inverse=True)
        return {
            "sdm": Task("sdm", _xy(areas), areas[SHARES].to_numpy(), areas.borough.to_numpy(dtype=str), NS_SEC),
            "luc": Task("luc", _xy(uses), target, uses.borough.to_numpy(dtype=str), tuple(classes)),
        }

    @cached_property
    def land_use(self) -> gpd.GeoDataFrame:
        """Points labelled by land use."""
        return london.land_use(self.source, path=self.land_use_file or None, points=self.land_use_points)


def _xy(table: gpd.GeoDataFrame) -> np.ndarray:
    return np.column_stack([table.geometry.x, table.geometry.y])
