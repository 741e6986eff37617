"""What a better reproduction adds: cross-checks, sensitivity to choices, and the limits of slow roll."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import qmc

from tenfold import datasets
from tenfold.papers.gb_igw.fits import QUANTILES, columns, point
from tenfold.papers.gb_igw.fits import options as fit_options
from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.papers.gb_igw.spectra import load
from tenfold.pta import (
    FreeSpectrum,
    bbn_integral,
    detector,
    ensemble_sample,
    exact_monomial,
    frequency_at_temperature,
    gb_hyperbolic,
    gb_monomial,
    importance_sample,
    log10_igw_h2omega,
    model,
    simulate,
    slow_roll,
)
from tenfold.pta.background import monomial_attractor
from tenfold.pta.bounds import LVK_HZ

PLANCK_N_S = (0.9649, 0.0042)  # recalled, not read: Planck 2018, TT,TE,EE+lowE+lensing
JOINT = ("ng15_hd", "epta_dr2new_hd", "ppta_dr3_hd")
# Beyond this a ln Bayes factor rests on the floor that finite chains leave in the tables: a bound, no measurement.
DECISIVE = 10.0
RTOL = 1e-8  # of exact inflation: far below what a figure or a per cent can show
INJECTED = {"log10_A": -14.6985, "gamma": 4.1727}


def replicate_points(parameters: Parameters) -> list[dict[str, Any]]:
    """Return the fits behind the claim on the sign of n: each half of the prior, each array, each seed."""
    halves = {"negative": (-200.0, 0.0), "positive": (0.0, 10.0)}
    return [
        # Half of the points: the evidences lie tens apart, their errors are hundredths.
        point(parameters, "gb1_log", [dataset], parameters.seed + k, n=bounds) | {"points": parameters.log2_points - 1}
        for dataset in parameters.arrays
        for bounds in halves.values()
        for k in range(parameters.replicates)
    ]


def sign_of_n(parameters: Parameters, found: list[dict[str, Any]]) -> pd.DataFrame:
    """Return ln of the Bayes factor of n < 0 over 0 < n <= 10 for each array and seed, and `bounded`, at most 10."""
    rows = []
    for asked, result in zip(replicate_points(parameters), found, strict=True):
        half = "negative" if asked["bounds"]["n"][0] < 0 else "positive"
        where = {"dataset": asked["datasets"][0], "seed": asked["seed"], "half": half}
        rows.append(where | {"log_evidence": result["summary"]["log_evidence"]})
    table = pd.DataFrame(rows).pivot_table(index=["dataset", "seed"], columns="half", values="log_evidence", sort=False)
    table = table.assign(ln_bayes_factor=table.negative - table.positive)
    table["bounded"] = table.ln_bayes_factor.clip(upper=DECISIVE)
    return table.reset_index().rename_axis(columns=None)


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
    for key, truth in INJECTED.items():
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


def array_points(parameters: Parameters, arrays: Iterable[str]) -> list[dict[str, Any]]:
    """Return a sweep over arrays for GB-I: array, bins, model options."""
    options = fit_options("gb1_log", parameters.dataset, parameters)
    return [
        {"dataset": name, "bins": parameters.bins if name == parameters.dataset else 0, "options": options}
        for name in arrays
    ]


def exponent_profile(dataset: str, bins: int, points: int, options: dict[str, str]) -> pd.DataFrame:
    """Return the largest ln L over all other parameters at each potential exponent n, at least 4N + n > 0 allowed."""
    spectrum, signal = FreeSpectrum.load(dataset, bins=bins or None), model("gb1_log", **options)
    bounds = signal.prior.bounds()
    others = [bounds[key] for key in signal.names[1:]]
    cube = qmc.Sobol(len(others), scramble=True, rng=np.random.default_rng(0)).random_base2(points)
    rest = qmc.scale(cube, *zip(*others, strict=True))
    exponents = np.concatenate([np.arange(-195.0, 0.0, 5.0), [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0]])
    rows = []
    for n in np.sort(exponents):
        values = signal.log_likelihood(np.column_stack([np.full(len(rest), n), rest]), spectrum)
        rows.append({"n": n, "max_log_likelihood": float(values.max())})
    return pd.DataFrame(rows).assign(dataset=dataset)


def forced_tilt(dataset: str, bins: int, points: int, options: dict[str, str]) -> dict[str, Any]:
    """Return the best ln L of GB-I, free and with n_s within three standard deviations of Planck's.

    `change` is their difference, `bounded` the same but no lower than -10.
    """
    spectrum, signal = FreeSpectrum.load(dataset, bins=bins or None), model("gb1_log", **options)
    cube = qmc.Sobol(4, scramble=True, rng=np.random.default_rng(0)).random_base2(points)
    low, high = zip(*signal.prior.bounds().values(), strict=True)
    theta = qmc.scale(cube, low, high)
    free = signal.log_likelihood(theta, spectrum).max()
    # n_s = 1 - 2(n+2)/(4N+n) fixes n at given N: draw n_s instead of n.
    n_s = qmc.scale(cube[:, :1], *(PLANCK_N_S[0] + s * 3 * PLANCK_N_S[1] for s in (-1, 1)))[:, 0]
    theta[:, 0] = (4 * theta[:, 1] * (1 - n_s) - 4) / (1 + n_s)
    forced = signal.log_likelihood(theta, spectrum).max()
    change = float(forced - free)
    best = {"free": float(free), "forced": float(forced)}
    return {"dataset": dataset, **best, "change": change, "bounded": max(change, -DECISIVE)}


def identity_residuals(seed: int) -> pd.DataFrame:
    """Return closed forms minus the slow-roll engine run on V and xi themselves, at random points of GB-I and GB-II.

    Columns: model, quantity, closed, engine, residual (relative for r), and the residual of the single-field relation
    r = -8 n_T, which would hold without the coupling.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(25):
        n, efolds = rng.uniform(-60, -5), rng.uniform(50, 70)
        alpha = 1 + 10 ** rng.uniform(-3, 0.5)
        phi = np.sqrt(2 * n * (1 - alpha) * (efolds + n / 4))
        engine = slow_roll(lambda x, n=n: x**n, lambda x, n=n, a=alpha: 0.75 * a * x**-n, phi)
        rows += _residuals("gb1", gb_monomial(n, efolds, alpha), engine)
        lam = 10 ** rng.uniform(1, 3.5)
        root = np.sqrt(lam)
        engine = slow_roll(
            lambda x, s=root: (np.tanh(x) + s / np.cosh(x)) ** 2,
            lambda x, s=root: 0.75 * (np.sinh(x) ** 2 - np.sinh(x) / s) / (s + np.sinh(x)) ** 2,
            np.arcsinh(efolds / root),
        )
        rows += _residuals("gb2", gb_hyperbolic(lam, efolds), engine)
    return pd.DataFrame(rows)


