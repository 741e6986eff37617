"""POIs as Ordnance Survey's PointX tells them: the columns of the paper's file, in our own words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from tenfold.errors import InputError

COLUMNS = {"ref_no", "name", "pointx_class", "feature_easting", "feature_northing", "description"}
# Any of these tells that the file means to be one.
SIGNS = {"pointx_class", "feature_easting", "feature_northing"}
SENTENCE = r"(?i)^\s*a place (?:of|that sells|that produces) (?P<poi_class>.+), a type of (?P<category>.+?)\s*$"


def spoken_by(columns: Iterable[str]) -> bool:
    """Tell whether lower-case column names are those of PointX, or mean to be."""
    return bool(SIGNS & set(columns))


def spoken(rows: pd.DataFrame) -> bool:
    """Tell whether a table is one of PointX, or means to be."""
    return spoken_by(rows.columns)


def translated(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return a PointX table with our columns: class and category as its `description` tells them, place in metres.

    Raises `InputError` for a missing column, and for a description that is no sentence of the template.
    """
    if lacking := sorted(COLUMNS - set(rows.columns)):
        raise InputError(f"{path}: no column {lacking[0]}; a PointX file has {', '.join(sorted(COLUMNS))}")
    told = rows["description"].fillna("").to_numpy(dtype=str)
    distinct, number = np.unique(told, return_inverse=True)
    words = pd.Series(distinct).str.extract(SENTENCE).iloc[number].reset_index(drop=True)
    silent = words["poi_class"].isna()
    if silent.any():
        row = int(np.argmax(silent))
        raise InputError(f"{path}, row {row + 1}: description is no 'A place of ..., a type of ...': {told[row]!r}")
    places = rows.rename(columns={"feature_easting": "easting", "feature_northing": "northing"})
    return places.reset_index(drop=True).drop(columns=["poi_class", "category"], errors="ignore").join(words)
