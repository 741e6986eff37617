"""The jobs of compression: spectra, thresholds, and what every method leaves of the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from tenfold.lowrank import (
    MODES,
    NORMALISATIONS,
    entropy_rank,
    normalized_spectrum,
    owl_ranks,
    rank_reduction,
    search_threshold,
    stable_rank,
    totals,
    truncate,
)
from tenfold.lowrank.maps import block_of
from tenfold.papers.welore.bench import Bench
from tenfold.papers.welore.plans import FACTORS, METHODS
from tenfold.papers.welore.published import THRESHOLDS

DRAWN = 256
"""Values of a spectrum that figures keep, evenly spread."""


def spectra(seed: int, errs: list[float], settings: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return what the spectra of the dense model of a seed say.

    spectra: name, block, linear, rank (from 1, at most 256 a map), s (min-max normalised), sigma; ranks: name, block,
    linear, full, stable, entropy, and for every ERR and normalisation the kept share of the rank; thresholds: by, mode,
    err, step (of the grid, 0 for none), threshold, reached; published: which, err, threshold, all, lrc (ERR reached).
    """
    held = Bench.of(seed, settings).held().spectra
    return {
        "spectra": pd.concat([_spectrum(name, sigma) for name, sigma in held.items()]).assign(seed=seed),
        "ranks": pd.DataFrame(list(_kept(held, errs))).assign(seed=seed),
        "thresholds": pd.DataFrame(list(_searched(held, errs))).assign(seed=seed),
        "published": pd.DataFrame(list(_tables(held))).assign(seed=seed),
    }


def place(name: str) -> dict[str, Any]:
    """Return name, block and linear of a map."""
    return {"name": name, "block": block_of(name), "linear": name.rpartition(".")[2]}


def _spectrum(name: str, sigma: torch.Tensor) -> pd.DataFrame:
    values, s = sigma.cpu().double().numpy(), normalized_spectrum(sigma.cpu().double().numpy())
    at = np.unique(np.linspace(0, len(values) - 1, min(DRAWN, len(values))).round().astype(int))
    return pd.DataFrame({**place(name), "rank": at + 1, "s": s[at], "sigma": values[at]})


def _kept(held: dict[str, torch.Tensor], errs: list[float]) -> Iterator[dict[str, Any]]:
    for by in NORMALISATIONS:
        for err in errs:
            threshold = search_threshold(held, err, by=by, step=None)
            for name, sigma in held.items():
                s = np.asarray(normalized_spectrum(sigma.cpu().double().numpy(), by))
                row = place(name) | {
                    "by": by,
                    "err": err,
                    "full": len(s),
                    "kept": max(1, (s >= threshold).sum()) / len(s),
                }
                yield row | {"stable": stable_rank(sigma), "entropy": entropy_rank(sigma)}


def _searched(held: dict[str, torch.Tensor], errs: list[float]) -> Iterator[dict[str, Any]]:
    for by in NORMALISATIONS:
        for mode in MODES:
            for step in (0.005, None):
                if by == "raw" and step:
                    continue
                for err in errs:
                    k = search_threshold(held, err, mode, by=by, step=step)
                    row = {"by": by, "mode": mode, "err": err, "step": step or 0.0, "threshold": k}
                    yield row | {"reached": float(rank_reduction(held, k, mode, by)[0])}


def _tables(held: dict[str, torch.Tensor]) -> Iterator[dict[str, Any]]:
    for which, table in THRESHOLDS.items():
        for err, k in table.items():
            reached = {mode: float(rank_reduction(held, k, mode)[0]) for mode in MODES}
            yield {"which": which, "err": err, "threshold": k, **reached}


def curves(seed: int, errs: list[float], owl: dict[str, float], settings: dict[str, Any]) -> pd.DataFrame:
    """Compress the model of a seed by every method to every ERR: a row per method, ERR and test text.

    Columns method, target (0: dense), err, share, model_share, macs_share, lrc_share, low_rank (maps), test, part, loss
    in nats per token. owl: M and lambda.
    """
    bench = Bench.of(seed, settings)
    plan = {(name, err): ranks(bench, name, err, owl) for name in METHODS for err in errs}
    rows = _rows("dense", 0.0, totals(bench.dense), bench.losses(bench.dense))
    for factors in FACTORS:
        # All that one decomposition serves, one after the other: only one is in memory.
        for (name, err), found in plan.items():
            if METHODS[name].factors == factors:
                model = truncate(bench.dense, bench.held(factors), found)
                rows += _rows(name, err, totals(model), bench.losses(model))
    return pd.DataFrame(rows).assign(seed=seed)


def ranks(bench: Bench, name: str, err: float, owl: dict[str, float]) -> dict[str, int]:
    """Return the rank of every map by a method, from the spectra of the plain weights."""
    method, held = METHODS[name], bench.held()
    if method.ranks == "owl":
        # Ratios above 1 are none: where ERR + 2 lambda would pass it, blocks differ by less.
        strength = min(owl["lam"], 0.49 * (1 - err))
        with bench.placed(bench.dense):
            return owl_ranks(bench.dense, bench.calibration, held, err, M=owl["M"], lam=strength)
    # Without a grid all normalisations come equally close to the target.
    return held.ranks(err, method.mode, method.ranks, step=None)


def _rows(method: str, err: float, sums: dict[str, float], losses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = ("err", "share", "model_share", "macs_share", "lrc_share", "low_rank")
    about = {"method": method, "target": err} | {name: float(sums[name]) for name in wanted}
    return [about | row for row in losses]


def modules(seed: int, errs: list[float], settings: dict[str, Any]) -> pd.DataFrame:
    """Return the loss that truncating one kind of map alone adds, all others dense: linear, err, added (nats).

    The same share of the rank goes from every block: which maps can spare rank, measured and not read off spectra.
    """
    bench = Bench.of(seed, settings)
    held, rows = bench.held(), []
    dense = bench.loss(bench.dense)
    for linear in dict.fromkeys(name.rpartition(".")[2] for name in held):
        for err in errs:
            ranks = held.rates({name: err for name in held if name.endswith(linear)})
            loss = bench.loss(truncate(bench.dense, held, ranks))
            rows.append({"linear": linear, "err": err, "added": loss - dense, "seed": seed})
    return pd.DataFrame(rows)
