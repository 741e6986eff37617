"""Figures of the boroughs that are committed: NS-SeC shares and numbers of POIs."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from tenfold.datasets.resolution import resolve

SHARES = tuple(f"ns_sec_{number}" for number in range(1, 10))
NS_SEC_FILE = "london/ns_sec.csv"
POI_FILE = "london/poi_counts.csv"


class PoiFigures(NamedTuple):
    """Numbers of POIs: `counts` has a `code` and a column per class (33 rows); class -> category, class -> licence."""

    counts: pd.DataFrame
    categories: dict[str, str]
    licences: dict[str, str]


def ns_sec_figures() -> pd.DataFrame:
    """Return the 33 rows `code`, `name`, `lsoas` (number), `residents` (persons), `ns_sec_1..9` (sum 1), embedded."""
    return pd.read_csv(resolve("london_ns_sec_figures").folder / NS_SEC_FILE)


def poi_figures() -> PoiFigures:
    """Return how many POIs of each class the clean table of open POIs has in each borough, embedded."""
    rows = pd.read_csv(resolve("london_poi_figures").folder / POI_FILE).set_index("poi_class")
    counts = rows.drop(columns=["category", "licence"]).T
    return PoiFigures(
        counts.rename_axis(columns=None).rename_axis("code").reset_index(),
        rows["category"].to_dict(),
        rows["licence"].to_dict(),
    )
