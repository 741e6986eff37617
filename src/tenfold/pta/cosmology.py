"""Constants of the expansion history, effective degrees of freedom, and the frequency of a temperature.

Source of the numbers: the constants and the g table that ship with PTArcade (table: arXiv 2005.03544).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError

HUBBLE = 0.674  # h, in 100 km/s/Mpc
H0_HZ = 2.1842852e-18  # Hubble rate today, 1/s
T0_GEV = 2.34865418e-13  # photon temperature today, 2.7255 K in GeV
OMEGA_R = 9.2188e-5  # photons and three neutrinos
OMEGA_M = 0.3153
OMEGA_V = 0.6847
G_RHO0 = 3.38308  # effective degrees of freedom today, energy density
G_S0 = 3.93094  # the same, entropy density
A_S = float(np.exp(3.044) * 1e-10)  # scalar amplitude at k = 0.05/Mpc
F_CMB_HZ = 7.7314e-17  # frequency of k = 0.05/Mpc
F_YEAR_HZ = 3.168808781e-8  # one over a Julian year
MPC_LIGHT_S = 1.02927125e14  # one megaparsec over the speed of light, s

Array = NDArray[np.float64]

# Before the vacuum took over, f(T) grows with T; below redshift 1 it does not have one inverse.
_T_MIN_GEV = 2.0 * T0_GEV


class Freedom(NamedTuple):
    """The g table ready for `np.interp`: abscissae are linear, or log10 for the coarse embedded nodes.

    The two columns travel as g_s + i g_rho: one search of the table then serves both, which halves its cost.
    """

    temperature: Array
    frequency: Array
    g: NDArray[np.complex128]
    logarithmic: bool


@cache
def freedom() -> Freedom:
    """Return the table of effective degrees of freedom, loaded once per process."""
    from tenfold.datasets.pta import degrees_of_freedom

    table = degrees_of_freedom()
    axis = np.log10 if table.log_interpolation else np.asarray
    g = np.asarray(table.g_s) + 1j * np.asarray(table.g_rho)
    return Freedom(axis(table.T_GeV), axis(table.f_Hz), g, bool(table.log_interpolation))


def _axis(values: ArrayLike) -> Array:
    return np.log10(values) if freedom().logarithmic else np.asarray(values, dtype=float)


def positive(values: ArrayLike, name: str) -> Array:
    """Return `values` as a float array; InputError unless all are finite and above zero."""
    array = np.asarray(values, dtype=float)
    if not (np.isfinite(array) & (array > 0)).all():
        raise InputError(f"{name} must be finite and positive")
    return array


def _at_temperature(T_GeV: ArrayLike) -> NDArray[np.complex128]:
    return np.interp(_axis(positive(T_GeV, "T_GeV")), freedom().temperature, freedom().g)


def g_rho(T_GeV: ArrayLike) -> Array:
    """Return the effective degrees of freedom of the energy density at temperature T.

    Shapes: any -> same. T in GeV. Linear interpolation in T (log10 T for the embedded nodes), constant
    outside. Raises InputError for T <= 0. Source: arXiv 2005.03544.
    """
    return _at_temperature(T_GeV).imag


def g_s(T_GeV: ArrayLike) -> Array:
    """Return the effective degrees of freedom of the entropy density at temperature T; see `g_rho`."""
    return _at_temperature(T_GeV).real


def relativistic_factor(f_Hz: ArrayLike) -> Array:
    """Return how the degrees of freedom dilute the wave that enters the horizon at frequency f.

    G(f) = [g_rho(f)/g_rho0] [g_s0/g_s(f)]^(4/3), interpolated in the frequency column of the table.
    Shapes: any -> same, dimensionless; 1 for f -> 0. Raises InputError for f <= 0. Source: PTArcade `igw`.
    """
    g = np.interp(_axis(positive(f_Hz, "f_Hz")), freedom().frequency, freedom().g)
    return g.imag / G_RHO0 * (G_S0 / g.real) ** (4 / 3)


def frequency_at_temperature(T_GeV: ArrayLike) -> Array:
    """Return today's frequency (Hz) of the mode that enters the horizon at temperature T (GeV).

    f(T) = (H0/2pi) (g_s0/g_s)^(1/3) (T0/T)
           sqrt[Omega_v + (g_s/g_s0)(T/T0)^3 Omega_m + (g_rho/g_rho0)(T/T0)^4 Omega_r]
    Shapes: any -> same. Raises InputError for T <= 0. Source: PTArcade `freq_at_temp`.
    """
    temperature = positive(T_GeV, "T_GeV")
    g = _at_temperature(temperature)
    entropy, energy = g.real / G_S0, g.imag / G_RHO0
    x = temperature / T0_GEV
    expansion = OMEGA_V + x**3 * (entropy * OMEGA_M + energy * x * OMEGA_R)
    return H0_HZ / (2 * np.pi) * np.sqrt(expansion) / (np.cbrt(entropy) * x)


def temperature_at_frequency(f_Hz: ArrayLike) -> Array:
    """Return the temperature (GeV) at which the mode of today's frequency f (Hz) enters the horizon.

    Inverse of `frequency_at_temperature`, to a relative 1e-12, on the branch before the vacuum dominates.
    Shapes: any -> same. Raises InputError for f <= 0 or f below the frequency of redshift 1.
    """
    frequency = positive(f_Hz, "f_Hz")
    nodes = np.log(np.concatenate([[_T_MIN_GEV], _node_temperatures(), [1e30]]))
    values = np.log(frequency_at_temperature(np.exp(nodes)))
    target = np.log(frequency)
    if (target < values[0]).any():
        raise InputError(f"f_Hz must be above {np.exp(values[0]):.3g} Hz, the mode entering at redshift 1")
    cell = np.clip(np.searchsorted(values, target, side="right") - 1, 0, len(nodes) - 2)
    return np.exp(_false_position(target, nodes[cell], nodes[cell + 1]))


def _node_temperatures() -> Array:
    table = freedom()
    return 10**table.temperature if table.logarithmic else table.temperature


def _false_position(target: Array, low: Array, high: Array) -> Array:
    """Solve ln f(e^u) = target between the brackets `low`, `high` of u (Illinois rule, vectorised)."""

    def miss(u: Array) -> Array:
        return np.log(frequency_at_temperature(np.exp(u))) - target

    miss_low, miss_high = miss(low), miss(high)
    for _ in range(200):
        gap = miss_high - miss_low
        middle = np.where(gap > 0, low - miss_low * (high - low) / np.where(gap > 0, gap, 1.0), low)
        found = miss(middle)
        if (np.abs(found) < 1e-13 + 1e-15 * np.abs(target)).all():
            break
        below = found < 0
        # Halving the stale end keeps one end from standing still, which plain false position suffers from.
        miss_low, miss_high = np.where(below, found, miss_low / 2), np.where(below, miss_high / 2, found)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return middle
