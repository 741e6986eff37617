"""Results of all methods: begun at once, waited for when asked, and put into tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.calliper import city, encoders, evaluation
from tenfold.papers.calliper.methods import CLUSTERED, METHODS, RIVALS
from tenfold.papers.calliper.parameters import Parameters
from tenfold.urban import Pretrained
from tenfold.urban.pretrained import HISTORY

SPLITS = ("random", "blocked")
LEARNERS = ("place2vec", "doc2vec", "sppe", "hgi", "space2vec", "calliper")
# The methods whose predictions are mapped side by side.
PAINTED = ("neighbours", "untrained", "tf_idf", "space2vec", "calliper")
# Methods that learn nothing before their probes do: done in a moment.
CONTROLS = ("mean", "neighbours", "encoding", "counts", "tf_idf", "untrained", "random")


class Results:
    """The study of every method with every seed of a run."""

    def __init__(self, book: Any) -> None:
        p = book.parameters
        self.seeds = [p.seed + number for number in range(p.replicates)]
        # The longest first, so that no core waits for them at the end.
        order = ["calliper", "space2vec", "hgi", "sppe", "place2vec", "doc2vec", "lda", *CONTROLS]
        self._pairs = [(method, seed) for method in order for seed in self.seeds]
        self._pending = book.start(
            evaluation.study,
            [point(p, method, seed) for method, seed in self._pairs],
            **fixed(p),
        )

    @cached_property
    def found(self) -> dict[tuple[str, int], dict[str, Any]]:
        """What `evaluation.study` found, by method and seed."""
        return dict(zip(self._pairs, self._pending.results(), strict=True))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every score, a row per task, method, probe, split and seed, in the order of the methods."""
        frames = [self.found[method, seed]["scores"] for method in METHODS for seed in self.seeds]
        return pd.concat(frames, ignore_index=True)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Losses of the trained encoders by epoch, the first column names the encoder."""
        frames = []
        for method in ("calliper", "space2vec"):
            for seed in self.seeds:
                frames.append(self.found[method, seed]["history"].assign(run=METHODS[method].label, seed=seed))
        return pd.concat(frames, ignore_index=True)[["run", "seed", *HISTORY]]

    def model(self, method: str = "calliper", number: int = 0) -> Pretrained:
        """Return the trained encoder of a method with the `number`-th seed."""
        return Pretrained.from_state(self.found[method, self.seeds[number]]["model"])

    def naming(self) -> pd.DataFrame:
        """Return why the clusters of CaLLiPer are named as they are, a row per seed and kind."""
        frames = [self.found["calliper", seed]["evidence"].assign(seed=seed) for seed in self.seeds]
        return pd.concat(frames, ignore_index=True)

    def labels(self, number: int = 0) -> dict[str, np.ndarray]:
        """Return the clusters of the hexagons by the label of the method, for the paper's six panels."""
        return {METHODS[name].label: self.found[name, self.seeds[number]]["labels"] for name in CLUSTERED}

    def predictions(self, method: str, task: str) -> np.ndarray:
        """Return what a method predicts of each row while its borough is held out, with the first seed."""
        return self.found[method, self.seeds[0]]["predictions"][task]

    @cached_property
    def choices(self) -> pd.DataFrame:
        """How well numbers of clusters fit CaLLiPer's hexagons, a row per seed and number."""
        return pd.concat([self.found["calliper", seed]["choices"] for seed in self.seeds], ignore_index=True)

    def seconds(self) -> pd.DataFrame:
        """Return how long each method took to learn, on one core of the machine that ran it."""
        rows = [{"method": m, "seed": s, "seconds": self.found[m, s]["seconds"]} for m in METHODS for s in self.seeds]
        return pd.DataFrame(rows)


def fixed(p: Parameters) -> dict[str, Any]:
    """Return what all studies of a run have in common."""
    return {"folds": p.folds, "probe_epochs": p.probe_epochs}


def point(p: Parameters, method: str, seed: int, **changes: Any) -> dict[str, Any]:
    """Return the plain arguments of one study; `changes` are those of the encoder."""
    return {
        "method": method,
        "seed": seed,
        "city": city.plan(p),
        "encoder": encoders.plan(p, **changes),
        "hexagons": method in (*CLUSTERED, "untrained"),
    }


def summary(scored: pd.DataFrame, task: str, metrics: list[str]) -> pd.DataFrame:
    """Return the table of a task: a row per method and probe, random and blocked side by side, mean and deviation."""
    rows = scored[scored.task == task]
    grouped = rows.groupby(["method", "probe", "split"], sort=False)[metrics]
    mean, deviation = grouped.mean().unstack("split"), grouped.std(ddof=1).unstack("split")
    columns = {}
    for metric in metrics:
        for split in SPLITS:
            columns[f"{metric}_{split}"] = mean[metric, split]
            columns[f"{metric}_{split}_sd"] = deviation[metric, split]
    return pd.DataFrame(columns).reset_index()


