"""What every encoding of coordinates shares: numpy or torch in and out, double precision, one shape."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError


class Encoding(ABC):
    """A fixed map from N coordinate pairs to N rows of `width` numbers, in double precision.

    Call it on (N, 2): an array gives an array, a tensor a tensor on the same device. `coordinates` says what a
    pair is: easting and northing in metres, or longitude and latitude in degrees; `limits` is the largest that
    either may be, in size. Raises InputError for another shape, or a coordinate beyond that or not finite.
    """

    coordinates = "metres"
    limits = (np.inf, np.inf)

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of outputs per point."""

    @abstractmethod
    def encode(self, points: torch.Tensor) -> torch.Tensor:
        """Encode checked points (N, 2) in float64 as (N, width)."""

    def __call__(self, points: ArrayLike | torch.Tensor) -> NDArray | torch.Tensor:
        checked = checked_points(points)
        beyond = (checked.abs() > checked.new_tensor(self.limits)).any(dim=1)
        if bool(beyond.any()):
            row = int(beyond.nonzero()[0, 0])
            raise InputError(f"coordinates of row {row} are no {self.coordinates}: {checked[row].tolist()}")
        encoded = self.encode(checked)
        return encoded if isinstance(points, torch.Tensor) else encoded.numpy()


def checked_points(points: ArrayLike | torch.Tensor) -> torch.Tensor:
    """Return points (N, 2) as a float64 tensor; InputError for another shape or a value that is not finite."""
    if not isinstance(points, torch.Tensor):
        try:
            points = torch.from_numpy(np.array(points, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise InputError(f"coordinates must be numbers (N, 2): {error}") from error
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"coordinates must have shape (N, 2), not {tuple(points.shape)}")
    points = points.double()
    if not bool(torch.isfinite(points).all()):
        row = int((~torch.isfinite(points)).any(dim=1).nonzero()[0, 0])
        raise InputError(f"coordinates of row {row} are not finite: {points[row].tolist()}")
    return points


def geometric_wavelengths(frequencies: int, lambda_min: float, lambda_max: float) -> NDArray:
    """Return lambda_k = lambda_min g^k, g = (lambda_max/lambda_min)^(1/(F-1)), k = 0..F-1, shape (F,).

    Raises InputError unless F >= 2 and 0 < lambda_min < lambda_max.
    """
    if frequencies < 2 or not 0 < lambda_min < lambda_max < np.inf:
        raise InputError(
            f"an encoding needs frequencies >= 2 and 0 < lambda_min < lambda_max, not {frequencies}, "
            f"{lambda_min} and {lambda_max}"
        )
    return np.geomspace(lambda_min, lambda_max, frequencies)
