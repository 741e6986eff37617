"""The evaluation: both splits always, no probe that saw a borough it is tested on, controls against their formulas."""

import json

import numpy as np
import pandas as pd
import pytest
from esda import Moran
from libpysal.weights import KNN
from scipy.special import rel_entr
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from tenfold.papers.calliper import evaluation, results
from tenfold.papers.calliper.city import Task
from tenfold.urban import Pretrained, official_split

from .conftest import town_parameters

pytestmark = pytest.mark.xdist_group("calliper")


def study(town, method, seed=0, **changes):
    given = {**results.point(town, method, seed), "hexagons": False, **results.fixed(town), **changes}
    assert json.loads(json.dumps(given)) == given, "a worker is told plain values"
    return evaluation.study(**given)


@pytest.fixture
def watched(monkeypatch):
    """Every call of the two predictors: what they were given, and what they returned."""
    calls = {"fit_probes": [], "nearest_neighbours": []}

    def watch(name):
        real = getattr(evaluation, name)

        def called(*arguments, **options):
            found = real(*arguments, **options)
            calls[name].append((arguments, options, found))
            return found

        monkeypatch.setattr(evaluation, name, called)

    for name in calls:
        watch(name)
    return calls


# Both splits, whole boroughs


def test_no_probe_is_tested_on_a_borough_that_it_saw(watched, town, place):
    found = study(town, "counts")
    assert len(watched["fit_probes"]) == 8, "two tasks, two probes, two splits"
    blocked = {}
    for (_, target, splits, seeds), options, probes in watched["fit_probes"]:
        assert seeds == [0] and len(probes) == len(splits)
        if len(splits) == 1:
            continue
        task = place.tasks["sdm" if options["task"] == "distribution" else "luc"]
        np.testing.assert_array_equal(target, task.target)
        assert len(splits) == town.folds
        tested = [set(task.boroughs[split.test]) for split in splits]
        assert sum(map(len, tested)) == len(set().union(*tested)), "no borough in two folds"
        for split, held in zip(splits, tested, strict=True):
            assert not held & set(task.boroughs[np.concatenate([split.train, split.validation])])
        rows = np.concatenate([split.test for split in splits])
        assert sorted(rows) == list(range(len(task.xy))), "every row is tested once"
        blocked[task.name, options["kind"]] = (rows, np.concatenate([probe.predicted for probe in probes]))
    assert set(blocked) == {(task, probe) for task in ("sdm", "luc") for probe in ("linear", "mlp")}
    for task, kept in found["predictions"].items():
        rows, predicted = blocked[task, "mlp"]
        np.testing.assert_array_equal(kept[rows], predicted.astype(np.float32))
        assert np.abs(kept[rows] - blocked[task, "linear"][1]).max() > 1e-4


def test_no_neighbour_lies_in_the_borough_that_is_tested(watched, town, place):
    found = study(town, "neighbours")
    owner = {name: {tuple(xy): b for xy, b in zip(t.xy, t.boroughs, strict=True)} for name, t in place.tasks.items()}
    count = 0
    for task in place.tasks.values():
        calls = [one for one in watched["nearest_neighbours"] if one[0][1].shape[1] == len(task.classes)]
        assert [one[0][3] for one in calls] == [{"distribution": 10, "classes": 5}[task.kind]] * (1 + town.folds)
        for (train, _, test, _), _, predicted in calls[1:]:
            mine = owner[task.name]
            assert not {mine[tuple(xy)] for xy in train} & {mine[tuple(xy)] for xy in test}
            rows = [np.flatnonzero((task.xy == xy).all(axis=1))[0] for xy in test]
            np.testing.assert_allclose(found["predictions"][task.name][rows], predicted, atol=1e-6)
            count += len(rows)
    assert count == sum(len(task.xy) for task in place.tasks.values())


