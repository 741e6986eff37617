"""The experiments: scores, budgets, pairing by seed, tickets, attacks, and what a run returns."""

import numpy as np
import pandas as pd
import pytest
import torch

from tenfold.papers.hard_samples import runs, subjects
from tenfold.papers.hard_samples.conditions import Condition

from .hard_samples_town import tiny

SETTINGS = runs.settings(tiny())
PLAN = [("dense", 0.0), ("set", 0.8), ("snip", 0.8), ("gmp", 0.8), ("omp", 0.8), ("lth", 0.8), ("uniform", 0.8)]
CLEAN = Condition("digits/mlp", "hard", 0.5)


@pytest.fixture(scope="module")
def found():
    return runs.train(CLEAN.record(), 0, PLAN, list(range(0, 150, 2)), SETTINGS)


def test_scores_rank_what_the_models_get_wrong():
    table = runs.score("digits/mlp", 0.3, SETTINGS | {"score_epochs": 4})
    assert len(table) == 150 and table.el2n.between(0, np.sqrt(2)).all()
    assert table.el2n.to_numpy() == pytest.approx(table[["el2n_0", "el2n_1"]].mean(axis=1))
    assert table.right.to_numpy() == pytest.approx(table[["right_0", "right_1"]].mean(axis=1))
    assert (table.label != table.given).equals(table.wrong)
    hard = table.nlargest(75, "el2n")
    assert hard.right.mean() < table.right.mean() and hard.wrong.mean() > table.wrong.mean()


def test_every_network_is_there_with_its_budget(found):
    scores, layers = found["scores"], found["layers"]
    assert list(zip(scores.method, scores.sparsity, strict=True)) == PLAN
    assert (scores.rows == 75).all() and scores.accuracy.between(0, 100).all()
    assert {"subject", "selection", "ratio", "severity", "label_noise", "attacked", "seed"} <= set(scores.columns)
    kept = layers.groupby(["method", "sparsity"], sort=False)[["weights", "active"]].sum()
    for (method, sparsity), row in kept.iterrows():
        assert abs(row.active - (1 - sparsity) * row.weights) <= 1, method
    assert scores.density.to_numpy() == pytest.approx((kept.active / kept.weights).to_numpy())
    uniform = layers[layers.method == "uniform"]
    assert (uniform.active / uniform.weights).to_numpy() == pytest.approx([0.2] * 3, abs=0.01)


def test_a_ticket_has_the_mask_of_one_shot_pruning(found):
    layers = found["layers"].set_index(["method", "layer"]).active
    assert layers["omp"].equals(layers["lth"]) and not layers["omp"].equals(layers["set"])


def test_dense_is_the_same_whatever_is_trained_beside_it(found):
    alone = runs.train(CLEAN.record(), 0, PLAN[:1], list(range(0, 150, 2)), SETTINGS)["scores"]
    assert alone.accuracy[0] == found["scores"].accuracy[0]
    assert alone.train_accuracy[0] == found["scores"].train_accuracy[0]


def test_a_ticket_of_all_weights_is_the_dense_network():
    """Nothing pruned and rewound to birth: the same training again."""
    plan = [("dense", 0.0), ("lth", 0.0)]
    scores = runs.train(CLEAN.record(), 1, plan, list(range(80)), SETTINGS)["scores"]
    assert scores.accuracy[0] == scores.accuracy[1] and scores.train_accuracy[0] == scores.train_accuracy[1]
    other = runs.train(CLEAN.record(), 2, plan[:1], list(range(80)), SETTINGS)["scores"]
    assert other.train_accuracy[0] != scores.train_accuracy[0]


def test_stacks_do_not_change_what_is_trained(found):
    rows = list(range(0, 150, 2))
    parted = runs.train(CLEAN.record(), 0, PLAN, rows, SETTINGS | {"stack": 2})
    pd.testing.assert_frame_equal(parted["layers"], found["layers"])
    # Another order of summation in the products may turn one image or two.
    assert (parted["scores"].accuracy - found["scores"].accuracy).abs().max() < 1


