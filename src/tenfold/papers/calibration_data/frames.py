"""Frames: what figures and tables show of the losses of cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def added(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with `added`, the loss minus that of the same seed's dense model on the same test, in nats."""
    dense = table[(table.method == "dense") & (table.outliers == 0)].set_index(["seed", "test"]).loss
    keys = pd.MultiIndex.from_frame(table[["seed", "test"]])
    return table.assign(added=table.loss - dense.reindex(keys).to_numpy())


def averaged(table: pd.DataFrame, keys: Sequence[str], value: str = "added") -> pd.DataFrame:
    """Return the mean over test sets and what else is not a key, by replicate and then over replicates.

    Columns: the keys, mean, low and high (least and largest replicate), n. A replicate is a seed and a draw.
    """
    single = table.groupby([*keys, "seed", "draw"], sort=False, as_index=False)[value].mean()
    found = single.groupby(list(keys), sort=False)[value].agg(["mean", "min", "max", "size"])
    return found.reset_index().rename(columns={"min": "low", "max": "high", "size": "n"})


def perplexities(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return perplexities of every test set and their geometric mean GM over sets; losses are means over replicates."""
    wide = table.groupby([*keys, "test"], sort=False).loss.mean().unstack("test")
    wide = wide[list(dict.fromkeys(table.test))]
    wide["GM"] = wide.mean(axis=1)
    return np.exp(wide).reset_index().rename_axis(columns=None)


def whiskers(frame: pd.DataFrame) -> np.ndarray:
    """Return the distances of low and high from the mean, as error bars want them."""
    return np.vstack([frame["mean"] - frame.low, frame.high - frame["mean"]])