def test_the_random_split_is_the_papers_whatever_the_seed(watched, town, place):
    for seed in (0, 1):
        study(town, "random", seed)
    single = [splits[0] for (_, _, splits, _), _, _ in watched["fit_probes"] if len(splits) == 1]
    for split in single:
        n = sum(map(len, split))
        for part, expected in zip(split, official_split(n), strict=True):
            np.testing.assert_array_equal(part, expected)
    folds = [
        [tuple(split.test) for split in splits]
        for (_, target, splits, _), _, _ in watched["fit_probes"]
        if len(splits) > 1 and len(target) == len(place.tasks["sdm"].xy)
    ]
    assert folds[0] == folds[1] and folds[0] != folds[-1], "the folds of another seed are others"


@pytest.mark.parametrize("method", ["mean", "neighbours", "tf_idf", "calliper"])
def test_every_row_of_the_random_split_has_one_of_the_blocked(method, studied):
    scores = studied.found[method, 0]["scores"]
    splits = scores.groupby(["task", "method", "probe", "seed"]).split.agg(list)
    assert (splits.map(sorted) == pd.Series([["blocked", "random"]] * len(splits), splits.index)).all()
    probes = {"none"} if method in ("mean", "neighbours") else {"linear", "mlp"}
    assert set(scores.probe) == probes
    assert len(scores) == 4 * len(probes)


# Scores against their formulas


def shares(rng, rows):
    drawn = rng.dirichlet(np.ones(9), rows)
    return drawn / drawn.sum(axis=1, keepdims=True)


def test_scores_of_shares_are_their_distances_and_the_autocorrelation_of_what_is_left():
    rng = np.random.default_rng(0)
    task = Task("sdm", rng.uniform(0, 1e4, (60, 2)), shares(rng, 60), np.array(["x"] * 60), ("c",) * 9)
    tested, predicted = rng.permutation(60)[:40], shares(rng, 40)
    found = evaluation.scores(task, tested, predicted)
    y, xy = task.target[tested], task.xy[tested]
    assert found["kl"] == pytest.approx(rel_entr(y, predicted).sum(axis=1).mean())
    assert found["l1"] == pytest.approx(np.abs(y - predicted).sum(axis=1).mean())
    assert found["chebyshev"] == pytest.approx(np.abs(y - predicted).max(axis=1).mean())
    weights = KNN(xy, k=8)
    weights.transform = "r"
    left = [Moran(column, weights, permutations=0).I for column in (y - predicted).T]
    assert found["moran"] == pytest.approx(np.mean(left))


def test_residuals_with_a_trend_are_autocorrelated_and_noise_is_not():
    rng = np.random.default_rng(1)
    xy, target = rng.uniform(0, 1e4, (300, 2)), rng.dirichlet(np.full(9, 20.0), 300)
    flat = np.full((300, 9), 1 / 9)
    wavy = np.where(xy[:, :1] > 5000, flat + np.eye(9)[0], flat) / np.where(xy[:, :1] > 5000, 2, 1)
    task = Task("sdm", xy, target, np.array(["x"] * 300), ("c",) * 9)
    rows = np.arange(300)
    assert abs(evaluation.scores(task, rows, flat)["moran"]) < 0.05
    assert evaluation.scores(task, rows, wavy)["moran"] > 0.5


def test_scores_of_classes_are_those_of_the_largest_number():
    rng = np.random.default_rng(2)
    task = Task("luc", rng.uniform(0, 1e4, (50, 2)), rng.integers(0, 3, 50), np.array(["x"] * 50), ("a", "b", "c"))
    tested, predicted = np.arange(10, 50), rng.normal(size=(40, 3))
    found = evaluation.scores(task, tested, predicted)
    best = predicted.argmax(axis=1)
    assert found["accuracy"] == pytest.approx((best == task.target[10:]).mean())
    assert found["f1"] == pytest.approx(f1_score(task.target[10:], best, average="macro"))
    assert set(found) == {"accuracy", "precision", "recall", "f1"}


def only(scores, task, split):
    (row,) = scores[(scores.task == task) & (scores.split == split)].itertuples()
    return row


