"""A reader's own copy of a notebook, parameters filled in, opened in JupyterLab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat

from tenfold import files, project
from tenfold.runner.notebook import prepared
from tenfold.runner.workbook import Plan


def prepare(plan: Plan, handout: bool = False) -> Path:
    """Write the copy with its parameters filled in; a copy that is already there is kept under a new name.

    A handout lacks the solutions of the exercises: their checks stay, and fail until a student has solved them.
    """
    place = project.results() / "open" / f"{plan.slug}{'-handout' if handout else ''}.ipynb"
    if place.exists():
        place.replace(_free(place))
    parameters = plan.parameters
    notebook = prepared(plan.slug, {"scale": parameters.scale, "seed": parameters.seed, **plan.overrides})
    if handout:
        notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.tags]
    files.write_text(place, nbformat.writes(notebook))
    return place


def _free(place: Path) -> Path:
    """Return a name beside `place` that is not taken, for the reader's earlier copy."""
    number = 1
    while (other := place.with_name(f"{place.stem}-{number}.ipynb")).exists():
        number += 1
    return other


def launch(copy: Path) -> int:
    """Start JupyterLab on the copy and wait until it ends."""
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(copy)], check=False).returncode
