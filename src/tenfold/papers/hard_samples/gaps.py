"""Gaps: sparse minus dense of the same seed, their intervals, their verdicts, and the levels that claims are about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.hard_samples.methods import LOOKS, PUBLISHED, column
from tenfold.papers.hard_samples.parameters import FIGURED, JUDGED
from tenfold.sparsity.equivalence import equivalent, paired

KEYS = ["subject", "selection", "ratio", "severity", "label_noise", "attacked"]
"""The columns that make a condition."""
MARGIN = 1.0
"""Points of accuracy within which two methods count as the same."""
COLLAPSE = 2.0
"""A network has collapsed whose accuracy is below this many times that of guessing."""


def gaps(scores: pd.DataFrame) -> pd.DataFrame:
    """Put each network beside the dense one of its condition and seed: gap and robust_gap, sparse minus dense."""
    keys = [*KEYS, "seed"]
    dense = scores[scores.method == "dense"][[*keys, "accuracy", "robust_accuracy"]]
    dense = dense.rename(columns={"accuracy": "dense", "robust_accuracy": "robust_dense"})
    table = scores.merge(dense, on=keys, validate="many_to_one")
    return table.assign(
        gap=table.accuracy - table.dense,
        robust_gap=table.robust_accuracy - table.robust_dense,
        collapsed=~(table.accuracy >= COLLAPSE * 100 / table.classes),
    )


def summary(table: pd.DataFrame, by: list[str], value: str = "gap") -> pd.DataFrame:
    """Return paired differences over seeds: median, mean with 95 % interval, and whether they are within a point.

    `p_same` is the p-value of two one-sided tests for a difference within a point; the verdict is "better" or
    "worse" where the interval leaves out 0, "same" where p_same < 0.05, else "open". Both may hold of a small sure
    difference: then it is "same".
    """
    rows = []
    for key, group in table[table.method != "dense"].groupby(by, sort=False):
        reference = "dense" if value == "gap" else "robust_dense"
        row = dict(zip(by, key, strict=True)) | {"dense_accuracy": group[reference].mean()}
        row |= {"accuracy": group[reference].mean() + group[value].mean(), "median": group[value].median()}
        rows.append(row | interval(group[value]) | {"collapsed": int(group.collapsed.sum()), "seeds": len(group)})
    return pd.DataFrame(rows)


def interval(values: pd.Series) -> dict[str, Any]:
    """Return mean, 95 % interval, equivalence p and verdict of paired differences; unknown from a single seed."""
    if len(values) < 2 or not np.isfinite(values).all():
        unknown = {"low": np.nan, "high": np.nan, "p_same": np.nan, "verdict": "open"}
        return {"mean": values.mean()} | unknown
    spread, test = paired(values), equivalent(values, MARGIN)
    better = "better" if spread.low > 0 else "worse" if spread.high < 0 else "open"
    found = {"mean": spread.mean, "low": spread.low, "high": spread.high, "p_same": test.p}
    return found | {"verdict": "same" if test.equivalent else better}


def levels(table: pd.DataFrame) -> pd.DataFrame:
    """Return gaps as columns of methods, a row per panel, level and seed.

    Levels: "low" is the lowest sparsity of the panel, "figure" and "high" are those of the paper's Figure 8 and of
    the claims. `median` is that of the five published methods, `pair` the mean of SET and SNIP, `others` that of GMP,
    OMP and LTH, `trained` that of OMP and LTH; `robust_` is the same of attacked accuracy.
    """
    sparse = table[table.method != "dense"]
    frames = []
    for panel, rows in sparse.groupby("panel", sort=False):
        grid = rows[rows.method == "set"].sparsity
        for level, sparsity in {"low": grid.min(), "figure": FIGURED, "high": JUDGED}.items():
            chosen = rows[rows.sparsity == sparsity]
            if len(chosen):
                wide = [_wide(chosen, value, prefix) for value, prefix in (("gap", ""), ("robust_gap", "robust_"))]
                wide = pd.concat(wide, axis=1).reset_index()
                frames.append(wide.assign(panel=panel, level=level, sparsity=sparsity))
    found = pd.concat(frames, ignore_index=True)
    first = ["panel", "level", "sparsity", "seed"]
    return found[[*first, *found.columns.drop(first)]]


def _wide(rows: pd.DataFrame, value: str, prefix: str) -> pd.DataFrame:
    wide = rows.pivot(index="seed", columns="method", values=value)
    wide = wide.reindex(columns=[name for name in LOOKS if name != "dense"])
    if {*PUBLISHED} <= {*rows.method}:
        wide["median"] = wide[[*PUBLISHED]].median(axis=1, skipna=False)
    for name, members in {"pair": ["set", "snip"], "others": ["gmp", "omp", "lth"], "trained": ["omp", "lth"]}.items():
        wide[name] = wide[members].mean(axis=1, skipna=False)
    return wide.rename(columns=lambda name: prefix + column(name)).dropna(axis=1, how="all")
