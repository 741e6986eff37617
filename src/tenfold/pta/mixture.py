"""A heavy-tailed mixture that follows weighted points: the proposal density of the importance sampler."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

WIDEN = 1.3  # factor on the fitted covariances
FREEDOM = 5.0  # degrees of freedom of the tails
_BLOCK = 8192


@dataclass(frozen=True)
class StudentMixture:
    """q(u) = sum_j w_j t_nu(u; m_j, S_j), nu = 5, on R^D.

    Shapes: weights (J,), means (J, D), roots (J, D, D): lower Cholesky factors of the scale matrices S_j.
    """

    weights: NDArray
    means: NDArray
    roots: NDArray

    @classmethod
    def fit(cls, points: NDArray, components: int, seed: int) -> StudentMixture:
        """Fit Gaussians to equally weighted points (P, D) and widen each covariance by 1.3."""
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        centre, spread = points.mean(axis=0), np.maximum(points.std(axis=0), 1e-9)
        model = GaussianMixture(
            min(components, len(np.unique(points, axis=0))),
            init_params="k-means++",
            max_iter=60,
            tol=1e-3,
            reg_covar=1e-5,
            random_state=seed,
        )
        # One thread: sums over threads come in no fixed order, and the same seed must give the same bits.
        with threadpool_limits(1), np.errstate(all="ignore"):
            _quiet_fit(model, (points - centre) / spread)
        roots = np.linalg.cholesky(WIDEN * model.covariances_) * spread[:, None]
        return cls(model.weights_, centre + spread * model.means_, roots)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray:
        """Draw (n, D) points."""
        which = rng.choice(len(self.weights), n, p=self.weights)
        normal = rng.standard_normal((n, self.means.shape[1]))
        normal *= np.sqrt(FREEDOM / rng.chisquare(FREEDOM, n))[:, None]
        out = self.means[which]
        for j, root in enumerate(self.roots):
            chosen = which == j
            out[chosen] += normal[chosen] @ root.T
        return out

    def density(self, points: NDArray) -> NDArray:
        """Return q (P,) at points (P, D); in blocks, so that temporaries stay in cache."""
        out = np.zeros(len(points))
        dim = points.shape[1]
        inverse = np.linalg.inv(self.roots)
        norm = gammaln((FREEDOM + dim) / 2) - gammaln(FREEDOM / 2) - 0.5 * dim * np.log(FREEDOM * np.pi)
        height = self.weights * np.exp(norm - np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1))
        for start in range(0, len(points), _BLOCK):
            block = points[start : start + _BLOCK].T
            for mean, root, top in zip(self.means, inverse, height, strict=True):
                distance = ((root @ (block - mean[:, None])) ** 2).sum(axis=0)
                out[start : start + _BLOCK] += top * np.exp(-0.5 * (FREEDOM + dim) * np.log1p(distance / FREEDOM))
        return out


def _quiet_fit(model, points: NDArray) -> None:
    import warnings

    # A proposal need not be the best fit: importance weights put right what the iteration left.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(points)
