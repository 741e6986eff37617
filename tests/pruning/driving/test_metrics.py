"""Errors of a driver's texts: perfect, empty and constant answers, and the weighted token loss against a plain sum."""

import math

import numpy as np
import pytest
import torch

from tenfold.datasets.driving import scenes
from tenfold.errors import InputError
from tenfold.pruning.driving import constant_baseline, driving_metrics, generate, weighted_token_loss

METRICS = ("E_car", "E_ped", "Acc_TL", "D_TL", "E_lon", "E_lat")
PERFECT = dict.fromkeys(METRICS, 0.0) | {"Acc_TL": 1.0, "D_TL_median": 0.0, "D_TL_clipped": 0.0}


def label(cars=2, people=3, light="There is no traffic lights.", accelerator=50, brake=0, steer="10% to the left."):
    pedals = f"- Accelerator pedal {accelerator}%\n- Brake pedal {brake}%\n- Going to steer {steer}"
    return f"I'm observing {cars} cars and {people} pedestrians.\n{light}\n{pedals}"


def lit(state, distance):
    return f"There is a traffic light and it is {state}. It is {distance}m ahead."


def test_perfect_answers_are_exact():
    texts = generate(200, 3).texts
    found = driving_metrics(texts, texts)
    assert {name: found[name] for name in PERFECT} == PERFECT
    assert found["n_E_car"] == found["parsed_E_car"] == found["n_E_lon"] == 200
    assert found["n_D_TL"] == sum("It is" in text for text in texts)


def test_empty_answers_count_as_zero_and_drop_out_of_the_controls():
    texts = [label(cars=n, people=2 * n, light=lit("red", 10.5 + n)) for n in range(4)]
    found = driving_metrics(texts, [""] * 4)
    assert (found["E_car"], found["E_ped"], found["D_TL"], found["Acc_TL"]) == (1.5, 3.0, 12.0, 0.0)
    assert math.isnan(found["E_lon"]) and math.isnan(found["E_lat"])
    assert (found["n_E_car"], found["parsed_E_car"], found["n_E_lat"]) == (4, 0, 0)


@pytest.mark.parametrize(
    ("metric", "truth", "answer", "value"),
    [
        ("E_car", label(cars=5), label(cars=2), 3),
        ("E_ped", label(people=1), label(people=4), 3),
        ("D_TL", label(light=lit("red", 12.5)), label(light=lit("green", 10)), 2.5),
        ("D_TL_clipped", label(light=lit("red", 12.5)), label(light=lit("green", 999999)), 40),
        ("Acc_TL", label(light=lit("red", 9)), label(light=lit("red+yellow", 9)), 0),
        ("Acc_TL", label(light=lit("red+yellow", 9)), label(light=lit("red+yellow", 1)), 1),
        ("Acc_TL", label(), label(light=lit("green", 9)), 0),
        ("E_lon", label(accelerator=60), label(accelerator=0, brake=20), 0.4),
        ("E_lat", label(steer="10% to the left."), label(steer="20% to the right."), 0.3),
    ],
)
def test_one_answer(metric, truth, answer, value):
    assert driving_metrics([truth], [answer])[metric] == pytest.approx(value, abs=1e-12)


def test_driving_straight_leaves_both_controls():
    found = driving_metrics([label(accelerator=40)] * 2, [label(steer="straight."), label(accelerator=60)])
    assert found["n_E_lon"] == found["n_E_lat"] == 1
    assert found["E_lon"] == pytest.approx(0.1)


def test_a_distance_counts_only_where_the_label_has_one():
    found = driving_metrics(
        [label(), label(light=lit("red", 8))], [label(light=lit("red", 30)), label(light=lit("red", 9))]
    )
    assert (found["n_D_TL"], found["D_TL"]) == (1, 1)


def test_lists_that_do_not_go_together_are_refused():
    for labels, predictions in (([], []), ([label()], [])):
        with pytest.raises(InputError, match="predictions"):
            driving_metrics(labels, predictions)


def test_no_constant_answer_beats_the_baseline():
    texts = generate(300, 4).texts
    best = constant_baseline(texts)
    for answer in texts[:40]:
        found = driving_metrics(texts, [answer] * 300)
        assert found["Acc_TL"] <= best["Acc_TL"]
        for name in ("E_car", "E_ped", "E_lon", "E_lat"):
            assert found[name] >= best[name] - 1e-12


@pytest.mark.mirror
def test_constant_answers_on_the_real_scenes(mirror):
    """E_car, E_ped, Acc_TL, D_TL, E_lon, E_lat of medians and of the commonest light, found independently."""
    found = constant_baseline(scenes().texts)
    wanted = [0.9152, 1.4424, 0.7455, 7.2068, 0.1979, 0.1207]
    assert [found[name] for name in METRICS] == pytest.approx(wanted, abs=5e-5)


def test_weighted_loss_is_the_sum_written_out():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 5, 7)), rng.integers(0, 7, (3, 5))
    labels[0, :3] = labels[2, 4] = -100
    weight = rng.uniform(0.5, 3, 7)
    total = norm = 0.0
    for z, y in zip(logits.reshape(-1, 7), labels.ravel(), strict=True):
        if y != -100:
            total += weight[y] * (np.log(np.exp(z).sum()) - z[y])
            norm += weight[y]
    found = weighted_token_loss(*map(torch.tensor, (logits, labels, weight)))
    assert found.item() == pytest.approx(total / norm, rel=1e-12)


def test_equal_logits_cost_the_logarithm_of_the_classes_whatever_the_weights():
    labels = torch.tensor([[0, 3, -100]])
    found = weighted_token_loss(torch.zeros(1, 3, 8), labels, torch.tensor([3.0] + [1.0] * 7))
    assert found.item() == pytest.approx(math.log(8), rel=1e-6)


def test_a_loss_refuses_what_does_not_fit():
    z, y, w = torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long), torch.ones(4)
    for bad in ((z, y[:, :2], w), (z, y, w[:3]), (z, torch.full_like(y, -100), w)):
        with pytest.raises(InputError):
            weighted_token_loss(*bad)
