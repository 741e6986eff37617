"""LR-SMS at its smallest: networks that have barely been trained on synthesised digits, made once a process."""

import functools
import tempfile
from pathlib import Path

import pytest

from tenfold.papers.lr_sms import Parameters
from tenfold.runner.parameters import resolve

from .conftest import Book, embedded

TINY = {"utterances": 12, "tests": 4, "d": 16, "heads": 2, "ff": 24, "epochs": 1, "frames": 8, "repeats": 1}


def tiny(**overrides):
    """Return the parameters of the smallest run."""
    return resolve(Parameters, "smoke", 0, {**TINY, **overrides})


@functools.cache
def studied():
    """Return the results of the smallest run, made without mirror and network."""
    from tenfold.papers.lr_sms.results import Results

    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENFOLD_RESULTS", folder)
        found = Results(Book(tiny()))
        assert len(found.scores) and len(found.afterwards) and found.corpus
    return found
