"""Figures of owled: every number is drawn, named and inside its axes; no key hides anything; no warning."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Polygon

from tenfold.errors import InputError
from tenfold.papers.owled import contrasts, explore, outliers, panels, street
from tenfold.papers.owled.looks import METHOD
from tenfold.papers.owled.parameters import HIGH, METHODS
from tenfold.pruning import driving, owl_ratios

from .drawing import check, points, words
from .owled_town import studied
from .test_owled_contrasts import scores

pytestmark = [pytest.mark.usefixtures("look"), pytest.mark.xdist_group("owled")]


def test_curves_have_a_line_for_each_method_and_allocation():
    table = scores()
    figure = panels.curves(table, {"E_car": 0.7, "E_lat": 0.4})
    axes = check(figure, 6)
    for method in METHODS:
        drawn = points(axes[0], METHOD[method][1], METHOD[method][2])
        here = table[(table.part == "llm") & (table.method == method) & (table.calibration == "driving")]
        means = here.groupby(["allocation", "sparsity"]).token_loss.mean()
        assert sorted(drawn[:, 1]) == pytest.approx(sorted(means))
    dotted = [line for line in axes[1].lines if line.get_color() == panels.CONSTANT["color"]]
    assert [line.get_ydata()[0] for line in dotted] == [0.7]
    assert "OWL + SparseGPT" in words(figure) and "constant answer" in words(figure)


def test_parts_show_both_ways_to_treat_the_inputs():
    table = scores()
    axes = check(panels.parts(table), 6)
    for item, inputs in ((axes[0], "pruned"), (axes[3], "kept")):
        here = table[(table.part == "encoder") & (table.method == METHODS[0]) & (table.inputs == inputs)]
        drawn = points(item, "#D55E00", "D")
        assert drawn[:, 1] == pytest.approx(here.groupby("sparsity").token_loss.mean().to_numpy())


def test_calibrations_are_a_row_each():
    table = contrasts.calibrated(scores())
    (axes,) = check(panels.calibrations(table), 1)
    assert len(points(axes, marker="o")) == len(table)


def test_the_grid_frames_the_setting_of_the_run():
    rows = [(M, lam, s, M * lam - 0.3) for M in (3.0, 5.0) for lam in (0.02, 0.08) for s in (0, 1, 2)]
    table = pd.DataFrame(rows, columns=["M", "lam", "seed", "difference"])
    figure = panels.heat(table, (5.0, 0.08))
    figure.canvas.draw()
    assert "+0.10" in words(figure) and "−0.24" in words(figure)
    (frame,) = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    assert frame.get_xy() == (0.5, 0.5)


def test_trainings_are_a_line_each():
    table = pd.DataFrame({"seed": [0, 0, 1, 1], "share": [0.5, 1, 0.5, 1], "loss": [1.0, 0.2, 0.9, 0.15]})
    (axes,) = check(panels.learning(table), 1)
    assert len(points(axes)) == 4


def blocks(seeds=(0, 1)):
    rng = np.random.default_rng(1)
    rows = [(s, seed, b) for s in ("driver", "text") for seed in seeds for b in range(4)]
    table = pd.DataFrame(rows, columns=["subject", "seed", "block"])
    return table.assign(M=5.0, D=rng.uniform(0.2, 1, len(table)), excess=rng.uniform(0.01, 1, len(table)))


def test_bars_are_outliers_and_the_line_owls_ratios():
    table = blocks()
    figure = outliers.distribution(table, HIGH, 0.08)
    check(figure, 4)
    means = table[table.subject == "driver"].groupby("block").D.mean()
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx(means.tolist())
    lines = points(figure.axes[2], marker="D")
    assert lines[:, 1] == pytest.approx(owl_ratios(means.to_numpy(), HIGH, 0.08))


def test_allocations_stand_beside_the_band_of_chance():
    figure = outliers.proxy(studied().outliers(), contrasts.differences(studied().proxies("losses")))
    axes = check(figure, 4)
    assert axes[2].get_yticklabels()[0].get_text() == "OWL"
    assert "block 0" in words(figure)


def test_planted_channels_are_drawn_for_both_methods():
    axes = check(outliers.planted(studied().trap("planted")), 2)
    assert len(points(axes[0], marker="o")) == len(points(axes[0], marker="s")) == 4


def test_a_scene_from_above_has_every_car_where_it_is():
    scene = driving.generate(20, 4)[3]
    figure = street.figure({"a. one": (scene, "x", {"dense": "y"})})
    figure.canvas.draw()
    axes = figure.axes[0]
    table = driving.geometry(scene)
    cars = table[table.kind.isin(["car", "parked"])]
    drawn = [patch.get_xy()[:4].mean(0) for patch in axes.patches if isinstance(patch, Polygon)]
    assert np.allclose(drawn, np.column_stack([-cars.y, cars.x]), atol=1e-6)
    assert "dense: " in words(figure)


def test_items_that_are_right_are_counted():
    label = driving.generate(1, 0).texts[0]
    assert street.right(label, label) == 7
    wrong = label.replace("Brake pedal", "Break pedal")
    assert street.right(label, wrong) == 6
    assert street.right(label, "") == sum(value is None for value in driving.parse_caption(label).values())


def test_views_show_what_was_said():
    views = street.views(studied(), None)
    assert list(views) == ["a. held-out scene", "b. where Wanda fails most"]
    table = street.answers(views)
    assert table.groupby("view").who.apply(list).iloc[0] == ["label", *street.SPEAKERS]
    assert (table[table.who == "label"].right == 7).all()
    figure = street.figure(views)
    figure.canvas.draw()


def test_ratios_follow_the_sliders(monkeypatch):
    table = studied().proxies("blocks")
    figure, shown = explore.ratios(table, "text", 5.0, 0.05, 0.5)
    check(figure, 2)
    assert shown.sparsity.mean() == pytest.approx(0.5) and np.ptp(shown.sparsity) == pytest.approx(0.1)
    with pytest.raises(InputError, match="M = 4"):
        explore.ratios(table, "text", 4.0, 0.05, 0.5)


def test_a_headless_run_shows_one_of_each(capsys):
    assert explore.widget_ratios(studied(), live=False) is None
    assert explore.widget_scenes(studied(), live=False) is None
    assert "sparsity" in capsys.readouterr().out


def test_a_reader_gets_sliders():
    from ipywidgets import Dropdown, SelectionSlider

    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("IPython.display.display", lambda *items, **_: made.extend(items))
        explore.widget_ratios(studied(), live=True)
    assert [item.description for item in made if isinstance(item, SelectionSlider)] == ["M", "lambda", "target"]
    assert [item.description for item in made if isinstance(item, Dropdown)] == ["model"]
