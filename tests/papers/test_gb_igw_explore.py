"""The sliders' picture: one spectrum over the violins, its likelihood, and what cannot be drawn."""

import re
import sys

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from tenfold.errors import InputError
from tenfold.papers.gb_igw import explore
from tenfold.pta import FreeSpectrum, gb_monomial, model

from .conftest import parameters

GOOD = {"n": -120.0, "N": 60.0, "log10_delta": -8.0, "log10_T_rh": 0.0}


pytestmark = pytest.mark.usefixtures("house_style")


def test_a_point_is_drawn_and_told(small):
    figure, words = explore.picture(small, GOOD)
    assert isinstance(figure, Figure)
    (curve,) = [line for line in figure.axes[0].lines if line.get_label() == "GB-I"]
    expected = np.log10(model("gb1_log").h2omega(GOOD, explore.FREQUENCIES))
    assert np.allclose(curve.get_ydata(), expected)
    likelihood = model("gb1_log").log_likelihood(GOOD, FreeSpectrum.load("ng15_hd"))
    assert float(re.search(r"ln L = (-?[\d.]+|-inf)", words)[1]) == pytest.approx(likelihood, abs=0.05)
    n_s, n_t, _ = gb_monomial(GOOD["n"], GOOD["N"], 1 + 10 ** GOOD["log10_delta"])
    assert f"n_s = {n_s:.3f}, n_T = {n_t:.3f}" in words


@pytest.mark.parametrize(("log10_T_rh", "verdict"), [(-3.0, "kept"), (3.0, "broken")])
def test_nucleosynthesis_is_judged(log10_T_rh, verdict, small):
    """A blue spectrum breaks the bound unless reheating is cold."""
    _, words = explore.picture(small, {**GOOD, "n": -110.0, "log10_delta": -7.0, "log10_T_rh": log10_T_rh})
    assert f"bound {verdict}" in words


@pytest.mark.parametrize("change", [{"n": 0.0}, {"n": -200.0, "N": 50.0}])
def test_a_point_outside_the_domain_is_refused(change, small):
    with pytest.raises(InputError, match="4N"):
        explore.picture(small, GOOD | change)


def test_a_point_of_no_likelihood_inside_the_domain_is_drawn(small):
    """Far too strong a spectrum is a picture worth seeing: ln L is -inf, and it says so."""
    _, words = explore.picture(small, {"n": -199.0, "N": 50.0, "log10_delta": 1.0, "log10_T_rh": 3.0})
    assert "ln L = -inf" in words


def test_the_best_fit_is_where_the_sliders_start(small, found):
    """The notebook hands over all that a fit calls best, derived quantities among it."""
    best = found["ng15_hd", "gb1_log"]["best"]
    box = explore.sliders(small, best, live=True)
    assert box is None or hasattr(box, "children")


@pytest.mark.parametrize("live", [True, False])
def test_every_slider_reaches_the_picture(live, small, found, monkeypatch):
    """One call of the picture with the four parameters alone, whatever else the start holds."""
    asked = []
    monkeypatch.setattr(explore, "picture", lambda p, theta: asked.append(theta) or (pyplot.figure(), "words"))
    best = found["ng15_hd", "gb1_log"]["best"]
    explore.sliders(small, best, live=live)
    assert asked and all(set(theta) == set(explore.NAMES) for theta in asked)
    assert asked[0] == pytest.approx({key: best[key] for key in explore.NAMES}, abs=0.26)


def test_without_a_person_there_are_no_widgets(small, found, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert explore.sliders(small, found["ng15_hd", "gb1_log"]["best"], live=False) is None
    assert "ln L = " in capsys.readouterr().out


def test_other_bins_give_other_likelihoods():
    _, few = explore.picture(parameters(bins=5), GOOD)
    _, all_bins = explore.picture(parameters(), GOOD)
    assert few.split(";")[0] != all_bins.split(";")[0]
