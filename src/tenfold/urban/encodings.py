"""Encodings of plane coordinates as sines and cosines of many wavelengths, and all encodings by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from numpy.typing import NDArray

from tenfold.errors import InputError, unknown
from tenfold.urban.coordinates import Encoding, geometric_wavelengths
from tenfold.urban.sphere import (
    Cartesian3dEncoder,
    DirectEncoder,
    SphereEncoder,
    SphericalHarmonicsEncoder,
    WrapEncoder,
)


@dataclass(frozen=True)
class GridEncoder(Encoding):
    """PE(x) = concat over c in (easting, northing), over k, of [sin(x_c/lambda_k), cos(x_c/lambda_k)].

    lambda_k = lambda_min g^k, g = (lambda_max/lambda_min)^(1/(F-1)), k = 0..F-1. There is no 2 pi: lambda is a
    radius, and the pattern of pair k repeats after 2 pi lambda_k (628 m to 62.8 km by default).
    (N, 2) in metres -> (N, 4F): all easting terms first, sine and cosine in turn.
    Raises InputError unless F >= 2 and 0 < lambda_min < lambda_max. Source: the grid encoder of Space2Vec.
    """

    frequencies: int = 32
    lambda_min: float = 100.0
    lambda_max: float = 10_000.0

    def __post_init__(self):
        geometric_wavelengths(self.frequencies, self.lambda_min, self.lambda_max)

    @property
    def wavelengths(self) -> NDArray:
        """lambda_k (F,) in metres, increasing."""
        return geometric_wavelengths(self.frequencies, self.lambda_min, self.lambda_max)

    @property
    def width(self) -> int:
        """4F."""
        return 4 * self.frequencies

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode points (N, 2) in float64 as (N, 4F)."""
        return _waves(points, self.wavelengths)


@dataclass(frozen=True)
class TheoryEncoder(GridEncoder):
    """PE(x) = concat over k, over j = 1..3, of [sin(x.v_j/lambda_k), cos(x.v_j/lambda_k)], v_j 120 degrees apart.

    v_1 = (1, 0), v_2 = (-1/2, sqrt(3)/2), v_3 = (-1/2, -sqrt(3)/2); wavelengths as in `GridEncoder`.
    (N, 2) in metres -> (N, 6F), frequency by frequency. The official code agrees for even F; for odd F it splits
    the row of outputs between the two coordinates and there turns cosines into sines, which is not repeated here.
    Raises InputError unless F >= 2 and 0 < lambda_min < lambda_max. Source: the theory encoder of Space2Vec.
    """

    @property
    def width(self) -> int:
        """6F."""
        return 6 * self.frequencies

    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode points (N, 2) in float64 as (N, 6F)."""
        height = math.sqrt(3) / 2
        directions = points.new_tensor([[1.0, 0.0], [-0.5, height], [-0.5, -height]])
        waves = _waves(points @ directions.T, self.wavelengths).reshape(len(points), 3, self.frequencies, 2)
        return waves.transpose(1, 2).reshape(len(points), self.width)


def _waves(values: torch.Tensor, wavelengths: NDArray) -> torch.Tensor:
    """Return sine and cosine in turn of values (N, C) over wavelengths (F,), shape (N, C F 2)."""
    angles = values[:, :, None] / torch.as_tensor(wavelengths, device=values.device)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _sphere(variant: str) -> Callable[..., SphereEncoder]:
    return lambda **options: SphereEncoder(variant, **options)


_BUILDERS: dict[str, Callable[..., Encoding]] = {
    "grid": GridEncoder,
    "theory": TheoryEncoder,
    "spherec": _sphere("C"),
    "spherec+": _sphere("C+"),
    "spherem": _sphere("M"),
    "spherem+": _sphere("M+"),
    "direct": DirectEncoder,
    "wrap": WrapEncoder,
    "cartesian3d": Cartesian3dEncoder,
    "spherical_harmonics": SphericalHarmonicsEncoder,
}


def encoding(name: str, **options: float) -> Encoding:
    """Return the encoding of this name: grid and theory take metres, all others longitude and latitude in degrees.

    Raises InputError for an unknown name (the nearest right one is named), or an option that it does not take.
    """
    if name not in _BUILDERS:
        raise unknown("encoding", name, _BUILDERS)
    try:
        return _BUILDERS[name](**options)
    except TypeError as error:
        raise InputError(f"encoding '{name}' does not take these options: {', '.join(options)}") from error
