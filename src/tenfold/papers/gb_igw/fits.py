"""Fits of spectra to free spectra: one cached importance-sampling run per array, model and seed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.gb_igw.parameters import Parameters
from tenfold.pta import FreeSpectrum, Model, importance_sample, joint_log_likelihood, model

QUANTILES = {"q2.5": 0.025, "q16": 0.16, "median": 0.5, "q84": 0.84, "q97.5": 0.975}
DRAWS = 8000
# Narrower than the model's own bounds: the ones behind the published amplitudes at 13/3.
BOUNDS = {"power_law_13_3": {"log10_A": (-18.0, -12.0)}}


def fit(
    datasets: list[str],
    name: str,
    bins: int,
    seed: int,
    points: int,
    options: dict[str, str],
    bounds: dict[str, list[float]],
    drop: int = 0,
) -> dict[str, Any]:
    """Sample one model's posterior on one array (without bin `drop`, from 1), or on several taken as independent.

    Returns `summary` (ln Z and its error, ESS, largest weight, largest ln L), `quantiles` (a row per parameter and
    derived quantity), `best` (the point of largest ln L) and `draws` (equally weighted posterior samples).
    """
    spectra = [FreeSpectrum.load(dataset, bins=bins or None) for dataset in datasets]
    spectra = [spectrum.drop(drop - 1) for spectrum in spectra] if drop else spectra
    signal = model(name, **options).with_prior(**{key: tuple(pair) for key, pair in bounds.items()})
    posterior = importance_sample(
        joint_log_likelihood(signal, spectra),
        signal.prior,
        seed,
        n_prior=2**points,
        n_mixture=2**points,
        # A thousandth from 2^16 points on; few points cannot have weights that small.
        max_weight=max(1e-3, 2.0 ** (6 - points)),
    )
    values = columns(signal, posterior.samples)
    rows = [{"quantity": key, **_quantiles(posterior, value)} for key, value in values.items()]
    log_db = sum(spectrum.bins * spectrum.log_db for spectrum in spectra)
    return {
        "summary": {
            "log_evidence": posterior.log_evidence,
            "log_evidence_error": posterior.log_evidence_error,
            "log_evidence_density": posterior.log_evidence - log_db,
            "max_log_likelihood": posterior.max_log_likelihood,
            "ess": posterior.ess,
            "max_weight": posterior.max_weight,
            "bins": sum(spectrum.bins for spectrum in spectra),
        },
        "quantiles": pd.DataFrame(rows),
        "best": {key: float(value[0]) for key, value in columns(signal, posterior.best[None]).items()},
        "draws": pd.DataFrame(columns(signal, posterior.resample(min(DRAWS, 2 ** (points - 2)), seed))),
    }


def columns(signal: Model, theta: np.ndarray) -> dict[str, np.ndarray]:
    """Return parameters and derived quantities of points (P, D) by name, each (P,)."""
    parameters = dict(zip(signal.names, theta.T, strict=True))
    return parameters | {key: value for key, value in signal.derived(theta).items() if key not in parameters}


def _quantiles(posterior: Any, values: np.ndarray) -> dict[str, float]:
    found = posterior.quantile(values, list(QUANTILES.values()))
    return dict(zip(QUANTILES, map(float, found), strict=True))


def options(name: str, dataset: str, parameters: Parameters) -> dict[str, str]:
    """Return the model options that follow from the parameters and the array."""
    chosen = {}
    if name in ("igw", "gb1_log", "gb1_linear", "gb2", "gb3", "sfsr", "igw_smbhb"):
        chosen["transfer"] = parameters.transfer
    if name in ("gb1_log", "gb1_linear"):
        chosen["end_rule"] = parameters.end_rule
    if name in ("smbhb", "igw_smbhb"):
        # No such prior is published for the other arrays; NANOGrav's stands in.
        chosen["array"] = "ipta_dr2" if dataset == "ipta_dr2_cp" else "ng15"
    return chosen


def point(parameters: Parameters, name: str, datasets: Iterable[str], seed: int | None = None, **bounds: Any) -> dict:
    """Return the arguments of one `fit` under these parameters; `bounds` narrow the model's prior."""
    datasets = list(datasets)
    return {
        "datasets": datasets,
        "name": name,
        "bins": parameters.bins if datasets == [parameters.dataset] else 0,
        "seed": parameters.seed if seed is None else seed,
        "points": parameters.log2_points,
        "options": options(name, datasets[0], parameters),
        "bounds": {key: list(pair) for key, pair in (BOUNDS.get(name, {}) | bounds).items()},
    }


class Fits:
    """All fits of the grid arrays x models, by array and model; they begin at once, and are waited for when asked."""

    def __init__(self, book: Any) -> None:
        self._parameters = book.parameters
        self._pairs = [(dataset, name) for dataset in book.parameters.arrays for name in book.parameters.models]
        self._pending = book.start(fit, [point(book.parameters, name, [dataset]) for dataset, name in self._pairs])

    @cached_property
    def results(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The result of `fit` by array and model."""
        return dict(zip(self._pairs, self._pending.results(), strict=True))

    def __getitem__(self, pair: tuple[str, str]) -> dict[str, Any]:
        return self.results[pair]

    def model(self, dataset: str, name: str) -> Model:
        """Return the model as it was fitted to an array."""
        return model(name, **options(name, dataset, self._parameters))

    def evidences(self) -> pd.DataFrame:
        """Return ln Z, its error, ln Bayes factors against the free power law, and the sampler's diagnostics."""
        rows = [{"dataset": d, "model": m, **found["summary"]} for (d, m), found in self.results.items()]
        table = pd.DataFrame(rows)
        reference = table[table.model == "power_law"].set_index("dataset").log_evidence
        table.insert(4, "ln_bayes_factor", table.log_evidence - table.dataset.map(reference))
        return table

    def quantiles(self) -> pd.DataFrame:
        """Return the posterior quantiles of every quantity, with its value at the best fit."""
        frames = []
        for (dataset, name), found in self.results.items():
            frame = found["quantiles"].copy()
            frame.insert(0, "dataset", dataset)
            frame.insert(1, "model", name)
            frame["best"] = frame.quantity.map(found["best"])
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)


def priors(names: Iterable[str]) -> pd.DataFrame:
    """Return the prior of each parameter of each model: bounds, or a Gaussian's mean and standard deviation."""
    rows = []
    for name in names:
        signal = model(name).with_prior(**BOUNDS.get(name, {}))
        for names_of_block, block in signal.prior.blocks.items():
            rows += [
                {"model": name, "title": signal.title, "parameter": key, "prior": _words(block, index)}
                for index, key in enumerate(names_of_block)
            ]
    return pd.DataFrame(rows)


def _words(block: Any, index: int) -> str:
    if hasattr(block, "low"):
        return f"uniform [{block.low:g}, {block.high:g}]"
    deviation = float(np.sqrt(block.covariance[index, index]))
    return f"Gaussian {block.mean[index]:.3f} +- {deviation:.3f} (correlated)"
