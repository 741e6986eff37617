"""The networks of hard-samples at their smallest: every condition, two seeds, tiny networks, made once a process."""

import functools
import tempfile
from pathlib import Path

from tenfold.papers.hard_samples import Parameters
from tenfold.runner.parameters import resolve

from .conftest import Book, embedded

TINY = {"images": 150, "hidden": 12, "sparsities": (0.8, 0.9), "other_sparsities": (0.8, 0.9), "grid_ratios": (0.2,)}
TINY |= {"epochs": 2, "replicates": 2, "second": "digits/mlp", "fourth": "digits/mlp", "third": "digits/convnet"}
TINY |= {"attack_steps": 1, "test_attack_steps": 2, "score_models": 2, "updates": 3}


def tiny(**overrides):
    """Return the parameters of the smallest run."""
    return resolve(Parameters, "smoke", 0, {**TINY, **overrides})


@functools.cache
def studied():
    """Return the results of the smallest run, made without mirror and network."""
    from tenfold.papers.hard_samples.results import Results

    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)):
        found = Results(Book(tiny()))
        assert found.found
    return found
