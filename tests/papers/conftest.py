"""Tests of papers see what a machine without mirror or network sees, unless they are marked `mirror`."""

from types import SimpleNamespace

import pytest

from tenfold import datasets
from tenfold.papers.gb_igw import fits
from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.pta import cosmology
from tenfold.runner.parameters import resolve


def hide(monkeypatch, folder):
    """Leave only what comes with the checkout: no mirror, no cache, no network."""
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    monkeypatch.setenv("TENFOLD_MIRROR", str(folder / "none"))
    monkeypatch.setenv("TENFOLD_CACHE", str(folder / "cache"))
    cosmology.freedom.cache_clear()


@pytest.fixture(autouse=True)
def data_at_hand(request, monkeypatch, tmp_path):
    """Hide mirror, cache and network from unmarked tests; results go to a folder of the test's own."""
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path / "results"))
    if request.node.get_closest_marker("mirror") is None:
        hide(monkeypatch, tmp_path)
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    datasets.reset()
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
    with pytest.MonkeyPatch.context() as patch:
        hide(patch, tmp_path_factory.mktemp("data"))
        result = fits.Fits(Book(small))
        assert result.results
    cosmology.freedom.cache_clear()
    return result
