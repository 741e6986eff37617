"""Distances between distributions against closed forms, bounds and scikit-learn; macro scores without warnings."""

import math
import warnings

import numpy as np
import pytest
from scipy.stats import entropy

from tenfold.errors import InputError
from tenfold.urban.metrics import classification_metrics, distribution_metrics


def test_one_row_by_hand():
    scores = distribution_metrics([[0.5, 0.5, 0.0]], [[0.25, 0.5, 0.25]])
    assert scores == pytest.approx({"l1": 0.5, "chebyshev": 0.25, "kl": 0.5 * math.log(2)}, abs=1e-15)


def test_the_mean_runs_over_rows():
    target = np.array([[1.0, 0.0], [0.5, 0.5]])
    scores = distribution_metrics(target, [[0.5, 0.5], [0.5, 0.5]])
    assert scores == pytest.approx({"l1": 0.5, "chebyshev": 0.25, "kl": 0.5 * math.log(2)}, abs=1e-15)


def test_bounds_of_every_row_and_agreement_with_scipy():
    rng = np.random.default_rng(0)
    target, predicted = rng.dirichlet(np.full(9, 0.3), size=(2, 200))
    for y, p in zip(target, predicted, strict=True):
        scores = distribution_metrics(y[None], p[None])
        assert scores["kl"] == pytest.approx(entropy(y, p), rel=1e-9)
        assert scores["chebyshev"] <= scores["l1"] / 2 <= 1
        assert scores["l1"] ** 2 <= 2 * scores["kl"]  # Pinsker
    every = distribution_metrics(target, predicted)
    assert every["kl"] == pytest.approx(np.mean(entropy(target, predicted, axis=1)), rel=1e-12)


def test_kl_is_zero_only_for_equal_rows():
    rows = np.random.default_rng(1).dirichlet(np.ones(4), size=5)
    assert distribution_metrics(rows, rows) == {"l1": 0, "chebyshev": 0, "kl": 0}
    nearly = np.roll(rows, 1, axis=1) * 1e-4 + rows * (1 - 1e-4)
    assert distribution_metrics(rows, nearly)["kl"] > 0


def test_zeros_of_the_target_cost_nothing_and_zeros_predicted_cost_everything():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert distribution_metrics([[0.0, 1.0]], [[0.0, 1.0]])["kl"] == 0
        assert distribution_metrics([[0.0, 1.0]], [[0.5, 0.5]])["kl"] == pytest.approx(math.log(2))
        assert distribution_metrics([[0.5, 0.5]], [[0.0, 1.0]])["kl"] == math.inf


def test_half_precision_passes():
    rows = np.random.default_rng(2).dirichlet(np.ones(9), size=50)
    assert distribution_metrics(rows, rows.astype(np.float16))["l1"] < 2e-3


@pytest.mark.parametrize(
    ("target", "predicted", "word"),
    [
        ([[0.5, 0.5]], [[1.0, 0.0, 0.0]], "differ in shape"),
        ([[0.5, 0.5]], [[0.5, 0.5]] * 2, "differ in shape"),
        ([0.5, 0.5], [0.5, 0.5], "rows"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "rows"),
        ([[0.5, 0.5]], [[2.0, -1.0]], "row 0 of the predicted"),
        ([[0.5, 0.5], [3, 4]], [[0.5, 0.5]] * 2, "row 1 of the target"),
        ([[0.5, 0.5]], [[np.nan, 1.0]], "row 0 of the predicted"),
    ],
)
def test_what_is_no_distribution_is_refused(target, predicted, word):
    with pytest.raises(InputError, match=word):
        distribution_metrics(target, predicted)


def test_macro_scores_by_hand():
    scores = classification_metrics(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b"])
    expected = {"accuracy": 3 / 4, "precision": (1 + 2 / 3) / 2, "recall": (1 / 2 + 1) / 2, "f1": (2 / 3 + 4 / 5) / 2}
    assert scores == pytest.approx(expected)


def test_absent_classes_neither_warn_nor_count():
    target, predicted = [0, 0, 1, 1], [0, 0, 1, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert classification_metrics(target, predicted, range(10))["f1"] == 1
        # Predicted only, and observed only: each is a failure of its own.
        assert classification_metrics(target, [0, 0, 1, 2], range(10))["f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
        assert classification_metrics(target, [0, 0, 0, 0], range(10))["f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_macro_scores_are_those_of_scikit_learn():
    from sklearn.metrics import f1_score, precision_score, recall_score

    rng = np.random.default_rng(0)
    target, predicted = rng.integers(0, 7, size=(2, 300))
    scores = classification_metrics(target, predicted, range(7))
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert scores[name] == pytest.approx(score(target, predicted, average="macro"), rel=1e-12)


@pytest.mark.parametrize(
    ("target", "predicted", "word"), [(["a"], ["x"], "'x'"), (["a"], ["a", "a"], "equally long"), ([], [], "long")]
)
def test_bad_labels_are_refused(target, predicted, word):
    with pytest.raises(InputError, match=word):
        classification_metrics(target, predicted, ["a", "b"])