def _residuals(name: str, closed: tuple, engine: Any) -> list[dict[str, Any]]:
    pairs = zip(("n_s", "n_t", "r"), closed, (engine.n_s, engine.n_t, engine.r), strict=True)
    single = float(abs(engine.r + 8 * engine.n_t) / abs(engine.r))
    return [
        {"model": name, "quantity": key, "closed": float(c), "engine": float(e)}
        | {"residual": float(c - e) / (float(abs(e)) if key == "r" else 1.0), "without_coupling": single}
        for key, c, e in pairs
    ]


def background(n: float, alphas: tuple[float, ...] = (0.0, -0.5), efolds: float = 75.0) -> dict[str, pd.DataFrame]:
    """Return the tilt -2 eps along exact inflation beside slow roll, and how each inflation ends."""
    datasets.synthetic("equations", "", "equations alone, no data")
    curves, ends = [], []
    for alpha in (*alphas, 0.5):
        exact = exact_monomial(n, alpha, efolds, n_max=2 * efolds, rtol=RTOL)
        ends.append({"n": n, "alpha": alpha, "ended": exact.ended, "efolds": exact.total, "reason": exact.reason})
        if exact.ended:
            before = np.linspace(1.0, min(70.0, exact.total - 1), 120)
            slow = gb_monomial(n, before, alpha)[1]
            columns = {"n": n, "alpha": alpha, "N": before, "exact": exact.tensor_tilt(before), "slow_roll": slow}
            curves.append(pd.DataFrame(columns))
    return {"curves": pd.concat(curves, ignore_index=True), "ends": pd.DataFrame(ends)}


def attractor(n: float = -62.0, efolds: float = 60.0, alphas: tuple[float, ...] = (1.1, 1.5, 2.0)) -> pd.DataFrame:
    """Return the tilt -2 eps of exact inflation that starts in blue GB-I, e-fold by e-fold, beside the closed form.

    `limit` is the tilt of the power-law inflation to which the exact solution tends.
    """
    datasets.synthetic("equations", "", "equations alone, no data")
    frames = []
    for alpha in alphas:
        exact = exact_monomial(n, alpha, efolds, n_max=100.0, rtol=RTOL)
        since = np.geomspace(0.01, exact.total, 300)
        tilt = exact.tilt_since_start(since)
        closed = {"closed_form": float(gb_monomial(n, efolds, alpha)[1]), "limit": -2 * monomial_attractor(alpha)}
        frames.append(pd.DataFrame({"n": n, "alpha": alpha, "since": since, "exact": tilt, **closed}))
    return pd.concat(frames, ignore_index=True)


def validity(table: pd.DataFrame, after: float = 10.0) -> pd.DataFrame:
    """Return, for each alpha, the exact tilt `after` so many e-folds beside the closed form, and delta1.

    delta1 = 4 xidot H = 2 alpha eps1 = -alpha n_T: the closed forms need its size to be far below one.
    """
    rows = []
    for alpha, part in table.groupby("alpha", sort=False):
        closed = part.closed_form.iloc[0]
        exact = float(np.interp(after, part.since, part.exact))
        rows.append({"alpha": alpha, "after": after, "closed_form": closed, "exact": exact, "delta1": -alpha * closed})
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
