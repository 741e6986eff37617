"""Skip-gram in expectation: its closed-form minimum, its slopes, and the sampled objective it stands for."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import expit

from tenfold.errors import InputError
from tenfold.urban.skipgram import _Objective, skip_gram

PAIRS = np.random.default_rng(0).integers(2, 40, (6, 5)).astype(float)


def shifted_information(pairs, negatives, smoothing):
    noise = pairs.sum(axis=0) ** smoothing
    return np.log(pairs / np.outer(pairs.sum(axis=1), noise / noise.sum())) - np.log(negatives)


@pytest.mark.parametrize(("negatives", "smoothing"), [(5, 0.75), (1, 1.0)])
def test_minimum_is_shifted_mutual_information(negatives, smoothing):
    options = {"negatives": negatives, "smoothing": smoothing, "ridge": 0.0, "steps": 3000}
    found = skip_gram(PAIRS, dims=8, **options)
    expected = shifted_information(PAIRS, negatives, smoothing)
    np.testing.assert_allclose(found.centres @ found.contexts.T, expected, atol=0.02)
    assert np.ptp(expected) > 1


def test_objective_is_the_mean_of_sampled_pairs_and_negatives():
    """Word2vec's own procedure at fixed vectors: draw a pair, draw negatives, average."""
    rng = np.random.default_rng(1)
    u, v = rng.standard_normal((6, 3)), rng.standard_normal((5, 3))
    noise = PAIRS.sum(axis=0) ** 0.75
    noise /= noise.sum()
    exact, _ = _Objective(PAIRS, 5 * np.outer(PAIRS.sum(axis=1), noise), 3, 0.0, None)(np.r_[u.ravel(), v.ravel()])
    centre, context = np.divmod(rng.choice(30, 200_000, p=PAIRS.ravel() / PAIRS.sum()), 5)
    score = u @ v.T
    sample = -np.log(expit(score[centre, context]))
    sample -= np.log(expit(-score[centre[:, None], rng.choice(5, (200_000, 5), p=noise)])).sum(axis=1)
    error = sample.std() / np.sqrt(len(sample))
    assert abs(exact - sample.mean()) < 4 * error < 0.03 * exact


def test_slopes_equal_differences():
    rng = np.random.default_rng(2)
    pull = rng.standard_normal((6, 6))
    objective = _Objective(PAIRS, 2 * PAIRS[:, ::-1], 3, 4.0, pull @ pull.T)
    point = rng.standard_normal(33)
    assert check_grad(lambda x: objective(x)[0], lambda x: objective(x)[1], point) < 1e-5
    assert np.linalg.norm(objective(point)[1]) > 1


def test_zero_vectors_cost_six_times_ln_2():
    value, _ = _Objective(PAIRS, 5 * PAIRS, 2, 1.0, None)(np.zeros(22))
    assert value == pytest.approx(6 * np.log(2))


def test_loss_falls_at_every_step():
    losses = skip_gram(PAIRS, dims=4, ridge=0.0, steps=50).losses
    assert len(losses) > 10 and (np.diff(losses) < 0).all()


def test_ridge_shrinks_and_bounds_pairs_that_never_occur():
    pairs = np.where(np.eye(6, 5, dtype=bool), 0, PAIRS)
    norms = [np.linalg.norm(skip_gram(pairs, 8, ridge=ridge, steps=400).centres) for ridge in (0.1, 1, 10)]
    assert norms[0] > 1.2 * norms[1] > 1.44 * norms[2] > 0
    assert np.isfinite(skip_gram(pairs, 8, steps=2000).centres).all()


def test_a_laplacian_draws_rows_together():
    joined = np.zeros((6, 6))
    joined[:2, :2] = [[1, -1], [-1, 1]]
    apart, near = (
        np.linalg.norm(np.diff(skip_gram(PAIRS, 8, laplacian=weight * joined).centres[:2], axis=0))
        for weight in (0.0, 0.1)
    )
    assert near < 0.2 * apart


def test_one_seed_one_answer():
    first, again, other = (skip_gram(PAIRS, 4, seed=seed, steps=20).centres for seed in (0, 0, 1))
    assert (first == again).all() and not np.allclose(first, other)


def test_nothing_to_learn_is_refused():
    for call in (lambda: skip_gram(np.zeros((3, 3))), lambda: skip_gram(PAIRS, dims=0)):
        with pytest.raises(InputError, match="at least one pair"):
            call()
    with pytest.raises(InputError, match="not negative: row 0"):
        skip_gram(-PAIRS)
