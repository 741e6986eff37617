"""Effects: what the claims compare, a row per replicate, a column per thing compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tenfold.papers.calibration_data.cells import Cell
from tenfold.papers.calibration_data.parameters import FAMILIES, SPARSITIES, TASKS
from tenfold.papers.calibration_data.plans import METHODS, PATTERNS, Plan

KEYS = list(Cell.__dataclass_fields__)


@dataclass
class Losses:
    """Losses of cells by replicate: a trained model each, its draws averaged; or, for a single model, a draw each."""

    table: pd.DataFrame
    by: str

    def __post_init__(self) -> None:
        rows = self.table.assign(cell=[replace(cell, draw=0) for cell in cells(self.table)])
        wide = rows.groupby(["cell", self.by, "test"], sort=False).loss.mean()
        self.wide = wide.unstack("test")
        self.replicates = sorted(set(self.table[self.by]))

    def of(self, cell: Cell) -> pd.DataFrame:
        """Return a row per replicate, a column per test set; a cell of one draw stands for all where it is blind."""
        found = self.wide.loc[replace(cell, draw=0)]
        if len(found) == 1 and cell.blind and cell.method != "random":
            found = pd.DataFrame([found.iloc[0]] * len(self.replicates), index=self.replicates)
        return found.reindex(self.replicates)

    def mean(self, cell: Cell) -> pd.Series:
        """Return the mean over test sets, so that exp of it is a geometric mean of perplexities."""
        return self.of(cell).mean(axis=1)

    def mean_of(self, some: Iterable[Cell]) -> pd.Series:
        """Return the mean over cells of their means."""
        return pd.concat([self.mean(cell) for cell in some], axis=1).mean(axis=1)


def cells(table: pd.DataFrame) -> list[Cell]:
    """Return the cell of every row."""
    return [Cell(**record) for record in table[KEYS].to_dict("records")]


def effects(plan: Plan, found: Losses) -> pd.DataFrame:
    """Return losses in nats, means over test sets, of everything that claims compare: a row per replicate."""
    columns = {
        **dict(methods(plan, found)),
        **dict(formats(plan, found)),
        **dict(amounts(plan, found)),
        **dict(data(plan, found)),
    }
    table = pd.DataFrame(columns)
    return table.rename_axis("replicate").reset_index()


Column = Iterator[tuple[str, pd.Series]]


def methods(plan: Plan, found: Losses) -> Column:
    """Yield every method, pattern, and method before which outlier channels were put in."""
    yield "dense", found.mean(Cell("dense"))
    for method in METHODS:
        yield method, found.mean(plan.cell(method, plan.mix))
        for level in SPARSITIES:
            yield f"{method}_{level:g}", found.mean(plan.cell(method, plan.mix, sparsity=level))
        for nm in PATTERNS:
            yield f"{method}_{nm.replace(':', '')}", found.mean(plan.cell(method, plan.mix, sparsity=0.5, nm=nm))
    for method in METHODS[1:]:
        for level in (SPARSITIES[0], plan.p.high_sparsity):
            cell = plan.cell(method, plan.mix, sparsity=level, outliers=plan.p.outliers)
            yield f"{method}_{level:g}_outliers", found.mean(cell)


def formats(plan: Plan, found: Losses) -> Column:
    """Yield the formats, means over the sets that are asked, and what padding does to them."""

    def mean(fmt: str, padding: str) -> pd.Series:
        return found.mean_of(plan.cell("wanda", name, fmt=fmt, padding=padding) for name in plan.asked)

    for fmt in ("zero", "single"):
        for padding in ("counted", "excluded"):
            yield f"{fmt}_{padding}", mean(fmt, padding)
    yield "zero_masked", mean("zero", "masked")
    yield "icl", mean("icl", "excluded")
    least = plan.p.kept[0]
    for padding in ("counted", "excluded"):
        yield f"blank_{padding}", found.mean(plan.cell("wanda", plan.asked[0], keep=least, padding=padding))
    yield "blank_none", found.mean(plan.cell("wanda", plan.asked[0]))


def amounts(plan: Plan, found: Losses) -> Column:
    """Yield what the largest number of windows gains over the least."""
    for method in ("wanda", "sparsegpt"):
        least, most = (found.mean(plan.cell(method, plan.prose, windows=plan.p.counts[end])) for end in (0, -1))
        yield f"gain_windows_{method}", least - most


def data(plan: Plan, found: Losses) -> Column:
    """Yield families of sets, mixture, merged models and nonsense."""
    families = {name: plan.family(name) for name in FAMILIES if plan.family(name)}
    on = {name: found.mean_of(plan.cell("wanda", each) for each in sets) for name, sets in families.items()}
    yield from ((f"on_{name}", losses) for name, losses in on.items())
    yield "on_worst", pd.concat(on.values(), axis=1).max(axis=1)
    single = pd.concat([found.mean(plan.cell("wanda", name)) for name in plan.sources], axis=1)
    yield "on_best", single.min(axis=1)
    yield "on_mix", found.mean(plan.cell("wanda", plan.mix))
    for nonsense in ("ellipses", "random", "tokens"):
        yield f"on_{nonsense}", found.mean(plan.cell("wanda", nonsense))
    for word, join in {"mixed": "+", "merged": "&"}.items():
        pairs = [f"{plan.prose}{join}{name}" for name in plan.partners()]
        yield word, found.mean_of(plan.cell("wanda", pair) for pair in pairs)


def own(plan: Plan, found: Losses) -> pd.DataFrame:
    """Return, for every task that both calibrates and tests, its own calibration beside the others.

    A row per replicate and test: own, others (mean), best (of the others), and best_source of all.
    """
    tests = [name for name in plan.sources if name in found.wide.columns and name in TASKS]
    frames = {name: found.of(plan.cell("wanda", name)) for name in plan.sources}
    rows = []
    for replicate in found.replicates:
        losses = pd.DataFrame({name: frame.loc[replicate] for name, frame in frames.items()})
        for test in tests:
            here = losses.loc[test]
            rest = here.drop(test)
            row = {"replicate": replicate, "test": test, "own": here[test], "others": rest.mean(), "best": rest.min()}
            rows.append(row | {"best_source": here.idxmin()})
    return pd.DataFrame(rows)


def owned(table: pd.DataFrame) -> pd.DataFrame:
    """Return, a row per replicate, the share of tasks whose own set is best, that of a guess, and the mean gain."""
    grouped = table.assign(first=table.own < table.best, gain=table.others - table.own).groupby("replicate")
    return grouped.agg(own_best=("first", "mean"), tasks=("test", "size"), gain=("gain", "mean")).reset_index()


def thoughts(plan: Plan, found: Losses) -> pd.DataFrame:
    """Return packed pairs without and with the chain of thought: a row per set with rationales and replicate."""
    frames = []
    for name in plan.reasoned:
        plain, thought = found.of(plan.cell("wanda", name)), found.of(plan.cell("wanda", name, rationale=True))
        columns = {"icl": plain.mean(axis=1), "cot": thought.mean(axis=1)}
        if name in plain:
            columns |= {"icl_own": plain[name], "cot_own": thought[name]}
        frames.append(pd.DataFrame(columns).assign(source=name).rename_axis("replicate").reset_index())
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def spread(plan: Plan, table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return how far sets differ and how far draws of a set do: a row per trained model, else per test set.

    log_ratio = ln(MSB / MSW) / 2, 0 where the choice of the set does nothing, with MSB = k/(m-1) sum_i (x_i. - x_..)^2
    and MSW = 1/(m (k-1)) sum_ij (x_ij - x_i.)^2 over m sets and k draws. x: loss of Wanda, for a trained model its mean
    over test sets.
    """
    wanted = {replace(plan.cell("wanda", name), draw=0) for name in plan.sources}
    rows = table[[replace(cell, draw=0) in wanted for cell in cells(table)]]
    unit = "seed" if by == "seed" else "test"
    rows = rows.groupby([unit, "source", "draw"]).loss.mean().unstack("draw").dropna(axis=1)
    found = []
    for name, wide in rows.groupby(level=0):
        x = wide.to_numpy()
        between, within = x.shape[1] * x.mean(1).var(ddof=1), x.var(axis=1, ddof=1).mean()
        row = {"replicate": name, "between": np.sqrt(between / x.shape[1]), "within": np.sqrt(within)}
        found.append(row | {"log_ratio": np.log(between / within) / 2, "sets": len(x), "draws": x.shape[1]})
    return pd.DataFrame(found)


