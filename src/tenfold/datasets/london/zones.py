"""Zones of the simulated city: eight kinds of place, mixed smoothly, laid out from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from tenfold.datasets.london.raster import places, product

Array = NDArray[np.float64]

ZONES = ("centre", "high street", "dense homes", "suburb", "industry", "park", "campus and health", "transport hub")

CENTRE = (531_000.0, 180_700.0)  # between Charing Cross and the Bank of England

# Score at the centre, and its rise per 10 km away from it: homes thin out, green belt begins.
BASE = np.array([-1.0, -0.7, 0.8, 0.3, -0.5, -0.9, -0.9, -1.1])
TREND = np.array([-1.2, -0.2, -0.4, 0.45, 0.1, 0.45, 0.0, -0.1])

# Industry lies along the tidal Thames, the Lea valley, and to the west at Park Royal and Heathrow: E and N in km.
INDUSTRY = np.array(
    [
        [536.5, 539.8, 543.0, 546.2, 549.3, 552.3, 551.5, 536.8, 535.4, 535.8, 519.8, 507.6],
        [179.5, 179.6, 180.4, 182.0, 182.2, 180.2, 177.5, 185.5, 190.0, 194.0, 182.8, 176.0],
    ]
).T

_TEMPERATURE = 0.55
_CHUNK = 4096  # rows whose bumps (rows, bumps) stay in cache


@dataclass(frozen=True)
class Bumps:
    """Gaussian bumps in the scores of zones: zone (J,), centre (J, 2) m, radii (J, 2) m along and across an angle."""

    zone: NDArray[np.intp]
    centre: Array
    radii: Array
    angle: Array
    height: Array


class Zones:
    """How much a place belongs to each zone, w_k(x) = softmax_k(s_k(x) / tau).

    s_k(x) = base_k + trend_k |x - centre| / 10 km + sum_j h_j exp(-(u_j^2 / a_j^2 + v_j^2 / b_j^2) / 2), where (u, v)
    are metres along and across bump j of zone k and radii a, b lie in 0.5..8 km. High streets point at the centre.
    `outline` is the city's polygon in EPSG:27700; the seed places the bumps.
    """

    names = ZONES

    def __init__(self, outline: shapely.Geometry, seed: int = 0):
        self.bumps = bumps = _layout(outline, np.random.default_rng([seed, 1]))
        self._forms = _forms(bumps)
        self._heights = np.where(bumps.zone[:, None] == np.arange(len(ZONES)), bumps.height[:, None], 0.0)

    def __call__(self, xy: ArrayLike) -> Array:
        """Return w (N, 8), rows that sum to 1, at coordinates (N, 2) in metres; InputError unless finite."""
        xy = places(xy)
        scores = np.concatenate([self._scores(xy[i : i + _CHUNK]) for i in range(0, max(len(xy), 1), _CHUNK)])
        weights = np.exp((scores - scores.max(axis=1, keepdims=True)) / _TEMPERATURE)
        return weights / weights.sum(axis=1, keepdims=True)

    def _scores(self, xy: Array) -> Array:
        bumps = np.exp(product(_quadratic(xy), self._forms))
        return BASE + TREND * radius(xy)[:, None] / 10_000 + product(bumps, self._heights)


def radius(xy: Array) -> Array:
    """Return the distance (N,) of places (N, 2) to the centre, in metres."""
    return np.hypot(*(xy - np.array(CENTRE)).T)


def _quadratic(xy: Array) -> Array:
    """Return 1, x, y, x^2, xy, y^2 (N, 6) of places, in km from the centre, where little cancels."""
    x, y = (xy - np.array(CENTRE)).T / 1000
    return np.column_stack([np.ones(len(x)), x, y, x * x, x * y, y * y])


def _forms(bumps: Bumps) -> Array:
    """Return the exponents of bumps as polynomials (6, J): one product with a place's powers tells them all."""
    x, y = (bumps.centre - np.array(CENTRE)).T / 1000
    cos, sin = np.cos(bumps.angle), np.sin(bumps.angle)
    along, across = (bumps.radii.T / 1000) ** -2
    xx, yy = along * cos**2 + across * sin**2, along * sin**2 + across * cos**2
    xy = (along - across) * sin * cos
    constant = xx * x * x + 2 * xy * x * y + yy * y * y
    return -0.5 * np.stack([constant, -2 * (xx * x + xy * y), -2 * (xy * x + yy * y), xx, 2 * xy, yy])


