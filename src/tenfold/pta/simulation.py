"""Free spectra with a known truth: to recover it, and to check the sampler against closed forms."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError
from tenfold.pta.cosmology import F_YEAR_HZ
from tenfold.pta.likelihood import FreeSpectrum
from tenfold.pta.models import Model, Theta, as_model

GRID = np.linspace(-12.0, -2.0, 5001)  # step 0.002 dex


def simulate(
    model: Model | str,
    theta: Theta,
    seed: int | None = 0,
    *,
    bins: int = 14,
    t_span_yr: float = 16.03,
    log10_noise: float = -7.7,
    dof: float = 10.0,
    grid: ArrayLike = GRID,
) -> FreeSpectrum:
    """Return the free spectrum that an array with white noise would measure of a model at theta (D,).

    Power in bin k at f_k = k/T_span: S_k = (rho_k^2 + n^2) G_k, G_k ~ Gamma(dof/2, mean 1),
    n = 10^log10_noise in s; density p_k(x) proportional to v^(-dof/2) exp(-dof S_k/(2v)),
    v = 10^(2x) + n^2, flat prior in x = log10 rho over the grid.
    Strong bins are detections 0.22 sqrt(2/dof) dex wide, weak ones upper limits.
    seed None puts every S_k at its mean: then no bin pulls away from the truth.
    Raises InputError for dof <= 0 or a theta that is not one point.
    """
    model = as_model(model)
    if dof <= 0 or bins < 1 or t_span_yr <= 0:
        raise InputError(f"dof, bins and t_span_yr are positive, not {dof}, {bins}, {t_span_yr}")
    t_span = t_span_yr / F_YEAR_HZ
    frequencies = np.arange(1, bins + 1) / t_span
    truth = 0.5 * model.log10_power(_one_row(model, theta), frequencies, t_span)[0]
    noise = 10.0 ** (2 * log10_noise)
    scatter = 1.0 if seed is None else np.random.default_rng(seed).gamma(dof / 2, 2 / dof, bins)
    power = (10.0 ** (2 * truth) + noise) * scatter
    grid = np.asarray(grid, float)
    variance = 10.0 ** (2 * grid) + noise
    log_density = -dof / 2 * (np.log(variance) + power[:, None] / variance)
    return _synthetic(f"simulated {model.name.replace('_', ' ')}", frequencies, t_span, grid, log_density)


def gaussian_spectrum(
    mean: ArrayLike, sigma: ArrayLike, frequencies: ArrayLike, t_span: float, grid: ArrayLike = GRID
) -> FreeSpectrum:
    """Return a free spectrum with Gaussian densities p_k = N(x; mean_k, sigma_k) of x = log10 rho.

    A power law is linear in (log10 A, gamma), so its posterior and evidence have closed forms here.
    Shapes: mean, sigma and frequencies (bins,); Hz, t_span in s. Raises InputError for sigma <= 0.
    """
    mean, sigma, frequencies = np.broadcast_arrays(
        np.asarray(mean, float), np.asarray(sigma, float), np.asarray(frequencies, float)
    )
    if mean.ndim != 1 or not np.all(sigma > 0):
        raise InputError("a Gaussian free spectrum needs one mean and one positive sigma per bin")
    grid = np.asarray(grid, float)
    log_density = -0.5 * ((grid - mean[:, None]) / sigma[:, None]) ** 2
    return _synthetic("simulated Gaussian", frequencies, float(t_span), grid, log_density)


def _one_row(model: Model, theta: Theta) -> NDArray:
    rows, single = model.rows(theta)
    if not single or not model.prior.is_allowed(rows).all():
        raise InputError(f"a simulation needs one allowed point ({', '.join(model.names)})")
    return rows


def _synthetic(name: str, frequencies: NDArray, t_span: float, grid: NDArray, log_density: NDArray) -> FreeSpectrum:
    from tenfold.datasets import synthetic

    step = grid[1] - grid[0]
    log_density = log_density - log_density.max(axis=1, keepdims=True)
    log_density -= np.log(np.exp(log_density).sum(axis=1, keepdims=True) * step)
    digest = hashlib.sha256(np.concatenate([frequencies, grid, log_density.ravel()]).tobytes()).hexdigest()
    return FreeSpectrum(
        name=name,
        frequencies=frequencies,
        t_span=t_span,
        grid=grid,
        log_density=log_density,
        resolution=synthetic(name, digest, name),
    )
