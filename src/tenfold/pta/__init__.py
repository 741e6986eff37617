"""Pulsar timing arrays: inflationary gravitational waves, free-spectrum likelihood, sampling, detectors."""

from tenfold.pta.background import exact_monomial, integrate_background
from tenfold.pta.bounds import bbn_integral, bbn_limit, excluded
from tenfold.pta.cosmology import (
    frequency_at_temperature,
    g_rho,
    g_s,
    relativistic_factor,
    temperature_at_frequency,
)
from tenfold.pta.inflation import (
    SlowRoll,
    gb_exponential,
    gb_hyperbolic,
    gb_monomial,
    gb_monomial_allowed,
    gb_monomial_inverse,
    gb_monomial_log,
    slow_roll,
    standard_slow_roll,
)
from tenfold.pta.likelihood import FreeSpectrum
from tenfold.pta.models import Model, joint_log_likelihood, model, model_names
from tenfold.pta.posterior import Posterior
from tenfold.pta.prior import Normal, Prior, Uniform
from tenfold.pta.quantiles import table_from_quantiles
from tenfold.pta.sampling import ensemble_sample, importance_sample
from tenfold.pta.sensitivity import (
    Detector,
    detector,
    detectors,
    omega_noise,
    power_law_integrated,
    signal_to_noise,
)
from tenfold.pta.simulation import gaussian_spectrum, simulate
from tenfold.pta.spectrum import (
    h2omega_from_rho2,
    igw_h2omega,
    log10_igw_h2omega,
    power_law_h2omega,
    power_law_rho2,
    reheating_transfer,
    rho2_from_h2omega,
    turnover_rho2,
)

__all__ = [
    "Detector",
    "FreeSpectrum",
    "Model",
    "Normal",
    "Posterior",
    "Prior",
    "SlowRoll",
    "Uniform",
    "bbn_integral",
    "bbn_limit",
    "detector",
    "detectors",
    "ensemble_sample",
    "exact_monomial",
    "excluded",
    "frequency_at_temperature",
    "g_rho",
    "g_s",
    "gaussian_spectrum",
    "gb_exponential",
    "gb_hyperbolic",
    "gb_monomial",
    "gb_monomial_allowed",
    "gb_monomial_inverse",
    "gb_monomial_log",
    "h2omega_from_rho2",
    "igw_h2omega",
    "importance_sample",
    "integrate_background",
    "joint_log_likelihood",
    "log10_igw_h2omega",
    "model",
    "model_names",
    "omega_noise",
    "power_law_h2omega",
    "power_law_integrated",
    "power_law_rho2",
    "reheating_transfer",
    "relativistic_factor",
    "rho2_from_h2omega",
    "signal_to_noise",
    "simulate",
    "slow_roll",
    "standard_slow_roll",
    "table_from_quantiles",
    "temperature_at_frequency",
    "turnover_rho2",
]