def test_the_training_mean_is_the_mean_of_what_trains(town, place):
    found = study(town, "mean")
    task = place.tasks["sdm"]
    split = official_split(len(task.xy))
    mean = np.tile(task.target[split.train].mean(axis=0), (len(split.test), 1))
    kl = rel_entr(task.target[split.test], mean).sum(axis=1).mean()
    assert only(found["scores"], "sdm", "random").kl == pytest.approx(kl, rel=1e-12)
    kept = found["predictions"]["sdm"]
    for fold in np.unique(kept, axis=0):
        mine = (kept == fold).all(axis=1)
        assert not set(task.boroughs[mine]) & set(task.boroughs[~mine])
    assert len(np.unique(kept, axis=0)) == town.folds
    counts = np.bincount(place.tasks["luc"].target[official_split(len(place.tasks["luc"].xy)).train])
    luc = place.tasks["luc"].target[official_split(len(place.tasks["luc"].xy)).test]
    assert only(found["scores"], "luc", "random").accuracy == pytest.approx((luc == counts.argmax()).mean())


def test_neighbours_are_those_of_scikit_learn(town, place):
    scores = study(town, "neighbours")["scores"]
    sdm, luc = place.tasks["sdm"], place.tasks["luc"]
    split = official_split(len(sdm.xy))
    model = KNeighborsRegressor(10, weights="distance").fit(sdm.xy[split.train], sdm.target[split.train])
    kl = rel_entr(sdm.target[split.test], model.predict(sdm.xy[split.test])).sum(axis=1).mean()
    assert only(scores, "sdm", "random").kl == pytest.approx(kl, rel=1e-9)
    split = official_split(len(luc.xy))
    model = KNeighborsClassifier(5, weights="distance").fit(luc.xy[split.train], luc.target[split.train])
    hits = (model.predict(luc.xy[split.test]) == luc.target[split.test]).mean()
    assert only(scores, "luc", "random").accuracy == pytest.approx(hits)


# What a study returns


@pytest.mark.parametrize("method", ["calliper", "tf_idf", "hgi"])
def test_the_same_study_gives_the_same_bits(method, town, studied):
    first, again = studied.found[method, 0], study(town, method, hexagons=True)
    pd.testing.assert_frame_equal(again["scores"], first["scores"], check_exact=True)
    for task in ("sdm", "luc"):
        np.testing.assert_array_equal(again["predictions"][task], first["predictions"][task])
    np.testing.assert_array_equal(again["labels"], first["labels"])
    assert (studied.found[method, 1]["scores"].kl != first["scores"].kl).any(), "another seed is another run"


def test_only_trained_encoders_bring_a_history_and_a_model(studied):
    trained = {method for method, seed in studied.found if "model" in studied.found[method, seed]}
    assert trained == {"calliper", "space2vec"}
    assert {method for method, seed in studied.found if "history" in studied.found[method, seed]} == trained
    assert {method for method, _ in studied.found if "choices" in studied.found[method, 0]} == {"calliper"}
    assert all(one["seconds"] > 0 for (method, _), one in studied.found.items() if method not in ("mean", "neighbours"))


def test_probes_see_the_raw_embedding_of_the_model_that_is_kept(watched, town, place):
    found = study(town, "calliper", probes=["mlp"])
    model = Pretrained.from_state(found["model"])
    for (vectors, target, *_), _, _ in watched["fit_probes"]:
        task = next(task for task in place.tasks.values() if len(task.target) == len(target))
        np.testing.assert_array_equal(vectors, model.embed(task.xy))
        assert np.ptp(np.linalg.norm(vectors, axis=1)) > 0.01, "not normalised, as in the paper"
    assert set(found["scores"].probe) == {"mlp"}


def test_probes_are_trained_for_as_long_as_the_run_says(watched, town):
    study(town_parameters(probe_epochs=2), "counts", probes=["linear"])
    assert {probe.epochs for _, _, probes in watched["fit_probes"] for probe in probes} == {2}
    assert {options["kind"] for _, options, _ in watched["fit_probes"]} == {"linear"}
