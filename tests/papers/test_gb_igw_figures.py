"""Figures drawn from small tables: no warning on the way, every axis with data labelled, nothing left out."""

from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from tenfold.papers.gb_igw import checks, corners, exponent, fits, panels, slowroll, spectra, violins
from tenfold.papers.gb_igw.labels import ARRAY, ARRAY_COLOUR, MODEL, MODEL_COLOUR
from tenfold.pta import bbn_limit

from .conftest import embedded, parameters

GB = ("gb1_log", "gb1_linear")


pytestmark = pytest.mark.usefixtures("look")


def drawn(figure):
    """Lay the figure out and paint it, as saving would; return its axes with data."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    axes = [item for item in figure.axes if item.has_data()]
    assert axes
    return axes


def spoken(figure, axes, direction):
    """Return the label of an axis: its own, that of an axis shared with it, the figure's, or words for ticks."""
    shared = getattr(axes, f"get_shared_{direction}_axes")().get_siblings(axes)
    own = [getattr(item, f"get_{direction}label")() for item in shared]
    ticks = [tick.get_text() for item in shared for tick in getattr(item, f"get_{direction}ticklabels")()]
    words = [text for text in ticks if any(letter.isalpha() for letter in text.replace("mathdefault", ""))]
    return "".join(own) or getattr(figure, f"get_sup{direction}label")() or "".join(words)


def check(figure):
    for axes in drawn(figure):
        sides = {side: spoken(figure, axes, side) for side in "xy"}
        # A colour bar has one axis.
        assert any(sides.values()) if axes.get_label() == "<colorbar>" else all(sides.values()), axes
    return figure


def texts(figure):
    return [item.get_text() for item in figure.findobj(matplotlib.text.Text) if item.get_text()]


@pytest.fixture(scope="module")
def draws(found):
    return {name: found["ng15_hd", name]["draws"][:2000] for name in GB}


def corner_labels(figure, count):
    grid = np.array(figure.axes).reshape(count, count)
    assert all(axes.get_xlabel() for axes in grid[-1])
    assert all(axes.get_ylabel() for axes in grid[1:, 0])
    return grid


def test_the_corner_of_the_parameters(draws):
    bounds = {"n": (-200.0, 10.0), "N": (50.0, 70.0), "log10_delta": (-20.0, 1.0), "log10_T_rh": (-3.0, 3.0)}
    figure = corners.parameters({"gb1_log": draws["gb1_log"]}, bounds, "ng15_hd")
    drawn(figure)
    grid = corner_labels(figure, 4)
    for axes, (low, high) in zip(grid[-1], bounds.values(), strict=True):
        assert low <= axes.get_xlim()[0] < axes.get_xlim()[1] <= high, "nothing is shown where the prior is zero"
    assert MODEL["gb1_log"] in texts(figure)


def test_the_corner_of_the_indices_shows_the_cmbs_values(draws):
    figure = corners.indices(draws, "ng15_hd")
    drawn(figure)
    grid = corner_labels(figure, 3)
    low, high = grid[-1, 0].get_xlim()
    assert low < exponent.PLANCK_N_S[0] < high
    low, high = grid[1, 0].get_ylim()
    assert low < 0 < high
    assert {MODEL[name] for name in GB} <= set(texts(figure))


@pytest.fixture(scope="module")
def drawings(found, small, tmp_path_factory):
    """What the spectra figures need."""
    f = np.geomspace(5e-10, 3e3, 40)
    with embedded(tmp_path_factory.mktemp("data")):
        return {
            "violins": spectra.violins(spectra.SHOWN, small),
            "bands": spectra.bands(found, "ng15_hd", GB, f),
            "references": spectra.references(f),
            "detectors": spectra.sensitivities(),
        }


def test_spectra_over_the_violins_of_each_array(drawings):
    figure = violins.arrays(drawings["violins"], drawings["bands"], drawings["references"], "ng15_hd")
    check(figure)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [f"{ARRAY[name]} ({'fitted' if name == 'ng15_hd' else 'compared'})" for name in spectra.SHOWN]
    assert {MODEL["sfsr"], MODEL["gb2"]} <= set(texts(figure))


def test_spectra_from_pulsars_to_interferometers(drawings, small):
    figure = violins.overview(*drawings.values(), bbn_limit(small.delta_n_eff))
    check(figure)
    assert {"LISA", "Taiji", "TianQin"} <= set(texts(figure))
    lines = [line for axes in figure.axes for line in axes.lines]
    assert len(lines) >= len(GB) + 2 + drawings["detectors"].detector.nunique()


def test_neighbouring_violins_do_not_overlap(drawings):
    axes = pyplot.figure().add_subplot()
    part = drawings["violins"][drawings["violins"].dataset == "ng15_hd"]
    violins.draw(axes, part, ARRAY_COLOUR["ng15_hd"])
    spans = [item.get_datalim(axes.transData) for item in axes.collections][::2]
    edges = [(box.x0, box.x1) for box in spans]
    assert len(edges) == 14
    assert all(left[1] < right[0] for left, right in pairwise(edges))