def test_attacked_networks_are_less_accurate_under_attack():
    condition = Condition("digits/mlp", attacked=True)
    settings = SETTINGS | {"robust_epochs": 12, "test_attack_steps": 10}
    scores = runs.train(condition.record(), 0, [("dense", 0.0), ("set", 0.8)], None, settings)["scores"]
    assert (scores.robust_accuracy < scores.accuracy - 5).all() and (scores.rows == 150).all()
    clean = runs.train(CLEAN.record(), 0, PLAN[:1], list(range(80)), SETTINGS)["scores"]
    assert clean.robust_accuracy.isna().all()


def test_the_attack_is_the_same_for_every_network():
    """Two equal networks of a stack fall to the same images."""
    condition = Condition("digits/mlp", attacked=True)
    seen = subjects.material(condition, SETTINGS)
    trainer = runs.Trainer(condition, seen, None, 0, SETTINGS)
    trainer.stack([("dense", 0.0)])
    twins = subjects.network("digits/mlp", seen.images, SETTINGS, [5, 5])
    first, second = trainer._attacked(twins).tolist()
    assert first == second


def test_few_images_get_more_passes():
    settings = SETTINGS | {"epochs": 4, "fewest_steps": 100, "robust_epochs": 3, "robust_steps": 0, "batch": 64}
    assert runs.passes(settings, CLEAN, 64 * 50) == 4
    assert runs.passes(settings, CLEAN, 64 * 10) == 10
    assert runs.passes(settings, CLEAN, 65) == 50
    assert runs.passes(settings, Condition("digits/mlp", attacked=True), 65) == 3


@pytest.mark.parametrize(("count", "size"), [(1, 4), (9, 4), (8, 4), (5, 1)])
def test_stacks_are_as_equal_as_can_be(count, size):
    plan = [("set", number / 100) for number in range(count)]
    found = runs.parts(plan, size)
    assert [run for part in found for run in part] == plan
    sizes = [len(part) for part in found]
    assert max(sizes) <= size and max(sizes) - min(sizes) <= 1 and len(sizes) == -(-count // size)


def test_methods_move_as_often_as_asked():
    assert runs.method("set", 0.9, 7).updates_per_run == 7 and runs.method("gmp", 0.9, 7).updates_per_run == 7
    assert runs.method("set", 0.9, 7).density == pytest.approx(0.1)
    assert runs.method("lth", 0.9, 7).updates_per_run is None
    assert runs.needs_batch([("set", 0.5), ("snip-resampled", 0.5)]) and not runs.needs_batch([("omp", 0.5)])


def test_a_long_training_resumes_from_its_checkpoints(tmp_path):
    settings = SETTINGS | {"epochs": runs.LONG}
    rows = list(range(40))
    once = runs.train(CLEAN.record(), 0, PLAN[:2], rows, settings, checkpoint=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"dense-0.pt", "set-0.8.pt"}
    again = runs.train(CLEAN.record(), 0, PLAN[:2], rows, settings, checkpoint=tmp_path)
    pd.testing.assert_frame_equal(once["scores"], again["scores"])
    short = tmp_path / "short"
    short.mkdir()
    runs.train(CLEAN.record(), 0, PLAN[:1], rows, SETTINGS, checkpoint=short)
    assert list(short.iterdir()) == [], "a training of seconds keeps none"


def test_the_recipe_is_the_published_one():
    recipe = runs.recipe(SETTINGS | {"batch": 128}, 200)
    assert (recipe.lr, recipe.momentum, recipe.nesterov, recipe.weight_decay, recipe.clip) == (
        0.1,
        0.9,
        True,
        5e-4,
        None,
    )
    rates = [recipe.rate(epoch - 1, 1) for epoch in (1, 100, 101, 150, 151, 200)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    seen = subjects.material(CLEAN, SETTINGS)
    attack = runs.Trainer(CLEAN, seen, None, 0, SETTINGS | {"epsilon": 8 / 255}).attack
    assert attack["eps"] == 8 / 255 and attack["step"] == pytest.approx(2 / 255)


def test_settings_are_plain_and_scoring_has_seeds_of_its_own():
    import json

    assert json.loads(json.dumps(SETTINGS)) == SETTINGS
    assert not set(SETTINGS["score_seeds"]) & set(range(100))
    assert torch.Generator().manual_seed(SETTINGS["score_seeds"][0])
