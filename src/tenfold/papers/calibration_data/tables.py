"""Tables of the notebook: perplexities by set and by method, and what other papers have published."""

from __future__ import annotations

import pandas as pd

from tenfold.papers.calibration_data.cells import NONSENSE
from tenfold.papers.calibration_data.frames import added, averaged, perplexities
from tenfold.papers.calibration_data.looks import METHOD, label

WANDA = {
    "dense": {"dense": 5.12},
    "magnitude": {"50 %": 14.89, "4:8": 16.48, "2:4": 54.59},
    "sparsegpt": {"50 %": 6.51, "4:8": 8.12, "2:4": 10.17},
    "wanda": {"50 %": 6.42, "4:8": 7.97, "2:4": 11.02},
}
"""Perplexity of LLaMA-2 7B on WikiText-2 in windows of 4096, from the tables in Wanda's official code."""


def sets(table: pd.DataFrame) -> pd.DataFrame:
    """Return perplexities by calibration set (experiment B), Wanda at the main sparsity, the dense model first."""
    rows = table[table.method.isin(["dense", "wanda"])]
    names = rows.source.map(label).where(rows.method != "dense", "dense model")
    return perplexities(rows.assign(calibration=names), ["calibration"])


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Return the loss added by set, method and sparsity, least first: mean, least and largest replicate."""
    rows = added(table)
    rows = rows[~rows.source.isin(("", *NONSENSE)) & rows.method.isin(METHOD)]
    found = averaged(rows, ["method", "sparsity", "source"])
    found = found.sort_values(["method", "sparsity", "mean"], ascending=[False, True, True])
    return found.assign(source=found.source.map(label)).reset_index(drop=True)


def methods(table: pd.DataFrame) -> pd.DataFrame:
    """Return perplexities by method, sparsity and pattern."""
    return perplexities(table, ["method", "sparsity", "nm"])


def published(found: pd.DataFrame) -> pd.DataFrame:
    """Return Wanda's published perplexities of LLaMA-2 7B, and ours beside them where C4 calibrated that model."""
    ours = found.groupby(["method", "way"]).perplexity.mean() if len(found) else pd.Series(dtype=float)
    rows = []
    for method, values in WANDA.items():
        for way, value in values.items():
            row = {"method": method, "zeros": way, "published": value, "provenance": "[repo] Wanda, README"}
            rows.append(row | {"ours": ours.get((method, way), float("nan"))})
    return pd.DataFrame(rows)
