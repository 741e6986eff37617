"""Weighted posterior samples and what is read off them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError, unknown

MIN_ESS = 2000
MAX_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior samples with weights that sum to one; points of zero posterior are left out.

    samples (M, D) in parameter space, weights (M,), log_likelihoods (M,), names of the D parameters.
    log_evidence is ln Z with its standard error (nan where the sampler gives none); ess is
    1/sum w^2 (importance sampling) or M/tau (chains); evaluations counts likelihood calls.
    """

    names: tuple[str, ...]
    samples: NDArray
    weights: NDArray
    log_likelihoods: NDArray
    log_evidence: float
    log_evidence_error: float
    ess: float
    evaluations: int

    @property
    def max_weight(self) -> float:
        """Largest normalised weight: the diagnostic of the tails, below 1e-3 when all is well."""
        return float(self.weights.max())

    @property
    def max_log_likelihood(self) -> float:
        """Largest ln L among the samples."""
        return float(self.log_likelihoods.max())

    @property
    def best(self) -> NDArray:
        """Parameters (D,) of the largest likelihood among the samples."""
        return self.samples[int(np.argmax(self.log_likelihoods))]

    @property
    def ok(self) -> bool:
        """Whether there are at least 2000 effective samples and no weight exceeds 1e-3."""
        return bool(self.ess >= MIN_ESS and self.max_weight < MAX_WEIGHT)

    @property
    def mean(self) -> NDArray:
        """Posterior means (D,)."""
        return self.weights @ self.samples

    @property
    def covariance(self) -> NDArray:
        """Posterior covariance (D, D)."""
        centred = self.samples - self.mean
        return (self.weights[:, None] * centred).T @ centred

    def column(self, name: str) -> NDArray:
        """Return the samples (M,) of one parameter."""
        if name not in self.names:
            raise unknown("parameter", name, self.names)
        return self.samples[:, self.names.index(name)]

    def quantile(self, name_or_values: str | ArrayLike, q: ArrayLike) -> NDArray | float:
        """Return weighted quantiles of a parameter, or of any quantity (M,) computed from the samples."""
        values = self._values(name_or_values)
        order = np.argsort(values, kind="stable")
        weights = self.weights[order]
        # Half of each point's weight lies below it: symmetric, and exact in the limit of equal weights.
        cumulative = np.cumsum(weights) - 0.5 * weights
        return np.interp(q, cumulative, values[order])[()]

    def median(self, name_or_values: str | ArrayLike) -> float:
        """Return the weighted median."""
        return float(self.quantile(name_or_values, 0.5))

    def probability(self, mask: ArrayLike) -> float:
        """Return the posterior probability of a condition on the samples, mask (M,) of bool."""
        return float(self.weights[np.asarray(mask, bool)].sum())

    def resample(self, n: int, seed: int | np.random.Generator = 0) -> NDArray:
        """Return n equally weighted samples (n, D), drawn systematically in random order."""
        rng = np.random.default_rng(seed)
        return self.samples[rng.permutation(systematic(self.weights, n, rng))]

    def _values(self, name_or_values: str | ArrayLike) -> NDArray:
        if isinstance(name_or_values, str):
            return self.column(name_or_values)
        values = np.asarray(name_or_values, float)
        if values.shape != self.weights.shape:
            raise InputError(f"values of shape {values.shape} do not fit {self.weights.size} samples")
        return values


def systematic(weights: NDArray, n: int, rng: np.random.Generator) -> NDArray:
    """Return n indices drawn in proportion to `weights` (M,): each w n times, rounded up or down."""
    cumulative = np.cumsum(weights)
    points = (np.arange(n) + rng.random()) / n * cumulative[-1]
    return np.minimum(np.searchsorted(cumulative, points, side="right"), len(weights) - 1)
