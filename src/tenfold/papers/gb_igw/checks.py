"""What a better reproduction adds: another sampler, single bins, a known truth, published amplitudes, bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tenfold import datasets
from tenfold.datasets.pta import injection
from tenfold.papers.gb_igw.fits import QUANTILES, columns, point
from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.papers.gb_igw.spectra import load
from tenfold.pta import (
    FreeSpectrum,
    bbn_integral,
    detector,
    ensemble_sample,
    frequency_at_temperature,
    importance_sample,
    log10_igw_h2omega,
    model,
    simulate,
)
from tenfold.pta.bounds import LVK_HZ

JOINT = ("ng15_hd", "epta_dr2new_hd", "ppta_dr3_hd")
# What the synthetic arrays hold: the same power law, to four decimals, as was injected into sim51.
INJECTED = {"log10_A": -14.6985, "gamma": 4.1727}


def chain(dataset: str, name: str, bins: int, seed: int, steps: int) -> dict[str, Any]:
    """Sample a model's posterior with emcee, and return quantiles and effective sample size."""
    spectrum, signal = FreeSpectrum.load(dataset, bins=bins or None), model(name)
    posterior = ensemble_sample(lambda theta: signal.log_likelihood(theta, spectrum), signal.prior, seed, steps=steps)
    rows = []
    for key, values in columns(signal, posterior.samples).items():
        found = posterior.quantile(values, list(QUANTILES.values()))
        rows.append({"quantity": key, **dict(zip(QUANTILES, map(float, found), strict=True))})
    return {"quantiles": pd.DataFrame(rows), "ess": posterior.ess}


def sampler_check(importance: dict[str, Any], ensemble: dict[str, Any], names: tuple[str, ...]) -> pd.DataFrame:
    """Return medians of both samplers and their difference in units of the posterior's half-width."""
    left, right = (found["quantiles"].set_index("quantity").loc[list(names)] for found in (importance, ensemble))
    half = 0.5 * (left.q84 - left.q16)
    table = pd.DataFrame({"importance": left["median"], "emcee": right["median"], "half_width": half})
    table["difference"] = (table.emcee - table.importance) / half
    table["emcee_error"] = 1.25 / np.sqrt(ensemble["ess"])
    return table.reset_index()


def leave_one_out_points(parameters: Parameters) -> list[dict[str, Any]]:
    """Return the fits of the free power law to the main array without each of its bins in turn; 0 keeps all."""
    whole = point(parameters, "power_law", [parameters.dataset])
    whole["points"] = min(parameters.log2_points, 15)
    return [whole | {"drop": k} for k in range(load(parameters.dataset, parameters).bins + 1)]


