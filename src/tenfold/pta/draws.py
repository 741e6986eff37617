"""The points of an importance sampler: where they are, what they weigh, where the next ones should fall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import qmc

from tenfold.errors import InputError
from tenfold.pta.mixture import StudentMixture
from tenfold.pta.posterior import Posterior, systematic
from tenfold.pta.prior import Prior

LogLikelihood = Callable[[NDArray], ArrayLike]

FIT_POINTS = 4000


@dataclass
class Draws:
    """All points so far in unit-cube coordinates, their ln L, and the proposals they came from."""

    log_likelihood: LogLikelihood
    prior: Prior
    points: NDArray = field(init=False)
    values: NDArray = field(init=False)
    n_prior: int = 0
    n_allowed: int = 0
    proposals: list[tuple[int, StudentMixture]] = field(default_factory=list)

    def __post_init__(self):
        self.points, self.values = np.empty((0, self.prior.dim)), np.empty(0)

    def add_prior(self, u: NDArray) -> None:
        """Add points (P, D) spread evenly over the cube."""
        self.n_prior += len(u)
        self.n_allowed += self._add(u)

    def add_mixture(self, mixture: StudentMixture, n: int, rng: np.random.Generator) -> None:
        """Draw n points from a mixture and add them."""
        u = mixture.sample(n, rng)
        self.proposals.append((n, mixture))
        # Draws outside the cube have zero prior: they count in n and add nothing.
        self._add(u[np.all((u >= 0) & (u <= 1), axis=1)])

    def _add(self, u: NDArray) -> int:
        """Evaluate points of the cube, keep them, and return how many are allowed."""
        theta = self.prior.from_unit(u)
        values = np.full(len(u), -np.inf)
        allowed = self.prior.is_allowed(theta)
        values[allowed] = evaluate(self.log_likelihood, theta if allowed.all() else theta[allowed])
        self.points, self.values = np.concatenate([self.points, u]), np.concatenate([self.values, values])
        return int(allowed.sum())

    def finite(self) -> NDArray:
        """Indices of the points with a finite likelihood."""
        index = np.flatnonzero(np.isfinite(self.values))
        if not index.size:
            raise InputError(f"ln L is -inf at all {len(self.values)} points drawn: is the prior where the data are?")
        return index

    def log_weights(self, index: NDArray) -> NDArray:
        """ln [L/q] with the deterministic mixture q of everything drawn so far."""
        total = self.n_prior + sum(n for n, _ in self.proposals)
        density = np.full(len(index), float(self.n_prior))
        for n, mixture in self.proposals:
            density += n * mixture.density(self.points[index])
        return self.values[index] - np.log(density / total)

    def posterior(self) -> Posterior:
        """Return the normalised weights and the evidence of all points so far."""
        index = self.finite()
        log_weights = self.log_weights(index)
        total = self.n_prior + sum(n for n, _ in self.proposals)
        top = log_weights.max()
        weights = np.exp(log_weights - top)
        mean = weights.sum() / total
        volume = self.n_allowed / self.n_prior
        variance = np.maximum((weights @ weights) / total - mean**2, 0) / total / mean**2
        weights /= weights.sum()
        index, weights = index[weights > 0], weights[weights > 0]
        return Posterior(
            names=self.prior.names,
            samples=self.prior.from_unit(self.points[index]),
            weights=weights,
            log_likelihoods=self.values[index],
            log_evidence=float(top + np.log(mean) - np.log(volume)),
            log_evidence_error=float(np.sqrt(variance + (1 - volume) / (volume * self.n_prior))),
            ess=float(1 / (weights @ weights)),
            evaluations=len(self.values),
        )


def proposal(draws: Draws, components: int, rng: np.random.Generator) -> StudentMixture:
    """Fit a mixture to the draws, resampled by weight, or by a power of it where few points carry it all."""
    index = draws.finite()
    log_weights = draws.log_weights(index)
    weights = np.exp(tempering(log_weights, 25 * components) * (log_weights - log_weights.max()))
    points = draws.points[index[systematic(weights, FIT_POINTS, rng)]]
    return StudentMixture.fit(points, components, int(rng.integers(2**31)))


def tempering(log_weights: NDArray, wanted: float) -> float:
    """Return the largest power b <= 1 for which the weights w^b have an effective number >= wanted."""

    def effective(power: float) -> float:
        weights = np.exp(power * (log_weights - log_weights.max()))
        return weights.sum() ** 2 / (weights @ weights)

    wanted = min(wanted, 0.5 * len(log_weights))
    low, high = 0.0, 1.0
    if effective(high) >= wanted:
        return high
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= wanted else (low, middle)
    return low


def sobol_points(sobol: qmc.Sobol, n: int) -> NDArray:
    """Return the first n points rounded up to a power of two, or as many again: only those are balanced."""
    drawn = sobol.num_generated
    return sobol.random_base2(int(np.log2(drawn)) if drawn else int(np.ceil(np.log2(n))))


def evaluate(log_likelihood: LogLikelihood, theta: NDArray) -> NDArray:
    """Return ln L (P,) at (P, D); InputError for another shape, NaN or +inf."""
    if not len(theta):
        return np.empty(0)
    values = np.asarray(log_likelihood(theta), float)
    if values.shape != (len(theta),):
        raise InputError(f"the likelihood of points {theta.shape} must be ({len(theta)},), not {values.shape}")
    bad = np.isnan(values) | (values == np.inf)
    if bad.any():
        raise InputError(f"the likelihood is {values[bad][0]} at {theta[bad][0].tolist()}")
    return values
