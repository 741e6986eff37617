"""Results: every network beside the dense one of its seed, verdicts as their formulas say, contrasts and controls."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tenfold.papers.hard_samples import checks, controls, costs, gaps, layers
from tenfold.papers.hard_samples.conditions import Condition
from tenfold.papers.hard_samples.methods import LOOKS, PUBLISHED, VARIANTS, column, labels
from tenfold.papers.hard_samples.methods import table as methods

from .hard_samples_town import studied, tiny

pytestmark = pytest.mark.xdist_group("hard-samples")


def scores(values, **columns):
    """Return scores by (method, sparsity, seed) under one condition."""
    keys = {"subject": "digits/mlp", "selection": "hard", "ratio": 0.5, "severity": 0, "label_noise": 0.0}
    rows = [
        {"method": m, "sparsity": s, "seed": seed, "accuracy": value, "robust_accuracy": value / 2, "classes": 10}
        for (m, s, seed), value in values.items()
    ]
    return pd.DataFrame(rows).assign(**(keys | {"attacked": False} | columns))


# Gaps


def test_a_gap_is_paired_with_the_dense_network_of_the_same_seed_and_condition():
    values = {("dense", 0.0, 0): 80, ("dense", 0.0, 1): 60, ("set", 0.9, 0): 82, ("set", 0.9, 1): 63}
    other = scores({("dense", 0.0, 0): 10, ("set", 0.9, 0): 50}, ratio=0.3)
    table = gaps.gaps(pd.concat([scores(values), other], ignore_index=True))
    found = table[table.method == "set"]
    assert found.gap.tolist() == [2, 3, 40] and found.robust_gap.tolist() == [1, 1.5, 20]
    assert (table[table.method == "dense"].gap == 0).all()


def test_networks_below_twice_guessing_have_collapsed_and_stay():
    table = gaps.gaps(scores({("dense", 0.0, 0): 80, ("set", 0.9, 0): 19.9, ("snip", 0.9, 0): np.nan}))
    assert dict(zip(table.method, table.collapsed, strict=True)) == {"dense": False, "set": True, "snip": True}
    assert len(table) == 3


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([2.0, 2.5, 3.0, 2.2, 2.4], "better"),
        ([-2.0, -2.5, -3.0, -2.2, -2.4], "worse"),
        ([0.1, -0.1, 0.2, 0.0, -0.2], "same"),
        ([0.3, 0.4, 0.35, 0.3, 0.4], "same"),
        ([5.0, -5.0, 4.0, -3.0, 1.0], "open"),
        ([7.0], "open"),
        ([7.0, np.nan], "open"),
    ],
)
def test_verdicts_tell_the_same_from_the_undecided(values, verdict):
    found = gaps.interval(pd.Series(values))
    assert found["verdict"] == verdict
    if len(values) == 5:
        half = stats.t.ppf(0.975, 4) * np.std(values, ddof=1) / np.sqrt(5)
        assert found["low"] == pytest.approx(np.mean(values) - half)
        assert found["high"] == pytest.approx(np.mean(values) + half)
    else:
        assert np.isnan([found["low"], found["high"], found["p_same"]]).all()


def test_a_summary_counts_seeds_and_collapses():
    values = {("dense", 0.0, seed): 50.0 for seed in range(3)}
    values |= {("set", 0.9, seed): value for seed, value in enumerate((52.0, 55.0, 12.0))}
    (row,) = gaps.summary(gaps.gaps(scores(values)), ["method", "sparsity"]).to_dict("records")
    assert (row["collapsed"], row["seeds"], row["median"]) == (1, 3, 2.0)
    assert row["mean"] == pytest.approx((2 + 5 - 38) / 3) and row["dense_accuracy"] == 50


def test_levels_are_columns_of_methods():
    plan = {("dense", 0.0, seed): 50.0 for seed in (0, 1)}
    worth = {"set": 1, "snip": 2, "gmp": 3, "omp": 4, "lth": 9, "static": 5}
    plan |= {(m, s, seed): 50 + v + 10 * s + seed for m, v in worth.items() for s in (0.5, 0.8, 0.9) for seed in (0, 1)}
    table = gaps.levels(gaps.gaps(scores(plan)).assign(panel="2a")).set_index(["level", "seed"])
    assert table.sparsity.unstack().drop_duplicates().T.iloc[0].to_dict() == {"low": 0.5, "figure": 0.8, "high": 0.9}
    high = table.loc["high", 1]
    assert (
        high["set"] == pytest.approx(11) and high["median"] == pytest.approx(13) and high["static"] == pytest.approx(15)
    )
    assert high["pair"] == pytest.approx(11.5) and high["trained"] == pytest.approx(16.5)
    assert high["others"] == pytest.approx((3 + 4 + 9) / 3 + 10)
    assert high["robust_set"] == pytest.approx(high["set"] / 2)


# Contrasts and controls


def test_contrasts_are_differences_of_gaps():
    names = ("2a", "2b", "2c", "2d", "4a", "4b", "5a", "9a", "9b", "9c")
    rows = [
        {"panel": panel, "level": level, "sparsity": s, "seed": seed, "set": 10 * number + s + seed}
        for number, panel in enumerate(names)
        for level, s in (("low", 0.5), ("high", 0.9))
        for seed in (0, 1)
    ]
    table = controls.contrasts(pd.DataFrame(rows)).set_index(["contrast", "level", "seed"])["set"]
    assert table["fewer first", "high", 0] == table["fewer second", "low", 1] == pytest.approx(20)
    assert table["rise", "high", 0] == table["fall", "low", 0] == pytest.approx(10)
    assert table["sparser third", "high", 1] == pytest.approx(0.4)


def test_what_a_method_gains_more_on_hard_images():
    rows = [
        {"control": "first-low", "seed": 0, "method": m, "selection": part, "accuracy": value}
        for part, values in {"hard": (50, 56, 50), "redrawn": (70, 72, 75), "easy": (60, 1, 1)}.items()
        for m, value in zip(("dense", "set", "snip"), values, strict=True)
    ]
    (row,) = controls.subset_contrasts(pd.DataFrame(rows)).to_dict("records")
    assert row["set_extra"] == 4 and row["snip_extra"] == -5
    assert row["dense_hard"] == 50 and row["set_easy"] == 1


def test_a_dip_comes_before_the_best():
    values = {0.5: -3.0, 0.8: -5.0, 0.9: 2.0, 0.95: -9.0}
    rows = [{"method": "lth", "seed": 0, "sparsity": s, "gap": gap} for s, gap in values.items()]
    rows += [
        {"method": "set", "seed": 0, "sparsity": s, "gap": gap} for s, gap in ((0.5, 1.0), (0.8, 3.0), (0.9, -1.0))
    ]
    table = controls.turns(pd.DataFrame(rows)).set_index("method")
    assert table.loc["lth"].to_dict() == {"seed": 0, "dip": -5.0, "best": 2.0, "at": 0.9}
    assert table.dip["set"] == 0 and table["at"]["set"] == 0.8


def test_mistakes_are_counted_for_each_model():
    scored = pd.DataFrame({"wrong": [True, True, False, False], "el2n_0": [4, 3, 2, 1], "el2n_1": [1, 2, 3, 4]})
    scored = scored.assign(right_0=[False, False, True, True], right_1=[False, True, True, True])
    table = controls.mistakes(scored, 0.5)
    assert table.wrong_among_hard.tolist() == [1.0, 0.0] and table.wrong_among_all.tolist() == [0.5, 0.5]
    assert table.right_on_hard.tolist() == [0.0, 1.0] and table.right_on_all.tolist() == [0.5, 0.75]


# A run, at its smallest


def test_every_network_of_the_grid_was_trained_with_every_seed():
    found = studied()
    wanted = sum(len(runs) for runs in found.grid.values()) * len(found.seeds)
    assert len(found.gaps) == wanted and found.seeds == [0, 1]
    for condition, runs in found.grid.items():
        rows = found.under(condition)
        assert set(zip(rows.method, rows.sparsity, strict=True)) == set(runs)
    assert found.gaps.gap.notna().all()


def test_panels_name_their_images_and_rows():
    found = studied()
    assert found.short("2c") == "digits / MLP, hardest 20 %"
    assert found.short("5b") == "digits / CNN, random 30 %, severity 5"
    assert found.short("6c") == "digits / narrow MLP, random 50 %, attacked"
    assert found.panel("2a", "4c").panel.unique().tolist() == ["2a", "4c"]
    assert found.sources(*found.panels, "fourth") == ["digits"]
    assert [title[:2] for title in found.titled("2c", "4c")] == ["a.", "b."]
    (first, *_) = found.at(0.9, "2a").values()
    assert set(first.sparsity) == {0.0, 0.9}
    assert [title.rpartition(" ")[2] for title in found.captioned("4b", "4d")] == ["0.8", "0.8", "0.7"]
    assert set(found.surface().ratio) == {0.2} and len(found.surface()) == 4
    assert found.dense("2a")["2a"] == found.under(found.panels["2a"]).query("method == 'dense'").accuracy.mean()


def test_claims_find_their_rows():
    found = studied()
    table = found.levels()
    assert set(found.panels) - {"11b", "11c"} <= set(table.panel)
    assert {column(name) for name in (*PUBLISHED, *VARIANTS)} | {"median", "pair", "others", "trained"} <= set(table)
    assert not table.duplicated(["panel", "level", "seed"]).any()
    attacked = table[table.panel == "6a"]
    assert attacked.robust_median.notna().all() and table[table.panel == "2a"].robust_median.isna().all()
    expected = {"first_images", "third_images", "robust_first_images"}
    assert found.own == expected, "the others were changed, or the digits stand in for them"


def test_controls_have_their_networks():
    found = studied()
    table = controls.subset_scores(found)
    assert set(table.control) == set(controls.NAMES) == set(controls.titles(found))
    assert controls.subset_contrasts(table).notna().all(axis=None)
    assert controls.noisy_contrasts(controls.noisy(found)).shape == (2, 7)
    assert set(controls.turns(controls.ladder(found)).method) == {"set", "lth"}
    natural = controls.natural(found)
    assert natural.seed.tolist() == [0, 1] and natural.notna().all(axis=None)


def test_all_that_must_come_out_does():
    table = checks.identities(studied())
    assert len(table) == 9 and table.residual.abs().max() < 1e-12


def test_a_fault_would_be_seen_in_the_identities():
    found = studied()
    broken = found.frame("layers")
    broken.loc[(broken.method == "lth") & (broken.layer == 1), "active"] += 3
    twin = type("Twin", (), {"frame": lambda self, name: broken})()
    assert checks.twins(twin) == 3 and checks.off_budget(twin) > 2


def test_layers_say_where_the_weights_are():
    found = studied()
    table = layers.densities(found, ["2c", "5b"], 0.8)
    assert set(table.method) == set(PUBLISHED) and table.density.between(0, 1).all()
    first = table[(table.method == "set") & table.panel.str.startswith("b.")].set_index("layer").density
    assert first[0] == 1.0 and first[4] == 1.0 and first[3] < first[1], "ERK keeps the small layers dense"
    tilts = layers.tilt(found, 0.8).set_index(["panel", "seed"])
    assert tilts.loc["5b", "omp"].equals(tilts.loc["5b", "lth"])
    assert tilts.loc["5b", "set"].nunique() == 1, "no image is asked"


def test_a_tilt_leaves_the_classifier_out():
    rows = pd.DataFrame({"layer": range(5), "weights": 100, "active": [90, 50, 30, 10, 100]})
    assert layers.tilted(rows) == pytest.approx(0.7 - 0.2)
    assert layers.tilted(rows.iloc[[0, 1, 4]]) == pytest.approx(0.4)


def test_costs_are_those_of_the_formula():
    found = studied()
    table = costs.table(found, "2c", "4c").set_index(["panel", "method", "sparsity", "seed"])
    assert (table.flops[:, "dense"] == 1).all() and (table.weights[:, "dense"] == 1).all()
    for name in ("set", "static", "snip"):
        row = table.loc["2c", name, 0.8, 0]
        assert row.flops == pytest.approx(row.weights), "a perceptron multiplies once with each weight"
    ticket = table.loc["2c", "lth", 0.8, 0]
    assert ticket.flops == pytest.approx(1 + ticket.weights)
    assert table.loc["2c", "gmp", 0.8, 0].flops == pytest.approx(0.5288, abs=0.15)
    best = costs.best(found, table.reset_index(), "2c", "4c")
    assert best.groupby(["panel", "method"]).size().max() == costs.BEST and best.flops.notna().all()
    mine, every = best[best.panel == "2c"], found.panel("2c")
    assert mine[mine.method == "set"].accuracy.min() >= every[every.method == "set"].accuracy.nlargest(5).min()


def test_methods_are_described_once():
    table = methods()
    assert table.method.tolist() == list(LOOKS) and table.label.is_unique
    assert labels(PUBLISHED) == ["SET", "SNIP", "GMP", "OMP", "LTH"]
    assert set(table[table.main].method) == set(PUBLISHED)
    assert Condition(tiny().first).record()["ratio"] == 1.0
