"""Tables of results: random and blocked side by side, and gains, times and means as their formulas say."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import rel_entr

from tenfold.papers.calliper import evaluation, results
from tenfold.papers.calliper.city import NS_SEC, Task
from tenfold.papers.calliper.methods import CLUSTERED, METHODS, RIVALS
from tenfold.urban import distribution_metrics

from .conftest import town_parameters

pytestmark = pytest.mark.xdist_group("calliper")
METRICS = {"sdm": ["l1", "chebyshev", "kl", "moran"], "luc": ["accuracy", "precision", "recall", "f1"]}


def scored(values, **columns):
    """Return scores as of a run: `values` by (task, method, probe, split, seed) are KL and macro F1 at once."""
    rows = [
        {"task": t, "method": m, "probe": p, "split": s, "seed": seed, "kl": value, "f1": value, **columns}
        for (t, m, p, s, seed), value in values.items()
    ]
    return pd.DataFrame(rows)


def every(value):
    """Return scores of every method, task, split and two seeds; `value` of method, task, split and seed."""
    points = [(t, m, s, seed) for t in METRICS for m in METHODS for s in results.SPLITS for seed in (0, 1)]
    probe = {name: "none" if name in ("mean", "neighbours") else "mlp" for name in METHODS}
    return scored({(t, m, probe[m], s, seed): value(m, t, s, seed) for t, m, s, seed in points})


# What a run holds


def test_every_method_is_studied_with_every_seed(studied, town):
    assert studied.seeds == [town.seed, town.seed + 1]
    assert set(studied.found) == {(method, seed) for method in METHODS for seed in studied.seeds}
    for (method, seed), one in studied.found.items():
        assert set(one["scores"].method) == {method} and set(one["scores"].seed) == {seed}


def test_random_and_blocked_stand_together_for_every_method_and_task(studied):
    splits = studied.scores.groupby(["task", "method", "probe", "seed"]).split.agg(sorted)
    assert all(found == ["blocked", "random"] for found in splits)
    methods = studied.scores.groupby("task").method.unique()
    assert all(list(found) == list(METHODS) for found in methods), "in the order of the methods, none left out"


@pytest.mark.parametrize("task", list(METRICS))
def test_the_table_of_a_task_always_has_both_splits_and_every_control(task, studied):
    table = results.summary(studied.scores, task, METRICS[task])
    assert list(dict.fromkeys(table.method)) == list(METHODS)
    columns = [
        f"{metric}_{split}{end}" for metric in METRICS[task] for split in ("random", "blocked") for end in ("", "_sd")
    ]
    assert list(table.columns) == ["method", "probe", *columns]
    assert table.notna().all(axis=None)
    assert len(table) == 2 * len(METHODS) - 2, "two probes each, but for the two that need none"


def test_a_summary_is_mean_and_deviation_over_seeds():
    number = {"random": 1.0, "blocked": 10.0}
    table = results.summary(every(lambda m, t, s, seed: number[s] + (m == "lda") + 3 * seed), "sdm", ["kl"])
    table = table.set_index("method")
    assert (table.kl_random["calliper"], table.kl_blocked["calliper"]) == (2.5, 11.5)
    assert (table.kl_random["lda"], table.kl_blocked["lda"]) == (3.5, 12.5)
    np.testing.assert_allclose(table[["kl_random_sd", "kl_blocked_sd"]], 3 / np.sqrt(2))
    assert list(table.index) == list(METHODS)


def test_what_is_kept_can_be_asked_for(studied, place, town):
    assert studied.history.columns[:2].tolist() == ["run", "seed"]
    assert set(studied.history.run) == {"CaLLiPer", "Space2Vec"}
    assert len(studied.history) == 4 * town.epochs
    assert studied.predictions("mean", "sdm").shape == (len(place.census), 9)
    np.testing.assert_array_equal(studied.predictions("hgi", "luc"), studied.found["hgi", 0]["predictions"]["luc"])
    assert list(studied.labels()) == [METHODS[name].label for name in CLUSTERED]
    np.testing.assert_array_equal(studied.labels(1)["HGI"], studied.found["hgi", 1]["labels"])
    assert studied.choices.groupby("seed").k.agg(list).tolist() == [list(range(1, 11))] * 2
    seconds = studied.seconds()
    assert list(seconds.method.unique()) == list(METHODS) and len(seconds) == 2 * len(METHODS)


def test_the_kept_model_is_the_one_that_was_tested(studied, place):
    """From the stored weights to the scores again: nothing is lost on the way."""
    model = studied.model("calliper", 1)
    task = place.tasks["sdm"]
    splits = evaluation._splits(task, 3, 1)["random"]
    predicted = evaluation._predictions("calliper", "mlp", task, model.embed(task.xy), splits, 1, 4)
    rows = studied.found["calliper", 1]["scores"].set_index(["task", "probe", "split"])
    assert distribution_metrics(task.target[splits[0].test], predicted)["kl"] == rows.kl["sdm", "mlp", "random"]


def test_clusters_are_named_with_their_evidence(studied):
    table = studied.naming()
    assert (
        table.role.tolist()
        == ["green space", "industry and infrastructure", "residential", "centre and commercial"] * 2
    )
    assert table.seed.tolist() == [0] * 4 + [1] * 4
    labels = studied.found["calliper", 1]["labels"]
    assert table.cells[table.seed == 1].tolist() == np.bincount(labels).tolist()


def test_a_point_is_plain_and_differs_where_it_is_told_to():
    p = town_parameters()
    plain = results.point(p, "hgi", 3)
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["method"], plain["seed"], plain["hexagons"]) == ("hgi", 3, True)
    assert results.point(p, "lda", 3)["hexagons"] is False
    changed = results.point(p, "hgi", 3, epochs=7)["encoder"]
    assert {name for name in changed if changed[name] != plain["encoder"][name]} == {"epochs"}
    assert results.fixed(p) == {"folds": p.folds, "probe_epochs": p.probe_epochs}


# Gains


def test_gains_are_relative_to_the_best_rival_and_to_controls():
    """KL: 1 - e / e_other; F1: f / f_other - 1."""
    number = {"calliper": 0.04, "mean": 0.08, "neighbours": 0.032, "untrained": 0.05, "tf_idf": 0.05}
    table = results.gains(every(lambda m, *_: number.get(m, 0.2)))
    sdm, luc = (table[table.task == task].iloc[0] for task in ("sdm", "luc"))
    assert sdm.best_rival == "tf_idf"
    assert sdm.gain == sdm.over_tf_idf == pytest.approx(0.2)
    assert (sdm.over_mean, sdm.over_neighbours) == (pytest.approx(0.5), pytest.approx(-0.25))
    assert luc.best_rival in set(RIVALS) - {"tf_idf"}, "of F1 the highest is the best"
    assert luc.gain == pytest.approx(0.04 / 0.2 - 1)
    assert luc.over_neighbours == pytest.approx(0.25)


def test_gains_come_with_both_splits_and_every_seed():
    table = results.gains(every(lambda m, t, s, seed: 0.1 + seed + 2 * (s == "blocked") + (m == "calliper")))
    assert len(table) == 2 * 2 * 2
    assert set(zip(table.task, table.split, table.seed, strict=True)) == {
        (t, s, seed) for t in METRICS for s in results.SPLITS for seed in (0, 1)
    }
    found = table.set_index(["task", "split", "seed"]).gain
    for split, base in (("random", 0.1), ("blocked", 2.1)):
        for seed in (0, 1):
            assert found["sdm", split, seed] == pytest.approx(-1 / (base + seed))
            assert found["luc", split, seed] == pytest.approx(1 / (base + seed))


def test_the_best_rival_is_that_of_the_mean_over_seeds():
    """SPPE is best in seed 0 by luck and worst in seed 1."""
    luck = {("sppe", 0): 0.01, ("sppe", 1): 0.5, ("hgi", 0): 0.1, ("hgi", 1): 0.1}
    table = results.gains(every(lambda m, t, s, seed: luck.get((m, seed), 0.05 if m == "calliper" else 0.2)))
    sdm = table[(table.task == "sdm") & (table.split == "random")]
    assert set(sdm.best_rival) == {"hgi"}
    np.testing.assert_allclose(sdm.gain, 0.5)


def test_no_control_is_a_rival_and_linear_probes_do_not_count():
    rows = every(lambda m, *_: 0.001 if METHODS[m].kind == "control" else 0.1)
    linear = rows[rows.probe == "mlp"].assign(probe="linear", kl=1e-6, f1=1e-6)
    table = results.gains(pd.concat([rows, linear]))
    assert set(table.best_rival) <= set(RIVALS)
    np.testing.assert_allclose(table.gain, 0, atol=1e-12)
    assert (table[table.task == "sdm"].over_untrained < -90).all()


# Times, boroughs, the paper's numbers


def test_times_are_medians_beside_callipers():
    names = ["place2vec", "doc2vec", "sppe", "hgi", "space2vec", "calliper", "mean"]
    rows = [(name, seed, (k + 1) * (1 + seed)) for k, name in enumerate(names) for seed in range(3)]
    table = pd.DataFrame(rows, columns=["method", "seed", "seconds"])
    found = results.times(table).set_index("method")
    assert found.seconds.to_dict() == {name: 2.0 * (k + 1) for k, name in enumerate(names[:-1])}
    assert found.times_calliper["calliper"] == 1 and found.times_calliper["sppe"] == pytest.approx(3 / 6)
    fastest = results.speed(table.assign(seconds=table.seconds.where(table.seed != 1, 20 - table.seconds)))
    assert fastest.fastest_rival.tolist() == [1.0, 10.0, 3.0]
    assert fastest.calliper.tolist() == [6.0, 8.0, 18.0]


@pytest.fixture
def split():
    """Shares of 60 areas in three boroughs, and two predictions."""
    rng = np.random.default_rng(0)
    target, first, second = (rng.dirichlet(np.ones(9), 60) for _ in range(3))
    boroughs = np.array(["Ealing", "Camden", "Barnet"])[rng.integers(0, 3, 60)]
    return Task("sdm", rng.uniform(size=(60, 2)), target, boroughs, NS_SEC), first, second


def test_the_divergence_of_boroughs_averages_to_that_of_the_city(split):
    task, first, second = split
    table = results.by_borough(task.target, task.boroughs, {"neighbours": first, "calliper": second})
    assert table.borough.tolist() == ["Barnet", "Camden", "Ealing"]
    counts = [(task.boroughs == name).sum() for name in table.borough]
    for name, predicted in (("neighbours", first), ("calliper", second)):
        whole = distribution_metrics(task.target, predicted)["kl"]
        assert np.average(table[name], weights=counts) == pytest.approx(whole)
    camden = task.boroughs == "Camden"
    expected = rel_entr(task.target[camden], first[camden]).sum(axis=1).mean()
    assert table.neighbours[1] == pytest.approx(expected)


def test_shares_of_boroughs_are_means_in_the_order_asked_for(split):
    task, first, _ = split
    names = ["Camden", "Barnet", "Ealing"]
    found = results.borough_shares(task, first, names)
    for row, name in enumerate(names):
        np.testing.assert_allclose(found["observed"][row], task.target[task.boroughs == name].mean(axis=0))
        np.testing.assert_allclose(found["predicted"][row], first[task.boroughs == name].mean(axis=0))
    table = results.long(found, names, NS_SEC)
    assert len(table) == 27 and table.borough[:9].tolist() == ["Camden"] * 9
    row = table[(table.borough == "Ealing") & (table["class"] == NS_SEC[4])].iloc[0]
    assert (row.observed, row.predicted) == (found["observed"][2, 4], found["predicted"][2, 4])


def test_a_borough_without_areas_has_no_shares(split):
    task, first, _ = split
    found = results.borough_shares(task, first, ["Camden", "Sutton"])
    for shares in found.values():
        assert np.isnan(shares[1]).all() and shares[0].sum() == pytest.approx(1)


def test_painted_shares_are_the_held_out_ones(studied):
    found = results.painted(studied)
    assert list(found) == [METHODS[name].label for name in results.PAINTED]
    np.testing.assert_array_equal(found["TF-IDF"], studied.predictions("tf_idf", "sdm")[:, 0])


def test_the_papers_numbers_stand_beside_ours_on_its_split():
    number = {"random": 0.1, "blocked": 0.9}
    rows = every(lambda m, t, s, seed: number[s] + 0.01 * seed + (m == "untrained"))
    rows = rows.assign(l1=rows.kl, chebyshev=rows.kl, precision=rows.kl, recall=rows.kl)
    linear = rows[rows.probe == "mlp"].assign(probe="linear", kl=9.0, f1=9.0)
    table = results.beside_published(pd.concat([rows, linear]))
    assert table[["task", "metric"]].to_numpy().tolist() == [
        [task, metric] for task, metrics in results.PUBLISHED.items() for metric in metrics
    ]
    kl = table[table.metric == "kl"].iloc[0]
    assert (kl.published, kl.published_sd, kl.satclip_published) == (0.043223, 0.000593, 0.0707)
    assert (kl.calliper, kl.neighbours) == (pytest.approx(0.105), pytest.approx(0.105))
    assert kl.untrained == pytest.approx(1.105)
    f1 = table[table.metric == "f1"].iloc[0]
    assert (f1.published, f1.satclip_published) == (0.362696, 0.122)
