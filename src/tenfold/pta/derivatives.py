"""Derivatives of analytic functions to near rounding error, from values on circles in the complex plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tenfold.errors import InputError

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_POINTS = 32  # on each circle: a function analytic to 10 radii is resolved to 1e-16 by half of them
_CIRCLE = np.exp(2j * np.pi * np.arange(_POINTS) / _POINTS)
_RESOLVED = 1e-10  # largest share of the unresolved tail: more of it means a singularity or no analytic function
_LEVELS = 14  # radii, each half the one before: down to |x|/16000, enough for x^-200


def circle_derivatives(
    function: Callable[[Complex], Complex], x: Array, name: str = "function"
) -> tuple[Array, Array, Array]:
    """Return f, f' and f'' at real x, for f analytic near x.

    f^(k)(x) = k!/(M rho^k) sum_j f(x + rho e^(i t_j)) e^(-i k t_j), t_j = 2 pi j/M
    That is Cauchy's integral by the trapezoid rule, which converges exponentially on a circle. The radius rho
    is chosen at each x, among halvings of max(1, |x|)/2 that resolve f, where rounding and the tail of the
    Fourier series hurt f'' least. Shapes: any -> same, three times. Raises InputError when `function` cannot
    take complex arrays, or is not finite and analytic near x.
    """
    points = x.reshape(-1)
    centre = _complex_values(function, points, name)
    top = np.maximum(1.0, np.abs(points)) / 2
    # Down to the scale of x itself, where powers of x change; x = 0 sets no scale.
    smallest = np.min(np.abs(points), where=points != 0, initial=1.0)
    first, second, error = np.zeros_like(points), np.zeros_like(points), np.full_like(points, np.inf)
    for level in range(_LEVELS + int(np.ceil(-np.log2(smallest)))):
        radius = top / 2**level
        values = _complex_values(function, points[:, None] + radius[:, None] * _CIRCLE, name)
        series, miss, size = _taylor(values, centre)
        candidate = np.where(miss < _RESOLVED, size * (miss + np.finfo(float).eps) / radius**2, np.inf)
        better = candidate < error
        error[better] = candidate[better]
        first[better] = (series[:, 1].real / radius)[better]
        second[better] = (2 * series[:, 2].real / radius**2)[better]
    if not np.isfinite(error).all():
        raise InputError(f"{name} is not finite and analytic around all the points given")
    return centre.real.reshape(x.shape)[()], first.reshape(x.shape)[()], second.reshape(x.shape)[()]


def _complex_values(function: Callable[[Complex], Complex], z: Array, name: str) -> Complex:
    try:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(function(z.astype(complex)), dtype=complex), z.shape)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must take complex numpy arrays: {error}") from error


def _taylor(values: Complex, centre: Complex) -> tuple[Complex, Array, Array]:
    """Return the coefficients f^(k) rho^k/k! of circles (points, M), how far they miss f, and the size of f.

    The miss is the largest of the upper half of the series and of the mean's distance from f at the centre
    (which sees a function that underflows along a wide circle), as a share of the largest modulus.
    """
    with np.errstate(all="ignore"):
        series = np.fft.fft(values, axis=1) / _POINTS
        size = np.abs(values).max(axis=1)
        size = np.where(size > 0, size, 1.0)
        tail = np.abs(series[:, _POINTS // 2 :]).max(axis=1)
        return series, np.maximum(tail, np.abs(series[:, 0] - centre)) / size, size
