"""Results of all networks: begun at once, waited for when asked, and put into tables of paired differences."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tenfold.datasets.images import Images
from tenfold.nets import prunable
from tenfold.papers.hard_samples import conditions, runs, subjects
from tenfold.papers.hard_samples.conditions import LATE, Condition
from tenfold.papers.hard_samples.gaps import gaps, levels
from tenfold.papers.hard_samples.parameters import FIGURED, SUBJECTS


class Results:
    """The networks of a run under every condition, and the EL2N scores that select their images."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.p = subjects.at_hand(book.parameters)
        self.seeds = [self.p.seed + number for number in range(self.p.replicates)]
        self.grid = conditions.grid(self.p)
        self.panels = conditions.panels(self.p)
        self.fixed = runs.settings(self.p)
        scored = {(condition.subject, condition.label_noise): None for condition in self.grid if condition.scored}
        self._scored = [*scored]
        points = [{"subject": subject, "label_noise": noise} for subject, noise in self._scored]
        self._scoring = book.start(runs.score, points, settings=self.fixed)
        # The longest first, so that no core waits at the end; those that need scores follow when these are there.
        free = sorted((c for c in self.grid if not c.scored), key=lambda c: (not c.attacked, -c.ratio))
        self._free = book.start(runs.train, self._points(free), settings=self.fixed)

    @cached_property
    def _known(self) -> dict[tuple[str, float], pd.DataFrame]:
        return dict(zip(self._scored, self._scoring.results(), strict=True))

    @cached_property
    def _bound(self) -> Any:
        bound = sorted((c for c in self.grid if c.scored), key=lambda c: -c.ratio)
        return self.book.start(runs.train, self._points(bound), settings=self.fixed)

    def hardness(self, subject: str, label_noise: float = 0.0) -> pd.DataFrame:
        """Return EL2N of the training images of a subject, a row per image; what needs these scores begins."""
        _ = self._bound
        return self._known[subject, label_noise]

    def _points(self, chosen: list[Condition]) -> list[dict[str, Any]]:
        points = []
        for condition in chosen:
            labels, scored = self._images(condition)
            for seed in self.seeds:
                rows = conditions.rows(condition, seed, labels, scored)
                plain = None if condition.selection == "all" else rows
                plan = [list(run) for run in self.grid[condition]]
                points.append({"condition": condition.record(), "seed": seed, "runs": plan, "rows": plain})
        return points

    def _images(self, condition: Condition) -> tuple[np.ndarray, np.ndarray | None]:
        """Return labels and scores of the training images of a condition."""
        if condition.scored:
            table = self._known[condition.subject, condition.label_noise]
            return table.given.to_numpy(copy=True), table.el2n.to_numpy(copy=True)
        return self.images(condition.subject).train_y.numpy(), None

    @cached_property
    def found(self) -> list[dict[str, pd.DataFrame]]:
        """What `runs.train` found, one dictionary of tables for each condition and seed."""
        bound = self._bound
        return [*self._free.results(), *bound.results()]

    def frame(self, name: str) -> pd.DataFrame:
        """Return one table of all conditions and seeds."""
        return pd.concat([one[name] for one in self.found], ignore_index=True)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Every network beside the dense one of the same condition and seed; differences in points of accuracy."""
        return gaps(self.frame("scores"))

    def under(self, condition: Condition, table: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the rows of a condition, of `gaps` or of another table with its columns."""
        table = self.gaps if table is None else table
        here = np.logical_and.reduce([table[key] == value for key, value in condition.record().items()])
        return table[here].reset_index(drop=True)

    def panel(self, *names: str) -> pd.DataFrame:
        """Return the rows of the panels of figures, the first column names the panel."""
        frames = [self.under(self.panels[name]).assign(panel=name) for name in names]
        table = pd.concat(frames, ignore_index=True)
        return table[["panel", *table.columns.drop("panel")]]

    def shapes(self, condition: Condition) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the prunable layers of a condition's network, by name."""
        model = subjects.network(condition.subject, self.images(condition.subject), self.fixed, [0])
        return {name: tuple(weight.shape) for name, weight in prunable(model).items()}

    def short(self, name: str) -> str:
        """Return what a panel shows, in words."""
        return words(self.panels[name])

    def titled(self, *names: str) -> dict[str, pd.DataFrame]:
        """Return the rows of panels by title, lettered from a."""
        lettered = zip("abcdef", names, strict=False)
        return {f"{letter}. {self.short(name)}": self.panel(name) for letter, name in lettered}

    def dense(self, *names: str) -> dict[str, float]:
        """Return the mean accuracy of the dense network of panels."""
        return {name: float(self.panel(name).query("method == 'dense'").accuracy.mean()) for name in names}

    def severities(self) -> dict[str, pd.DataFrame]:
        """Return the rows of the panels of Figure 9 by severity."""
        names = [name for name in self.panels if name.startswith("9")]
        return {f"{name[-1]}. severity {self.panels[name].severity}": self.panel(name) for name in names}

    def at(self, sparsity: float, *names: str) -> dict[str, pd.DataFrame]:
        """Return, by title, the rows of panels at one sparsity, dense among them, lettered from a."""
        tables = self.titled(*names).items()
        return {title: table[table.sparsity.isin([0.0, sparsity])] for title, table in tables}

    def captioned(self, full: str, few: str) -> dict[str, pd.DataFrame]:
        """Return, by title, what the captions of Figures 13 and 14 name: full data at 0.8, few at 0.8 and 0.7."""
        chosen = ((full, FIGURED), (few, FIGURED), (few, LATE))
        tables = {f"{self.short(name)}\nsparsity {at:g}": (self.panel(name), at) for name, at in chosen}
        return {
            f"{letter}. {title}": table[table.sparsity.isin([0.0, at])]
            for letter, (title, (table, at)) in zip("abc", tables.items(), strict=True)
        }

    def surface(self) -> pd.DataFrame:
        """Return SET minus dense on the hardest images, a row per share kept, sparsity and seed."""
        here = (self.gaps.subject == self.p.first) & (self.gaps.selection == "hard") & (self.gaps.label_noise == 0)
        rows = self.gaps[here & (self.gaps.method == "set") & self.gaps.ratio.isin(self.p.grid_ratios)]
        rows = rows[rows.sparsity.isin(self.p.sparsities)].sort_values(["ratio", "sparsity", "seed"])
        return rows[["ratio", "sparsity", "seed", "method", "accuracy", "dense", "gap", "collapsed"]]

    def levels(self) -> pd.DataFrame:
        """Return the differences that claims are about, a row per panel, level of sparsity and seed."""
        return levels(self.panel(*self.panels))

    def images(self, subject: str) -> Images:
        """Return the images of a subject, clean."""
        return subjects.load(subject.split("/")[0], self.p.images, self.p.folder)

    def sources(self, *names: str) -> list[str]:
        """Return the data sets that panels, or the named subjects of the parameters, show."""
        chosen = [self.panels[name].subject if name in self.panels else getattr(self.p, name) for name in names]
        return [*dict.fromkeys(self.images(subject).resolution.name for subject in chosen)]

    @property
    def own(self) -> set[str]:
        """What claims need: the images and networks that they speak of, neither changed nor replaced by the digits."""
        preset = self.p.specs()
        return {f"{name}_images" for name in SUBJECTS if getattr(self.p, name) == getattr(preset[name], self.p.scale)}


def words(condition: Condition) -> str:
    """Return a condition as it is written above a panel."""
    share = f"{100 * condition.ratio:g} %"
    kept = {"all": "all images", "hard": f"hardest {share}", "random": f"random {share}", "easy": f"easiest {share}"}
    parts = [subjects.label(condition.subject), kept.get(condition.selection, f"{condition.selection} {share}")]
    parts += [f"severity {condition.severity}"] if condition.severity else []
    parts += ["attacked"] if condition.attacked else []
    return ", ".join(parts)
