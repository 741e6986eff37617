"""Figures that are no maps, from small tables: every number drawn, named, inside the axes; no warning."""

from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tenfold.book import style
from tenfold.papers.calliper import checks, panels, results
from tenfold.papers.calliper.methods import METHODS

SPLITS = ("random", "blocked")


pytestmark = pytest.mark.usefixtures("look")


def check(figure, count, zoomed=False):
    """Paint a figure as saving would; return its axes, each with named sides and, unless `zoomed`, all data inside."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    axes = [item for item in figure.axes if item.has_data()]
    assert len(axes) == count
    for item in axes:
        shared = item.get_shared_y_axes().get_siblings(item)
        words = [tick.get_text() for other in shared for tick in other.get_yticklabels()]
        named = any(other.get_ylabel() for other in shared) or any(map(str.isalpha, "".join(words)))
        assert item.get_xlabel() and named
        low, high = sorted(item.get_xlim()), sorted(item.get_ylim())
        for x, y in points(item):
            assert zoomed or low[0] <= x <= low[1], (item.get_xlabel(), x)
            assert high[0] <= y <= high[1], (item.get_xlabel(), y)
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert not [item for item in axes if item.get_window_extent().overlaps(box)], "a key hides what is drawn"
        assert figure.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1, "a key is cut off"
    return axes


def marked(axes, marker=None, colour=None):
    """Return the lines of markers, of one kind and colour where they are given."""
    lines = [line for line in axes.lines if line.get_marker() not in ("None", None, "", " ")]
    lines = [line for line in lines if marker is None or line.get_marker() == marker]
    return [line for line in lines if colour is None or to_rgb(line.get_color()) == to_rgb(colour)]


def points(axes, **kind):
    """Return every marked point of axes (N, 2)."""
    found = [
        np.column_stack([np.asarray(data, dtype=float) for data in line.get_data()]) for line in marked(axes, **kind)
    ]
    return np.concatenate([np.empty((0, 2)), *found])


def rows_named(axes):
    """Return the words beside an axis by their height."""
    figure = axes.get_figure()
    first = next(item for item in figure.axes if item.get_shared_y_axes().joined(item, axes) or item is axes)
    places = zip(first.get_yticks(), first.get_yticklabels(), strict=True)
    return {round(place): label.get_text() for place, label in places}


def words(figure):
    return [item.get_text() for item in figure.findobj(matplotlib.text.Text) if item.get_text()]


# Methods


def scores(methods=tuple(METHODS), seeds=(0, 1, 2)):
    rng = np.random.default_rng(0)
    rows = [
        {"task": task, "method": method, "probe": probe, "split": split, "seed": seed}
        for task in ("sdm", "luc")
        for method in methods
        for probe in (("none",) if method in ("mean", "neighbours") else ("linear", "mlp"))
        for split in SPLITS
        for seed in seeds
    ]
    frame = pd.DataFrame(rows)
    kl, f1 = rng.uniform(0.03, 0.09, len(frame)), rng.uniform(0.1, 0.5, len(frame))
    frame = frame.assign(kl=np.where(frame.task == "sdm", kl, np.nan), f1=np.where(frame.task == "luc", f1, np.nan))
    # A linear probe is not drawn: far away it would be seen.
    frame.loc[frame.probe == "linear", ["kl", "f1"]] = 7.0
    return frame


@pytest.mark.parametrize("methods", [tuple(METHODS), ("mean", "untrained", "calliper")])
def test_every_method_stands_there_with_both_splits_and_every_seed(methods):
    table = scores(methods)
    left, right = check(panels.comparison(table, {}), 2)
    drawn = table[table.probe != "linear"]
    for axes, task, metric in ((left, "sdm", "kl"), (right, "luc", "f1")):
        names = rows_named(axes)
        assert list(names.values()) == [METHODS[name].label for name in METHODS if name in methods]
        for split in SPLITS:
            mine = drawn[(drawn.task == task) & (drawn.split == split)]
            seeds = points(axes, marker=".", colour=panels.COLOUR[split])
            means = points(axes, marker="o", colour=panels.COLOUR[split])
            assert len(seeds) == len(mine) and len(means) == len(methods)
            for row, label in names.items():
                method = next(name for name in methods if METHODS[name].label == label)
                values = mine[mine.method == method][metric]
                found = seeds[np.abs(seeds[:, 1] - row) < 0.3, 0]
                np.testing.assert_allclose(sorted(found), sorted(values))
                np.testing.assert_allclose(means[means[:, 1].round() == row, 0], values.mean())
    assert left.yaxis_inverted(), "the first method on top"
    told = words(left.get_figure())
    assert {*panels.SPLIT.values()} <= set(told)
    assert panels.METRIC["kl"] in told and panels.METRIC["f1"] in told


def test_controls_are_grey_and_the_published_number_is_a_line():
    figure = panels.comparison(scores(), {"kl": 0.0432})
    left, right = check(figure, 2)
    colours = {label.get_text(): label.get_color() for label in left.get_yticklabels()}
    for method in METHODS.values():
        assert (colours[method.label] == style.GREY) == (not method.published), method
    dotted = [line for axes in (left, right) for line in axes.lines if line.get_linestyle() == ":"]
    assert [set(line.get_xdata()) for line in dotted] == [{0.0432}]
    assert "published CaLLiPer, random split" in words(figure)
    assert "published CaLLiPer, random split" not in words(panels.comparison(scores(), {}))


# Losses, gains


def history():
    frames = []
    for run, bound, floor in (("CaLLiPer", 6.9, 2.0), ("Space2Vec", 2 * np.log(2), np.nan)):
        for seed in (0, 1):
            loss = bound - np.linspace(0.01, 0.2, 4) - 0.01 * seed
            epochs = {"epoch": range(1, 5), "train_loss": loss + 0.05, "validation_loss": loss}
            frames.append(pd.DataFrame(epochs).assign(run=run, seed=seed, bound=bound, floor=floor))
    return pd.concat(frames, ignore_index=True)


def test_losses_lie_between_their_bound_and_their_floor():
    table = history()
    figure = panels.losses(table)
    figure.canvas.draw()
    axes = [item for item in figure.axes if item.get_title(loc="left")]
    assert [item.get_title(loc="left") for item in axes] == ["CaLLiPer", "Space2Vec"]
    for item in axes:
        rows = table[table.run == item.get_title(loc="left")]
        curves = [line for line in item.lines if len(line.get_xdata()) == 4]
        assert len(curves) == 4, "training and validation of two seeds"
        drawn = np.sort(np.concatenate([line.get_ydata() for line in curves]))
        np.testing.assert_allclose(drawn, np.sort(rows[["train_loss", "validation_loss"]].to_numpy().ravel()))
        (bound,) = [line for line in item.lines if line.get_linestyle() == "--"]
        assert set(bound.get_ydata()) == {rows.bound.iloc[0]}
        low, high = item.get_ylim()
        assert low <= rows.validation_loss.min() and rows.train_loss.max() <= high
        (side,) = item.child_axes
        for gain in (0.0, 0.1):
            at = item.transData.transform((0, rows.bound.iloc[0] - gain))[1]
            assert side.transData.transform((0, gain))[1] == pytest.approx(at), "the second axis counts from the bound"
        assert item.get_xlabel() == "epoch" and item.get_ylabel() == "loss in nats" and "nats" in side.get_ylabel()
    (floor,) = [line for line in axes[0].lines if line.get_linestyle() == "-."]
    assert set(floor.get_ydata()) == {2.0} and axes[0].get_ylim()[0] <= 2.0
    assert any("ln B" in word for word in words(figure)) and any("floor" in word for word in words(figure))


def test_gains_are_drawn_in_per_cent_beside_the_claimed_band():
    rows = [
        {"task": task, "split": split, "seed": seed, "gain": 0.1 * seed - 0.2 * (split == "blocked")}
        for task in ("sdm", "luc")
        for split in SPLITS
        for seed in range(3)
    ]
    (axes,) = check(panels.gains(pd.DataFrame(rows)), 1)
    assert rows_named(axes) == {
        0: "NS-SeC, random",
        1: "NS-SeC, blocked",
        2: "land use, random",
        3: "land use, blocked",
    }
    assert len(points(axes, marker="o")) == len(rows)
    np.testing.assert_allclose(points(axes, marker="o", colour=panels.COLOUR["blocked"])[:, 0], [-20, -10, 0] * 2)
    np.testing.assert_allclose(points(axes, marker="|")[:, 0], [10, -10, 10, -10])
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (5, 15)
    assert "in %" in axes.get_xlabel()


# The encoding, clusters, residuals


def test_the_kernel_is_measured_on_its_line():
    table = checks.kernels()
    axes = check(panels.kernels(table), 2, zoomed=True)
    for item, limit in zip(axes, (60, 6), strict=True):
        assert item.get_xlim() == (0, limit)
        assert {line.get_label() for line in item.lines if not line.get_label().startswith("_")} == set(checks.RANGES)
        near = points(item, marker=".")
        measured = np.concatenate([rows.measured[::12] for _, rows in table.groupby("range", sort=False)])
        np.testing.assert_array_equal(near[:, 1], measured)
    curves = [line for line in axes[0].lines if len(line.get_xdata()) == 2401]
    for line, name in zip(curves, checks.RANGES, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), table[table.range == name].closed_form)


def test_numbers_of_clusters_have_a_line_for_each_seed():
    k = np.arange(1, 11)
    tables = [
        pd.DataFrame({"seed": s, "k": k, "inertia": 1 / k + s / 100, "silhouette": np.r_[np.nan, 0.1 / k[1:] - s / 50]})
        for s in (0, 1)
    ]
    left, right = check(panels.choices(pd.concat(tables), 4), 2)
    assert [len(line.get_xdata()) for line in marked(left)] == [10, 10]
    assert [len(line.get_xdata()) for line in marked(right)] == [9, 9], "one cluster has no silhouette"
    for axes in (left, right):
        assert [set(line.get_xdata()) for line in axes.lines if line.get_linestyle() == ":"] == [{4}]
    assert right.get_ylim()[0] < 0


def test_residuals_of_both_splits_stand_in_one_row():
    methods = ("mean", "neighbours", "calliper")
    rows = [
        {"method": m, "split": s, "seed": seed, "moran": 0.1 * k + 0.3 * (s == "blocked") - 0.05 * seed}
        for k, m in enumerate(methods)
        for s in SPLITS
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows)
    (axes,) = check(panels.autocorrelation(table), 1)
    assert list(rows_named(axes).values()) == [METHODS[name].label for name in methods]
    for split in SPLITS:
        drawn = points(axes, marker="o", colour=panels.COLOUR[split])
        mine = table[table.split == split]
        np.testing.assert_allclose(drawn[:, 0], mine.moran)
        assert drawn[:, 1].round().tolist() == [0, 0, 1, 1, 2, 2]
    assert set(panels.SPLIT.values()) <= set(words(axes.get_figure()))


def test_ablations_stand_beside_the_scales_own_setting():
    names = ["as at this scale", "theory encoding", "batch a quarter"]
    columns = {"information": [0.3, 0.2, np.nan], "kl_random": [0.04, 0.05, 0.06], "kl_blocked": [0.07, 0.06, 0.05]}
    table = pd.DataFrame({"setting": names, **columns})
    axes = check(panels.ablations(table.fillna({"information": 0.25})), 3)
    for item, column in zip(axes, columns, strict=True):
        assert list(rows_named(item).values()) == names
        dotted = [line for line in item.lines if line.get_linestyle() == ":"]
        assert [set(line.get_xdata()) for line in dotted] == [{table[column][0]}]
    np.testing.assert_allclose(points(axes[2]), np.column_stack([columns["kl_blocked"], range(3)]))
    assert "blocked" in axes[2].get_xlabel() and "random" in axes[1].get_xlabel() and "nats" in axes[0].get_xlabel()
    figure = panels.ablations(table)
    figure.canvas.draw()
    assert np.isnan(figure.axes[0].lines[0].get_xdata()).sum() == 1, "what bounds nothing has no point"


# Truth, calibration, boroughs


def test_classes_are_ordered_by_how_well_their_truth_is_followed():
    value = {"pubs": 0.4, "cafes": 0.9, "parks": -0.2}
    rows = [
        {"encoder": e, "seed": s, "poi_class": c, "share": 0.3, "spearman": v * (e == "trained") + 0.01 * s}
        for e in ("trained", "untrained")
        for c, v in value.items()
        for s in (0, 1)
    ]
    (axes,) = check(panels.truth(pd.DataFrame(rows)), 1)
    assert list(rows_named(axes).values()) == ["parks", "pubs", "cafes"]
    trained, untrained = points(axes, colour=style.BLUE), points(axes, colour=style.GREY)
    assert len(trained) == len(untrained) == 6
    for row, name in rows_named(axes).items():
        np.testing.assert_allclose(trained[trained[:, 1] == row, 0], [value[name], value[name] + 0.01])
    assert untrained[:, 0].max() < 0.02
    assert {"trained", "untrained"} <= set(words(axes.get_figure()))


def test_calibration_has_its_diagonal():
    table = pd.DataFrame({"predicted": [0.01, 0.1, 0.3], "observed": [0.02, 0.08, 0.4], "n": 10})
    (axes,) = check(panels.calibration(table), 1)
    np.testing.assert_array_equal(points(axes), table[["predicted", "observed"]])
    assert axes.get_xlim() == axes.get_ylim() == (0, pytest.approx(0.42))
    (diagonal,) = [line for line in axes.lines if line.get_marker() == "None"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())


def test_every_borough_has_its_row_in_the_order_of_callipers_error():
    rng = np.random.default_rng(0)
    names = [f"Borough {k}" for k in range(33)]
    table = pd.DataFrame(
        {"borough": names, "neighbours": rng.uniform(0.02, 0.1, 33), "calliper": rng.permutation(33) / 300}
    )
    (axes,) = check(panels.boroughs(table), 1)
    named = rows_named(axes)
    ours, theirs = points(axes, colour=style.BLUE), points(axes, colour=style.GREY)
    assert len(ours) == len(theirs) == len(named) == 33
    assert (np.diff(ours[:, 0]) > 0).all()
    of = table.set_index("borough")
    for row, name in named.items():
        assert (ours[row, 0], theirs[row, 0]) == (of.calliper[name], of.neighbours[name])
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes)), "names can be read"
    assert {METHODS["neighbours"].label, "CaLLiPer"} <= set(words(axes.get_figure()))


@pytest.mark.xdist_group("calliper")
def test_the_panels_take_the_tables_of_a_run(studied):
    """What the notebook gives them, straight from the small town."""
    check(panels.comparison(studied.scores, {}), 2)
    panels.losses(studied.history).canvas.draw()
    check(panels.gains(results.gains(studied.scores)), 1)
    check(panels.choices(studied.choices, 4), 2)
    probed = studied.scores[(studied.scores.task == "sdm") & studied.scores.probe.isin(["mlp", "none"])]
    check(panels.autocorrelation(probed), 1)
