"""The census: NS-SeC shares at the centres of neighbourhoods, and the neighbourhoods as areas."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from tenfold.datasets.london import boundaries
from tenfold.datasets.london.figures import SHARES
from tenfold.datasets.london.simulation import Simulation
from tenfold.datasets.london.sources import read, real, stamped
from tenfold.datasets.london.stand_in import simulated
from tenfold.datasets.provenance import Resolution

DATA = ("london_ns_sec", "london_lsoas")
COUNTS_FILE = "lon_lsoa_ns-sec.csv"
CENTRES_FILE = "london_lsoa_pwc_ns-sec.geojson"
# Children and people whose class is not told; they count neither above nor below the line.
DOES_NOT_APPLY = -8


def ns_sec(source: str = "auto") -> gpd.GeoDataFrame:
    """Return the nine NS-SeC shares y_k = n_k / sum_j n_j at the population-weighted centres of LSOAs.

    `code`, `name`, `borough`, `ns_sec_1..9` (sum 1), `residents` (sum_j n_j), points in EPSG:27700; in the
    order of the official file, which the official split depends on. Census 2021, table TS062, code -8 left
    out. Else the simulated city.
    """
    if not (found := real(source, *DATA)):
        return simulated(Simulation.ns_sec)
    frame = _centres(found[0])
    counts = _counts(found[0]).loc[frame["code"]].reset_index(drop=True)
    residents = counts.sum(axis=1)
    frame = frame.join(counts.div(residents, axis=0).set_axis([*SHARES], axis=1))
    frame["residents"] = residents
    return stamped(frame[["code", "name", "borough", *SHARES, "residents", "geometry"]], found[0])


def lsoas(source: str = "auto") -> gpd.GeoDataFrame:
    """Return the same neighbourhoods as polygons, row by row: `code`, `name`, `borough`, EPSG:27700."""
    if not (found := real(source, *DATA)):
        return simulated(Simulation.lsoas)
    areas = boundaries.lsoa_areas(found[1]).set_index("code")
    codes = _centres(found[0], geometry=False)["code"]
    return stamped(areas.loc[codes].reset_index(), found[1])


def _centres(place: Resolution, geometry: bool = True) -> pd.DataFrame:
    columns = {"lsoa21cd": "code", "lsoa21nm": "name"}
    frame = read(place, CENTRES_FILE, columns=list(columns), ignore_geometry=not geometry).rename(columns=columns)
    # "Barking and Dagenham 016A": the borough, then the number of its middle layer area and a letter.
    frame["borough"] = frame["name"].str.rsplit(" ", n=1).str[0]
    return frame


def _counts(place: Resolution) -> pd.DataFrame:
    """Return the persons per LSOA (rows, by code) and class 1..9 (columns)."""
    long = pd.read_csv(place.folder / COUNTS_FILE, usecols=[0, 2, 4]).set_axis(["code", "class", "persons"], axis=1)
    return long[long["class"] != DOES_NOT_APPLY].pivot(index="code", columns="class", values="persons")
