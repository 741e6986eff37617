"""Welore at its smallest: a barely trained model, every job, made once a process."""

import functools
import tempfile
from pathlib import Path

import pytest

from tenfold.papers.welore import Parameters
from tenfold.runner.parameters import resolve

from .conftest import Book, embedded

TINY = {"characters": 20_000, "windows": 8, "length": 32, "test_windows": 1, "errs": (0.5, 0.7), "steps": 2}
TINY |= {"task_steps": 2, "questions": 1, "film_steps": 8, "film_every": 2, "rates": (1e-3, 3e-3), "texts": ("prose",)}


def tiny(**overrides):
    """Return the parameters of the smallest run."""
    return resolve(Parameters, "smoke", 0, {**TINY, **overrides})


@functools.cache
def studied():
    """Return the results of the smallest run, made without mirror and network."""
    from tenfold.papers.welore.bench import Bench
    from tenfold.papers.welore.results import Results

    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENFOLD_RESULTS", folder)
        found = Results(Book(tiny()))
        assert len(found.curves) and len(found.history) and len(found.costs) and len(found.films) == 1
        found.bench = Bench.of(0, found.fixed)
        assert len(found.bench.tests) and len(found.bench.calibration) and len(found.bench.held())
        found.made = {name: found.spectra(name) for name in ("spectra", "ranks", "thresholds", "published")}
        found.made |= {"alone": found.modules(), "answers": found.answers(), "identities": found.identities()}
    return found