def influence(found: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the quantiles of each parameter when bin `dropped` is left out (0: none)."""
    frames = [result["quantiles"].assign(dropped=k) for k, result in enumerate(found)]
    return pd.concat(frames, ignore_index=True)


def injected_arrays(simulated: int) -> list[str]:
    """Return the arrays with a known truth: `sim51` where it is at hand, and synthetic ones of our own."""
    public = datasets.resolve("sim51", missing_ok=True).source != "absent"
    return (["sim51"] if public else []) + [f"simulated {k + 1}" for k in range(simulated)]


def recover(array: str, seed: int, points: int) -> dict[str, Any]:
    """Recover the injected power law from one array.

    Returns `draws` (posterior samples) and `ranks` (per parameter: median, 95 % range, and the posterior probability
    below the injected value).
    """
    if array == "sim51":
        spectrum = FreeSpectrum.load(array)
    else:
        spectrum = simulate("power_law", INJECTED, seed + int(array.split()[-1]), bins=10)
    signal = model("power_law")
    posterior = importance_sample(
        lambda theta: signal.log_likelihood(theta, spectrum), signal.prior, seed, 2**points, 2**points
    )
    ranks = []
    truths = dict(zip(INJECTED, injection(array), strict=True)) if array == "sim51" else INJECTED
    for key, truth in truths.items():
        low, median, high = posterior.quantile(key, [0.025, 0.5, 0.975])
        rank = posterior.probability(posterior.column(key) < truth)
        row = {"array": array, "parameter": key, "injected": truth, "median": float(median)}
        ranks.append(row | {"q2.5": float(low), "q97.5": float(high), "rank": rank})
    draws = pd.DataFrame(posterior.resample(1500, seed), columns=list(signal.names))
    return {"draws": draws.assign(array=array), "ranks": pd.DataFrame(ranks)}


def injected_data() -> list[str]:
    """Return the names of the arrays with an injection that this process has read or made."""
    read = [item.name for item in datasets.used() if item.source != "absent"]
    return list(dict.fromkeys(name for name in read if name == "sim51" or name.startswith("simulated")))


def amplitude_points(parameters: Parameters) -> list[dict[str, Any]]:
    """Return the fits behind the comparison with published amplitudes at gamma = 13/3."""
    return [
        point(parameters, "power_law_13_3", [dataset], parameters.seed + k) | {"bins": 0}
        for dataset in ("ng15_hd", "epta_dr2new_hd")
        for k in range(parameters.replicates)
    ]


def amplitudes(points: list[dict[str, Any]], found: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the median of log10 A, and A in units of 1e-15, for each array and seed."""
    rows = []
    for asked, result in zip(points, found, strict=True):
        log10_A = result["quantiles"].set_index("quantity").loc["log10_A"]
        where = {"dataset": asked["datasets"][0], "seed": asked["seed"], "bins": int(result["summary"]["bins"])}
        rows.append(where | {"log10_A": log10_A["median"], "A_1e15": 10 ** (log10_A["median"] + 15)})
    return pd.DataFrame(rows)


def exclusion(parameters: Parameters, log10_T_rh: tuple[float, ...] = (-1.0, 0.0, 3.0)) -> pd.DataFrame:
    """Return what bounds the plane (n_t, log10 r), with and without an end of the spectrum at f_rh.

    Columns: log10_T_rh, cut (none, or the spectrum ends at the reheating frequency), n_t, log10_r, log10_integral
    (of h^2 Omega dlnf, for nucleosynthesis), log10_h2omega_25Hz (for the ground-based detectors).
    """
    n_t, log10_r = np.linspace(0.0, 6.0, 121), np.linspace(-40.0, 0.0, 41)
    frames = []
    for heat in log10_T_rh:
        for cut in ("none", "f_rh"):
            end = float(frequency_at_temperature(10.0**heat)) if cut == "f_rh" else None
            how = {"transfer": parameters.transfer, "f_end": end}
            # Both are proportional to r: one row of n_t serves the whole plane.
            integral = np.log10(bbn_integral(n_t, 0.0, heat, **how))
            level = log10_igw_h2omega(LVK_HZ, n_t, 0.0, heat, **how)
            plane = pd.MultiIndex.from_product([n_t, log10_r], names=["n_t", "log10_r"]).to_frame(index=False)
            plane["log10_integral"] = np.repeat(integral, len(log10_r)) + plane.log10_r
            plane["log10_h2omega_25Hz"] = np.repeat(level, len(log10_r)) + plane.log10_r
            frames.append(plane.assign(log10_T_rh=heat, cut=cut))
    return pd.concat(frames, ignore_index=True)


def ground_limit() -> float | None:
    """Return h^2 Omega at 25 Hz that advanced LIGO's power-law-integrated curve reaches, None without its noise."""
    item = detector("aLIGO", missing_ok=True)
    return None if item is None else float(np.interp(LVK_HZ, item.frequencies, item.power_law_integrated()))


def staircase(parameters: Parameters) -> pd.DataFrame:
    """Return ln L of the free power law along log10 A in steps far below the grid: the staircase that stops HMC."""
    spectrum, signal = load(parameters.dataset, parameters), model("power_law")
    log10_A = np.linspace(-14.15, -14.147, 800)
    values = signal.log_likelihood({"log10_A": log10_A, "gamma": np.full(log10_A.size, 3.2)}, spectrum)
    return pd.DataFrame({"log10_A": log10_A, "log_likelihood": values})
