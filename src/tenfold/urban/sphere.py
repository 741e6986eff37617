"""Encodings of longitude and latitude: waves on the sphere, Cartesian coordinates, spherical harmonics."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tenfold.errors import InputError, unknown
from tenfold.urban.coordinates import Encoding, geometric_wavelengths

_TERMS = {"C": 3, "C+": 6, "M": 5, "M+": 8}
_ROWS = 1024  # the table of Legendre functions for these many points and degree 40 takes 26 MB


class LonLatEncoding(Encoding):
    """An encoding of longitude and latitude in degrees."""

    coordinates = "degrees of longitude and latitude"
    limits = (360.0, 90.0)


@dataclass(frozen=True)
class SphereEncoder(LonLatEncoding):
    """Sphere2Vec: products of sines and cosines of p = longitude and t = latitude, at scales p_k = p/lambda_k.

    C:  [sin t_k, cos t_k cos p_k, cos t_k sin p_k]
    C+: [sin t_k, cos t_k, sin p_k, cos p_k, cos t_k cos p_k, cos t_k sin p_k]
    M:  [sin t_k, cos t_k cos p, cos t cos p_k, cos t_k sin p, cos t sin p_k]
    M+: [sin t_k, cos t_k, sin p_k, cos p_k] and the last four of M
    (N, 2) in degrees -> (N, 3F), 6F, 5F or 8F, scale by scale. Angles are taken in radians, so that at lambda = 1
    the inner product of two points of C is the cosine of the angle between them; lambda has no unit, and the
    default smallest is 100 m on the ground. The official code differs: it takes the degrees themselves as
    angles, so that lambda is in degrees and the sphere never closes, and it writes every number twice (6F, 12F,
    10F, 16F columns). `official=True` does the same.
    Raises InputError for an unknown variant, F < 2, or unless 0 < lambda_min < lambda_max.
    """

    variant: str = "C"
    frequencies: int = 32
    lambda_min: float = 1.6e-5
    lambda_max: float = 1.0
    official: bool = False

    def __post_init__(self):
        if self.variant not in _TERMS:
            raise unknown("sphere encoding", self.variant, _TERMS)
        geometric_wavelengths(self.frequencies, self.lambda_min, self.lambda_max)

    @property
    def wavelengths(self) -> NDArray:
        """lambda_k (F,), increasing: pure numbers, degrees where `official`."""
        return geometric_wavelengths(self.frequencies, self.lambda_min, self.lambda_max)

    @property
    def width(self) -> int:
        """3F, 6F, 5F or 8F; twice that where `official`."""
        return _TERMS[self.variant] * self.frequencies * (2 if self.official else 1)

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode points (N, 2) in float64 as (N, width)."""
        points = points if self.official else points.deg2rad()
        p, t = points[:, :1], points[:, 1:]
        scales = torch.as_tensor(self.wavelengths, device=points.device)
        encoded = torch.stack(self._terms(p, t, p / scales, t / scales), dim=-1)
        if self.official:
            encoded = encoded.repeat_interleave(2, dim=-1)
        return encoded.reshape(len(points), self.width)

    def _terms(self, p: torch.Tensor, t: torch.Tensor, pk: torch.Tensor, tk: torch.Tensor) -> list[torch.Tensor]:
        waves = [tk.sin(), tk.cos(), pk.sin(), pk.cos()]
        single = [tk.cos() * pk.cos(), tk.cos() * pk.sin()]
        mixed = [tk.cos() * p.cos(), t.cos() * pk.cos(), tk.cos() * p.sin(), t.cos() * pk.sin()]
        return {
            "C": [waves[0], *single],
            "C+": [*waves, *single],
            "M": [waves[0], *mixed],
            "M+": [*waves, *mixed],
        }[self.variant]


@dataclass(frozen=True)
class DirectEncoder(LonLatEncoding):
    """PE = [longitude, latitude] in radians, minus pi: (N, 2) in degrees -> (N, 2)."""

    width = 2

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode points (N, 2) in float64 as (N, 2)."""
        return points.deg2rad() - math.pi


@dataclass(frozen=True)
class WrapEncoder(LonLatEncoding):
    """PE = [cos p, sin p, cos t, sin t] of longitude p and latitude t: (N, 2) in degrees -> (N, 4)."""

    width = 4

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode points (N, 2) in float64 as (N, 4)."""
        points = points.deg2rad()
        return torch.stack([points.cos(), points.sin()], dim=-1).reshape(len(points), 4)


@dataclass(frozen=True)
class Cartesian3dEncoder(LonLatEncoding):
    """PE = [cos p cos t, sin p cos t, sin t], the point on the unit sphere: (N, 2) in degrees -> (N, 3)."""

    width = 3

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode points (N, 2) in float64 as (N, 3)."""
        p, t = points.deg2rad().T
        return torch.stack([p.cos() * t.cos(), p.sin() * t.cos(), t.sin()], dim=-1)


@dataclass(frozen=True)
class SphericalHarmonicsEncoder(LonLatEncoding):
    """Real orthonormal spherical harmonics Y_lm(theta, phi), l = 0..L-1, m = -l..l: (N, 2) in degrees -> (N, L^2).

    phi = longitude + 180 degrees, theta = latitude + 90 degrees, N_lm = sqrt((2l+1)/(4 pi) (l-|m|)!/(l+|m|)!),
    Y_lm = sqrt(2) N_lm P_lm(cos theta) cos(m phi) for m > 0, N_l0 P_l(cos theta) for m = 0, and
    sqrt(2) N_lm P_l|m|(cos theta) sin(|m| phi) for m < 0, P_lm without the phase (-1)^m.
    The generator of the official code differs: its m = 0 terms are pi times too large, and its signs for odd m
    are those of another convention. Raises InputError unless L >= 1. Source: the encoder of SatCLIP.
    """

    degrees: int = 20

    def __post_init__(self):
        if self.degrees < 1:
            raise InputError(f"spherical harmonics need degrees >= 1, not {self.degrees}")

    @property
    def width(self) -> int:
        """L^2."""
        return self.degrees**2

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode points (N, 2) in float64 as (N, L^2)."""
        angles = np.deg2rad(points.cpu().numpy() + np.array([180.0, 90.0]))
        encoded = np.empty((len(points), self.width))
        for start in range(0, len(points), _ROWS):
            encoded[start : start + _ROWS] = self._harmonics(*angles[start : start + _ROWS].T)
        return torch.from_numpy(encoded).to(points.device)

    def _harmonics(self, phi: NDArray, theta: NDArray) -> NDArray:
        """Return Y_lm (N, L^2) at angles (N,) in radians."""
        from scipy.special import sph_legendre_p_all

        last = self.degrees - 1
        # [l, m, point] for m = 0..L-1 and then the negative ones; scipy's carry (-1)^m, which is taken out.
        legendre = sph_legendre_p_all(last, last, theta)[0][:, : self.degrees]
        m = np.arange(1, self.degrees)[:, None]
        signed = math.sqrt(2) * (-1.0) ** m
        columns = np.zeros((self.degrees, 2 * last + 1, len(phi)))
        columns[:, last] = legendre[:, 0]
        columns[:, last + 1 :] = legendre[:, 1:] * signed * np.cos(m * phi)
        columns[:, :last] = (legendre[:, 1:] * signed * np.sin(m * phi))[:, ::-1]
        order = np.arange(-last, last + 1)
        return columns[np.abs(order) <= np.arange(self.degrees)[:, None]].T
