"""Land use: labelled points of a reader's own file, drawn in open data, or of the simulated city."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from tenfold.datasets.london.boundaries import borough_of, boroughs
from tenfold.datasets.london.context import greenspace, water
from tenfold.datasets.london.frame import CRS
from tenfold.datasets.london.own import own_labels
from tenfold.datasets.london.simulation import Simulation
from tenfold.datasets.london.sources import real, stamped
from tenfold.datasets.london.stand_in import simulated
from tenfold.datasets.resolution import local
from tenfold.errors import InputError

DATA = ("london_greenspace", "london_water", "london_boroughs")
SEED = 20_250
# Metres that "built or other" keeps from every park and lake.
AWAY = 50.0
ZONES = 8


def land_use(source: str = "auto", path: str | Path | None = None, points: int = 1000) -> gpd.GeoDataFrame:
    """Return labelled points: `label`, `borough`, points in EPSG:27700; `attrs["task"]` says which task it is.

    With `path`, a reader's own file with a column `label` or `landuse`, every row of it. Else `points` per
    class, drawn evenly and always alike: inside public parks, inside inland water, and at least 50 m from both
    ("built or other"); or the strongest zone of the simulated city. Raises `InputError`.
    """
    if points < 1:
        raise InputError(f"points per class must be at least 1, not {points}")
    if path is not None:
        return _own(Path(path), source)
    if not (found := real(source, *DATA)):
        return simulated(Simulation.land_use, ZONES * points)
    areas = boroughs(source)
    rng = np.random.default_rng(SEED)
    xy = {
        "park": _within(greenspace(), areas, points, rng),
        "water": _within(water(), areas, points, rng),
        "built or other": _elsewhere(areas, [greenspace(), water()], points, rng),
    }
    frame = _frame(np.repeat(list(xy), points), np.concatenate(list(xy.values())), areas)
    frame.attrs["task"] = "park, inland water, or built or other, at points drawn in OS open data"
    return stamped(frame, *found)


def _own(path: Path, source: str) -> gpd.GeoDataFrame:
    rows = own_labels(path)
    frame = _frame(rows["label"].to_numpy(), rows[["easting", "northing"]].to_numpy(), boroughs(source))
    frame.attrs["task"] = f"the labels of {path.name}"
    return stamped(frame, local(path))


def _frame(labels: np.ndarray, xy: np.ndarray, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    columns = {"label": labels, "borough": borough_of(xy, areas)}
    return gpd.GeoDataFrame(columns, geometry=shapely.points(xy), crs=CRS).astype({"label": "str", "borough": "str"})


def _within(layer: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` places (count, 2), evenly drawn where a layer of polygons lies inside the boroughs."""
    shapes = shapely.get_parts(layer.geometry.to_numpy())
    shapes = shapes[shapely.STRtree(shapes).query(areas.union_all(), predicate="intersects")]
    return _drawn(shapes, count, rng, lambda xy: _touches(xy, areas.geometry.to_numpy(), 0.0))


def _elsewhere(
    areas: gpd.GeoDataFrame, layers: list[gpd.GeoDataFrame], count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return `count` places (count, 2), evenly drawn in the boroughs and away from the polygons of `layers`."""
    avoided = np.concatenate([layer.geometry.to_numpy() for layer in layers])
    return _drawn(areas.geometry.to_numpy(), count, rng, lambda xy: ~_touches(xy, avoided, AWAY))


def _drawn(shapes: np.ndarray, count: int, rng: np.random.Generator, accepted) -> np.ndarray:
    """Return places drawn evenly over `shapes`: a shape by its area, a place in its box, again if it misses."""
    box = shapely.bounds(shapes)
    found = np.empty((0, 2))
    while len(found) < count:
        # A box holds a place with a chance of area / area of the box: asked as often as its box is large.
        size = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
        chosen = rng.choice(len(shapes), 4 * count, p=size / size.sum())
        xy = rng.uniform(box[chosen, :2], box[chosen, 2:])
        held = shapely.contains_xy(shapes[chosen], xy)
        found = np.concatenate([found, xy[held][accepted(xy[held])]])
    return found[:count]


def _touches(xy: np.ndarray, shapes: np.ndarray, distance: float) -> np.ndarray:
    """Tell which places (N, 2) lie within `distance` of any of `shapes`."""
    points = shapely.points(xy)
    touched = np.zeros(len(points), dtype=bool)
    touched[shapely.STRtree(points).query(shapes, predicate="dwithin", distance=distance)[1]] = True
    return touched
