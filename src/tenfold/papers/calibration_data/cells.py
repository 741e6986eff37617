"""Cells: how a model is pruned, and on which calibration windows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

NONSENSE = ("ellipses", "random", "tokens")
"""Sources without language: dots, random letters and digits, random tokens."""
PADDINGS = ("counted", "masked", "excluded")
"""What padding does: seen and counted (official GSM8K), unseen yet counted (official SVAMP, ANLI), left out."""


@dataclass(frozen=True)
class Cell:
    """One pruned model: method, how much, on what.

    method: "dense" or one of `tenfold.pruning.METHODS`; sparsity: share of zeros; nm: "2:4" and the like, or "".
    source: a set, sets joined by "+" (windows mixed) or by "&" (a model pruned for each, then merged), or a kind of
    nonsense; fmt: "text", "zero", "single", "icl"; rationale: with the
    chain of thought; pairs: fixed number of pairs, then padding; steps: only rationales with so many; padding: see
    `PADDINGS`; keep: all but the last so many tokens of a window become padding; windows, length: how much is drawn;
    draw: which seed draws it; outliers: channels made outliers before pruning. 0, "" and False: not used.
    """

    method: str
    sparsity: float = 0.0
    nm: str = ""
    source: str = ""
    fmt: str = ""
    rationale: bool = False
    pairs: int = 0
    steps: int = 0
    padding: str = "excluded"
    keep: int = 0
    windows: int = 0
    length: int = 0
    draw: int = 0
    outliers: int = 0

    @property
    def pattern(self) -> tuple[int, int] | None:
        """Zeros and group size of an N:M cell."""
        zeros, _, group = self.nm.partition(":")
        return (int(zeros), int(group)) if group else None

    @property
    def blind(self) -> bool:
        """Whether the method looks at no data."""
        return self.method in ("dense", "random", "magnitude")

    def record(self) -> dict[str, Any]:
        """Return the cell as plain values, the columns of every table of results."""
        return asdict(self)


def seeded(cell: Cell, seed: int) -> int:
    """Return the seed of a cell's random choices: another one for each draw and each seed of the notebook."""
    return 1000 * seed + cell.draw
