"""Plans: which cells each experiment of the paper needs; a cell that two experiments share is pruned once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tenfold.papers.calibration_data.cells import NONSENSE, PADDINGS, Cell
from tenfold.papers.calibration_data.parameters import FAMILIES, NLI, PRETRAINING, SPARSITIES, Parameters

METHODS = ("random", "magnitude", "wanda", "sparsegpt")
PATTERNS = ("2:4", "4:8")
INFORMED = ("wanda", "sparsegpt")
"""The methods that look at calibration data."""
CLEAN = ("counted", "excluded")
PADDED = [*(("zero", padding) for padding in PADDINGS), *(("single", padding) for padding in CLEAN)]
"""Formats with padding, and what is made of it."""


@dataclass(frozen=True)
class Plan:
    """The cells of every experiment of a run on the named calibration sets."""

    p: Parameters
    sources: tuple[str, ...]

    def cell(self, method: str, source: str = "", **changes: object) -> Cell:
        """Return the cell of a method on a source in its own format, with the run's defaults."""
        plain = Cell(method, self.p.sparsity, source=source, windows=self.p.windows, length=self.p.length)
        cell = replace(plain, **{"fmt": own_format(source), **changes})
        if not cell.blind:
            return cell
        # Cells that look at no data are the same for all data, and but for random masks for all draws.
        same = {"source": "", "fmt": "", "windows": 0, "length": 0}
        return replace(cell, **same, draw=cell.draw if method == "random" else 0)

    @property
    def mix(self) -> str:
        """The equal mixture of all sets."""
        return "+".join(self.sources)

    @property
    def prose(self) -> str:
        """The first set of running text, in the place of Pile."""
        found = [name for name in self.sources if name in PRETRAINING]
        return "pile" if "pile" in found else found[0]

    def family(self, name: str) -> list[str]:
        """Return the sets of a family that are at hand."""
        return [source for source in self.sources if source in FAMILIES[name]]

    @property
    def asked(self) -> list[str]:
        """Sets whose formats are compared: short questions, one of arithmetic and one of inference where there are."""
        arithmetic = [name for name in ("mawps", "svamp", "arithmetic", "gsm8k") if name in self.sources]
        inference = [name for name in NLI if name in self.sources]
        asked = [*arithmetic[:1], *inference[:1]]
        return asked or [name for name in self.sources if name not in PRETRAINING][:1]

    @property
    def reasoned(self) -> list[str]:
        """Sets with rationales."""
        return [name for name in ("gsm8k", "arithmetic", "esnli", "anli") if name in self.sources]

    @property
    def draws(self) -> range:
        """Draws of the calibration windows where their noise is the question."""
        return range(self.p.draws)

    @property
    def repeats(self) -> range:
        """Draws elsewhere: one for each of several models, which are the replicates then; all for a single model."""
        return self.draws if self.p.models == 1 else range(1)

    def experiments(self) -> dict[str, list[Cell]]:
        """Return the cells of every experiment, by its name."""
        every = {
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
            "readme": self.readme(),
        }
        return {name: list(dict.fromkeys(cells)) for name, cells in every.items()}

    def methods(self) -> list[Cell]:
        """Every method at three sparsities and two patterns, on the mixture."""
        levels = sorted({*SPARSITIES, self.p.sparsity})
        ways = [{"sparsity": s} for s in levels] + [{"sparsity": 0.5, "nm": nm} for nm in PATTERNS]
        grid = [(m, way, draw) for way in ways for m in METHODS for draw in self.repeats]
        return [Cell("dense"), *(self.cell(m, self.mix, draw=draw, **way) for m, way, draw in grid)]

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
        for draw in self.repeats:
            for name in self.asked:
                cells += [self.cell("wanda", name, fmt=f, padding=padding, draw=draw) for f, padding in PADDED]
            cells += [self.cell("wanda", name, draw=draw) for name in {*self.asked, *self.reasoned}]
            cells += [self.cell("wanda", name, rationale=True, draw=draw) for name in self.reasoned]
        return sorted(cells, key=lambda cell: self.sources.index(cell.source))

    def paddings(self) -> list[Cell]:
        """The padding alone: windows of pairs of which all but the last tokens become padding."""
        grid = [(keep, padding, draw) for keep in (*self.p.kept, 0) for padding in CLEAN for draw in self.repeats]
        # Windows that keep all have no padding.
        grid = [(keep, "excluded" if keep == 0 else padding, draw) for keep, padding, draw in grid]
        return [self.cell("wanda", self.asked[0], keep=k, padding=padding, draw=draw) for k, padding, draw in grid]

    def pairs(self) -> list[Cell]:
        """Experiment D: a fixed number of pairs, then padding."""
        grid = [(n, padding, draw) for n in self.p.pairs for padding in CLEAN for draw in self.repeats]
        return [self.cell("sparsegpt", self.asked[0], pairs=n, padding=pad, draw=draw) for n, pad, draw in grid]

    def steps(self) -> list[Cell]:
        """Experiment D: rationales of so many steps."""
        grid = [(n, draw) for n in self.p.steps for draw in self.repeats if self.reasoned]
        return [self.cell("sparsegpt", self.reasoned[0], rationale=True, steps=n, draw=draw) for n, draw in grid]

    def counts(self) -> list[Cell]:
        """Experiment E: how many windows."""
        grid = [(m, n, draw) for m in INFORMED for n in self.p.counts for draw in self.repeats]
        return [self.cell(m, self.prose, windows=n, draw=draw) for m, n, draw in grid]

    def lengths(self) -> list[Cell]:
        """Experiment E: how long, at a fixed number of windows and at a fixed number of tokens."""
        tokens = self.p.windows * self.p.length
        grid = [
            (n, max(1, tokens // n) if fixed else self.p.windows) for fixed in (False, True) for n in self.p.lengths
        ]
        return [self.cell("wanda", self.prose, length=n, windows=count) for n, count in grid]

    def swept(self) -> list[Cell]:
        """Experiment F: running text as calibration, every sparsity."""
        return [self.cell(m, self.prose, sparsity=s) for m in METHODS[1:] for s in self.p.sweep]

    def partners(self) -> list[str]:
        """Return a set of each other family, to be joined with running text."""
        families = [self.family(name) for name in ("arithmetic", "choice", "inference")]
        return [family[0] for family in families if family]

    def mixtures(self) -> list[Cell]:
        """Experiment I: running text with each other family, as a mixture of windows and as merged models."""
        grid = [(join, name, draw) for name in self.partners() for join in "+&" for draw in self.repeats]
        joined = [self.cell("wanda", f"{self.prose}{join}{name}", draw=draw) for join, name, draw in grid]
        alone = [(name, draw) for name in (self.prose, *self.partners()) for draw in self.repeats]
        return [*joined, *(self.cell("wanda", name, draw=draw) for name, draw in alone)]

    def outliers(self) -> list[Cell]:
        """Outlier channels put in without a change of the function."""
        levels = (SPARSITIES[0], self.p.high_sparsity)
        grid = [(m, s, draw) for s in levels for m in METHODS[1:] for draw in self.repeats]
        injected = [self.cell(m, self.mix, sparsity=s, draw=d, outliers=self.p.outliers) for m, s, d in grid]
        plain = [self.cell(m, self.mix, sparsity=s, draw=d) for m, s, d in grid]
        return [Cell("dense"), Cell("dense", outliers=self.p.outliers), *injected, *plain]

    def readme(self) -> list[Cell]:
        """Return the cells of the table in the official code of Wanda, which calibrates on C4, where it is at hand."""
        ways = [{"sparsity": 0.5, "nm": nm} for nm in ("", *PATTERNS)] if "c4" in self.sources else []
        return [self.cell(m, "c4", draw=draw, **way) for way in ways for m in METHODS[1:] for draw in self.repeats]

    def answering(self) -> list[Cell]:
        """Return the cells whose answers to questions are scored: sets, formats and chains of thought."""
        grid = [(name, draw) for name in self.sources for draw in self.repeats]
        sets = [self.cell("wanda", name, draw=draw) for name, draw in grid]
        asked = [(name, draw) for name in self.asked for draw in self.repeats]
        zero = [self.cell("wanda", n, fmt="zero", padding=pad, draw=draw) for n, draw in asked for pad in CLEAN]
        thought = [(name, draw) for name in self.reasoned for draw in self.repeats]
        return [Cell("dense"), *sets, *zero, *(self.cell("wanda", n, rationale=True, draw=d) for n, d in thought)]

    def overlapping(self, most: int | None = None) -> list[Cell]:
        """Return the cells whose masks are compared: Wanda on sets, twice each, and on nonsense."""
        names = [*self.sources, self.mix][:most]
        return [self.cell("wanda", n, draw=d) for n in names for d in range(2)] + [
            self.cell("wanda", name) for name in NONSENSE
        ]


def own_format(source: str) -> str:
    """Return "text" for running text and nonsense, "icl" for questions, "own" (each its own) for several sets."""
    if "+" in source or "&" in source:
        return "own"
    return "text" if source in (*PRETRAINING, *NONSENSE, "") else "icl"


def jobs(plan: Plan) -> dict[str, list[Cell]]:
    """Return the cells of every experiment that no earlier one holds: each is pruned once."""
    known: set[Cell] = set()
    work = {}
    for name, cells in plan.experiments().items():
        work[name] = [cell for cell in cells if cell not in known]
        known |= {*cells}
    return {name: cells for name, cells in work.items() if cells}
