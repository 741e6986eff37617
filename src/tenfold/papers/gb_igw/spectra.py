"""Energy spectra: the violins of the arrays, the bands of the fits, the detectors, and distances between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tenfold import datasets
from tenfold.papers.gb_igw.fits import Fits
from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.pta import (
    Detector,
    FreeSpectrum,
    Model,
    bbn_integral,
    bbn_limit,
    detectors,
    h2omega_from_rho2,
    model,
    power_law_integrated,
    signal_to_noise,
)

# The four collaborations of the abstract, one free spectrum each.
SHOWN = ("ng15_hd", "epta_dr2new_hd", "ppta_dr3_hd", "ipta_dr2_cp")
# Reference points of the comparison: the largest r that BICEP/Keck allows, and lambda at the largest blue tilt.
STANDARD = {"log10_r": float(np.log10(0.036)), "log10_T_rh": 3.0}
HYPERBOLIC = {"log10_lambda": float(np.log10(465.0)), "N": 60.0, "log10_T_rh": 3.0}
LOWEST = 5
JUDGED = 2000  # posterior draws whose whole spectra are computed
SPACE = ("LISA", "Taiji", "TianQin", "DECIGO", "BBO")
BAND = np.geomspace(5e-10, 3e3, 260)
LEVELS = np.linspace(0.0005, 0.9995, 140)  # a violin's points: at quantiles, where its outline bends ...
EVENLY = 120  # ... and evenly over the table, where it is flat


def load(dataset: str, parameters: Parameters) -> FreeSpectrum:
    """Return a free spectrum with the bins that the parameters ask for."""
    return FreeSpectrum.load(dataset, bins=(parameters.bins or None) if dataset == parameters.dataset else None)


def log10_h2omega(spectrum: FreeSpectrum, log10_rho: np.ndarray) -> np.ndarray:
    """Return log10 h^2 Omega of log10(rho/s) given per bin along the first axis."""
    f = spectrum.frequencies.reshape(-1, *(1,) * (np.ndim(log10_rho) - 1))
    return np.log10(h2omega_from_rho2(f, 1.0, spectrum.t_span)) + 2 * np.asarray(log10_rho)


def violins(names: Sequence[str], parameters: Parameters) -> pd.DataFrame:
    """Return the outline of each bin's violin, straight from the density tables.

    Columns: dataset, bin (from 1), f_Hz, log10_h2omega, width (density relative to the bin's largest), inside
    (whether the point lies within the central 95 %).
    """
    frames = []
    for dataset in names:
        spectrum = load(dataset, parameters)
        bends = spectrum.quantile(LEVELS)
        low, high = spectrum.quantile([0.025, 0.975]).T
        for k in range(spectrum.bins):
            density = spectrum.density(k)
            rho = np.union1d(np.linspace(spectrum.grid[0], bends[k, -1], EVENLY), bends[k])
            width = np.interp(rho, spectrum.grid, density) / density.max()
            omega = log10_h2omega(spectrum, np.tile(rho, (spectrum.bins, 1)))[k]
            columns = {"f_Hz": spectrum.frequencies[k], "log10_h2omega": omega, "width": width}
            inside = (rho >= low[k]) & (rho <= high[k])
            frames.append(pd.DataFrame({"dataset": dataset, "bin": k + 1, **columns, "inside": inside}))
    return pd.concat(frames, ignore_index=True)


def bands(fits: Fits, dataset: str, names: Sequence[str], frequencies: np.ndarray = BAND) -> pd.DataFrame:
    """Return the posterior bands and best fits of spectra: model, f_Hz, q2.5, q16, median, q84, q97.5, best."""
    frames = []
    for name in names:
        found = fits[dataset, name]
        signal = fits.model(dataset, name)
        draws = found["draws"][list(signal.names)].to_numpy()[:JUDGED]
        curves = np.log10(signal.h2omega(draws, frequencies))
        best = np.log10(signal.h2omega({key: found["best"][key] for key in signal.names}, frequencies))
        levels = np.quantile(curves, [0.025, 0.16, 0.5, 0.84, 0.975], axis=0)
        columns = dict(zip(("q2.5", "q16", "median", "q84", "q97.5"), levels, strict=True))
        frames.append(pd.DataFrame({"model": name, "f_Hz": frequencies, **columns, "best": best}))
    return pd.concat(frames, ignore_index=True)


def references(frequencies: np.ndarray = BAND) -> pd.DataFrame:
    """Return log10 h^2 Omega of the two spectra that no fit decides: standard slow roll, GB-II."""
    curves = {
        "sfsr": model("sfsr").h2omega(STANDARD, frequencies),
        "gb2": model("gb2").h2omega(HYPERBOLIC, frequencies),
    }
    frames = [pd.DataFrame({"model": m, "f_Hz": frequencies, "best": np.log10(y)}) for m, y in curves.items()]
    return pd.concat(frames, ignore_index=True)


def offsets(fits: Fits, parameters: Parameters) -> pd.DataFrame:
    """Return |log10 h^2 Omega - median of the bin| in the lowest bins of each array, one column a model.

    GB-I is the best fit to the main array, the same for all arrays, as a prediction would be.
    """
    best = {name: fits[parameters.dataset, name]["best"] for name in ("gb1_log", "gb1_linear")}
    frames = []
    for dataset in SHOWN:
        spectrum = load(dataset, parameters)
        medians = log10_h2omega(spectrum, spectrum.quantile(0.5))[:LOWEST]
        f = spectrum.frequencies[:LOWEST]
        columns = {"sfsr": model("sfsr").h2omega(STANDARD, f), "gb2": model("gb2").h2omega(HYPERBOLIC, f)}
        for name, values in best.items():
            signal = fits.model(parameters.dataset, name)
            columns[name] = signal.h2omega({key: values[key] for key in signal.names}, f)
        away = {key: np.abs(np.log10(omega) - medians) for key, omega in columns.items()}
        frames.append(pd.DataFrame({"dataset": dataset, "bin": np.arange(1, len(f) + 1), "f_Hz": f, **away}))
    return pd.concat(frames, ignore_index=True)


def sensitivities() -> pd.DataFrame:
    """Return the power-law-integrated curve of every detector at hand: detector, f_Hz, h2omega, analytic."""
    frames = []
    for name, item in detectors().items():
        curve = pd.DataFrame({"f_Hz": item.frequencies, "h2omega": item.power_law_integrated()})
        thin = curve.iloc[:: max(1, len(curve) // 200)]
        frames.append(thin.assign(detector=name, source="analytic" if item.analytic else "table"))
    return pd.concat(frames, ignore_index=True)[["detector", "source", "f_Hz", "h2omega"]]


def sources(names: Sequence[str]) -> list[str]:
    """Return data sets and, where it was at hand, that of the detectors' noise."""
    tables = [item.name for item in datasets.used() if item.name == "sensitivity" and item.source != "absent"]
    return [*names, *dict.fromkeys(tables)]


def space(fits: Fits, parameters: Parameters) -> pd.DataFrame:
    """Return how far the fitted GB-I spectra stand above standard slow roll in each space detector's best band.

    A row per model, detector and selection of posterior draws (all, or those that nucleosynthesis allows without a
    cut of the spectrum): quantiles of log10 of the ratio, and the share of draws that the detector would see.
    """
    rows = []
    for name in ("gb1_log", "gb1_linear"):
        draws = fits[parameters.dataset, name]["draws"][:JUDGED]
        theta = draws[list(fits.model(parameters.dataset, name).names)].to_numpy()
        allowed = nucleosynthesis(draws, parameters) < bbn_limit(parameters.delta_n_eff)
        for item in detectors(SPACE).values():
            seen = _seen(fits.model(parameters.dataset, name), theta, item)
            for label, chosen in (("all", np.ones(len(draws), bool)), ("bbn", allowed)):
                rows.append({"model": name, "draws": label, "detector": item.name, **_summary(seen[chosen])})
    return pd.DataFrame(rows)


def _seen(signal: Model, theta: np.ndarray, item: Detector) -> pd.DataFrame:
    """Return, per draw, log10 (GB-I / standard) where the detector reaches deepest, and both signal-to-noise ratios."""
    f = np.geomspace(item.frequencies[0], item.frequencies[-1], 240)
    noise = np.exp(np.interp(np.log(f), np.log(item.frequencies), np.log(item.omega_noise)))
    at = int(np.argmin(power_law_integrated(f, noise, item.n_det, item.t_obs)))
    curves, standard = signal.h2omega(theta, f), model("sfsr").h2omega(STANDARD, f)
    snr, standard_snr = (signal_to_noise(f, y, noise, item.n_det, item.t_obs) for y in (curves, standard))
    ratio = np.log10(curves[:, at] / standard[at])
    return pd.DataFrame({"f_Hz": f[at], "ratio": ratio, "snr": snr, "standard_snr": standard_snr})


def _summary(seen: pd.DataFrame) -> dict[str, float]:
    low, median, high = seen.ratio.quantile([0.025, 0.5, 0.975])
    share = {"seen": (seen.snr > 1).mean(), "median_snr": seen.snr.median()}
    standard = {"f_Hz": seen.f_Hz.mean(), "standard_snr": seen.standard_snr.mean()}
    return {"n": len(seen), "q2.5": low, "median": median, "q97.5": high, **share, **standard}


def nucleosynthesis(draws: Mapping[str, ArrayLike], parameters: Parameters) -> np.ndarray:
    """Return h^2 int Omega dlnf of points with n_t, log10_r and log10_T_rh, up to 1e8 Hz."""
    theta = (np.asarray(draws[name], float) for name in ("n_t", "log10_r", "log10_T_rh"))
    return bbn_integral(*theta, transfer=parameters.transfer)