def answered(plan: Plan, table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the share of right answers, means over test sets, a row per replicate.

    A column per calibration set; dense; zero_counted, zero_excluded (questions alone) and icl (pairs), means over the
    sets that are asked; pretraining, arithmetic: means of these families; others_best: the best of running text but C4;
    thought_least, thought_most: what the chain of thought adds on the set where it helps least and most.
    """
    generated = table[table.way == "generated"].test.unique()
    rows = table[(table.way == "generated") | ~table.test.isin(generated)]
    rows = rows.assign(cell=[replace(cell, draw=0) for cell in cells(rows)])
    right = rows.groupby(["cell", by], sort=False).right.mean()
    replicates = sorted(set(rows[rows.method != "dense"][by]))

    def mean(cell: Cell) -> pd.Series:
        found = right[replace(cell, draw=0)]
        return pd.Series(found.iloc[0], replicates) if cell.method == "dense" and len(found) == 1 else found

    def mean_of(some: Iterable[Cell]) -> pd.Series:
        return pd.concat([mean(cell) for cell in some], axis=1).mean(axis=1)

    sets = pd.DataFrame({name: mean(plan.cell("wanda", name)) for name in plan.sources})
    columns = {"dense": mean(Cell("dense")), **sets}
    for padding in ("counted", "excluded"):
        asked = (plan.cell("wanda", name, fmt="zero", padding=padding) for name in plan.asked)
        columns[f"zero_{padding}"] = mean_of(asked)
    columns["icl"] = mean_of(plan.cell("wanda", name) for name in plan.asked)
    columns["pretraining"], columns["arithmetic"] = (sets[plan.family(f)].mean(axis=1) for f in ("text", "arithmetic"))
    if others := [name for name in plan.family("text") if name != "c4"]:
        columns["others_best"] = sets[others].max(axis=1)
    if plan.reasoned:
        thoughts = [mean(plan.cell("wanda", name, rationale=True)) - sets[name] for name in plan.reasoned]
        gains = pd.concat(thoughts, axis=1)
        columns |= {"thought_least": gains.min(axis=1), "thought_most": gains.max(axis=1)}
    return pd.DataFrame(columns).rename_axis("replicate").reset_index()


def readme(plan: Plan, table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return perplexities of WikiText-2 by method and pattern after calibration on C4: a row per way and replicate."""
    wanted = {replace(cell, draw=0): cell for cell in plan.readme()}
    here = [replace(cell, draw=0) in wanted for cell in cells(table)]
    rows = table[here & (table.test == "wikitext2").to_numpy()]
    rows = rows.assign(perplexity=np.exp(rows.loss), replicate=rows[by], way=rows.nm.where(rows.nm != "", "50 %"))
    return rows[["method", "way", "replicate", "perplexity"]].reset_index(drop=True)
