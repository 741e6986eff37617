"""Detector noise as h^2 Omega, power-law-integrated sensitivity, and signal-to-noise ratios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError, unknown
from tenfold.pta.cosmology import H0_HZ, HUBBLE

if TYPE_CHECKING:
    from tenfold.datasets.resolution import Resolution

LIGHT_M_S = 299_792_458.0
YEAR_S = 3.15576e7  # Julian
INDICES = np.arange(-80, 81) / 10  # exponents b of the power-law-integrated curve


@dataclass(frozen=True)
class Arms:
    """An analytic space interferometer: arm length in m, position noise P_x and acceleration noise P_a."""

    length: float
    position: Callable[[NDArray], NDArray]
    acceleration: Callable[[NDArray], NDArray]
    tianqin: bool = False

    def strain_psd(self, f_Hz: ArrayLike) -> NDArray:
        """Return the sky-averaged strain noise S_n (1/Hz) at f (Hz), any shape.

        S_n = (10/3L^2) [P_x + 2(1+cos^2(f/f*)) P_a/(2 pi f)^4] (1 + 0.6 (f/f*)^2),  f* = c/(2 pi L);
        TianQin has 4 P_a for 2(1+cos^2) P_a. Raises InputError for f <= 0.
        """
        f = _positive(f_Hz, "f_Hz")
        x = f / (LIGHT_M_S / (2 * np.pi * self.length))
        weight = 4.0 if self.tianqin else 2 * (1 + np.cos(x) ** 2)
        noise = self.position(f) + weight * self.acceleration(f) / (2 * np.pi * f) ** 4
        return 10 / (3 * self.length**2) * noise * (1 + 0.6 * x**2)


def _lisa_position(f: NDArray, amplitude: float) -> NDArray:
    return amplitude**2 * (1 + (2e-3 / f) ** 4)


def _lisa_acceleration(f: NDArray) -> NDArray:
    return 3e-15**2 * (1 + (4e-4 / f) ** 2) * (1 + (f / 8e-3) ** 4)


ANALYTIC = {
    "LISA": Arms(2.5e9, partial(_lisa_position, amplitude=1.5e-11), _lisa_acceleration),
    "Taiji": Arms(3e9, partial(_lisa_position, amplitude=8e-12), _lisa_acceleration),
    "TianQin": Arms(
        1.73205e8,
        lambda f: np.full_like(f, 1e-12**2),
        lambda f: 1e-15**2 * (1 + 1e-4 / f),
        tianqin=True,
    ),
}
# Years of data and number of independent detectors, as the published curves take them; CE, Taiji and TianQin
# are not among these: CE is given the time of ET, the other two that of LISA (4 yr, three quarters usable).
OBSERVATION = {
    "LISA": (3.0, 1),
    "Taiji": (3.0, 1),
    "TianQin": (3.0, 1),
    "SKA": (10.0, 1),
    "DECIGO": (10.0, 2),
    "BBO": (10.0, 2),
    "muAres": (10.0, 2),
    "ET": (1.0, 3),
    "CE": (1.0, 1),
    "aLIGO": (4.0, 1),
}


@dataclass(frozen=True, eq=False)
class Detector:
    """A detector: frequencies (F,) in Hz, noise h^2 Omega_n (F,), n_det instruments, t_obs in s."""

    name: str
    frequencies: NDArray
    omega_noise: NDArray
    n_det: int
    t_obs: float
    analytic: bool
    resolution: Resolution | None = None

    def power_law_integrated(self, snr: float = 1.0) -> NDArray:
        """Return the power-law-integrated h^2 Omega (F,) at a signal-to-noise ratio."""
        return power_law_integrated(self.frequencies, self.omega_noise, self.n_det, self.t_obs, snr)

    def snr(self, h2omega: ArrayLike | Callable[[NDArray], ArrayLike]) -> NDArray | float:
        """Return the signal-to-noise ratio of a spectrum: values (..., F) at `frequencies`, or a function."""
        values = h2omega(self.frequencies) if callable(h2omega) else h2omega
        return signal_to_noise(self.frequencies, values, self.omega_noise, self.n_det, self.t_obs)


def detector(name: str, *, analytic: bool | None = None, missing_ok: bool = False) -> Detector | None:
    """Return a detector by name: LISA, Taiji, TianQin, SKA, DECIGO, BBO, muAres, ET, CE, aLIGO.

    analytic: True takes the formula (LISA, Taiji, TianQin), False the tabulated noise (all but Taiji and
    TianQin); None takes the table where there is one at hand. A detector whose table is not at hand and which
    has no formula is an InputError, or None with `missing_ok`.
    """
    from tenfold.datasets import pta

    if name not in OBSERVATION:
        raise unknown("detector", name, OBSERVATION)
    if (analytic and name not in ANALYTIC) or (analytic is False and name not in pta.NOISE_FILES):
        raise InputError(f"detector '{name}' has no {'formula' if analytic else 'table'}")
    table = None
    if name in pta.NOISE_FILES and not analytic:
        wanted = analytic is False or name not in ANALYTIC
        table = pta.sensitivity(name, missing_ok=missing_ok or not wanted)
        if table is None and wanted:
            return None
    if table is None:
        f, noise, resolution = np.geomspace(1e-5, 1.0, 501), None, None
        noise = ANALYTIC[name].strain_psd(f)
    else:
        f, resolution = table.frequency_Hz, table.resolution
        noise = table.value**2 / f if table.kind == "h_c" else table.value
    years, n_det = OBSERVATION[name]
    return Detector(name, f, omega_noise(f, noise), n_det, years * YEAR_S, table is None, resolution)


def detectors(names: tuple[str, ...] = tuple(OBSERVATION)) -> dict[str, Detector]:
    """Return the named detectors that are at hand: all of them with the data set `sensitivity`."""
    found = {name: detector(name, missing_ok=True) for name in names}
    return {name: item for name, item in found.items() if item is not None}


def omega_noise(f_Hz: ArrayLike, strain_psd: ArrayLike) -> NDArray:
    """Return h^2 Omega_n = h^2 (2 pi^2/3 H0^2) f^3 S_n of a one-sided strain noise S_n in 1/Hz, any shape."""
    f = _positive(f_Hz, "f_Hz")
    return HUBBLE**2 * (2 * np.pi**2 / (3 * H0_HZ**2)) * f**3 * np.asarray(strain_psd, float)


def signal_to_noise(
    f_Hz: ArrayLike, h2omega: ArrayLike, omega_noise: ArrayLike, n_det: int, t_obs: float
) -> NDArray | float:
    """Return SNR = sqrt(n_det T int (Omega/Omega_n)^2 df) for spectra (..., F) -> (...), T in s.

    The integral is the trapezium rule in ln f. Raises InputError for shapes that do not fit.
    """
    f, noise = _curve(f_Hz, omega_noise)
    signal = np.asarray(h2omega, float)
    if signal.shape[-1:] != f.shape:
        raise InputError(f"a spectrum of shape {signal.shape} does not fit {f.size} frequencies")
    power = np.trapezoid((signal / noise) ** 2 * f, np.log(f), axis=-1)
    return np.sqrt(n_det * t_obs * power)[()]


def power_law_integrated(
    f_Hz: ArrayLike, omega_noise: ArrayLike, n_det: int, t_obs: float, snr: float = 1.0
) -> NDArray:
    """Return the envelope (F,) of all power laws that a detector sees with the given SNR.

    Omega_PLI(f) = max over b in [-8, 8] of (f/f0)^b SNR / sqrt(n_det T int [(f/f0)^b/Omega_n]^2 df),
    in steps of 0.1 in b; independent of f0. T in s. Raises InputError for noise that is not positive.
    Source: Thrane and Romano, arXiv 1310.5300.
    """
    f, noise = _curve(f_Hz, omega_noise)
    laws = np.exp(INDICES[:, None] * (np.log(f) - np.log(f).mean()))
    unit = signal_to_noise(f, laws, noise, n_det, t_obs)
    return (laws * (snr / unit)[:, None]).max(axis=0)


def _curve(f_Hz: ArrayLike, omega_noise: ArrayLike) -> tuple[NDArray, NDArray]:
    f, noise = _positive(f_Hz, "f_Hz"), _positive(omega_noise, "omega_noise")
    if f.ndim != 1 or f.shape != noise.shape or not np.all(np.diff(f) > 0):
        raise InputError(f"a noise curve needs rising frequencies, as many as values: {f.shape}, {noise.shape}")
    return f, noise


def _positive(values: ArrayLike, name: str) -> NDArray:
    values = np.asarray(values, float)
    if not np.all(values > 0):
        raise InputError(f"{name} must be positive")
    return values
