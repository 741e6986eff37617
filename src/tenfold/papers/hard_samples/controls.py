"""Controls that the paper lacks: other subsets of equal size, wrong labels, a ladder of sparsities; and contrasts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tenfold.papers.hard_samples.conditions import SUBSETS, Condition, controls, subsets
from tenfold.papers.hard_samples.methods import column
from tenfold.papers.hard_samples.parameters import JUDGED
from tenfold.papers.hard_samples.results import Results
from tenfold.papers.hard_samples.subjects import label

NAMES = ("first-high", "first-low", "second-low", "fourth-low")
"""Images and shares of the control of subsets, in the order of `subsets`."""


def subset_scores(found: Results) -> pd.DataFrame:
    """Return the networks trained on hard, balanced hard, random and easy subsets of equal size, dense and at 90 %.

    `control` names images and share; the random subset is another one for each seed, so that the interval holds the
    chance of the choice too.
    """
    frames = []
    for name, (subject, ratio) in zip(NAMES, subsets(found.p), strict=True):
        for selection in SUBSETS:
            rows = found.under(Condition(subject, selection, ratio))
            rows = rows[rows.method.isin(["dense", "set", "snip"]) & rows.sparsity.isin([0.0, JUDGED])]
            frames.append(rows.assign(control=name))
    table = pd.concat(frames, ignore_index=True)
    return table[["control", *table.columns.drop("control")]]


def titles(found: Results) -> dict[str, str]:
    """Return what each control of subsets shows, in words."""
    pairs = zip(NAMES, subsets(found.p), strict=True)
    return {name: f"{label(subject)}, {100 * ratio:g} %" for name, (subject, ratio) in pairs}


def subset_contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """Return, per control and seed, accuracies by method and subset, and how much more a method gains on hard images.

    Columns `<method>_<selection>`; `<method>_extra` is (method - dense) on the hard subset minus (method - dense) on
    a random one, in points.
    """
    wide = table.pivot(index=["control", "seed"], columns=["method", "selection"], values="accuracy")
    columns = {f"{column(method)}_{selection}": wide[method, selection] for method, selection in wide.columns}
    for name in ("set", "snip"):
        gained = {part: wide[name, part] - wide["dense", part] for part in ("hard", "redrawn")}
        columns[f"{name}_extra"] = gained["hard"] - gained["redrawn"]
    return pd.DataFrame(columns).reset_index()


def contrasts(levels: pd.DataFrame) -> pd.DataFrame:
    """Return differences of differences between panels or levels, a row per contrast, level and seed.

    `fewer first`, `fewer second`: the gap to dense on fewer hard images minus that on half of them (2c - 2a, 2d - 2b);
    `rise`, `fall`: between severities (9b - 9a, 9c - 9b); `sparser first`, ...: the gap at high sparsity minus that at
    the lowest, under full corrupted data (4a, 4b, 5a). Columns as in `levels`.
    """
    pairs = {
        "fewer first": ("2c", "2a"),
        "fewer second": ("2d", "2b"),
        "rise": ("9b", "9a"),
        "fall": ("9c", "9b"),
    }
    keys, frames = ["level", "sparsity", "seed"], []
    for name, (later, before) in pairs.items():
        parts = [levels[levels.panel == panel].drop(columns="panel").set_index(keys) for panel in (later, before)]
        frames.append((parts[0] - parts[1]).dropna(axis=1, how="all").reset_index().assign(contrast=name))
    for name, panel in {"sparser first": "4a", "sparser second": "4b", "sparser third": "5a"}.items():
        rows = levels[levels.panel == panel].drop(columns="panel")
        parts = [rows[rows.level == level].drop(columns=["level", "sparsity"]).set_index("seed") for level in ENDS]
        difference = (parts[0] - parts[1]).dropna(axis=1, how="all").reset_index()
        frames.append(difference.assign(contrast=name, level="high", sparsity=JUDGED))
    table = pd.concat(frames, ignore_index=True)
    first = ["contrast", *keys]
    return table[[*first, *table.columns.drop(first)]]


ENDS = ("high", "low")


def mistakes(scores: pd.DataFrame, share: float) -> pd.DataFrame:
    """Return, per scoring model, how many labels are wrong among its hardest images and among all.

    `scores` is a table of `runs.score`; `share` of the images counts as the hardest. Also how often the model is right
    on them and on all: what is hard for a model it gets wrong.
    """
    rows = []
    for number in range(sum(name.startswith("el2n_") for name in scores)):
        hard = scores.nlargest(int(len(scores) * share), f"el2n_{number}")
        right = f"right_{number}"
        rows.append(
            {
                "model": number,
                "wrong_among_hard": hard.wrong.mean(),
                "wrong_among_all": scores.wrong.mean(),
                "right_on_hard": hard[right].mean(),
                "right_on_all": scores[right].mean(),
            }
        )
    return pd.DataFrame(rows)


def noisy(found: Results) -> pd.DataFrame:
    """Return the networks trained on the hardest and on random images while a share of all labels is wrong."""
    wanted = [c for c, _, _ in controls(found.p) if c.label_noise and c.selection in ("hard", "redrawn")]
    return pd.concat([found.under(condition) for condition in wanted], ignore_index=True)


def noisy_contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies under wrong labels, a row per seed, columns `<method>_<selection>`."""
    wide = table.pivot(index="seed", columns=["method", "selection"], values="accuracy")
    return pd.DataFrame({f"{name}_{part}": wide[name, part] for name, part in wide.columns}).reset_index()


def natural(found: Results) -> pd.DataFrame:
    """Return the clean accuracy of dense networks trained under attack and without, a row per seed."""
    columns = {}
    for name, condition in {"attacked": found.panels["6a"], "natural": Condition(found.p.robust_first)}.items():
        rows = found.under(condition)
        columns[name] = rows[rows.method == "dense"].set_index("seed").accuracy
    return pd.DataFrame(columns).rename_axis("seed").reset_index()


def ladder(found: Results) -> pd.DataFrame:
    """Return the networks of every sparsity that were trained with wrong labels, from dense to almost nothing."""
    (condition,) = [c for c, _, _ in controls(found.p) if c.label_noise and c.selection == "random"]
    return found.under(condition)


def turns(table: pd.DataFrame) -> pd.DataFrame:
    """Return, per method and seed, how far the test accuracy falls below the dense one before it rises above it.

    A sparse double descent falls first and rises later: `dip` is the lowest gap to dense before the best one on the
    ladder, `best` the best gap, `at` its sparsity; without a dip, 0.
    """
    rows = []
    for (method, seed), group in table[table.method != "dense"].groupby(["method", "seed"], sort=False):
        group = group.sort_values("sparsity")
        best = int(np.argmax(group.gap))
        dip = min([0.0, *group.gap.iloc[:best]])
        rows.append({"method": method, "seed": seed, "dip": dip, "best": group.gap.iloc[best]})
        rows[-1]["at"] = group.sparsity.iloc[best]
    return pd.DataFrame(rows)
