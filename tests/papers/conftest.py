"""Tests of papers see what a machine without mirror or network sees, unless they are marked `mirror`."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tenfold import datasets
from tenfold.papers.gb_igw import fits
from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.pta import cosmology
from tenfold.runner.parameters import resolve


@contextmanager
def embedded(folder):
    """Leave only what comes with the checkout: no mirror, no cache, no network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENFOLD_OFFLINE", "1")
        patch.setenv("TENFOLD_MIRROR", str(folder / "none"))
        patch.setenv("TENFOLD_CACHE", str(folder / "cache"))
        cosmology.freedom.cache_clear()
        yield
    cosmology.freedom.cache_clear()


@pytest.fixture(autouse=True)
def data_at_hand(request, monkeypatch, tmp_path):
    """Hide mirror, cache and network from unmarked tests; results go to a folder of the test's own."""
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path / "results"))
    datasets.reset()
    if request.node.get_closest_marker("mirror") is None:
        with embedded(tmp_path):
            yield
    else:
        monkeypatch.setenv("TENFOLD_OFFLINE", "1")
        cosmology.freedom.cache_clear()
        yield
        cosmology.freedom.cache_clear()


def parameters(**overrides):
    """Return the parameters of the smoke preset, smaller still."""
    return resolve(Parameters, "smoke", 0, {"log2_points": 11, **overrides})


class Book:
    """A book that computes at once, in this process, and keeps nothing."""

    def __init__(self, parameters):
        self.parameters = parameters

    def start(self, function, points):
        return SimpleNamespace(results=lambda: [function(**point) for point in points])


@pytest.fixture(scope="session")
def small():
    """The parameters of the small fits."""
    return parameters()


@pytest.fixture(scope="session")
def found(small, tmp_path_factory):
    """All fits of the smoke grid, at 2^11 points a stage, on embedded data."""
    with embedded(tmp_path_factory.mktemp("data")):
        result = fits.Fits(Book(small))
        assert result.results
    return result
