"""Tests of papers see what a machine without mirror or network sees, unless they are marked `mirror`."""

import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import matplotlib
import pytest
from matplotlib import pyplot

from tenfold import datasets
from tenfold.book import style
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


@pytest.fixture
def house_style():
    """The notebooks' own style, and no figure left open."""
    with matplotlib.rc_context():
        style.apply()
        matplotlib.use("Agg")
        yield
    pyplot.close("all")


@pytest.fixture
def look(house_style):
    """The same; every warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Sockets that another test of this process left are collected at any time.
        warnings.simplefilter("ignore", ResourceWarning)
        yield


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

    def start(self, function, points, **fixed):
        return SimpleNamespace(results=lambda: [function(**point, **fixed) for point in points])


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


# A London of calliper small enough for a second a study: simulated, with all 33 boroughs.
TOWN = {"pois": 900, "areas": 200, "land_use_points": 50, "resolution": 7, "epochs": 3, "probe_epochs": 4}
TOWN |= {"hgi_epochs": 2, "replicates": 2}


def town_parameters(**overrides):
    """Return the parameters of calliper's small town."""
    from tenfold.papers.calliper import Parameters

    return resolve(Parameters, "smoke", 0, {**TOWN, **overrides})


@pytest.fixture(scope="session")
def town():
    """The parameters of calliper's small town."""
    return town_parameters()


@pytest.fixture(scope="session")
def place(town, tmp_path_factory):
    """The small town itself; what a test asks of it first is made without mirror and network."""
    from tenfold.papers.calliper import city

    with embedded(tmp_path_factory.mktemp("data")):
        built = city.build(**city.plan(town))
        assert built.tasks and built.regions and len(built.hexagons) > 100
    return built


@pytest.fixture(scope="session")
def studied(town, place, tmp_path_factory):
    """Every method of calliper studied with two seeds."""
    from tenfold.papers.calliper import results

    with embedded(tmp_path_factory.mktemp("data")):
        result = results.Results(Book(town))
        assert result.found
    return result
