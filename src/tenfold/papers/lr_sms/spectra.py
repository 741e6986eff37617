"""Spectra: singular values of trained maps, dense and factorised, beside those of their start."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import nn

from tenfold.book.style import BLUE, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.lowrank import LowRankLinear, entropy_rank, maps, singular_values
from tenfold.papers.lr_sms.cells import Cell, factorised, is_attention
from tenfold.papers.lr_sms.training import fresh, heard, restored, trained
from tenfold.runner.store import kept

KINDS = ("attention", "feed-forward")
LOOK = {
    ("dense", "start"): (GREY, "--", "dense, start"),
    ("dense", "trained"): (BLUE, "-", "dense, trained"),
    ("low rank", "start"): (GREY, ":", "low rank, start"),
    ("low rank", "trained"): (VERMILLION, "-", "low rank, trained"),
}


def spectra(seed: int, cell: dict[str, Any], settings: dict[str, Any]) -> pd.DataFrame:
    """Return the singular values of every map, dense and of a cell's ranks, at the start and trained.

    Columns: network, state, name, kind, index (from 1), sigma, and effective, the entropy rank of the map.
    """
    outputs, rows = len(heard(settings)[1]), []
    for network, one in (("dense", Cell()), ("low rank", Cell(**cell))):
        stored = kept(trained, seed=seed, cell=one.record(), settings=settings)
        models = {"start": fresh(seed, one, settings, outputs), "trained": restored(stored, one, settings)}
        for state, model in models.items():
            for name, part in maps(model, factorised).items():
                rank = part.rank if isinstance(part, LowRankLinear) else min(part.weight.shape)
                sigma = singular_values(matrix(part))[:rank]
                about = {"network": network, "state": state, "name": name, "effective": entropy_rank(sigma)}
                kind = KINDS[not is_attention(name)]
                rows += [about | {"kind": kind, "index": k + 1, "sigma": float(s)} for k, s in enumerate(sigma)]
    return pd.DataFrame(rows).assign(seed=seed)


@torch.no_grad()
def matrix(part: nn.Module) -> torch.Tensor:
    """Return W, or the product U V."""
    return part.product() if isinstance(part, LowRankLinear) else part.weight.detach()


def draw(table: pd.DataFrame) -> Figure:
    """Draw the singular values by index, a panel per kind of map: medians over maps, shades from least to largest."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.5), sharey=True)
    for axes, kind in zip(panels, KINDS, strict=True):
        for (network, state), (shade, line, words) in LOOK.items():
            rows = table[(table.kind == kind) & (table.network == network) & (table.state == state)]
            found = rows.groupby("index").sigma.agg(["median", "min", "max"])
            axes.plot(found.index, found["median"], line, color=shade, label=words, lw=1.3)
            if state == "trained":
                axes.fill_between(found.index, found["min"], found["max"], color=shade, alpha=0.18, lw=0)
        axes.set(xlabel="number of the singular value", title=kind)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("singular value")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def effective(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean effective rank exp(entropy of sigma / sum sigma) by network, state and kind of map."""
    single = table.drop_duplicates(["network", "state", "name"])
    return single.groupby(["kind", "network", "state"], sort=False).effective.mean().reset_index()
