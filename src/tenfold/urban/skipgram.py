"""Skip-gram with negative sampling, solved in expectation from the table of pairs instead of pair by pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit

from tenfold.errors import InputError
from tenfold.urban.surroundings import counts_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SkipGram:
    """Vectors of centres (A, D) and of contexts (C, D), and the objective per pair after each step."""

    centres: Array
    contexts: Array
    losses: Array


def skip_gram(
    pairs: ArrayLike,
    dims: int = 64,
    seed: int = 0,
    *,
    negatives: float = 5.0,
    smoothing: float = 0.75,
    ridge: float = 1.0,
    laplacian: ArrayLike | None = None,
    steps: int = 200,
) -> SkipGram:
    """Fit centre vectors u and context vectors v to weighted pair counts n (A, C).

    L = -(1/n) sum_ac [n_ac ln s(u_a.v_c) + K n_a P_c ln s(-u_a.v_c)] + (ridge/2n)(|U|^2 + |V|^2) + tr(U^T H U)
    with s the logistic function, K = `negatives`, P_c in proportion to (sum_a n_ac)^smoothing, H = `laplacian`
    (A, A). This is the mean of word2vec's objective over all its samples: classes are few, so A x C terms stand
    for millions of draws. Without ridge and Laplacian, and with D >= min(A, C), the minimum is the shifted
    mutual information u_a.v_c = ln(n_ac/(n_a P_c)) - ln K; the ridge, a Gaussian prior worth `ridge` pairs per
    vector, keeps pairs that never occur finite, where word2vec stops early. L-BFGS from small random vectors;
    deterministic in `seed`. Raises InputError for counts that are negative or all zero and for dims < 1.
    Source: Mikolov et al. 2013; Levy and Goldberg 2014 for the table.
    """
    n = counts_of(pairs).astype(float)
    if dims < 1 or not n.sum() > 0:
        raise InputError(f"skip-gram needs dims >= 1 and at least one pair, not dims = {dims}, {n.sum():g} pairs")
    noise = n.sum(axis=0) ** smoothing
    negative = negatives * np.outer(n.sum(axis=1), noise / noise.sum())
    objective = _Objective(n, negative, dims, ridge, laplacian)
    start = 0.1 * np.random.default_rng(seed).standard_normal(sum(n.shape) * dims)
    return objective.minimum(start, steps)


class _Objective:
    """The value of L and its slopes, for vectors laid out in one row: U first, then V."""

    def __init__(self, positive: Array, negative: Array, dims: int, ridge: float, laplacian: ArrayLike | None):
        total = positive.sum()
        self.positive, self.both = positive / total, (positive + negative) / total
        self.shape, self.ridge = (sum(positive.shape), dims), ridge / total
        self.laplacian = None if laplacian is None else np.asarray(laplacian, dtype=float)

    def parts(self, flat: Array) -> tuple[Array, Array]:
        vectors = flat.reshape(self.shape)
        return vectors[: len(self.positive)], vectors[len(self.positive) :]

    def __call__(self, flat: Array) -> tuple[float, Array]:
        u_AD, v_CD = self.parts(flat)
        score_AC = u_AD @ v_CD.T
        # -n ln s(x) - m ln s(-x) = (n + m) ln(1 + e^x) - n x
        value = np.vdot(self.both, np.logaddexp(0, score_AC)) - np.vdot(self.positive, score_AC)
        slope_AC = self.both * expit(score_AC) - self.positive
        slope_U, slope_V = slope_AC @ v_CD, slope_AC.T @ u_AD
        if self.laplacian is not None:
            pull = self.laplacian @ u_AD
            value, slope_U = value + np.vdot(u_AD, pull), slope_U + 2 * pull
        slopes = np.concatenate([slope_U.ravel(), slope_V.ravel()])
        return value + 0.5 * self.ridge * np.vdot(flat, flat), slopes + self.ridge * flat

    def minimum(self, start: Array, steps: int) -> SkipGram:
        losses = [self(start)[0]]

        def record(intermediate_result: OptimizeResult) -> None:
            losses.append(float(intermediate_result.fun))

        found = minimize(self, start, jac=True, method="L-BFGS-B", callback=record, options={"maxiter": steps})
        return SkipGram(*self.parts(found.x), np.array(losses))