@pytest.mark.parametrize("dataset", list(ARRAY))
def test_any_array_can_be_shown_alone(dataset, drawings):
    part = drawings["violins"][drawings["violins"].dataset == "ng15_hd"]
    f = np.geomspace(1e-9, 5e-8, 5)
    check(violins.single(part, dataset, [(f, np.full(5, -9.0), "GB-I")]))


def grid(arrays=("ng15_hd", "epta_dr2new_hd"), models=tuple(MODEL)):
    """Evidences and quantiles as of a whole grid, numbers of no meaning."""
    pairs = [(dataset, name) for dataset in arrays for name in models]
    evidences = pd.DataFrame(pairs, columns=["dataset", "model"])
    evidences["ln_bayes_factor"] = np.linspace(-60, 11, len(pairs))
    rows = [
        {"dataset": d, "model": m, "quantity": q, "q2.5": 0.1, "q16": 0.2, "median": 0.3, "q84": 0.4, "q97.5": 0.5}
        for d, m in pairs
        for q in ("n", "n_t", "n_s")
    ]
    return evidences, pd.DataFrame(rows)


def test_evidences_of_all_models():
    evidences, _ = grid()
    figure = check(panels.evidences(evidences))
    shown = set(texts(figure))
    assert set(MODEL.values()) <= shown
    assert f"< {-panels.DECISIVE:.0f}" in shown, "beyond the floor of finite chains only a bound is told"
    assert not any(text.startswith("-6") for text in shown)


def test_evidences_of_the_smoke_grid(found):
    check(panels.evidences(found.evidences()))


@pytest.mark.parametrize("arrays", [("ng15_hd",), tuple(spectra.SHOWN)])
def test_prior_sensitivity(arrays):
    figure = check(panels.prior_sensitivity(grid(arrays)[1]))
    assert {ARRAY[name] for name in arrays} <= set(texts(figure))


def test_the_plane_of_the_indices_holds_the_draws_on_its_lines(draws):
    check(panels.plane(draws))


def test_the_profile_of_the_exponent():
    n = np.array([-150.0, -100, -50, -1, 1, 10])
    rows = [
        pd.DataFrame({"n": n, "max_log_likelihood": level - np.abs(n + 100), "dataset": name})
        for name, level in zip(spectra.SHOWN, (-100.0, -50.0, -np.inf, -80.0), strict=True)
        if np.isfinite(level)
    ]
    rows[0].loc[0, "max_log_likelihood"] = -np.inf  # above every table of the array
    check(panels.profile(pd.concat(rows)))


@pytest.mark.parametrize("dataset", [*checks.JOINT, "ng15_cp", "ng15_hdmpdp"])
def test_any_array_has_a_profile(dataset):
    """Every array may be the main one, and the main one stands in each figure."""
    table = pd.DataFrame({"n": [-100.0, 5.0], "max_log_likelihood": [-100.0, -150.0], "dataset": dataset})
    check(panels.profile(table))


def test_distances(found, small):
    check(panels.offsets(spectra.offsets(found, small)))


def test_influence_of_single_bins():
    rows = [
        {"quantity": key, "dropped": k, "q16": -1.0, "median": 0.1 * k, "q84": 1.0}
        for k in range(4)
        for key in ("log10_A", "gamma")
    ]
    check(panels.influence(pd.DataFrame(rows)))


def test_recovery_of_injections():
    parts = [checks.recover(f"simulated {k}", 0, 10) for k in (1, 2)]
    cloud, ranks = (pd.concat([part[key] for part in parts]) for key in ("draws", "ranks"))
    figure = check(panels.recovery(cloud, ranks, checks.INJECTED))
    assert any("synthetic" in text for text in texts(figure)), "what was made up is called so"


def test_slow_roll_beside_the_exact_background():
    check(panels.background(**slowroll.background(n=2.0)))


def test_the_attractor():
    check(panels.attractor(slowroll.attractor(alphas=(1.5,))))


@pytest.mark.parametrize("ground", [None, 1e-10])
def test_what_nucleosynthesis_forbids(ground, found, small):
    table = checks.exclusion(small, log10_T_rh=(0.0, 3.0))
    bbn = bbn_limit(small.delta_n_eff)
    figure = check(panels.exclusion(table, bbn, ground, found["ng15_hd", "igw"]["draws"]))
    assert ("advanced LIGO at 25 Hz" in texts(figure)) == (ground is not None)


def test_the_staircase(small):
    check(panels.staircase(checks.staircase(small)))


def test_what_space_sees(found, small):
    check(panels.seeing(spectra.space(found, small)))


def test_every_model_and_array_has_a_colour_where_it_is_drawn():
    assert {*GB, "sfsr", "gb2"} <= set(MODEL_COLOUR)
    assert set(spectra.SHOWN) <= set(ARRAY_COLOUR)


def test_figures_at_the_smallest_number_of_points():
    """2^10 points a stage, the least that is allowed: the figures of fits still draw."""
    asked = parameters(log2_points=10)
    little = {name: fits.fit(**fits.point(asked, name, ["ng15_hd"]))["draws"] for name in GB}
    drawn(corners.indices(little, "ng15_hd"))
    check(panels.plane(little))
