"""EL2N in closed form, and what the subsets promise: sizes, order, nesting, balance."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.sparsity.hardness import balanced_subset, easy_subset, el2n, hard_subset, random_subset

OFFICIAL = [0, 7, 3, 9, 6]  # RandomState(12345).choice(10, 5, replace=False)


@pytest.fixture
def drawn():
    """Logits (5, 200, 10) of five models that are right more often than not, and targets."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 10, 200)
    logits = rng.normal(0, 1, (5, 200, 10))
    logits[:, np.arange(200), targets] += rng.normal(1.5, 1.5, 200)
    return logits, targets


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_el2n_in_closed_form(classes):
    uniform, sure = np.zeros((1, classes)), 1e4 * np.eye(classes)[:1]
    assert el2n(uniform, [0]).item() == pytest.approx(np.sqrt(1 - 1 / classes), abs=1e-12)
    assert el2n(sure, [0]).item() == 0
    assert el2n(sure, [1]).item() == pytest.approx(np.sqrt(2), abs=1e-12)


def test_el2n_is_the_length_of_the_error(drawn):
    logits, targets = drawn
    p = np.exp(logits[0]) / np.exp(logits[0]).sum(1, keepdims=True)
    expected = np.linalg.norm(p - np.eye(10)[targets], axis=1)
    scores = el2n(torch.tensor(logits[0]), torch.tensor(targets))
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    np.testing.assert_allclose(el2n(logits[0], targets, squared=True), expected**2, rtol=1e-12)
    np.testing.assert_allclose(el2n(logits[0] + 7, targets), expected, rtol=1e-9)
    assert ((scores >= 0) & (scores < np.sqrt(2))).all()


def test_models_are_averaged_after_the_root(drawn):
    logits, targets = drawn
    each = torch.stack([el2n(one, targets) for one in logits])
    squares = torch.stack([el2n(one, targets, squared=True) for one in logits])
    torch.testing.assert_close(el2n(logits, targets), each.mean(0))
    torch.testing.assert_close(el2n(logits, targets, squared=True), squares.mean(0))
    order, other = (scores.mean(0).argsort().tolist() for scores in (each, squares))
    assert order != other  # the square changes the order of means, not that of one model
    assert each[0].argsort().tolist() == squares[0].argsort().tolist()


def test_hard_samples_are_hard(drawn):
    logits, targets = drawn
    scores = el2n(logits, targets)
    right = torch.from_numpy(logits.mean(0).argmax(1) == targets).double()
    assert right[hard_subset(scores, 0.3)].mean() < right.mean() < right[easy_subset(scores, 0.3)].mean()


@pytest.mark.parametrize("subset", [hard_subset, easy_subset])
def test_subsets_are_nested_and_as_large_as_said(drawn, subset):
    scores = el2n(*drawn)
    ratios = (0.013, 0.1, 0.29, 0.5, 0.999, 1.0)
    chosen = [subset(scores, ratio).tolist() for ratio in ratios]
    assert [len(rows) for rows in chosen] == [int(200 * ratio) for ratio in ratios]
    for few, many in pairwise(chosen):
        assert many[: len(few)] == few
    means = [scores[rows].mean().item() for rows in chosen]
    assert means == sorted(means, reverse=subset is hard_subset)


def test_ties_go_by_index():
    scores = torch.tensor([1, 3, 2, 3, 1, 3, 2, 1])
    assert hard_subset(scores, 1).tolist() == [1, 3, 5, 2, 6, 0, 4, 7]
    assert easy_subset(scores, 1).tolist() == [0, 4, 7, 2, 6, 1, 3, 5]
    assert hard_subset(np.zeros(1000), 0.5).tolist() == list(range(500))


def test_the_random_subset_is_that_of_the_official_rule():
    assert random_subset(10, 0.5).tolist() == OFFICIAL
    np.testing.assert_array_equal(
        random_subset(45_000, 0.3), np.random.RandomState(12345).choice(45_000, 13_500, replace=False)
    )
    assert random_subset(10, 0.5, seed=1).tolist() != OFFICIAL
    assert sorted(random_subset(10, 1.0)) == list(range(10))


def test_a_balanced_subset_keeps_the_proportions():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    scores = rng.random(1000) + labels  # class 2 is the hardest: the plain subset holds nothing else
    assert np.bincount(labels[hard_subset(scores, 0.1)], minlength=3).tolist() == [0, 0, 100]
    rows = balanced_subset(scores, labels, 0.1)
    assert np.bincount(labels[rows], minlength=3).tolist() == [60, 30, 10]
    assert (np.diff(scores[rows]) < 0).all()
    for label in range(3):
        own = np.flatnonzero(labels == label)
        best = own[np.argsort(-scores[own])][: (labels[rows] == label).sum()]
        assert set(best) == set(rows[labels[rows] == label])


def test_a_small_class_waits_for_half_its_share():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    counts = [np.bincount(labels[balanced_subset(labels, labels, n / 100)], minlength=3).tolist() for n in (1, 4, 7)]
    assert counts == [[1, 0, 0], [3, 1, 0], [4, 2, 1]]


def test_balanced_subsets_are_nested():
    rng = np.random.default_rng(2)
    scores, labels = rng.random(97), rng.integers(0, 7, 97)
    previous: set = set()
    for count in range(1, 98):
        rows = set(balanced_subset(scores, labels, (count + 0.5) / 97 if count < 97 else 1).tolist())
        assert len(rows) == count and previous < rows
        previous = rows


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: el2n(np.zeros((3, 2)), [0, 1]), r"logits \(N, C\)"),
        (lambda: el2n(np.zeros((0, 2)), []), r"logits \(N, C\)"),
        (lambda: el2n(np.zeros((2, 2)), [0, 2]), "class number from 0 to 1"),
        (lambda: el2n(np.zeros((2, 2)), [0, -1]), "class number from 0 to 1"),
        (lambda: el2n([[0.0, np.inf]], [0]), "not all finite"),
        (lambda: hard_subset([1.0, 2.0], 0), r"in \(0, 1\]"),
        (lambda: hard_subset([1.0, 2.0], float("nan")), r"in \(0, 1\]"),
        (lambda: easy_subset([1.0, 2.0], 1.1), r"in \(0, 1\]"),
        (lambda: random_subset(10, 0.05), "keeps none"),
        (lambda: hard_subset([1.0, np.nan], 1), "without NaN"),
        (lambda: hard_subset([[1.0]], 1), "one row"),
        (lambda: balanced_subset([1.0, 2.0], [0], 1), "as many labels"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, word):
    with pytest.raises(InputError, match=word) as caught:
        call()
    assert "\n" not in str(caught.value)
