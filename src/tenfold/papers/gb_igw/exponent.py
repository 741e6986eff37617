"""Claims on the exponent n of the potential and on the indices it implies: evidences, profiles, forced tilts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import qmc

from tenfold.papers.gb_igw.fits import options as fit_options
from tenfold.papers.gb_igw.fits import point
from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.pta import FreeSpectrum, model

PLANCK_N_S = (0.9649, 0.0042)  # recalled, not read: Planck 2018, TT,TE,EE+lowE+lensing
# Beyond this a ln Bayes factor rests on the floor that finite chains leave in the tables: a bound, no measurement.
DECISIVE = 10.0


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
