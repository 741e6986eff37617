"""How the embedded figures of the boroughs are made, from the real files: `python -m` this module."""

from __future__ import annotations

import pandas as pd

from tenfold import files, project
from tenfold.datasets.london.boundaries import boroughs
from tenfold.datasets.london.census import ns_sec
from tenfold.datasets.london.figures import NS_SEC_FILE, POI_FILE, SHARES
from tenfold.datasets.london.poi import pois


def made() -> dict[str, str]:
    """Return the embedded files by name, as text, from the real census and the real table of POIs."""
    areas = boroughs()
    tables = {NS_SEC_FILE: ns_sec_by_borough(ns_sec(), areas), POI_FILE: pois_by_borough(pois(), areas)}
    return {name: table.to_csv(index=False, lineterminator="\n") for name, table in tables.items()}


def ns_sec_by_borough(lsoas: pd.DataFrame, boroughs: pd.DataFrame) -> pd.DataFrame:
    """Return `code`, `name`, `lsoas` (number), `residents` and the shares of all of them together, per borough."""
    persons = lsoas[[*SHARES]].mul(lsoas["residents"], axis=0).round().groupby(lsoas["borough"]).sum()
    residents = lsoas.groupby("borough")["residents"].agg(["size", "sum"])
    shares = persons.div(residents["sum"], axis=0)
    rows = residents.set_axis(["lsoas", "residents"], axis=1).join(shares)
    return boroughs[["code", "name"]].join(rows, on="name", validate="1:1")


def pois_by_borough(pois: pd.DataFrame, boroughs: pd.DataFrame) -> pd.DataFrame:
    """Return `poi_class`, `category`, `licence` and the number of POIs in each borough, one row per class."""
    kinds = pois.groupby("poi_class")[["category", "licence"]].agg(_only)
    code = pois["borough"].map(boroughs.set_index("name")["code"])
    counts = pd.crosstab(pois["poi_class"], code).reindex(columns=boroughs["code"], fill_value=0)
    return kinds.join(counts).reset_index()


def _only(values: pd.Series) -> str:
    (value,) = values.unique()
    return value


if __name__ == "__main__":
    for name, text in made().items():
        files.write_text(project.root() / "data" / "embedded" / name, text)