def gains(scored: pd.DataFrame) -> pd.DataFrame:
    """Return, per task, split and seed, the relative gain of CaLLiPer over the best rival, and over some controls.

    For an error e (KL) the gain is 1 - e / e_other, for a score f (macro F1) f / f_other - 1; MLP probes. The best
    rival of a task and split is that of the best mean over all seeds: one that is best by luck in a seed is not it.
    """
    rows = []
    chosen = scored[scored.probe.isin(["mlp", "none"])]
    for (task, split), group in chosen.groupby(["task", "split"], sort=False):
        metric, sign = {"sdm": ("kl", -1), "luc": ("f1", 1)}[task]
        wide = sign * group.pivot(index="seed", columns="method", values=metric)
        best = wide[list(RIVALS)].mean().idxmax()
        others = {"gain": best} | {f"over_{name}": name for name in ("mean", "neighbours", "untrained", "tf_idf")}
        gained = {name: (wide["calliper"] - wide[other]) / wide[other].abs() for name, other in others.items()}
        rows.append(pd.DataFrame({"task": task, "split": split, "best_rival": best, **gained}).reset_index())
    table = pd.concat(rows, ignore_index=True)
    return table[["task", "split", "seed", *table.columns.drop(["task", "split", "seed"])]]


def times(seconds: pd.DataFrame) -> pd.DataFrame:
    """Return the median seconds of each method that learns, and how many times as long as CaLLiPer it takes."""
    median = seconds.groupby("method").seconds.median()[list(LEARNERS)]
    return pd.DataFrame({"seconds": median, "times_calliper": median / median["calliper"]}).reset_index()


def speed(seconds: pd.DataFrame) -> pd.DataFrame:
    """Return, per seed, the seconds of every method that learns, and of the fastest of CaLLiPer's rivals."""
    wide = seconds.pivot(index="seed", columns="method", values="seconds")[list(LEARNERS)]
    return wide.assign(fastest_rival=wide.drop(columns="calliper").min(axis=1)).reset_index()


def by_borough(targets: np.ndarray, boroughs: np.ndarray, predicted: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return each borough's mean KL while it is held out, a column per method."""
    from scipy.special import rel_entr

    errors = pd.DataFrame({name: rel_entr(targets, shares).sum(axis=1) for name, shares in predicted.items()})
    return errors.groupby(boroughs).mean().rename_axis("borough").reset_index()


def borough_shares(task: city.Task, predicted: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """Return observed and predicted shares (B, 9) of boroughs as means over their areas, in the order of `names`.

    NaN where a small run has no area in a borough.
    """
    member = task.boroughs == np.array(names)[:, None]
    count = member.sum(axis=1, keepdims=True)
    mean = member / np.where(count > 0, count, np.nan)
    return {"observed": mean @ task.target, "predicted": mean @ predicted}


def painted(found: Results) -> dict[str, np.ndarray]:
    """Return the first share as some methods predict it of each area while its borough is held out."""
    return {METHODS[name].label: found.predictions(name, "sdm")[:, 0] for name in PAINTED}


def long(shares: dict[str, np.ndarray], boroughs: list[str], classes: tuple[str, ...]) -> pd.DataFrame:
    """Return observed and predicted shares (B, 9), a row per borough and class."""
    index = pd.MultiIndex.from_product([boroughs, classes], names=["borough", "class"])
    return pd.DataFrame({name: values.ravel() for name, values in shares.items()}, index=index).reset_index()


# Read off the official notebooks' outputs and the paper's Table 7: MLP probe, random split, on licensed POIs.
PUBLISHED = {
    "sdm": {"l1": (0.216503, 0.001196), "chebyshev": (0.065887, 0.000204), "kl": (0.043223, 0.000593)},
    "luc": {"precision": (0.380684, 0.018388), "recall": (0.375194, 0.015208), "f1": (0.362696, 0.016005)},
}


def beside_published(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's numbers for CaLLiPer beside ours, and beside the controls that explain them, a row each.

    SatCLIP's row is the paper's too; its weights are not at hand.
    """
    rows = [
        {"task": task, "metric": metric, "published": value, "published_sd": sd, **_ours(scored, task, metric)}
        for task, metrics in PUBLISHED.items()
        for metric, (value, sd) in metrics.items()
    ]
    satclip = {"l1": 0.2889, "chebyshev": 0.0884, "kl": 0.0707, "precision": 0.122, "recall": 0.168, "f1": 0.122}
    return pd.DataFrame(rows).assign(satclip_published=lambda table: table.metric.map(satclip))


def _ours(scored: pd.DataFrame, task: str, metric: str) -> dict[str, float]:
    rows = scored[(scored.task == task) & (scored.split == "random") & scored.probe.isin(["mlp", "none"])]
    means = rows.groupby("method")[metric].mean()
    return {name: float(means[name]) for name in ("calliper", "untrained", "neighbours", "mean")}
