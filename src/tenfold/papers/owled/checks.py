"""Checks: the numbers that must come out, each with the tolerance to which it must."""

from __future__ import annotations

from math import erfc, pi, sqrt

import numpy as np
import pandas as pd
import torch

from tenfold.papers.owled.labels import errors
from tenfold.papers.owled.parameters import HALF, HIGH
from tenfold.papers.owled.results import Results
from tenfold.pruning import driving, outlier_percent, owl_ratios

SAMPLE = 1_000_000
EXACT = 1e-9


def identities(found: Results) -> pd.DataFrame:
    """Return numbers that must come out, what did, and the residual in units of the tolerance."""
    rows = [*ratios(found), *tails(found.p.seed), *metrics(found), *rescaled(found)]
    table = pd.DataFrame(rows, columns=["quantity", "expected", "found", "tolerance"])
    return table.assign(residual=(table.found - table.expected) / table.tolerance)


def ratios(found: Results) -> list[tuple[str, float, float, float]]:
    """Return what OWL's mapping must give: mean, range, equal D, an affine change of D, and a scale of the scores."""
    p, rng = found.p, np.random.default_rng(found.p.seed)
    d = rng.uniform(0, 5, 32)
    plan = owl_ratios(d, HIGH, p.strength)
    scores = torch.from_numpy(np.abs(rng.standard_normal(10_000)))
    means = found.proxies("ratios").groupby(["subject", "seed", "allocation", "number"]).ratio.mean()
    return [
        ("mean of OWL's ratios of 32 blocks", HIGH, float(plan.mean()), 1e-12),
        ("largest minus least of them", 2 * p.strength, float(np.ptp(plan)), 1e-12),
        ("blocks out of order: more outliers, higher sparsity", 0, float((np.diff(plan[d.argsort()]) > 0).sum()), 0.5),
        (
            "largest change of ratios under 3 D + 2",
            0,
            float(np.abs(owl_ratios(3 * d + 2, HIGH, p.strength) - plan).max()),
            1e-12,
        ),
        (
            "largest distance from one ratio at equal D",
            0,
            float(np.abs(owl_ratios(0 * d, HIGH, p.strength) - HIGH).max()),
            1e-12,
        ),
        (
            "change of D when all scores grow sevenfold",
            0,
            outlier_percent(7 * scores, 3) - outlier_percent(scores, 3),
            0.05,
        ),
        ("D of constant scores, M = 1", 0, outlier_percent(torch.ones(100), 1), EXACT),
        ("largest distance of a mean ratio from 0.7, all allocations", 0, float((means - HIGH).abs().max()), 1e-9),
    ]


def tails(seed: int) -> list[tuple[str, float, float, float]]:
    """Return D of half-normal scores, P(|z| > M sqrt(2/pi)) in percent, to four deviations of the sample."""
    scores = torch.randn(SAMPLE, generator=torch.Generator().manual_seed(seed)).abs()
    rows = []
    for threshold in (3, 5):
        share = erfc(threshold * sqrt(2 / pi) / sqrt(2))
        tolerance = 400 * sqrt(share / SAMPLE)
        rows.append(
            (f"D of half-normal scores, M = {threshold}", 100 * share, outlier_percent(scores, threshold), tolerance)
        )
    return rows


def metrics(found: Results) -> list[tuple[str, float, float, float]]:
    """Return what perfect and single predictions must give."""
    truth = found.test.texts
    perfect = driving.driving_metrics(truth, truth)
    c = np.linspace(0, 1, 101)
    back = driving.pedals_to_control(*driving.control_to_pedals(c))
    said = found.said[(found.said.part == "dense") & (found.said.seed == found.seeds[0])].sort_values("scene")
    texts = said.text.fillna("").tolist()
    whole, single = driving.driving_metrics(truth, texts), errors(truth, texts)
    away = [abs(whole[name] - values.mean()) for name, values in single.items() if len(values)]
    return [
        (
            "errors of perfect answers, all together",
            0,
            perfect["E_car"] + perfect["E_ped"] + perfect["E_lon"] + perfect["E_lat"],
            EXACT,
        ),
        ("accuracy of perfect answers", 1, perfect["Acc_TL"], EXACT),
        ("largest error of control to pedals and back", 0, float(np.abs(back - c).max()), 0.01),
        ("means of single errors against the metrics", 0, float(max(away)), 1e-9),
    ]


def rescaled(found: Results) -> list[tuple[str, float, float, float]]:
    """Return what must not change: under planted outlier channels, a decoy, and a merged adapter."""
    planted, fooled, adapter = (found.trap(name) for name in ("planted", "fooled", "adapter"))
    moved = planted.groupby("seed").dense_loss.agg(np.ptp).max()
    decoy = fooled.groupby("seed").dense.agg(np.ptp).max()
    merged = adapter[adapter.order == "merge, then prune"].zeros_adapted
    return [
        ("change of the dense loss under planted channels", 0, float(moved), 1e-4),
        ("change of D under them, in percent points", 0, float(planted.outliers_moved.max()), 0.01),
        ("share of Wanda's masks that they change", 0, float(planted.wanda_changed.max()), 1e-3),
        ("change of the dense loss under a decoy", 0, float(decoy), 1e-4),
        ("zeros of the adapted maps, merged before pruning", HALF, float(merged.mean()), 0.02),
    ]
