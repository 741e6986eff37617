"""Plans: which cells each experiment of the paper needs; a cell that two experiments share is pruned once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tenfold.papers.calibration_data.cells import NONSENSE, PADDINGS, Cell
from tenfold.papers.calibration_data.parameters import FAMILIES, NLI, PRETRAINING, SPARSITIES, Parameters

METHODS = ("random", "magnitude", "wanda", "sparsegpt")
PATTERNS = ("2:4", "4:8")
INFORMED = ("wanda", "sparsegpt")
"""The methods that look at calibration data."""


@dataclass(frozen=True)
class Plan:
    """The cells of every experiment of a run on the named calibration sets."""

    p: Parameters
    sources: tuple[str, ...]

    def cell(self, method: str, source: str = "", **changes: object) -> Cell:
        """Return the cell of a method on a source in its own format, with the run's defaults."""
        plain = Cell(method, self.p.sparsity, source=source, windows=self.p.windows, length=self.p.length)
        cell = replace(plain, fmt=self.own_format(source), **changes)
        # One model a draw where no data are looked at, so that experiments share it.
        blind = {"source": "", "fmt": "", "windows": 0, "length": 0}
        return replace(cell, **blind) if cell.blind else cell

    def own_format(self, source: str) -> str:
        """Return "text" for running text and nonsense, "icl" for questions, "own" (each its own) for a mixture."""
        if "+" in source:
            return "own"
        return "text" if source in (*PRETRAINING, *NONSENSE, "") else "icl"

    @property
    def mix(self) -> str:
        """The equal mixture of all sets."""
        return "+".join(self.sources)

    @property
    def prose(self) -> str:
        """The first set of running text, in the place of Pile."""
        return next(name for name in self.sources if name in PRETRAINING)

    def family(self, name: str) -> list[str]:
        """Return the sets of a family that are at hand."""
        return [source for source in self.sources if source in FAMILIES[name]]

    @property
    def asked(self) -> list[str]:
        """Sets whose formats are compared: short questions, one of arithmetic and one of inference where there are."""
        arithmetic = [name for name in ("mawps", "svamp", "arithmetic", "gsm8k") if name in self.sources]
        inference = [name for name in NLI if name in self.sources]
        return [*arithmetic[:1], *inference[:1]]

    @property
    def reasoned(self) -> list[str]:
        """Sets with rationales."""
        return [name for name in ("gsm8k", "arithmetic", "esnli", "anli") if name in self.sources]

    def experiments(self) -> dict[str, list[Cell]]:
        """Return the cells of every experiment, by its name."""
        return {
            "methods": self.methods(),
            "sources": self.compared(),
            "high": self.high(),
            "formats": self.formats(),
            "padding": self.paddings(),
            "pairs": self.pairs(),
            "steps": self.steps(),
            "counts": self.counts(),
            "lengths": self.lengths(),
            "sweep": self.swept(),
            "mixtures": self.mixtures(),
            "outliers": self.outliers(),
        }

    @property
    def draws(self) -> range:
        """Draws of the calibration windows where their noise is the question."""
        return range(self.p.draws)

    @property
    def repeats(self) -> range:
        """Draws elsewhere: one for each of several models, which are the replicates then; all for a single model."""
        return self.draws if self.p.models == 1 else range(1)

    def methods(self) -> list[Cell]:
        """Every method at three sparsities and two patterns, on the mixture."""
        levels = sorted({*SPARSITIES, self.p.sparsity})
        cells = [Cell("dense"), *(self.cell(m, self.mix, sparsity=s) for s in levels for m in METHODS)]
        shaped = (self.cell(m, self.mix, sparsity=0.5, nm=nm) for nm in PATTERNS for m in METHODS[1:])
        return [*cells, *shaped]

    def compared(self) -> list[Cell]:
        """Experiments A, B and G: each set, the mixture and nonsense."""
        names = [*self.sources, self.mix, *NONSENSE]
        plan = [("wanda", draw) for draw in self.draws] + [("sparsegpt", draw) for draw in self.repeats]
        return [self.cell(m, name, draw=draw) for m, draw in plan for name in names]

    def high(self) -> list[Cell]:
        """Experiment A at the high sparsity."""
        plan = [(m, draw) for m in INFORMED for draw in self.repeats]
        names = [*self.sources, self.mix]
        return [self.cell(m, name, sparsity=self.p.high_sparsity, draw=draw) for m, draw in plan for name in names]

    def formats(self) -> list[Cell]:
        """Experiment C: a question, a question with its answer, many of them; with and without chain of thought."""
        cells = []
        for name in dict.fromkeys((*self.asked, *self.reasoned)):
            for draw in self.repeats:
                cells += [self.cell("wanda", name, fmt=f, padding=padding, draw=draw) for f, padding in PADDED]
                cells += [self.cell("wanda", name, rationale=r, draw=draw) for r in (False, name in self.reasoned)]
        return cells

    def paddings(self) -> list[Cell]:
        """The padding alone: windows of pairs of which all but the last tokens become padding."""
        grid = [(keep, padding) for keep in self.p.kept for padding in ("counted", "excluded")]
        return [self.cell("wanda", self.asked[0], keep=keep, padding=padding) for keep, padding in grid]

    def pairs(self) -> list[Cell]:
        """Experiment D: a fixed number of pairs, then padding."""
        grid = [
            (n, padding, draw) for n in self.p.pairs for padding in ("counted", "excluded") for draw in self.repeats
        ]
        return [self.cell("sparsegpt", self.asked[0], pairs=n, padding=pad, draw=draw) for n, pad, draw in grid]

    def steps(self) -> list[Cell]:
        """Experiment D: rationales of so many steps."""
        grid = [(n, draw) for n in self.p.steps for draw in self.repeats]
        return [self.cell("sparsegpt", self.reasoned[0], rationale=True, steps=n, draw=draw) for n, draw in grid]

    def counts(self) -> list[Cell]:
        """Experiment E: how many windows."""
        grid = [(m, n, draw) for m in INFORMED for n in self.p.counts for draw in self.repeats]
        return [self.cell(m, self.prose, windows=n, draw=draw) for m, n, draw in grid]

    def lengths(self) -> list[Cell]:
        """Experiment E: how long, at a fixed number of windows and at a fixed number of tokens."""
        tokens = self.p.windows * self.p.length
        grid = [(n, count) for count in (None, tokens) for n in self.p.lengths]
        return [
            self.cell("wanda", self.prose, length=n, windows=count // n if count else self.p.windows)
            for n, count in grid
        ]

    def swept(self) -> list[Cell]:
        """Experiment F: running text as calibration, every sparsity."""
        return [self.cell(m, self.prose, sparsity=s) for m in METHODS[1:] for s in self.p.sweep]

    def mixtures(self) -> list[Cell]:
        """Experiment I: running text with each other family."""
        partners = [self.family(name)[0] for name in ("arithmetic", "choice", "inference") if self.family(name)]
        return [self.cell("wanda", f"{self.prose}+{name}", draw=draw) for name in partners for draw in self.repeats]

    def outliers(self) -> list[Cell]:
        """Outlier channels put in without a change of the function."""
        levels = (SPARSITIES[0], self.p.high_sparsity)
        grid = [(m, s) for s in levels for m in METHODS[1:]]
        cells = [self.cell(m, self.mix, sparsity=s, outliers=self.p.outliers) for m, s in grid]
        return [Cell("dense", outliers=self.p.outliers), *cells, *(self.cell(m, self.mix, sparsity=s) for m, s in grid)]


PADDED = [("zero", padding) for padding in PADDINGS] + [("single", padding) for padding in ("counted", "excluded")]
"""Formats with padding, and what is made of it."""


def jobs(plan: Plan) -> dict[str, list[Cell]]:
    """Return the cells of every experiment that no earlier one holds: each is pruned once."""
    known: set[Cell] = set()
    work = {}
    for name, cells in plan.experiments().items():
        work[name] = [cell for cell in dict.fromkeys(cells) if cell not in known]
        known |= {*cells}
    return {name: cells for name, cells in work.items() if cells}
