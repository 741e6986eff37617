"""Results of all experiments: begun at once, waited for when asked, and put into tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from tenfold import language
from tenfold.language.pretraining import pretrained
from tenfold.papers.calibration_data import bench, checks, effects, runs
from tenfold.papers.calibration_data.cells import Cell
from tenfold.papers.calibration_data.plans import Plan, jobs

CHECKPOINT_SETS = 3
"""Sets whose masks are compared where the model is a checkpoint: the masks of 7B take 6.5 GB each."""


class Results:
    """The dense models of a run, and everything that was pruned of them."""

    def __init__(self, book: Any) -> None:
        self.book, self.p = book, book.parameters
        bench.check(self.p)
        self.plan = Plan(self.p, bench.sources(self.p))
        self.fixed = bench.settings(self.p)
        # Their texts are looked for here, before anything heavy starts.
        self.data = language.sources(dict.fromkeys((*self.plan.sources, *self.fixed["tests"])), self.p.folder or None)
        self.seeds = [self.p.seed + number for number in range(self.p.models)]
        self.by = "seed" if self.p.models > 1 else "draw"
        self._trained = None
        if not self.p.model:
            points = [{"seed": seed} for seed in self.seeds]
            self._trained = book.start(pretrained, points, **self.fixed["training"])
        work = jobs(self.plan)
        self._study = self._start(runs.study, [{"cells": records(cells)} for cells in work.values()])
        asking = {name: getattr(self.p, name) for name in ("questions", "shots", "decoding")}
        answering = [{"cells": records(self.plan.answering())}]
        self._answers = self._start(runs.answers, answering, asking=asking)
        most = CHECKPOINT_SETS if self.p.model else None
        self._overlaps = self._start(runs.overlaps, [{"cells": records(self.plan.overlapping(most))}])
        wanda = self.plan.cell("wanda", self.plan.mix).record()
        self._checks = self._start(checks.identities, [{"cell": wanda}])

    def _start(self, job: Any, points: list[dict[str, Any]], **fixed: Any) -> Any:
        every = [{"seed": seed, **point} for seed in self.seeds for point in points]
        return self.book.start(job, every, settings=self.fixed, **fixed)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Every cell: a row per pruned model, seed and test set."""
        return pd.concat(self._study.results(), ignore_index=True)

    def of(self, experiment: str) -> pd.DataFrame:
        """Return the rows of an experiment."""
        wanted = set(self.plan.experiments()[experiment])
        return self.table[[cell in wanted for cell in self._cells]].reset_index(drop=True)

    @cached_property
    def _cells(self) -> list[Cell]:
        return effects.cells(self.table)

    @cached_property
    def losses(self) -> effects.Losses:
        """Losses by replicate."""
        return effects.Losses(self.table, self.by)

    def effects(self) -> pd.DataFrame:
        """Return what the claims compare, a row per replicate."""
        return effects.effects(self.plan, self.losses)

    def owns(self) -> pd.DataFrame:
        """Return each task's own calibration beside the others."""
        return effects.own(self.plan, self.losses)

    def thoughts(self) -> pd.DataFrame:
        """Return packed pairs without and with the chain of thought."""
        return effects.thoughts(self.plan, self.losses)

    def spread(self) -> pd.DataFrame:
        """Return how far sets differ, and how far draws of a set do."""
        return effects.spread(self.plan, self.table, self.by)

    def answers(self) -> pd.DataFrame:
        """Return the share of right answers of every cell that was asked."""
        return pd.concat(self._answers.results(), ignore_index=True)

    def answered(self) -> pd.DataFrame:
        """Return shares of right answers that the claims compare, a row per replicate."""
        return effects.answered(self.plan, self.answers(), self.by)

    def readme(self) -> pd.DataFrame:
        """Return perplexities of WikiText-2 after calibration on C4; empty where C4 is not at hand."""
        return effects.readme(self.plan, self.table, self.by)

    @property
    def own(self) -> set[str]:
        """What the reader brought that claims need."""
        return bench.brought(self.p)

    def overlaps(self) -> pd.DataFrame:
        """Return the overlap of what different calibrations prune, by linear map."""
        return pd.concat(self._overlaps.results(), ignore_index=True)

    def identities(self) -> pd.DataFrame:
        """Return what must come out."""
        return pd.concat(self._checks.results(), ignore_index=True)

    def trained(self) -> list[dict[str, Any]]:
        """Return what every training gave; nothing with a checkpoint."""
        return [] if self._trained is None else self._trained.results()

    def history(self) -> pd.DataFrame:
        """Return the loss of every training by its step, nats per token; empty with a checkpoint."""
        if not self.trained():
            return pd.DataFrame()
        frames = zip(self.seeds, self.trained(), strict=True)
        table = pd.concat([stored["history"].assign(seed=seed) for seed, stored in frames], ignore_index=True)
        return table.assign(step=table.epoch * self.fixed["training"]["steps"] // table.epoch.max())


def records(cells: list[Cell]) -> list[dict[str, Any]]:
    """Return cells as plain values."""
    return [cell.record() for cell in cells]


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of several experiments, each once."""
    keys = [*effects.KEYS, "seed", "test"]
    return pd.concat(tables, ignore_index=True).drop_duplicates(keys, ignore_index=True)
