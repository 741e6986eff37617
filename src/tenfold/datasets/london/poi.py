"""The clean table of open POIs of London: files joined, doubles dropped, boroughs told, kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from tenfold import files, project
from tenfold.datasets.london import boundaries, doubles, frame, layers, wording
from tenfold.datasets.london.own import own_pois
from tenfold.datasets.london.simulation import Simulation
from tenfold.datasets.london.sources import real, stamped
from tenfold.datasets.london.stand_in import simulated
from tenfold.datasets.provenance import Resolution
from tenfold.datasets.resolution import local

COLUMNS = ["poi_class", "category", "text", "name", "source", "licence", "borough", "easting", "northing"]
DATA = ("london_pois", "london_greenspace", "london_outline", "london_boroughs")


def pois(source: str = "auto", path: str | Path | None = None) -> gpd.GeoDataFrame:
    """Return points of interest, one row each: class, category, text, name, file, licence, borough, place (m).

    Columns `poi_class`, `category`, `text`, `name` ("" if none), `source`, `licence`, `borough`, `easting`,
    `northing` and a point in EPSG:27700, in the order of class and place. The open files where they are at
    hand, else the simulated city; with `path` a reader's own file (see `own_pois`). Raises `InputError` for a file that
    cannot be right.
    """
    if path is not None:
        return _own(Path(path), source)
    if not (found := real(source, *DATA)):
        return simulated(Simulation.pois)
    kept = project.cache() / "london" / f"pois-{_key(found)}.parquet"
    table = _read(kept)
    if table is None:
        table = _assembled(*found)
        # A copy that cannot be written only costs time.
        with contextlib.suppress(OSError), files.atomic(kept) as temporary:
            table.to_parquet(temporary)
    return stamped(table, *found)


def finished(rows: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return rows of class, category, name, file, licence, borough and place with their text and points."""
    kinds = rows[["poi_class", "category"]].drop_duplicates()
    kinds["text"] = [wording.describe(*kind) for kind in kinds.itertuples(index=False, name=None)]
    rows = rows.merge(kinds, on=["poi_class", "category"], how="left", validate="m:1")[COLUMNS]
    rows[COLUMNS[:-2]] = rows[COLUMNS[:-2]].astype("str")
    points = shapely.points(rows[["easting", "northing"]].to_numpy(np.float64))
    return gpd.GeoDataFrame(rows, geometry=points, crs=frame.CRS)


def _assembled(place: Resolution, parks: Resolution, outline: Resolution, boroughs: Resolution) -> gpd.GeoDataFrame:
    rows = doubles.without_doubles(layers.every(place, parks))
    xy = rows[["easting", "northing"]].to_numpy()
    rows = rows[shapely.contains_xy(boundaries.outline().geometry.iloc[0], xy)]
    rows["borough"] = boundaries.borough_of(rows[["easting", "northing"]].to_numpy(), boundaries.boroughs())
    rows["category"] = rows["poi_class"].map(wording.CATEGORIES)
    return finished(rows.sort_values(["poi_class", "easting", "northing", "name"], ignore_index=True))


def _own(path: Path, source: str) -> gpd.GeoDataFrame:
    rows = own_pois(path)
    place = local(path)
    xy = rows[["easting", "northing"]].to_numpy()
    rows["borough"] = boundaries.borough_of(xy, boundaries.boroughs(source))
    table = finished(rows.assign(source=path.name, licence="the reader's own"))
    told = rows["description"].str.lower()
    table["text"] = told.where(told != "", table["text"])
    return stamped(table, place)


def _key(found: list[Resolution]) -> str:
    """Return what the table follows from: the digests of its files and the text of the modules that make it."""
    modules = (boundaries, doubles, frame, layers, wording)
    paths = [Path(__file__), *(Path(module.__file__) for module in modules)]
    parts = [*(item.digest for item in found), *(files.sha256(path) for path in paths)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:24]


def _read(path: Path) -> gpd.GeoDataFrame | None:
    """Return the table kept on disk; None where there is none or it cannot be read: it is made again then."""
    try:
        return gpd.read_parquet(path)
    except (OSError, ValueError, KeyError):
        return None
