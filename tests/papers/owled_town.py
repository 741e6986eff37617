"""Owled at its smallest: untrained drivers, a barely trained text model, every cell, made once a process."""

import functools
import tempfile
from pathlib import Path

import pytest

from tenfold.papers.owled import Parameters
from tenfold.runner.parameters import resolve

from .conftest import Book, embedded

TINY = {"test_scenes": 10, "calibration": 4, "permutations": 2, "thresholds": (5.0,), "strengths": (0.08,)}
TINY |= {"text_length": 16, "text_windows": 2, "replicates": 1, "text_replicates": 1}


def tiny(**overrides):
    """Return the parameters of the smallest run."""
    return resolve(Parameters, "smoke", 0, {**TINY, **overrides})


@functools.cache
def studied():
    """Return the results of the smallest run, made without mirror and network."""
    from tenfold.papers.owled.results import Results

    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENFOLD_RESULTS", folder)
        found = Results(Book(tiny()))
        assert len(found.scores) and len(found.proxies("blocks"))
        assert all(len(found.trap(name)) for name in ("adapter", "planted", "fooled"))
        assert len(found.grids()) and found.test and found.fixed
    return found
