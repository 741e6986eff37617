"""Ablations: one setting at a time, those that change nothing left out, and the table as its formulas say."""

import json

import numpy as np
import pandas as pd
import pytest

from tenfold.papers.calliper import ablations, encoders, evaluation, results
from tenfold.papers.calliper.parameters import Parameters
from tenfold.runner.parameters import SCALES, resolve

from .conftest import town_parameters

pytestmark = pytest.mark.xdist_group("calliper")
PLAIN = "as at this scale"


@pytest.mark.parametrize("scale", SCALES)
def test_every_variant_changes_something_and_the_first_nothing(scale):
    p = resolve(Parameters, scale, 0, {})
    found = ablations.variants(p)
    assert next(iter(found)) == PLAIN and found[PLAIN] == {}
    plain = encoders.plan(p)
    for name, change in found.items():
        assert encoders.plan(p, **change) != plain or name == PLAIN, name
    assert {"text normalised too", "copies count as positives", "theory encoding", "batch a quarter"} <= set(found)


@pytest.mark.parametrize(
    ("scale", "own"), [("laptop", "wavelengths 360 m to 20 km"), ("paper", "wavelengths 100 m to 10 km")]
)
def test_a_scales_own_wavelengths_are_no_variant(scale, own):
    p = resolve(Parameters, scale, 0, {})
    ranges = {"wavelengths 360 m to 20 km", "wavelengths 100 m to 10 km"}
    assert set(ablations.variants(p)) & ranges == ranges - {own}
    assert ranges <= set(ablations.variants(resolve(Parameters, scale, 0, {"lambda_min": 200.0})))


def test_variants_are_possible_whatever_the_parameters():
    found = ablations.variants(town_parameters(frequencies=7, lambda_min=15_000.0, normalize_text=True, batch=8))
    assert found["theory encoding"] == {"encoding": "theory", "frequencies": 8}, "an even number"
    assert found["shortest wavelength doubled"]["lambda_min"] < 20_000
    assert found["text normalised too"] == {"normalize_text": False}
    assert "batch a quarter" not in found, "eight is the least"
    assert "theory encoding" not in ablations.variants(town_parameters(encoding="theory", frequencies=8))
    assert ablations.variants(town_parameters())["shortest wavelength doubled"] == {"lambda_min": 720.0}


def test_a_variant_differs_from_the_run_in_its_change_alone():
    p = town_parameters()
    points, plain = ablations.points(p), results.point(p, "calliper", p.seed)
    assert json.loads(json.dumps(points)) == points
    changes = [change for change in ablations.variants(p).values() if change]
    assert len(points) == len(changes)
    for point, change in zip(points, changes, strict=True):
        assert point["encoder"] == plain["encoder"] | change
        assert (point["method"], point["seed"], point["city"]) == ("calliper", p.seed, plain["city"])
        assert (point["hexagons"], point["probes"]) == (False, ["mlp"])


def test_every_variant_runs_and_none_gives_the_same(studied, town):
    found = [evaluation.study(**point, **results.fixed(town)) for point in ablations.points(town)]
    table = ablations.table(town, studied.found["calliper", town.seed], found)
    assert table.setting.tolist() == [*ablations.variants(town)]
    assert len(set(table.validation_loss)) == len(set(table.kl_blocked)) == len(table)
    assert table.drop(columns="information").notna().all(axis=None)
    scores = studied.found["calliper", town.seed]["scores"].set_index(["task", "probe", "split"]).sort_index()
    first = table.iloc[0]
    assert (first.kl_random, first.kl_blocked) == tuple(scores.kl["sdm", "mlp"][["random", "blocked"]])
    assert (first.f1_random, first.f1_blocked) == tuple(scores.f1["luc", "mlp"][["random", "blocked"]])
    quarter = table.set_index("setting").bound
    assert quarter["batch a quarter"] < quarter[PLAIN] - 0.2, "ln B"
    assert np.isnan(table.set_index("setting").information["copies count as positives"])


def study(losses, kl=0.1, floor=2.0):
    history = pd.DataFrame({"epoch": range(1, 1 + len(losses)), "train_loss": 9.0, "validation_loss": losses})
    rows = [
        {"task": task, "probe": probe, "split": split, "kl": kl + (split == "blocked"), "f1": 1 - kl}
        for task in ("sdm", "luc")
        for probe in ("linear", "mlp")
        for split in ("random", "blocked")
    ]
    scores = pd.DataFrame(rows)
    scores.loc[scores.probe == "linear", ["kl", "f1"]] = 77.0
    return {"history": history.assign(bound=6.0, floor=floor), "scores": scores}


def test_the_table_tells_the_best_epoch_and_the_mlp_probe():
    p = town_parameters()
    ones = [study([5.9, 5.5, 5.7], kl=k / 100) for k in range(1, len(ablations.variants(p)))]
    table = ablations.table(p, study([5.8, 5.9], kl=0.5), ones)
    assert table.best_epoch.tolist() == [1] + [2] * len(ones)
    np.testing.assert_allclose(table.information, [0.2] + [0.5] * len(ones))
    np.testing.assert_allclose(table.kl_random, [0.5, *(k / 100 for k in range(1, len(ones) + 1))])
    np.testing.assert_allclose(table.kl_blocked, table.kl_random + 1)
    np.testing.assert_allclose(table.f1_blocked, 1 - table.kl_random)
    with pytest.raises(ValueError, match="shorter"):
        ablations.table(p, study([5.8]), ones[:-1])


def test_a_loss_of_another_scale_bounds_no_information():
    p = town_parameters()
    ones = [study([1.0], floor=0.0)] * (len(ablations.variants(p)) - 1)
    table = ablations.table(p, study([5.0]), ones)
    assert table.information[0] == 1 and table.information[1:].isna().all()
