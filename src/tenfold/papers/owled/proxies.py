"""Does D predict sensitivity? Outliers and sensitivity of each block, and every way to share the sparsity out."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from torch import nn

from tenfold.language.llama import blocks
from tenfold.papers.owled.parameters import ALLOCATIONS, HIGH, METHODS
from tenfold.papers.owled.subjects import Subject, subject
from tenfold.pruning import allocation, block_sensitivity, outlier_distribution, owl_ratios, prune

TESTED = ("wanda", "sparsegpt")


def proxy(name: str, seed: int, settings: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return D, sensitivity and the loss under every allocation of a subject ("driver" or "text").

    `blocks`: block, M, D, and the excess loss of that block alone; `maps`: D per linear map; `losses`: method,
    allocation, number and loss at sparsity 0.7, the dense model first; `ratios`: the sparsity of a block under each.
    """
    found = subject(name, seed, settings)
    keys = {"subject": name, "seed": seed}
    pooled = outlier_distribution(found.model, found.windows, settings["thresholds"])
    single = outlier_distribution(found.model, found.windows, [settings["threshold"]], per_linear=True)
    alone = block_sensitivity(found.model, found.windows, found.loss, settings["probe"])
    d = pooled[settings["threshold"] == pooled.M].sort_values("block").D.to_numpy()
    plans = allocations(d, alone.sort_values("block").excess.to_numpy(), settings, seed)
    rows = [{"method": "dense", "allocation": "uniform", "number": 0, "loss": found.loss(found.model)}]
    for method in METHODS:
        tried: dict[tuple[str, int], Any] = {key: plans[key] for key in plans if key[0] in ALLOCATIONS}
        if method in TESTED:
            tried = plans | {("per_linear", 0): by_map(single, settings)}
        for (kind, number), plan in tried.items():
            rows.append({"method": method, "allocation": kind, "number": number, "loss": under(found, method, plan)})
    ratios = []
    for (kind, number), plan in plans.items():
        ratios += [{"allocation": kind, "number": number, "block": b, "ratio": r} for b, r in enumerate(plan)]
    both = pooled.merge(alone[["block", "excess"]], on="block")
    frames = {"blocks": both, "maps": single, "losses": pd.DataFrame(rows), "ratios": pd.DataFrame(ratios)}
    return {key: frame.assign(**keys) for key, frame in frames.items()}


def allocations(
    d: np.ndarray, sensitivity: np.ndarray, settings: dict[str, Any], seed: int
) -> dict[tuple[str, int], np.ndarray]:
    """Return the sparsity of every block under each allocation of 0.7, by name and number.

    All but "uniform" hold the same mapping of a ranking: OWL's of D, reversed of -D, of the measured sensitivity; and
    `permutations` orders of OWL's own ratios, drawn without OWL's order.
    """
    lam = settings["strength"]
    owl = owl_ratios(d, HIGH, lam)
    plans = {("uniform", 0): np.full(len(d), HIGH), ("owl", 0): owl}
    plans |= {("reversed", 0): allocation(-d, HIGH, lam), ("sensitivity", 0): allocation(sensitivity, HIGH, lam)}
    for number, order in enumerate(orders(len(d), settings["permutations"], seed)):
        plans["permuted", number] = owl[order]
    return plans


def orders(blocks: int, count: int, seed: int) -> list[np.ndarray]:
    """Return up to `count` different orders of blocks, none of them the identity."""
    rng = np.random.default_rng(seed)
    if blocks <= 5:
        every = [np.array(order) for order in itertools.permutations(range(blocks))][1:]
        return [every[number] for number in rng.permutation(len(every))[:count]]
    return [rng.permutation(blocks) for _ in range(count)]


def by_map(single: pd.DataFrame, settings: dict[str, Any]) -> list[dict[str, float]]:
    """Return OWL's ratio of each linear map by its own D, a dictionary per block."""
    plan = owl_ratios(single.D.to_numpy(), HIGH, settings["strength"])
    rows = single.assign(ratio=plan)
    return [dict(zip(group.linear, group.ratio, strict=True)) for _, group in rows.groupby("block", sort=True)]


def under(found: Subject, method: str, plan: Any, target: float = HIGH) -> float:
    """Return the loss of a subject pruned under a plan of ratios."""
    return found.loss(pruned(found, method, plan, target))


def pruned(found: Subject, method: str, plan: Any, target: float = HIGH) -> nn.Module:
    """Return a subject's model pruned under a plan of ratios, one for each block or a dictionary of them."""
    ratios = plan.tolist() if isinstance(plan, np.ndarray) else plan
    return prune(found.model, found.windows, method, target, layer_ratios=ratios)


def rank_correlation(d: np.ndarray, sensitivity: np.ndarray) -> float:
    """Return Spearman's rank correlation of D with sensitivity, 0 where one of them is constant."""
    if np.ptp(d) == 0 or np.ptp(sensitivity) == 0:
        return 0.0
    return float(spearmanr(d, sensitivity).statistic)


def grid(name: str, seed: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return Wanda's loss at sparsity 0.7 with OWL's ratios minus that with one ratio, for every M and lambda."""
    found = subject(name, seed, settings)
    even = under(found, "wanda", np.full(len(blocks(found.model)), HIGH))
    pooled = outlier_distribution(found.model, found.windows, settings["thresholds"])
    rows = []
    for threshold, lam in itertools.product(settings["thresholds"], settings["strengths"]):
        d = pooled[threshold == pooled.M].sort_values("block").D.to_numpy()
        loss = under(found, "wanda", owl_ratios(d, HIGH, lam))
        rows.append({"M": threshold, "lam": lam, "loss": loss, "difference": loss - even})
    return pd.DataFrame(rows).assign(subject=name, seed=seed)
