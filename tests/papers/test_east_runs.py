"""A stack of four small networks trained, looked at from all sides, killed and continued."""

import json

import numpy as np
import pytest

from tenfold.papers.east import Parameters, networks, panels, runs, topology
from tenfold.papers.east.accounting import phasing
from tenfold.papers.east.plans import ALL, Plan
from tenfold.runner.parameters import resolve

pytestmark = pytest.mark.xdist_group("east")

SMALL = {"images": 160, "batch": 32, "epochs": 4, "width": 4, "rigl_updates": 3, "cycle_updates": 4}


@pytest.fixture(scope="module")
def p():
    return resolve(Parameters, "smoke", 0, {**SMALL, "sparsities": (0.9, 0.98), "ablation_sparsity": 0.98})


@pytest.fixture(scope="module")
def trained(p):
    plans = [Plan("rigl", 0.9, 0, **ALL), Plan("rigl", 0.98, 1, **ALL), Plan("rigl", 0.98, 0, **ALL, clipped=False)]
    return runs.train([plan.record() for plan in plans], runs.settings(p))


def test_settings_are_plain_values(p):
    assert json.loads(json.dumps(runs.settings(p))) == runs.settings(p)


def test_every_table_carries_the_plan_of_each_row(trained):
    for name, table in trained.items():
        assert {"row", "method", "sparsity", "seed"} <= set(table), name
    assert trained["summary"].row.tolist() == ["east", "east", "east-unclipped"]
    assert trained["summary"].seed.tolist() == [0, 1, 0]


def test_budgets_are_met_and_densities_agree(trained, p):
    table = trained["summary"]
    total = networks.share_counts(networks.skeleton(networks.architecture(p))).total
    assert table.active.tolist() == [round(0.1 * total), round(0.02 * total), round(0.02 * total)]
    assert np.allclose(table.learnt_density, table.active / total)
    assert (table.owned_density > table.learnt_density).all(), "fewer tensors hold the same number of weights"
    assert (table.itop > table.owned_density).all(), "cycles have tried more weights than are left"
    assert table.live_share.between(0, 1).all()


def test_density_cycles_end_on_the_target(trained):
    trace = trained["trace"]
    for _, rows in trace.groupby(["row", "sparsity", "seed"]):
        assert rows.density.max() > 1.5 * rows.density.iloc[0]
        assert rows.density.iloc[-1] == pytest.approx(rows.density.iloc[0], rel=1e-9)


def test_activations_fade_with_beta(trained, p):
    table = trained["phasing"]
    assert np.allclose(table.deviation, table.beta * table.full_deviation)
    start, end = phasing(p.epochs)
    assert (table.beta[table.epoch < start] == 1).all() and (table.beta[table.epoch >= end] == 0).all()
    sample = trained["sample"]
    assert sample.a1.between(0, 2).all() and sample.a2.between(-1, 1).all()
    assert sample.b1.abs().max() < 0.5 and sample.b2.abs().max() < 0.5


def test_the_trained_network_is_a_relu_network(trained):
    table = trained["deployed"]
    assert (table.difference == 0).all() and (table.undeployed > 0).all()


def test_a_network_does_not_depend_on_its_neighbours_in_the_stack(trained, p):
    alone = runs.train([Plan("rigl", 0.9, 0, **ALL).record()], runs.settings(p))
    first = alone["history"].loss.iloc[0]
    stacked = trained["history"]
    together = stacked[(stacked.row == "east") & (stacked.sparsity == 0.9)].loss.iloc[0]
    assert first == pytest.approx(together, rel=1e-4), "to rounding, before it has grown"


def test_killed_and_continued_gives_the_same_bits(p, tmp_path, monkeypatch):
    plans, settings = [Plan("rigl", 0.9, 3, **ALL).record()], runs.settings(p)
    whole = runs.train(plans, settings)
    epoch, original = 2, runs.fit
    stopped = {"count": 0}

    def interrupted(*args, **kwargs):
        def progress(records):
            stopped["count"] += 1
            if stopped["count"] == epoch:
                raise KeyboardInterrupt

        return original(*args, **kwargs, checkpoint_every=1, progress=progress)

    monkeypatch.setattr(runs, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runs.train(plans, settings, checkpoint=tmp_path)
    monkeypatch.setattr(runs, "fit", original)
    resumed = runs.train(plans, settings, checkpoint=tmp_path)
    for name in ("summary", "trace", "layers", "phasing", "gradients", "history"):
        left, right = (found[name].drop(columns="seconds", errors="ignore") for found in (whole, resumed))
        assert left.equals(right), name


def test_figures_of_one_stack(trained, look):
    figures = [
        topology.phasing(trained["phasing"]),
        topology.activations(trained["sample"]),
        topology.deployed(
            trained["deployed"].groupby("row", sort=False)[["difference", "undeployed"]].max().reset_index()
        ),
        panels.gradients(trained["gradients"], 6),
    ]
    assert all(figure.axes for figure in figures)
