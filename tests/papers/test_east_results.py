"""Tables of results, on made-up networks: each number as its formula says, no seed lost."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tenfold.papers.east import Parameters, explore, results
from tenfold.papers.east.plans import grid
from tenfold.runner.parameters import resolve

pytestmark = pytest.mark.xdist_group("east")

CHANCE = 0.1


class Found(results.Results):
    """Results of networks whose accuracy is a formula, not a training."""

    def __init__(self, accuracy, **changed):
        self.p = resolve(Parameters, "laptop", 0, changed)
        self.plans = grid(self.p)
        # Backwards, as stacks come in another order than plans.
        rows = [{"row": plan.row, **plan.record()} for plan in reversed(self.plans)]
        table = pd.DataFrame(rows)
        table["accuracy"] = [accuracy(plan) for plan in reversed(self.plans)]
        table = table.assign(best_accuracy=table.accuracy + 0.02, chance=CHANCE, active=100)
        self.found = [{"summary": table.iloc[:40]}, {"summary": table.iloc[40:]}]


WORTH = {"dyrelu": 0.01, "share": 0.02, "cyclic": 0.04}


def accuracy(plan):
    """RigL loses with sparsity, every part adds its worth, a seed a thousandth."""
    return 0.9 - 0.3 * plan.sparsity + sum(WORTH[part] for part in plan.parts) + plan.seed / 1000


@pytest.fixture(scope="module")
def found():
    return Found(accuracy)


def test_runs_stand_in_the_order_of_the_plans(found):
    assert found.runs.row.tolist() == [plan.row for plan in found.plans]
    assert found.runs.seed.tolist() == [plan.seed for plan in found.plans]


def test_gains_are_paired_and_decades_count_tenths_of_weights(found):
    table = found.gains()
    assert len(table) == len(found.p.sparsities) * found.p.replicates
    assert np.allclose(table.gain, sum(WORTH.values()))
    decades = dict(zip(table.sparsity, table.decades, strict=True))
    assert decades[0.99] == pytest.approx(2) and decades[0.999] == pytest.approx(3)
    assert set(table.sparsity[table.ladder]) == {0.95, 0.98, 0.99, 0.995}
    assert (table.east_collapsed == 0).all()


def test_levels_name_the_sparsities_of_the_claims(found):
    table = found.levels()
    at = table.groupby("level").sparsity.unique()
    assert {level: list(value) for level, value in at.items()} == {
        "first": [0.99],
        "ablation": [0.995],
        "extreme": [0.999],
    }
    assert np.allclose(table.east - table.rigl, sum(WORTH.values()))
    assert np.allclose(table.east_best - table.east, 0.02)
    ablation = table[table.level == "ablation"]
    assert np.allclose(ablation.set_parts - ablation.set, sum(WORTH.values()))
    assert np.allclose(ablation.rigl, ablation.rigl_unclipped)


def test_the_best_single_part_is_the_one_with_the_best_mean(found):
    table = found.ablation()
    assert np.allclose(table.best_single, table.cyclic)
    assert np.allclose(table["all"] - table["none"], sum(WORTH.values()))
    assert np.allclose(table["share+cyclic"] - table["none"], 0.06)
    combined = found.combinations()
    assert len(combined) == 8 and combined.iloc[-1][["dyrelu", "share", "cyclic"]].tolist() == ["yes"] * 3
    assert np.allclose(combined.gain, combined.worst_gain), "every seed gains the same here"


def test_claims_name_their_network_and_sparsities():
    assert Found(accuracy).own == {"digits", "preset_levels"}
    assert Found(accuracy, width=16).own == {"digits"}
    assert Found(accuracy, dataset="mnist").own == {"preset_levels"}, "MNIST counts where it was read"


def test_collapse_is_counted_seed_by_seed():
    one = Found(lambda plan: 0.149 if (plan.row, plan.seed) == ("east", 1) else accuracy(plan))
    cells = one.cells().set_index(["row", "sparsity"])
    assert (cells.loc["east"].collapsed == 1).all() and (cells.loc["rigl"].collapsed == 0).all()
    gains = one.gains()
    assert (gains.east_collapsed == (gains.seed == 1)).all()


def test_collapse_is_nearness_to_the_commonest_class():
    edge = Found(lambda plan: CHANCE + results.COLLAPSE + (1e-9 if plan.seed else -1e-9))
    assert (edge.runs.collapsed == (edge.runs.seed == 0)).all()


def test_the_published_table_keeps_both_versions():
    table = results.published().set_index(["method", "sparsity"])
    assert table.loc[("EAST", 0.9999)][["mean", "deviation", "first_version"]].tolist() == [62.12, 0.90, 70.57]
    assert table.loc["RigL"].first_version.isna().all()
    assert len(table) == 16


def test_sliders_are_pictures_without_a_person_and_widgets_with_one(found, look, capsys):
    sample = pd.DataFrame({"channel": range(4), "a1": 1.2, "a2": 0.3, "b1": 0.1, "b2": -0.2})
    assert explore.activation(sample, live=False) is None
    assert explore.allocation(found.p, live=False) is None
    box = explore.activation(sample, live=True)
    slider, screen = box.children
    assert slider.value == 0.5 and slider.max == 1
    slider.value = 0.0
    assert len(screen.outputs) <= 1, "one picture at a time"
    assert not plt.get_fignums(), "no figure stays open"
