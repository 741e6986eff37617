"""Bounds on a blue spectrum at high frequency: radiation at nucleosynthesis, and a ground-based detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError
from tenfold.pta.cosmology import positive
from tenfold.pta.spectrum import log10_igw_h2omega

Array = NDArray[np.float64]

F_BBN_HZ = 1.8e-11  # enters the horizon at 1 MeV; only waves inside it by then count as radiation
F_TOP_HZ = 1e8  # end of a spectrum without another cut
LVK_HZ = 25.0  # reference frequency of the ground-based bound

_BLOCK = 256  # rows whose (rows, frequencies) temporaries stay in cache


def bbn_limit(delta_n_eff: float = 0.28) -> float:
    """Return the largest h^2 int Omega dlnf that extra radiation allows: 5.6e-6 Delta N_eff.

    Raises InputError unless delta_n_eff > 0. The default is the customary 95 % bound on extra radiation.
    """
    return float(5.6e-6 * positive(delta_n_eff, "delta_n_eff"))


def log_integral(f_Hz: ArrayLike, log10_h2omega: ArrayLike, f_end: ArrayLike = np.inf) -> Array:
    """Return h^2 int Omega dlnf of tabulated spectra up to f_end, exact for broken power laws.

    Every cell contributes w (b - a)/ln(b/a), w its width in ln f, a and b the values at its ends (0 where one of
    them is 0). Shapes:
    increasing frequencies (F,), log10 spectra (..., F), f_end in Hz scalar or (...); returns (...).
    Raises InputError for frequencies that do not increase or do not fit the spectra.
    """
    f_F = positive(f_Hz, "f_Hz")
    y_F = np.asarray(log10_h2omega, dtype=float) * np.log(10)
    if f_F.ndim != 1 or f_F.size < 2 or not (np.diff(f_F) > 0).all():
        raise InputError("f_Hz must be one increasing row of at least two frequencies")
    if y_F.shape[-1:] != f_F.shape:
        raise InputError(f"spectra {y_F.shape} do not fit {f_F.size} frequencies")
    low, width = np.log(f_F[:-1]), np.diff(np.log(f_F))
    filled = (y_F[..., 1:] != -np.inf) & (y_F[..., :-1] != -np.inf)
    rise = np.subtract(y_F[..., 1:], y_F[..., :-1], out=np.zeros(filled.shape), where=filled)
    share = np.clip((np.log(np.asarray(f_end, dtype=float))[..., None] - low) / width, 0, 1)
    # A spectrum too strong for a float has an infinite integral.
    with np.errstate(over="ignore"):
        return (filled * np.exp(y_F[..., :-1]) * width * share * _mean_exp(rise * share)).sum(axis=-1)[()]


def _mean_exp(x: Array) -> Array:
    """Return (e^x - 1)/x, the mean of e^(x t) over t in 0..1."""
    return np.divide(np.expm1(x), x, out=np.ones_like(x), where=x != 0)


def bbn_integral(
    n_t: ArrayLike,
    log10_r: ArrayLike,
    log10_T_rh: ArrayLike,
    *,
    f_end: ArrayLike | None = None,
    transfer: str = "ptarcade",
    per_decade: int = 32,
) -> Array:
    """Return h^2 int Omega dlnf of inflationary waves from F_BBN_HZ to f_end (1e8 Hz when None).

    Shapes: parameters and f_end (P,) or scalars -> (P,). Cells of 1/per_decade in log10 f are power laws: at 32
    the error is below 1e-3 of the integral. Raises InputError as `igw_h2omega`.
    """
    f_end = F_TOP_HZ if f_end is None else f_end
    parts = np.broadcast_arrays(*(np.asarray(p, dtype=float) for p in (n_t, log10_r, log10_T_rh, f_end)))
    rows = [part.reshape(-1) for part in parts]
    rows[3] = np.where(np.isposinf(rows[3]), F_TOP_HZ, rows[3])
    top = rows[3].max(initial=F_TOP_HZ)
    f_F = np.geomspace(F_BBN_HZ, top, int(np.ceil(np.log10(top / F_BBN_HZ) * per_decade)) + 1)
    result = np.empty(rows[0].size)
    for start in range(0, result.size, _BLOCK):
        tilt, level, heat, end = (row[start : start + _BLOCK] for row in rows)
        logs = log10_igw_h2omega(f_F, tilt, level, heat, transfer=transfer)
        result[start : start + _BLOCK] = log_integral(f_F, logs, end)
    return result.reshape(parts[0].shape)[()]


def excluded(
    n_t: ArrayLike,
    log10_r: ArrayLike,
    log10_T_rh: ArrayLike,
    *,
    f_end: ArrayLike | None = None,
    delta_n_eff: float = 0.28,
    lvk_h2omega: float | None = None,
    transfer: str = "ptarcade",
) -> NDArray[np.bool_]:
    """Return which parameters nucleosynthesis, or a ground-based detector, rules out.

    True where h^2 int Omega dlnf > 5.6e-6 Delta N_eff, or where h^2 Omega(25 Hz) exceeds `lvk_h2omega`, the value
    of the detector's power-law-integrated curve there. Shapes: (P,) or scalars -> (P,) of bool.
    """
    total = bbn_integral(n_t, log10_r, log10_T_rh, f_end=f_end, transfer=transfer)
    mask = total > bbn_limit(delta_n_eff)
    if lvk_h2omega is None:
        return mask
    level = log10_igw_h2omega(LVK_HZ, n_t, log10_r, log10_T_rh, transfer=transfer, f_end=f_end)
    return mask | (level > np.log10(positive(lvk_h2omega, "lvk_h2omega")))
