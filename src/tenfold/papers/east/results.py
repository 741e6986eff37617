"""Results of all networks: begun at once, waited for when asked, and put into tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.east import runs
from tenfold.papers.east.parameters import Parameters
from tenfold.papers.east.plans import LABELS, PARTS, Plan, grid, stacks

COLLAPSE = 0.05
"""A network has collapsed whose test accuracy is at most this far above the commonest class."""
NAMED = {"net", "width", "sparsities", "baseline_sparsities", "ablation_sparsity"}
"""Parameters that the sentences of claims speak of."""
# Top-1 accuracy on CIFAR-10 with ResNet-34 in percent, mean and deviation of three runs: v4, Table 1.
PUBLISHED = {
    ("set", 0.99): (93.09, 0.15),
    ("set", 0.999): (82.70, 0.91),
    ("set", 0.9995): (70.84, 1.51),
    ("set", 0.9999): (10.00, 0.00),
    ("rigl", 0.99): (92.92, 0.18),
    ("rigl", 0.999): (85.71, 0.23),
    ("rigl", 0.9995): (81.47, 0.32),
    ("rigl", 0.9999): (10.03, 0.19),
    ("synflow", 0.99): (86.03, 0.71),
    ("synflow", 0.999): (61.61, 10.76),
    ("synflow", 0.9995): (56.33, 3.44),
    ("synflow", 0.9999): (10.00, 0.00),
    ("east", 0.99): (93.51, 0.13),
    ("east", 0.999): (86.99, 0.32),
    ("east", 0.9995): (83.83, 0.02),
    ("east", 0.9999): (62.12, 0.90),
}
# The first version of the paper gave other values to EAST, without deviations.
FIRST_VERSION = {0.99: 93.03, 0.999: 86.76, 0.9995: 83.83, 0.9999: 70.57}


class Results:
    """The networks of a run: their accuracies, budgets, masks and gradients."""

    def __init__(self, book: Any) -> None:
        self.p: Parameters = book.parameters
        self.plans: list[Plan] = grid(self.p)
        chosen = [[plan.record() for plan in stack] for stack in stacks(self.plans, self.p.stack)]
        self._name = runs.load(runs.settings(self.p)).resolution.name
        self._pending = book.start(runs.train, [{"plans": plans} for plans in chosen], settings=runs.settings(self.p))

    @cached_property
    def found(self) -> list[dict[str, pd.DataFrame]]:
        """What `runs.train` found, one dictionary of tables for each stack."""
        return self._pending.results()

    def frame(self, name: str) -> pd.DataFrame:
        """Return one table of all stacks, with the plan of each row in its first columns."""
        return pd.concat([found[name] for found in self.found if len(found[name])], ignore_index=True)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row a network, in the order of the plans: its plan, accuracies, densities and what became of it."""
        table = self.frame("summary")
        table["collapsed"] = table.accuracy <= table.chance + COLLAPSE
        order = {(plan.row, plan.sparsity, plan.seed): place for place, plan in enumerate(self.plans)}
        places = [order[key] for key in zip(table.row, table.sparsity, table.seed, strict=True)]
        return table.iloc[np.argsort(places)].reset_index(drop=True)

    @property
    def data(self) -> list[str]:
        """The name under which figures tell what images they show."""
        return [self._name]

    @property
    def own(self) -> set[str]:
        """What claims need beside data from a mirror or a publisher.

        scikit-learn's digits are all there is of that set, and a reader's folder is the reader's word. The network and
        the sparsities that sentences name are `preset_levels`.
        """
        real = {self.p.dataset} if self.p.dataset == "digits" or self.p.images_folder else set()
        return real if NAMED & {*self.p.changed()} else real | {"preset_levels"}

    def trace(self) -> pd.DataFrame:
        """Return the densities of RigL and EAST at the sparsity of the ablation, first seed, beside their budget."""
        table = self.frame("trace")
        chosen = (table.sparsity == self.p.ablation_sparsity) & (table.seed == self.p.seed)
        table = table[chosen & table.row.isin(["rigl", "east"])]
        first = table.groupby("row").density.transform("first")
        return table.assign(budget=first)

    def gradients(self) -> pd.DataFrame:
        """Return the gradient norms of RigL and EAST at the sparsity of the ablation."""
        table = self.frame("gradients")
        return table[(table.sparsity == self.p.ablation_sparsity) & table.row.isin(["rigl", "east"])]

    def sample(self) -> pd.DataFrame:
        """Return learnt coefficients of the first activation, from one stack, before they faded."""
        return self.frame("sample").drop_duplicates("channel").sort_values("channel")

    def deployed(self) -> pd.DataFrame:
        """Return the differences of logits to a plain ReLU network, the largest over seeds and sparsities."""
        table = self.frame("deployed")
        return table.groupby("row", sort=False)[["difference", "undeployed"]].max().reset_index()

    def accuracies(self) -> pd.DataFrame:
        """Return a row for each sparsity and seed and a column for each row of the comparison (NaN: not trained)."""
        return self.runs.pivot(index=["sparsity", "seed"], columns="row", values="accuracy").reset_index()

    def levels(self) -> pd.DataFrame:
        """Return the accuracies at the sparsities that claims are about, and what stands beside them."""
        p = self.p
        wide = self.accuracies().rename(
            columns={"set+parts": "set_parts", "rigl-unclipped": "rigl_unclipped", "east-unclipped": "east_unclipped"}
        )
        east = self.runs[self.runs.row == "east"][["sparsity", "seed", "best_accuracy", "chance"]]
        wide = wide.merge(east.rename(columns={"best_accuracy": "east_best"}), on=["sparsity", "seed"])
        named = {"first": p.baseline_sparsities[0], "ablation": p.ablation_sparsity, "extreme": p.sparsities[-1]}
        columns = ["rigl", "east", "east_best", "chance", *p.baselines]
        columns += [name for name in ("set_parts", "rigl_unclipped", "east_unclipped") if name in wide]
        frames = [wide[wide.sparsity == s].assign(level=level) for level, s in named.items()]
        table = pd.concat(frames, ignore_index=True)
        return table[["level", "sparsity", "seed", *dict.fromkeys([*columns, "set"])]]

    def gains(self) -> pd.DataFrame:
        """Return the gain of EAST over RigL for each sparsity and seed; `decades` are -log10 of the density.

        The ladder are the sparsities up to that of the ablation.
        """
        wide = self.accuracies()[["sparsity", "seed", "rigl", "east"]].dropna()
        collapsed = self.runs[self.runs.row == "east"].set_index(["sparsity", "seed"]).collapsed
        return wide.assign(
            gain=wide.east - wide.rigl,
            decades=-np.log10(1 - wide.sparsity),
            ladder=wide.sparsity <= self.p.ablation_sparsity,
            east_collapsed=collapsed.loc[list(zip(wide.sparsity, wide.seed, strict=True))].astype(int).to_numpy(),
        )

    def ablation(self) -> pd.DataFrame:
        """Return the accuracy of each combination of parts, a row for each seed, and the best part alone."""
        rows = self.runs
        rows = rows[(rows.sparsity == self.p.ablation_sparsity) & (rows.method == "rigl")]
        rows = rows[rows.clipped & (rows.allocation == "erk")]
        wide = rows.assign(parts=[combination(row) for _, row in rows.iterrows()])
        wide = wide.pivot(index="seed", columns="parts", values="accuracy")
        best = wide[list(PARTS)].mean().idxmax()
        return wide[COMBINATIONS].assign(best_single=wide[best]).reset_index()

    def combinations(self) -> pd.DataFrame:
        """Return Table 2: the eight combinations, median and range over seeds, gain over none."""
        wide = self.ablation().set_index("seed")
        rows = []
        for name in COMBINATIONS:
            values, gain = wide[name], wide[name] - wide["none"]
            parts = {part: "yes" if part in name.split("+") or name == "all" else "" for part in PARTS}
            rows.append({**parts, **spread(values), "gain": gain.median(), "worst_gain": gain.min()})
        return pd.DataFrame(rows)

    def cells(self) -> pd.DataFrame:
        """Return Table 1: median and range of the accuracy, and how many collapsed, for each row and sparsity."""
        rows = []
        for (row, sparsity), group in self.runs.groupby(["row", "sparsity"], sort=False):
            rows.append(
                {
                    "row": row,
                    "sparsity": sparsity,
                    "weights": int(group.active.median()),
                    **spread(group.accuracy),
                    "collapsed": int(group.collapsed.sum()),
                    "seeds": len(group),
                }
            )
        return pd.DataFrame(rows)


COMBINATIONS = ["none", "dyrelu", "share", "cyclic", "dyrelu+share", "dyrelu+cyclic", "share+cyclic", "all"]


def combination(row: pd.Series) -> str:
    """Return the name of a combination of parts."""
    chosen = [part for part in PARTS if row[part]]
    return {0: "none", len(PARTS): "all"}.get(len(chosen), "+".join(chosen))


def spread(values: pd.Series) -> dict[str, float]:
    """Return median and range: a mean hides that some networks collapsed and others did not."""
    return {"median": values.median(), "low": values.min(), "high": values.max()}


def published() -> pd.DataFrame:
    """Return what could be read of the paper's Table 1: ResNet-34, CIFAR-10, accuracy in percent."""
    rows = [
        {"method": LABELS[name], "sparsity": sparsity, "mean": mean, "deviation": deviation}
        for (name, sparsity), (mean, deviation) in PUBLISHED.items()
    ]
    table = pd.DataFrame(rows)
    first = table.sparsity.map(FIRST_VERSION).where(table.method == LABELS["east"])
    return table.assign(first_version=first)
