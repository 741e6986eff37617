"""Prior densities and their maps from the unit cube."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from tenfold.errors import InputError, unknown

Mask = Callable[[NDArray], NDArray]


@dataclass(frozen=True)
class Uniform:
    """p(x) = 1/(high - low) for low <= x <= high. Raises InputError unless low < high, both finite."""

    low: float
    high: float
    dim = 1

    def __post_init__(self):
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise InputError(f"a uniform prior needs finite low < high, not ({self.low}, {self.high})")

    def from_unit(self, u: NDArray) -> NDArray:
        """x = low + (high - low) u."""
        return self.low + (self.high - self.low) * u

    def to_unit(self, x: NDArray) -> NDArray:
        """u = (x - low)/(high - low)."""
        return (x - self.low) / (self.high - self.low)

    def log_density(self, x: NDArray) -> NDArray:
        """ln p for x of shape (P, 1)."""
        inside = (x[:, 0] >= self.low) & (x[:, 0] <= self.high)
        return np.where(inside, -np.log(self.high - self.low), -np.inf)

    def bounds(self) -> list[tuple[float, float]]:
        """The range that holds all the mass."""
        return [(self.low, self.high)]


@dataclass(frozen=True, eq=False)
class Normal:
    """A joint Gaussian p(x) = N(x; mean, covariance) of several parameters, x = mean + C^(1/2) Phi^-1(u).

    Raises InputError unless the covariance (d, d) is symmetric and positive definite.
    """

    mean: ArrayLike
    covariance: ArrayLike

    def __post_init__(self):
        mean, covariance = np.atleast_1d(np.asarray(self.mean, float)), np.atleast_2d(self.covariance)
        if covariance.shape != (mean.size, mean.size) or not np.allclose(covariance, covariance.T):
            raise InputError(f"covariance {covariance.shape} of a Gaussian prior in {mean.size} dimensions")
        try:
            root = np.linalg.cholesky(covariance.astype(float))
        except np.linalg.LinAlgError as error:
            raise InputError("the covariance of a Gaussian prior is not positive definite") from error
        for key, value in (("mean", mean), ("covariance", covariance), ("_root", root)):
            object.__setattr__(self, key, value)

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return self.mean.size

    def from_unit(self, u: NDArray) -> NDArray:
        """x = mean + C^(1/2) Phi^-1(u)."""
        # A Sobol point may be 0 exactly, whose normal quantile is infinite.
        return self.mean + ndtri(np.clip(u, 1e-300, 1 - 1e-16)) @ self._root.T

    def to_unit(self, x: NDArray) -> NDArray:
        """u = Phi(C^(-1/2) (x - mean))."""
        return ndtr(self._whiten(x))

    def log_density(self, x: NDArray) -> NDArray:
        """ln p for x of shape (P, dim)."""
        norm = np.log(np.diag(self._root)).sum() + 0.5 * self.dim * np.log(2 * np.pi)
        return -0.5 * (self._whiten(x) ** 2).sum(axis=1) - norm

    def bounds(self) -> list[tuple[float, float]]:
        """Mean and five standard deviations on either side."""
        reach = 5 * np.sqrt(np.diag(self.covariance))
        return [(float(m - s), float(m + s)) for m, s in zip(self.mean, reach, strict=True)]

    def _whiten(self, x: NDArray) -> NDArray:
        return np.linalg.solve(self._root, (x - self.mean).T).T


@dataclass(frozen=True, eq=False)
class Prior:
    """A prior over named parameters: independent blocks, restricted to an allowed region.

    blocks: {name: (low, high) or Uniform} and {(name, name, ...): Normal}, in the order of the parameters.
    allowed: mask (P, dim) -> (P,) of bool; outside it the prior is zero. `log_density` is that of the
    blocks: it is not renormalised over the allowed region, whose volume the sampler measures.
    Raises InputError for an empty or repeated set of names, or bounds that are none.
    """

    blocks: Mapping
    allowed: Mask | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self):
        blocks = {_key(name): _block(name, block) for name, block in dict(self.blocks).items()}
        names = tuple(name for key in blocks for name in key)
        if not names or len(set(names)) != len(names):
            raise InputError(f"a prior needs parameters with distinct names, not {names}")
        for key, block in blocks.items():
            if block.dim != len(key):
                raise InputError(f"prior of {', '.join(key)}: {len(key)} names but {block.dim} dimensions")
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "names", names)

    @classmethod
    def of(cls, prior: Prior | Mapping | Sequence) -> Prior:
        """Return a Prior from a Prior, a mapping of names to bounds, or a sequence of (low, high) pairs."""
        if isinstance(prior, Prior):
            return prior
        if isinstance(prior, Mapping):
            return cls(prior)
        pairs = np.asarray(prior, float)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise InputError(f"a prior is a mapping of names to bounds or a list of pairs, not {prior!r}")
        return cls({f"x{i}": tuple(pair) for i, pair in enumerate(pairs.tolist())})

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self.names)

    def from_unit(self, u: ArrayLike) -> NDArray:
        """Map points (..., dim) of the unit cube to parameters; the map carries uniform to prior density."""
        return self._map("from_unit", u)

    def to_unit(self, theta: ArrayLike) -> NDArray:
        """Map parameters (..., dim) to the unit cube: the inverse of `from_unit`."""
        return self._map("to_unit", theta)

    def log_density(self, theta: ArrayLike) -> NDArray | float:
        """Return ln p(theta) for (..., dim) -> (...); -inf outside the bounds or the allowed region."""
        rows = self._rows(theta)
        total = np.sum([block.log_density(rows[:, at]) for at, block in self._slices()], axis=0)
        total = np.where(self.is_allowed(rows), total, -np.inf)
        return total.reshape(np.shape(theta)[:-1])[()]

    def is_allowed(self, theta: ArrayLike) -> NDArray:
        """Return the mask (P,) of the allowed region for parameters (P, dim)."""
        rows = self._rows(theta)
        return np.ones(len(rows), bool) if self.allowed is None else np.asarray(self.allowed(rows), bool)

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Return the range of each parameter (five standard deviations for a Gaussian): axes of a plot."""
        pairs = [pair for block in self.blocks.values() for pair in block.bounds()]
        return dict(zip(self.names, pairs, strict=True))

    def with_bounds(self, **bounds: tuple[float, float]) -> Prior:
        """Return the prior with other bounds for the named uniform parameters; InputError for the others."""
        blocks = dict(self.blocks)
        for name, pair in bounds.items():
            if name not in self.names:
                raise unknown("parameter", name, self.names)
            if (name,) not in blocks or not isinstance(blocks[(name,)], Uniform):
                raise InputError(f"'{name}' has a joint Gaussian prior, which takes no bounds")
            blocks[(name,)] = _block(name, pair)
        return replace(self, blocks=blocks)

    def _slices(self):
        start = 0
        for block in self.blocks.values():
            yield slice(start, start + block.dim), block
            start += block.dim

    def _map(self, method: str, points: ArrayLike) -> NDArray:
        rows = self._rows(points)
        out = np.empty_like(rows)
        for at, block in self._slices():
            out[:, at] = getattr(block, method)(rows[:, at])
        return out.reshape(np.shape(points))

    def _rows(self, points: ArrayLike) -> NDArray:
        points = np.asarray(points, float)
        if points.ndim == 0 or points.shape[-1] != self.dim:
            raise InputError(f"points of shape {points.shape}, but the prior is over {', '.join(self.names)}")
        return points.reshape(-1, self.dim)


def _key(name: str | tuple[str, ...]) -> tuple[str, ...]:
    return (name,) if isinstance(name, str) else tuple(name)


def _block(name: str | tuple[str, ...], block: object) -> Uniform | Normal:
    if isinstance(block, Uniform | Normal):
        return block
    try:
        low, high = (float(end) for end in block)
    except (TypeError, ValueError) as error:
        raise InputError(f"prior of {name}: bounds are a pair (low, high), not {block!r}") from error
    return Uniform(low, high)
