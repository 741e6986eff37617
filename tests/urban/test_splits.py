"""Splits: the paper's sizes and rows, and no group in two folds."""

import json

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from tenfold.errors import InputError
from tenfold.urban.metrics import distribution_metrics
from tenfold.urban.splits import blocked_folds, blocked_splits, official_split


def boroughs(rows=660, count=33, seed=0):
    """Groups of very unequal size, by name, in no order."""
    rng = np.random.default_rng(seed)
    names = np.array([f"borough {i:02d}" for i in range(count)])
    return np.concatenate([names, rng.choice(names, rows - count, p=rng.dirichlet(np.full(count, 2.0)))])


@pytest.mark.parametrize(("rows", "sizes"), [(4994, (3595, 400, 999)), (6697, (4821, 536, 1340))])
def test_the_official_split_has_the_sizes_of_the_paper(rows, sizes):
    split = official_split(rows)
    assert tuple(map(len, split)) == sizes
    assert np.array_equal(np.sort(np.concatenate(split)), np.arange(rows))
    assert np.array_equal(split.test, official_split(rows).test)
    assert not np.array_equal(split.test, official_split(rows, seed=1).test)


@pytest.mark.parametrize("k", [2, 5, 7, 33])
def test_no_group_is_in_two_folds_and_each_is_tested_once(k):
    groups = boroughs()
    folds = blocked_folds(groups, k, seed=0)
    assert len(folds) == k
    for train, test in folds:
        assert set(groups[train]).isdisjoint(groups[test])
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(groups)))
    tested = [set(groups[test]) for _, test in folds]
    assert sum(map(len, tested)) == 33
    assert max(map(len, tested)) - min(map(len, tested)) <= 1


def test_folds_follow_the_seed_alone():
    groups = boroughs()
    one, two, three = (blocked_folds(groups, 5, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(one, two, strict=True))
    assert {tuple(test) for _, test in one} != {tuple(test) for _, test in three}


def test_blocked_splits_validate_on_whole_groups():
    groups = boroughs()
    for split, (train, test) in zip(blocked_splits(groups, 5, 0), blocked_folds(groups, 5, 0), strict=True):
        assert np.array_equal(split.test, test)
        assert np.array_equal(np.sort(np.concatenate([split.train, split.validation])), train)
        parts = [set(groups[part]) for part in split]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 33
        assert 0.05 < len(split.validation) / len(train) < 0.15


def test_validation_falls_back_to_rows_where_one_group_is_left_to_train():
    groups = np.repeat(["north", "south"], 50)
    for split in blocked_splits(groups, 2, 0):
        assert tuple(map(len, split)) == (45, 5, 50)
        assert set(groups[split.train]) == set(groups[split.validation]) != set(groups[split.test])


@pytest.mark.parametrize("k", [-1, 0, 1, 34])
def test_impossible_numbers_of_folds_are_refused(k):
    with pytest.raises(InputError, match=r"k = -?\d+ folds of 33 groups"):
        blocked_folds(boroughs(), k, 0)
    with pytest.raises(InputError, match="folds"):
        blocked_splits(boroughs(), k, 0)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(InputError, match="at least 5"):
        official_split(4)
    with pytest.raises(InputError, match="one row of labels"):
        blocked_folds(np.zeros((3, 2)), 2, 0)
    with pytest.raises(InputError, match="none can validate"):
        blocked_splits(["a", "b"], 2, 0)


@pytest.mark.mirror
def test_the_official_rows_and_the_two_controls_of_the_census_file(mirror):
    collection = json.loads((mirror / "calliper" / "london_lsoa_pwc_ns-sec.geojson").read_text(encoding="utf-8"))
    rows = [feature["properties"] for feature in collection["features"]]
    shares = np.array([[row[f"ns-sec_{k}"] for k in range(1, 10)] for row in rows])
    xy = np.array([feature["geometry"]["coordinates"] for feature in collection["features"]])
    split = official_split(len(rows))
    assert tuple(map(len, split)) == (3595, 400, 999)
    assert [rows[i]["lsoa21cd"] for i in split.test[:2]] == ["E01033920", "E01003810"]
    observed = shares[split.test]
    mean = np.tile(shares[split.train].mean(axis=0), (len(observed), 1))
    assert distribution_metrics(observed, mean)["kl"] == pytest.approx(0.07393, abs=5e-6)
    near = KNeighborsRegressor(10, weights="distance").fit(xy[split.train], shares[split.train]).predict(xy[split.test])
    assert distribution_metrics(observed, near)["kl"] == pytest.approx(0.02883, abs=5e-6)
