"""Calibration data at its smallest: a barely trained model, every cell, made once; and tables made by hand."""

import copy
import functools
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tenfold.language.pretraining import SIZES
from tenfold.papers.calibration_data import Parameters
from tenfold.papers.calibration_data.plans import Plan
from tenfold.runner.parameters import resolve

from .conftest import Book, embedded

TINY = {"test_windows": 2, "windows": 6, "pairs": (1,), "steps": (2,), "kept": (4, 16), "questions": 1}
REAL = ("wikitext2", "gsm8k", "svamp", "mawps", "commonsenseqa", "winogrande", "esnli")
"""What the mirror holds; here only names."""


def tiny(**overrides):
    """Return the parameters of the smallest run."""
    return resolve(Parameters, "smoke", 0, {**TINY, **overrides})


def plan(scale="smoke", sources=None, **overrides):
    """Return the plan of a scale; its sets are only names."""
    p = resolve(Parameters, scale, 0, overrides)
    return Plan(p, sources or (REAL if scale == "laptop" else p.sources))


@contextmanager
def workshop():
    """A place without mirror and network where trainings are kept, eight steps each."""
    few = {**SIZES["smoke"], "hidden": 32, "intermediate": 64, "steps": 8, "warmup": 2}
    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENFOLD_RESULTS", folder)
        patch.setitem(SIZES, "smoke", few)
        yield


class Once(Book):
    """A book that computes in this process, what is asked, once."""

    def start(self, function, points, **fixed):
        started = super().start(function, points, **fixed)
        started.results = functools.cache(started.results)
        return started


@functools.cache
def bench():
    """Return the bench of the smallest run; its cells are for the tests to choose."""
    from tenfold.papers.calibration_data import bench

    with workshop():
        return bench.Bench(0, bench.settings(tiny()))


def fitted(**changes):
    """Return a bench on the same model with other settings."""
    found = copy.copy(bench())
    found.settings, found._last = {**found.settings, **changes}, None
    found.__dict__.pop("tests", None)
    return found


@functools.cache
def studied():
    """Return the results of the smallest run."""
    from tenfold.papers.calibration_data.results import Results

    with workshop():
        found = Results(Once(tiny()))
        assert len(found.table) and len(found.history()) and len(found.answers())
        assert len(found.overlaps()) and len(found.identities())
    return found


def made(cells, tests, loss, seeds=(0,), pads=0.0):
    """Return a table of results as `runs.study` does, with losses from a function of cell, seed and test."""
    rows = [
        cell.record() | {"seed": seed, "zeros": 0.5, "pads": pads, "test": test, "loss": loss(cell, seed, test)}
        for seed in seeds
        for cell in dict.fromkeys(cells)
        for test in tests
    ]
    return pd.DataFrame(rows)


def everything(some, seeds=(0,), tests=None):
    """Return a table of all cells of a plan: random losses, above those of the dense models."""
    rng = np.random.default_rng(0)
    cells = [cell for cells in some.experiments().values() for cell in cells]
    return made(cells, tests or some.sources, lambda c, s, t: 2 + (c.method != "dense") * rng.uniform(0.1, 1), seeds)
