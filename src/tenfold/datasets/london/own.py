"""A reader's own files: POIs and labelled points, checked row by row before anything is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import geopandas as gpd
import numpy as np
import pandas as pd

from tenfold.datasets.london import pointx
from tenfold.datasets.london.frame import FRAME, inside, to_metres
from tenfold.errors import InputError

VECTOR = {".geojson", ".gpkg", ".json", ".shp"}
METRES, DEGREES = ("easting", "northing"), ("longitude", "latitude")
CODES = {"EPSG:27700": METRES, "EPSG:4326": DEGREES, "OGC:CRS84": DEGREES}
LABELS = ("label", "landuse", "land_use")


def own_table(path: Path) -> pd.DataFrame:
    """Return a reader's table with `easting` and `northing` in metres: csv, parquet, geojson, gpkg or shp.

    Places come from columns `easting`, `northing` or `longitude`, `latitude`, or from points in EPSG:27700 or
    EPSG:4326; a column `crs`, where there is one, must say the same in every row. Raises `InputError` that
    names file and column or row (the first is row 1) for anything else, and for places outside the frame.
    """
    rows = _opened(path)
    rows = pointx.translated(rows, path) if pointx.spoken(rows) else rows
    names = next((pair for pair in (METRES, DEGREES) if set(pair) <= set(rows)), None)
    if names is None:
        raise InputError(f"{path}: no columns {' and '.join(METRES)}, none {' and '.join(DEGREES)}, and no points")
    _check_crs(rows, names, path)
    xy = _numbers(rows, names, path)
    _check_unit(xy, names, path)
    xy = to_metres(xy) if names == DEGREES else xy
    if not (held := inside(xy)).all():
        row = int(np.argmin(held))
        where = f"({xy[row, 0]:.0f}, {xy[row, 1]:.0f})"
        _refuse(path, row, f"{where} lies outside the frame of London {tuple(map(int, FRAME))} in metres")
    return rows.assign(easting=xy[:, 0], northing=xy[:, 1])


def own_pois(path: Path) -> pd.DataFrame:
    """Return a reader's POIs: `poi_class`, `category`, `name`, `description` ("" if none), `easting`, `northing` (m).

    Either these columns (name and description may be missing), or those of Ordnance Survey's PointX as the
    paper used them. Raises `InputError` as `own_table` does, and for a missing column or an empty class.
    """
    rows = own_table(path)
    for column in ("poi_class", "category"):
        if column not in rows:
            raise InputError(f"{path}: no column {column}; POIs need poi_class, category and a place")
        empty = rows[column].isna() | (rows[column].astype("str").str.strip() == "")
        if empty.any():
            _refuse(path, int(np.argmax(empty)), f"{column} is empty")
    for column in ("name", "description"):
        rows[column] = rows[column].fillna("") if column in rows else ""
    for column in ("poi_class", "category", "name", "description"):
        rows[column] = rows[column].astype("str").str.strip()
    rows[["poi_class", "category"]] = rows[["poi_class", "category"]].apply(lambda words: words.str.lower())
    return rows[["poi_class", "category", "name", "description", "easting", "northing"]]


def own_labels(path: Path) -> pd.DataFrame:
    """Return a reader's labelled points: `label`, `easting`, `northing` (m); the label may be called landuse too."""
    rows = own_table(path)
    column = next((name for name in LABELS if name in rows), None)
    if column is None:
        raise InputError(f"{path}: no column {', '.join(LABELS[:-1])} or {LABELS[-1]} that labels the points")
    if rows[column].isna().any():
        _refuse(path, int(np.argmax(rows[column].isna())), f"{column} is empty")
    return rows.assign(label=rows[column].astype("str"))[["label", "easting", "northing"]]


def _opened(path: Path) -> pd.DataFrame:
    """Return the rows of a file with lower-case column names; points become columns where there are none."""
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        rows = _parsed(path)
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read: {first}") from error
    rows.columns = [str(name).strip().lower() for name in rows.columns]
    if rows.columns.has_duplicates:
        raise InputError(f"{path}: the column {rows.columns[rows.columns.duplicated()][0]} occurs twice")
    if rows.empty:
        raise InputError(f"{path} has no rows")
    return rows


def _parsed(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return pd.read_csv(path, low_memory=False)
    if suffix in VECTOR:
        return _pointed(gpd.read_file(path), path)
    if suffix == ".parquet":
        import pyarrow.parquet as parquet

        if b"geo" in (parquet.read_schema(path).metadata or {}):
            return _pointed(gpd.read_parquet(path), path)
        return pd.read_parquet(path)
    raise InputError(f"{path}: POIs and labels come as csv, parquet, geojson, gpkg or shp, not as '{suffix}'")


def _pointed(rows: gpd.GeoDataFrame, path: Path) -> pd.DataFrame:
    """Return the rows with their points as two columns, unless the columns are there already."""
    table = pd.DataFrame(rows.drop(columns=rows.geometry.name))
    lower = {str(name).strip().lower() for name in table}
    if any(set(pair) <= lower for pair in (METRES, DEGREES)) or pointx.spoken_by(lower):
        return table
    # Many a projection file tells the British National Grid without its number: a likeness will do.
    code = ":".join((rows.crs and rows.crs.to_authority(min_confidence=25)) or ())
    if code not in CODES:
        raise InputError(f"{path}: its points must be in EPSG:27700 or EPSG:4326, not in {code or 'no known CRS'}")
    wrong = ~(rows.geometry.geom_type == "Point")
    if wrong.any():
        _refuse(path, int(np.argmax(wrong)), "is no point")
    return table.assign(**dict(zip(CODES[code], (rows.geometry.x, rows.geometry.y), strict=True)))


def _check_crs(rows: pd.DataFrame, names: tuple[str, str], path: Path) -> None:
    if "crs" not in rows:
        return
    told = rows["crs"].astype("str").str.strip().str.upper().str.replace(r"^(?=\d)", "EPSG:", regex=True)
    if (told != told.iloc[0]).any():
        row = int(np.argmax(told != told.iloc[0]))
        _refuse(path, row, f"crs is {told.iloc[row]}, but {told.iloc[0]} in row 1; one file has one CRS")
    if CODES.get(told.iloc[0]) != names:
        raise InputError(f"{path}: crs is {told.iloc[0]}, which does not go with {' and '.join(names)}")


def _numbers(rows: pd.DataFrame, names: tuple[str, str], path: Path) -> np.ndarray:
    """Return two columns (N, 2) as numbers, all of them finite."""
    columns = []
    for name in names:
        values = pd.to_numeric(rows[name], errors="coerce").to_numpy(np.float64)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            _refuse(path, row, f"{name} is no number: {str(rows[name].iloc[row])!r}")
        columns.append(values)
    return np.column_stack(columns)


def _check_unit(xy: np.ndarray, names: tuple[str, str], path: Path) -> None:
    """Refuse degrees among metres and metres among degrees: no place of London can be taken for the other."""
    degrees = (np.abs(xy) <= (180, 90)).all(axis=1)
    wrong = ~degrees if names == DEGREES else degrees
    if wrong.any():
        row = int(np.argmax(wrong))
        told, meant = ("metres", "degrees") if names == DEGREES else ("degrees", "metres")
        _refuse(path, row, f"{names[0]}, {names[1]} are {xy[row, 0]:g}, {xy[row, 1]:g}: {told} where {meant} belong")


def _refuse(path: Path, row: int, what: str) -> NoReturn:
    raise InputError(f"{path}, row {row + 1}: {what}")
