"""Arithmetic of budgets, held against numbers worked out by hand and counted in the official network."""

import numpy as np
import pytest

from tenfold.papers.east import Parameters, accounting
from tenfold.runner.parameters import resolve

pytestmark = pytest.mark.xdist_group("east")


@pytest.fixture(scope="module")
def paper():
    return resolve(Parameters, "paper", 0)


def test_sharing_keeps_the_budget_of_every_network(paper):
    table = accounting.sharing(paper, 0.001).set_index("network")
    rows = table.loc["ResNet-34"]
    assert (rows.weights, rows.owned, rows.shared_uses) == (21_265_088, 11_164_352, 10_100_736)
    assert rows.raised_by == pytest.approx(1.90473, abs=1e-5)
    assert table.loc["ResNet-50"].raised_by == pytest.approx(1.68491, abs=1e-5)
    assert (abs(table.learnt - table.budget) <= 1).all(), "as many learnt weights as without sharing"
    assert (table.not_raised < -0.37).all(), "and far fewer had the density not been raised"


def test_the_absolute_floor_leaves_ten_times_the_budget(paper):
    table = accounting.floors(paper).set_index(["net", "sparsity", "floor"])
    at = {name: table.loc[("ResNet-34", 0.9999, name)].weights for name in accounting.FLOORS}
    assert at["exact ERK"] == 2127
    # The code rounds the budget down before it allocates, which moves one layer of 37 across a half.
    assert at == pytest.approx({"exact ERK": 2127, "absolute 0.001": 21_365, "0.7 d": 2302, "0.01 d": 2127}, abs=1)
    assert table.loc[("ResNet-34", 0.9, "0.01 d")].weights == pytest.approx(2_025_533, abs=1)
    assert (table.xs("exact ERK", level="floor").ratio == 1).all()


def test_a_convolution_of_resnet_34_keeps_130_weights_at_the_extreme(paper):
    table = accounting.per_layer(paper)
    rows = table[table.network == "ResNet-34 at 99.99 %"]
    assert rows.weights.sum() == 2127
    assert rows.weights.iloc[0] == 9 and rows.weights.iloc[-1] == 66
    assert set(rows[rows["shape"] == "512x512x3x3"].weights) == {130}


def test_the_phasing_of_the_paper(paper):
    assert accounting.phasing(250) == (62.5, 124)
    assert accounting.phasing(2) == (0.5, 0.5), "a run too short for phasing drops at once"
    table = accounting.schedules(paper)
    assert table.beta.iloc[0] == 1 and (table.beta[table.share_of_run >= 0.496] == 0).all()


def test_density_cycles_start_and_end_at_the_target_and_never_pass_its_multiple(paper):
    table = accounting.schedules(paper)
    assert table.density_over_target.between(1, 3).all()
    at = dict(zip(np.round(table.share_of_run, 3), table.density_over_target, strict=True))
    assert at[0.1] == at[0.3] == pytest.approx(3)
    assert at[0.0] == at[0.2] == pytest.approx(1)
    assert (table.density_over_target[table.share_of_run >= 0.4] == 1).all()


def test_the_learning_rate_falls_after_epochs_125_and_187(paper):
    table = accounting.schedules(paper)
    epoch = table.share_of_run * paper.epochs
    assert (table.lr[epoch <= 125] == 0.1).all()
    assert table.lr[(epoch > 125.5) & (epoch < 187)].to_numpy() == pytest.approx(0.01)
    assert accounting.drops(paper) == "125 and 187"


def test_the_recipe_tells_where_the_paper_contradicts_itself(paper):
    table = accounting.recipe(paper).set_index("what")
    assert "75 and 150" in table.loc["rate falls tenfold after"].paper
    assert table.loc["rate falls tenfold after"]["this run"] == "125 and 187"
    assert table.notna().all(axis=None)
