"""A small workbook of its own: a copy of the package, toy papers and their notebooks, run as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import nbformat

HERE = Path(__file__).resolve().parents[2]

PAPER = '''
"""A toy paper."""
from dataclasses import dataclass
from typing import ClassVar
from tenfold.runner.parameters import Budget, Parameters as Base, parameter

@dataclass(frozen=True)
class Parameters(Base):
    slug: ClassVar[str] = "{slug}"
    title: ClassVar[str] = "Toy {slug}"
    budget: ClassVar[dict[str, Budget]] = dict.fromkeys(("smoke", "laptop", "paper"), Budget(0.1, 0.5))
    bins: int = parameter(3, 4, 5, help="how many bins", low=1, high=30)
    tilt: float = parameter(1.0, 2.0, 3.0, help="tilt", unit="rad", low=-5, high=5)
    sets: tuple[str, ...] = parameter(("a",), ("a", "b"), ("a", "b", "c"), help="sets", choices=("a", "b", "c"))
    dry: bool = parameter(True, False, False, help="dry")
'''

SCIENCE = '''
"""A toy room."""
import time

CONSTANT = {constant}

def slow(x, log, checkpoint=None):
    """Leave a trace of each call."""
    with open(log, "a") as stream:
        stream.write(f"{{x}}\\n")
    time.sleep({pause})
    return {{"x": x, "y": CONSTANT * x}}
'''

PARAMETERS = """scale = "laptop"
seed = 0
bins = None  # how many bins; None takes the scale's preset
tilt = None  # tilt; None takes the scale's preset
sets = None  # sets; None takes the scale's preset
dry = None  # dry; None takes the scale's preset"""


class Workbook:
    """A workbook in `root` with toy papers; `run` is the command line in a process of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(HERE / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.rmtree(root / "src/tenfold/papers")
        (root / "src/tenfold/papers").mkdir()
        (root / "src/tenfold/papers/__init__.py").write_text("")
        (root / "data/claims").mkdir(parents=True)
        for name in ("requirements.lock", "data/registry.toml", "notebooks/matplotlibrc"):
            (root / name).parent.mkdir(exist_ok=True, parents=True)
            shutil.copy(HERE / name, root / name)

    def paper(self, slug: str, *cells: str) -> Path:
        """Add a toy paper whose notebook has these code cells behind its parameters."""
        module = self.root / f"src/tenfold/papers/{slug.replace('-', '_')}.py"
        module.write_text(PAPER.format(slug=slug))
        cell = nbformat.v4.new_code_cell
        first = cell(PARAMETERS, metadata={"tags": ["parameters"]})
        opened = f'from tenfold.book import Book\nbook = Book.open("{slug}", globals())'
        notebook = nbformat.v4.new_notebook(cells=[first, cell(opened), *map(cell, cells)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.root / "notebooks" / f"{slug}.ipynb"
        nbformat.write(notebook, path)
        return path

    def science(self, constant: float = 2, pause: float = 0, name: str = "toys") -> None:
        """Write the toy science module."""
        (self.root / f"src/tenfold/{name}.py").write_text(SCIENCE.format(constant=constant, pause=pause))

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TENFOLD_")}
        mine = {
            "PYTHONPATH": str(self.root / "src"),
            "TENFOLD_CACHE": str(self.root / "cache"),
            "COLUMNS": "160",
        }
        return {**kept, **mine, **more}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tenfold.cli", *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # Tests that a shell runs in the background ignore interrupts, and their children would inherit that.
        heed = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        mine = self.environment(**environment)
        return subprocess.Popen(command, cwd=self.root, env=mine, preexec_fn=heed, **streams)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def record(self, slug: str, scale: str = "smoke") -> dict:
        return json.loads((self.root / "results" / scale / slug / "record.json").read_text())