def _layout(outline: shapely.Geometry, rng: np.random.Generator) -> Bumps:
    """Lay out some 330 bumps: fixed is what the real city has in one place, seeded is all else."""
    sites = _Sites(outline, rng)
    towns = sites.take(12, spacing=4500, near=5000, far=20_000)
    streets = sites.take(120, spacing=1500, scale=14_000)
    terminals = sites.take(9, spacing=900, near=1500, far=4000)
    stations = rng.permutation(streets)[:34]
    stations = stations + rng.normal(0, 250, stations.shape)
    parts = [
        _bumps("centre", rng, [CENTRE], (2800, 1900), 8.0),
        _bumps("centre", rng, towns, (800, 1100), 4.4),
        _bumps("high street", rng, streets, (1100, 2200), 3.4, across=500, towards_centre=True),
        _bumps("high street", rng, towns, (900, 1300), 2.4),
        _bumps("dense homes", rng, [CENTRE], (8000, 8000), 1.2),
        _bumps("dense homes", rng, sites.take(60, spacing=2000, scale=14_000), (700, 1800), 2.2),
        _bumps("suburb", rng, sites.take(45, spacing=3000, near=8000), (1500, 3000), 1.3),
        _bumps("industry", rng, 1000 * INDUSTRY + rng.normal(0, 300, INDUSTRY.shape), (1100, 2000), 4.4),
        _bumps("industry", rng, sites.take(24, spacing=3000, near=6000), (700, 1300), 3.8),
        _bumps("park", rng, sites.take(6, spacing=2000, near=2200, far=7000), (600, 900), 4.6),
        _bumps("park", rng, sites.take(75, spacing=1800, near=5000), (500, 1600), 3.2),
        _bumps("campus and health", rng, sites.take(7, spacing=900, near=1500, far=5000), (550, 800), 6.5),
        _bumps("campus and health", rng, sites.take(32, spacing=2500, near=4000), (600, 900), 4.4),
        _bumps("transport hub", rng, terminals, (500, 700), 7.0),
        _bumps("transport hub", rng, stations, (500, 750), 5.0),
    ]
    return Bumps(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def _bumps(
    name: str,
    rng: np.random.Generator,
    centres: ArrayLike,
    radii: tuple[float, float],
    height: float,
    across: float | None = None,
    towards_centre: bool = False,
) -> tuple[NDArray, ...]:
    """Return bumps of one zone: radii drawn from a range, both ways alike unless `across` is given."""
    centres = np.asarray(centres, dtype=float)
    count = len(centres)
    along = rng.uniform(*sorted(radii), count)
    across = along * rng.uniform(0.7, 1, count) if across is None else np.full(count, across)
    offset = centres - np.array(CENTRE)
    angle = np.arctan2(offset[:, 1], offset[:, 0]) if towards_centre else rng.uniform(0, np.pi, count)
    zone, both = np.full(count, ZONES.index(name)), np.column_stack([along, np.maximum(across, 500)])
    return zone, centres, both, angle, height * rng.uniform(0.8, 1.2, count)


class _Sites:
    """Places inside the city that keep their distance from each other."""

    def __init__(self, outline: shapely.Geometry, rng: np.random.Generator, tries: int = 6000):
        west, south, east, north = outline.bounds
        xy = rng.uniform((west, south), (east, north), (tries, 2))
        shapely.prepare(outline)
        self.candidates = xy[shapely.contains_xy(outline, xy[:, 0], xy[:, 1])]
        self.rng = rng

    def take(
        self, count: int, *, spacing: float, near: float = 0.0, far: float = np.inf, scale: float = np.inf
    ) -> Array:
        """Return up to `count` sites in a ring near..far metres, `spacing` apart, thinned as exp(-radius / scale)."""
        away = radius(self.candidates)
        keep = (away >= near) & (away <= far) & (self.rng.random(len(away)) < np.exp(-away / scale))
        pool = self.rng.permutation(self.candidates[keep])
        chosen = []
        while len(pool) and len(chosen) < count:
            chosen.append(pool[0])
            pool = pool[np.hypot(*(pool - pool[0]).T) >= spacing]
        return np.array(chosen).reshape(-1, 2)
