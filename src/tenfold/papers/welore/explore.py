"""Things to play with: the one threshold of all matrices, and what it leaves of the model."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLACK, GREY, WIDTH_DOUBLE
from tenfold.lowrank import kept_ranks, totals, truncate
from tenfold.papers.welore.bench import Bench
from tenfold.papers.welore.looks import LINEAR, short
from tenfold.papers.welore.results import Results

START = 0.2


class Playground:
    """The first model of a run, compressed at any threshold."""

    def __init__(self, found: Results) -> None:
        self.bench = Bench.of(found.seeds[0], found.fixed)
        self.held = self.bench.held()
        self.dense = self.bench.loss(self.bench.dense)

    def at(self, threshold: float, mode: str, by: str) -> tuple[pd.DataFrame, dict[str, float]]:
        """Return the kept share of the rank by map, and ERR, share of parameters and added loss, at a threshold."""
        ranks = kept_ranks(self.held.spectra, threshold, mode, by)
        rows = [
            {"linear": name.rpartition(".")[2], "block": int(name.split(".")[2]), "kept": rank / len(spectrum)}
            for (name, rank), spectrum in zip(ranks.items(), self.held.spectra.values(), strict=True)
        ]
        model = truncate(self.bench.dense, self.held, ranks)
        sums = totals(model)
        found = {"err": sums["err"], "share": sums["share"], "added": self.bench.loss(model) - self.dense}
        return pd.DataFrame(rows), found


def picture(table: pd.DataFrame, found: dict[str, float], threshold: float) -> Figure:
    """Draw the kept share of the rank by block, a line per kind of map."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.7, 2.5))
    for linear, shade in LINEAR.items():
        rows = table[table.linear == linear].sort_values("block")
        axes.plot(rows.block, rows.kept, color=shade, marker="o", ms=3.5, lw=1.0, label=short(linear))
    axes.axhline(0.5, color=GREY, lw=0.7, ls="--")
    axes.set_xticks(np.unique(table.block))
    axes.set(xlabel="block", ylabel="kept share of the rank", ylim=(0, 1.05))
    words = f"k = {threshold:.3f}: ERR {found['err']:.0%}, parameters {found['share']:.0%}"
    axes.set_title(f"{words}, loss {found['added']:+.3f} nats", color=BLACK)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def widget(found: Results, live: bool) -> Any:
    """Show what a threshold leaves of the model; not `live`: at one threshold."""
    from IPython.display import display

    play = Playground(found)
    at = lru_cache(maxsize=64)(play.at)

    def show(threshold: float = START, mode: str = "all", by: str = "minmax") -> None:
        figure = picture(*at(round(threshold, 4), mode, by), threshold)
        display(figure)
        plt.close(figure)

    if not live:
        return show()

    import ipywidgets

    slider = ipywidgets.FloatSlider(START, min=0.0, max=0.9, step=0.005, readout_format=".3f", continuous_update=False)
    modes = ipywidgets.ToggleButtons(options={"all": "all", "LRC rule": "lrc"}, description="factorise")
    scales = ipywidgets.Dropdown(options={"min-max": "minmax", "over largest": "max", "energy": "energy"})
    return display(ipywidgets.interactive(show, threshold=slider, mode=modes, by=scales))
