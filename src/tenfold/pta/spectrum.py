"""Energy spectra of gravitational waves and the timing residuals they leave in pulsar timing arrays.

Shapes everywhere: parameters (P,) or scalars, frequencies (F,) or a scalar; the result is (P, F), the axes
of scalars dropped. Frequencies in Hz, observing spans in s, energy densities as h^2 Omega, rho^2 in s^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import unknown
from tenfold.pta import cosmology
from tenfold.pta.cosmology import (
    A_S,
    F_CMB_HZ,
    F_YEAR_HZ,
    H0_HZ,
    HUBBLE,
    MPC_LIGHT_S,
    OMEGA_M,
    OMEGA_R,
    positive,
)

Array = NDArray[np.float64]

TRANSFERS = ("ptarcade", "kuroyanagi")
PLATEAU = HUBBLE**2 * OMEGA_R / 24  # h^2 Omega / (P_T G) of modes that entered in the radiation era
_H100_HZ = H0_HZ / HUBBLE  # 100 km/s/Mpc in 1/s


def igw_h2omega(
    f_Hz: ArrayLike,
    n_t: ArrayLike,
    log10_r: ArrayLike,
    log10_T_rh: ArrayLike,
    *,
    transfer: str = "ptarcade",
    f_end: ArrayLike | None = None,
) -> Array:
    """Return h^2 Omega of inflationary gravitational waves today.

    h^2 Omega(f) = (h^2 Omega_r/24) G(min(f, f_rh)) r A_s (f/f_cmb)^n_t T2(f/f_rh)
    T2(x) = 1/(1 - 0.22 x^1.5 + 0.65 x^2),  f_rh = f(T_rh),  T_rh in GeV,  G = `cosmology.relativistic_factor`
    `transfer="kuroyanagi"` takes the radiation-matter transfer and the reheating scale of that line of work
    instead (arXiv 1407.4785); its plateau lies 4 % lower. `f_end` (Hz; scalar or one per parameter) cuts the
    spectrum sharply. Raises InputError for f <= 0 or an unknown transfer. Source: PTArcade `igw`.
    """
    logs = log10_igw_h2omega(f_Hz, n_t, log10_r, log10_T_rh, transfer=transfer, f_end=f_end)
    return 10.0**logs


def log10_igw_h2omega(
    f_Hz: ArrayLike,
    n_t: ArrayLike,
    log10_r: ArrayLike,
    log10_T_rh: ArrayLike,
    *,
    transfer: str = "ptarcade",
    f_end: ArrayLike | None = None,
) -> Array:
    """Return log10 of `igw_h2omega`: the fast core, free of underflow; -inf above f_end.

    Fastest in blocks of rows whose (P, F) temporaries fit the cache: about 2048 rows of 14 frequencies.
    """
    if transfer not in TRANSFERS:
        raise unknown("transfer", transfer, TRANSFERS)
    frequencies = positive(f_Hz, "f_Hz")
    f_F = frequencies.reshape(-1)
    cut = np.inf if f_end is None else f_end
    parts = np.broadcast_arrays(*(np.asarray(p, dtype=float) for p in (n_t, log10_r, log10_T_rh, cut)))
    tilt_P, level_P, heat_P, cut_P = (part.reshape(-1, 1) for part in parts)
    f_rh_P, plateau_F = _reheating_and_plateau(f_F, heat_P, transfer)
    out_PF = tilt_P * np.log10(f_F / F_CMB_HZ)
    out_PF += level_P
    out_PF += _log10_transfer(f_F, f_rh_P, plateau_F)
    if f_end is not None:
        out_PF[f_F > cut_P] = -np.inf
    return out_PF.reshape(parts[0].shape + frequencies.shape)[()]


def _reheating_and_plateau(f_F: Array, log10_T_rh_P: Array, transfer: str) -> tuple[Array, Array]:
    """Return f_rh per parameter row, and A_s times the transfer to today per frequency."""
    if transfer == "ptarcade":
        return cosmology.frequency_at_temperature(10.0**log10_T_rh_P), np.full_like(f_F, A_S * PLATEAU)
    return _kuroyanagi_reheating(10.0**log10_T_rh_P), A_S * _kuroyanagi_plateau(f_F)


def _log10_transfer(f_F: Array, f_rh_P: Array, plateau_F: Array) -> Array:
    """Return log10 of plateau G(min(f, f_rh)) / (1 - 0.22 x^1.5 + 0.65 x^2).

    Few passes over (P, F), one logarithm, no power: with s = sqrt(x) the denominator is
    1 + s^3 (0.65 s - 0.22).
    """
    root_PF = np.sqrt(f_F) * (1 / np.sqrt(f_rh_P))
    denominator_PF = 0.65 * root_PF
    denominator_PF -= 0.22
    denominator_PF *= root_PF
    root_PF *= root_PF
    denominator_PF *= root_PF
    denominator_PF += 1.0
    factor_PF = np.empty_like(root_PF)
    factor_PF[:] = cosmology.relativistic_factor(f_rh_P)
    np.copyto(factor_PF, cosmology.relativistic_factor(f_F), where=f_F < f_rh_P)
    factor_PF *= plateau_F
    factor_PF /= denominator_PF
    return np.log10(factor_PF, out=factor_PF)


def reheating_transfer(x: ArrayLike) -> Array:
    """Return T2(x) = 1/(1 - 0.22 x^1.5 + 0.65 x^2), x = f/f_rh, of matter-like reheating."""
    ratio = np.asarray(x, dtype=float)
    return 1 / (1 - 0.22 * ratio**1.5 + 0.65 * ratio**2)


def _kuroyanagi_plateau(f_F: Array) -> Array:
    """Return h^2 Omega/(P_T G T2) of the radiation-matter transfer function.

    (h^2/12) (k/H0)^2 Omega_m^2 [3 j1(k tau0)/(k tau0)]^2 (1 + 1.57 y + 3.42 y^2), y = k/k_eq, tau0 = 2/H0,
    k_eq = 0.073 Omega_m h^2 /Mpc, with j1^2 averaged over its phase, (1 + 1/z^2)/(2 z^2) at z = k tau0: z is
    445 at the CMB pivot and above 1e9 for pulsar timing, where no detector resolves the oscillation.
    """
    k_F = 2 * np.pi * f_F
    y_F = k_F * MPC_LIGHT_S / (0.073 * OMEGA_M * HUBBLE**2)
    z_F = 2 * k_F / H0_HZ
    bessel_F = 9 / z_F**2 * (1 + 1 / z_F**2) / (2 * z_F**2)
    return HUBBLE**2 / 12 * (k_F / H0_HZ * OMEGA_M) ** 2 * bessel_F * (1 + 1.57 * y_F + 3.42 * y_F**2)


def _kuroyanagi_reheating(T_rh_GeV: Array) -> Array:
    """Return the frequency of k_R = 1.7e14 (g_s/106.75)^(1/6) (T_rh/1e7 GeV) /Mpc."""
    k_R = 1.7e14 * (cosmology.g_s(T_rh_GeV) / 106.75) ** (1 / 6) * (T_rh_GeV / 1e7)
    return k_R / (2 * np.pi * MPC_LIGHT_S)


def rho2_per_h2omega(f_Hz: ArrayLike, t_span_s: float) -> Array:
    """Return rho^2 / (h^2 Omega) = (H0/h)^2 / (8 pi^4 f^5 T_span), in s^2.

    From h_c = (H0/h) sqrt(3 h^2 Omega/2)/(pi f), S = h_c^2/(12 pi^2 f^3), rho^2 = S/T_span.
    Shapes: (F,) -> (F,). Raises InputError for f <= 0 or T_span <= 0. Source: PTArcade.
    """
    return _H100_HZ**2 / (8 * np.pi**4 * positive(f_Hz, "f_Hz") ** 5 * positive(t_span_s, "t_span_s"))


def rho2_from_h2omega(f_Hz: ArrayLike, h2omega: ArrayLike, t_span_s: float) -> Array:
    """Return the residual power rho^2 (s^2) of a spectrum (..., F): h^2 Omega times `rho2_per_h2omega`."""
    return np.asarray(h2omega, dtype=float) * rho2_per_h2omega(f_Hz, t_span_s)


def h2omega_from_rho2(f_Hz: ArrayLike, rho2: ArrayLike, t_span_s: float) -> Array:
    """Return h^2 Omega = 8 pi^4 f^5 T_span rho^2/(H0/h)^2 of a residual power (..., F) in s^2."""
    return np.asarray(rho2, dtype=float) / rho2_per_h2omega(f_Hz, t_span_s)


def log10_power_law_rho2(f_Hz: ArrayLike, log10_A: ArrayLike, gamma: ArrayLike, t_span_s: float) -> Array:
    """Return log10 of `power_law_rho2`: linear in both parameters, so one multiplication and one addition."""
    frequencies = positive(f_Hz, "f_Hz")
    f_F = frequencies.reshape(-1)
    level, slope = np.broadcast_arrays(np.asarray(log10_A, dtype=float), np.asarray(gamma, dtype=float))
    constant = -np.log10(12 * np.pi**2 * F_YEAR_HZ**3 * positive(t_span_s, "t_span_s"))
    out_PF = slope.reshape(-1, 1) * np.log10(F_YEAR_HZ / f_F)
    out_PF += 2 * level.reshape(-1, 1) + constant
    return out_PF.reshape(level.shape + frequencies.shape)[()]


def power_law_rho2(f_Hz: ArrayLike, log10_A: ArrayLike, gamma: ArrayLike, t_span_s: float) -> Array:
    """Return the residual power of a power law, in s^2.

    rho^2 = A^2/(12 pi^2) f_yr^(gamma-3) f^-gamma / T_span
    Raises InputError for f <= 0 or T_span <= 0. Source: ceffyl models.
    """
    return 10.0 ** log10_power_law_rho2(f_Hz, log10_A, gamma, t_span_s)


def log10_turnover_rho2(
    f_Hz: ArrayLike,
    log10_A: ArrayLike,
    gamma: ArrayLike,
    log10_f_bend: ArrayLike,
    t_span_s: float,
    *,
    kappa: ArrayLike = 10 / 3,
) -> Array:
    """Return log10 of `turnover_rho2`."""
    frequencies = positive(f_Hz, "f_Hz")
    log_f = np.log10(frequencies.reshape(-1))
    inputs = (np.asarray(p, dtype=float) for p in (log10_A, gamma, log10_f_bend, kappa))
    parts = np.broadcast_arrays(*inputs)
    level, slope, bend, power = (part.reshape(-1, 1) for part in parts)
    out_PF = log10_power_law_rho2(frequencies.reshape(-1), level[:, 0], slope[:, 0], t_span_s)
    # ln(1 + e^u) by logaddexp: stays finite far below the bend.
    out_PF -= np.logaddexp(0.0, power * (bend - log_f) * np.log(10)) / np.log(10)
    return out_PF.reshape(parts[0].shape + frequencies.shape)[()]


def turnover_rho2(
    f_Hz: ArrayLike,
    log10_A: ArrayLike,
    gamma: ArrayLike,
    log10_f_bend: ArrayLike,
    t_span_s: float,
    *,
    kappa: ArrayLike = 10 / 3,
) -> Array:
    """Return the residual power (s^2) of binaries that their surroundings harden below f_bend (log10 of Hz).

    h_c = A (f/f_yr)^((3-gamma)/2) / [1 + (f_bend/f)^kappa]^(1/2), rho^2 = h_c^2/(12 pi^2 f^3 T_span)
    Raises InputError for f <= 0 or T_span <= 0. Source: ceffyl models.
    """
    return 10.0 ** log10_turnover_rho2(f_Hz, log10_A, gamma, log10_f_bend, t_span_s, kappa=kappa)


def power_law_h2omega(f_Hz: ArrayLike, log10_A: ArrayLike, gamma: ArrayLike) -> Array:
    """Return h^2 Omega of a power law: (2 pi^2/3) f_yr^2 A^2 (f/f_yr)^(5-gamma) / (H0/h)^2.

    Raises InputError for f <= 0. Source: definition of A and gamma at f_yr = 1/yr.
    """
    # Any span drops out of the round trip; 1 s keeps the formula in one place.
    return h2omega_from_rho2(f_Hz, power_law_rho2(f_Hz, log10_A, gamma, 1.0), 1.0)
