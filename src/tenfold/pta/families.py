"""The spectra that can be fitted: for each its prior, its timing power, what its parameters imply."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tenfold.pta.cosmology import F_YEAR_HZ
from tenfold.pta.inflation import (
    END_RULES,
    gb_exponential,
    gb_hyperbolic,
    gb_monomial_log,
    standard_slow_roll,
)
from tenfold.pta.prior import Normal, Prior
from tenfold.pta.spectrum import (
    TRANSFERS,
    log10_igw_h2omega,
    log10_power_law_rho2,
    log10_turnover_rho2,
    power_law_h2omega,
    rho2_per_h2omega,
)

# theta (P, D), f (F,) in Hz, T_span in s -> log10 rho^2 (P, F)
Power = Callable[[NDArray, NDArray, float], NDArray]
# theta (P, D) -> {n_t, log10_r, log10_T_rh, ...}, each (P,)
Quantities = Callable[[NDArray], dict[str, NDArray]]

GAMMA_BINARIES = 13 / 3
# Two-dimensional Gaussians over (log10 A, gamma) from simulated binary populations, as PTArcade ships them.
BINARIES = {
    "ng15": (
        (-15.61492963, 4.70709637),
        ((0.27871359, -0.00263617), (-0.00263617, 0.12415383)),
    ),
    "ipta_dr2": (
        (-15.02928454, 4.14290127),
        ((0.06869369, 0.00017051), (0.00017051, 0.04681747)),
    ),
}
AMPLITUDE = {"log10_A": (-18.0, -11.0)}
SLOPE = {"gamma": (0.0, 7.0)}
TILT = {"n_t": (0.0, 6.0)}
REHEATING = {"log10_T_rh": (-3.0, 3.0)}
EFOLDS = {"N": (50.0, 70.0)}
DELTA = {"log10_delta": (-20.0, 1.0)}
LOG10_R_BOUND = float(np.log10(0.036))  # BICEP/Keck 2018 with Planck and BAO, 95 %


def _amplitudes(log10_A: NDArray, gamma: NDArray | float) -> dict[str, NDArray]:
    return {"log10_h2omega_yr": np.log10(power_law_h2omega(F_YEAR_HZ, log10_A, gamma))}


def _power_law_13_3():
    def power(theta, f, t_span):
        return log10_power_law_rho2(f, theta[:, 0], GAMMA_BINARIES, t_span)

    return Prior(AMPLITUDE), power, lambda theta: _amplitudes(theta[:, 0], GAMMA_BINARIES)


def _power_law_power(theta: NDArray, f: NDArray, t_span: float) -> NDArray:
    return log10_power_law_rho2(f, theta[:, 0], theta[:, 1], t_span)


def _power_law():
    return Prior(AMPLITUDE | SLOPE), _power_law_power, lambda theta: _amplitudes(theta[:, 0], theta[:, 1])


def _smbhb(array: str = "ng15"):
    prior = Prior({("log10_A", "gamma"): Normal(*BINARIES[array])})
    return prior, _power_law_power, lambda theta: _amplitudes(theta[:, 0], theta[:, 1])


def _turnover():
    def power(theta, f, t_span):
        return log10_turnover_rho2(f, theta[:, 0], GAMMA_BINARIES, theta[:, 1], t_span)

    prior = Prior(AMPLITUDE | {"log10_f_bend": (-10.0, -7.0)})
    return prior, power, lambda theta: _amplitudes(theta[:, 0], GAMMA_BINARIES)


def _inflation(indices: Quantities, transfer: str) -> tuple[Power, Quantities]:
    """Return the timing power of the waves with these indices, and the indices completed by r."""

    def power(theta, f, t_span):
        i = indices(theta)
        waves = log10_igw_h2omega(f, i["n_t"], i["log10_r"], i["log10_T_rh"], transfer=transfer)
        return waves + np.log10(rho2_per_h2omega(f, t_span))

    def quantities(theta):
        i = indices(theta)
        return i | {"r": 10.0 ** i["log10_r"]}

    return power, quantities


def _igw(transfer: str = "ptarcade"):
    def indices(theta):
        return {"n_t": theta[:, 0], "log10_r": theta[:, 1], "log10_T_rh": theta[:, 2]}

    return Prior(TILT | {"log10_r": (-40.0, 0.0)} | REHEATING), *_inflation(indices, transfer)


def _gb1_log(end_rule: str = "formal", transfer: str = "ptarcade"):
    def indices(theta):
        n, efolds, log10_delta, heat = theta.T
        n_s, n_t, log10_r = gb_monomial_log(n, efolds, log10_delta, end_rule)
        alpha = 1 - np.sign(n) * 10.0**log10_delta
        return {"n_s": n_s, "n_t": n_t, "log10_r": log10_r, "alpha": alpha, "log10_T_rh": heat}

    prior = Prior({"n": (-200.0, 10.0)} | EFOLDS | DELTA | REHEATING, _domain(end_rule))
    return prior, *_inflation(indices, transfer)


def _gb1_linear(end_rule: str = "formal", transfer: str = "ptarcade"):
    def indices(theta):
        n, efolds, alpha, heat = theta.T
        # alpha = 1 itself has no waves: log10 r = -inf there.
        with np.errstate(divide="ignore"):
            n_s, n_t, log10_r = gb_monomial_log(n, efolds, np.log10(np.abs(alpha - 1)), end_rule)
        return {"n_s": n_s, "n_t": n_t, "log10_r": log10_r, "log10_T_rh": heat}

    def allowed(theta):
        return _domain(end_rule)(theta) & (theta[:, 0] * (1 - theta[:, 2]) > 0)

    prior = Prior({"n": (-200.0, 0.0)} | EFOLDS | {"alpha": (1.0, 2.0)} | REHEATING, allowed)
    return prior, *_inflation(indices, transfer)


def _domain(end_rule: str) -> Callable[[NDArray], NDArray]:
    """Return the mask of 4N + n > 0 (4N + |n| > 0 with the rule |eps1| = 1) and n != 0."""

    def allowed(theta):
        n, efolds = theta[:, 0], theta[:, 1]
        return (4 * efolds + (n if end_rule == "formal" else np.abs(n)) > 0) & (n != 0)

    return allowed


def _gb2(transfer: str = "ptarcade"):
    def indices(theta):
        n_s, n_t, r = gb_hyperbolic(10.0 ** theta[:, 0], theta[:, 1])
        return {"n_s": n_s, "n_t": n_t, "log10_r": np.log10(r), "log10_T_rh": theta[:, 2]}

    return Prior({"log10_lambda": (0.0, 4.0)} | EFOLDS | REHEATING), *_inflation(indices, transfer)


def _gb3(transfer: str = "ptarcade"):
    def indices(theta):
        log10_lambda, log10_delta, heat = theta.T
        # n_t = lambda^2 delta and r = 8 lambda^2 delta^2 with delta = alpha - 1, which alpha itself cannot
        # hold below 1e-16: rescale to alpha = 2, where lambda^2 is n_t and r is short of one factor delta.
        n_s, n_t, r = gb_exponential(10.0 ** (log10_lambda + 0.5 * log10_delta), 2.0)
        return {"n_s": n_s, "n_t": n_t, "log10_r": np.log10(r) + log10_delta, "log10_T_rh": heat}

    def allowed(theta):
        return 2 * theta[:, 0] + theta[:, 1] < np.log10(TILT["n_t"][1])

    prior = Prior({"log10_lambda": (-3.0, 12.0)} | DELTA | REHEATING, allowed)
    return prior, *_inflation(indices, transfer)


def _sfsr(transfer: str = "ptarcade"):
    def indices(theta):
        n_s, n_t, _ = standard_slow_roll(10.0 ** theta[:, 0])
        return {"n_s": n_s, "n_t": n_t, "log10_r": theta[:, 0], "log10_T_rh": theta[:, 1]}

    return Prior({"log10_r": (-5.0, LOG10_R_BOUND)} | REHEATING), *_inflation(indices, transfer)


def _igw_smbhb(array: str = "ng15", transfer: str = "ptarcade"):
    waves_prior, waves, quantities = _igw(transfer)
    binaries_prior, binaries, _ = _smbhb(array)

    def power(theta, f, t_span):
        # rho^2 add: log10(10^a + 10^b), without underflow.
        a, b = waves(theta[:, :3], f, t_span), binaries(theta[:, 3:], f, t_span)
        return np.logaddexp2(a * np.log2(10), b * np.log2(10)) / np.log2(10)

    return Prior(waves_prior.blocks | binaries_prior.blocks), power, lambda theta: quantities(theta[:, :3])


OPTIONS = {"transfer": TRANSFERS, "end_rule": END_RULES, "array": tuple(BINARIES)}
BUILDERS: dict[str, tuple[str, Callable, tuple[str, ...]]] = {
    "power_law_13_3": ("Power law, gamma = 13/3", _power_law_13_3, ()),
    "power_law": ("Power law", _power_law, ()),
    "smbhb": ("Binaries (Gaussian prior)", _smbhb, ("array",)),
    "turnover": ("Binaries with turnover", _turnover, ()),
    "igw": ("Inflationary waves (n_t, r, T_rh)", _igw, ("transfer",)),
    "gb1_log": ("GB-I, log-uniform |1 - alpha|", _gb1_log, ("end_rule", "transfer")),
    "gb1_linear": ("GB-I, uniform alpha", _gb1_linear, ("end_rule", "transfer")),
    "gb2": ("GB-II, hyperbolic", _gb2, ("transfer",)),
    "gb3": ("GB-III, exponential", _gb3, ("transfer",)),
    "sfsr": ("Standard slow roll", _sfsr, ("transfer",)),
    "igw_smbhb": ("Inflationary waves and binaries", _igw_smbhb, ("array", "transfer")),
}
