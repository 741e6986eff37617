"""Cells of the tables: what is pruned, how, by what statistics, and whether the driver is then heard."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from tenfold.papers.owled.parameters import ALLOCATIONS, HALF, HIGH, METHODS, PARTS, Parameters

CALIBRATIONS = ("driving", "captions", "words", "tokens")
HEARD = 3.0
"""What a cell whose driver describes scenes costs, against one whose token loss alone is taken."""


@dataclass(frozen=True)
class Cell:
    """One pruned driver.

    part: "encoder", "llm", "both" or "dense"; allocation: one ratio for all blocks of the LLM ("uniform") or OWL's;
    inputs: whether the encoder's maps of raw features are "pruned" or "kept"; calibration: where the statistics come
    from; heard: whether the driver describes the test scenes, which costs more than its token loss.
    """

    part: str
    method: str = "dense"
    sparsity: float = 0.0
    allocation: str = "uniform"
    inputs: str = "pruned"
    calibration: str = "driving"
    heard: bool = False

    def record(self) -> dict[str, Any]:
        """Return the cell as plain values."""
        return asdict(self)


DENSE = Cell("dense", heard=True)


SPEAKERS = {
    "dense": DENSE,
    "Wanda, 0.7": Cell("llm", "wanda", HIGH, heard=True),
    "OWL + Wanda, 0.7": Cell("llm", "wanda", HIGH, "owl", heard=True),
    "SparseGPT, 0.7": Cell("llm", "sparsegpt", HIGH, heard=True),
}
"""The drivers whose answers stand beside a scene."""


def grid(p: Parameters) -> list[Cell]:
    """Return every cell of a run, the dense driver first."""
    cells = [DENSE]
    for method in METHODS:
        for sparsity in p.sparsities:
            for allocation in ALLOCATIONS:
                cells.append(Cell("llm", method, sparsity, allocation, heard=True))
            for part in ("encoder", "both"):
                heard = part == "encoder" and sparsity in (HALF, HIGH)
                cells.append(Cell(part, method, sparsity, heard=heard))
                cells.append(Cell(part, method, sparsity, inputs="kept"))
    for sparsity in (HALF, HIGH):
        cells += [Cell("llm", "wanda", sparsity, calibration=name) for name in CALIBRATIONS[1:]]
    return cells


def shares(cells: list[Cell], count: int) -> list[list[Cell]]:
    """Return the cells in `count` parts of about equal cost."""
    parts: list[list[Cell]] = [[] for _ in range(max(1, min(count, len(cells))))]
    loads = [0.0] * len(parts)
    for cell in sorted(cells, key=lambda one: not one.heard):
        least = loads.index(min(loads))
        parts[least].append(cell)
        loads[least] += HEARD if cell.heard else 1.0
    return parts


def jobs(p: Parameters, cells: list[Cell], size: float = 30.0) -> int:
    """Return into how many jobs the cells of a seed are divided: one for each `size` of cost."""
    return math.ceil(sum(HEARD if cell.heard else 1.0 for cell in cells) / size)


def order(part: str) -> int:
    """Return where a part stands in tables."""
    return ("dense", *PARTS).index(part)
