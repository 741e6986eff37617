"""What sparsity buys in time on this machine: dense, masked and truly sparse layers."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, WIDTH_DOUBLE
from tenfold.sparsity.compute import LAYERS, Layer, time_layers

COLOURS = (BLUE, GREEN, ORANGE, SKY, PURPLE, VERMILLION)


def layers_of(scale: str) -> list[Layer]:
    """Return the layers to time: two small ones in a smoke test, else the six of the plot."""
    return [LAYERS[0], Layer("conv", 64, 8)] if scale == "smoke" else list(LAYERS)


def timings(scale: str, repeats: int) -> pd.DataFrame:
    """Return milliseconds of the forward pass of layers by density and path, one thread; `scale` names the layers."""
    return time_layers(layers_of(scale), repeats=repeats)


def speedups(table: pd.DataFrame) -> Figure:
    """Draw F8: how much faster than dense a truly sparse layer is, and a masked one, against sparsity."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.8), sharey=True)
    shapes = list(dict.fromkeys(zip(table.kind, table["shape"], strict=True)))
    for axes, path, title in zip(panels, ("sparse", "masked"), ("Truly sparse", "Masked"), strict=True):
        for colour, (kind, shape) in zip(COLOURS, shapes, strict=False):
            rows = table[(table["shape"] == shape) & (table.kind == kind) & (table.path == path)]
            style = "--" if kind == "linear" else "-"
            axes.plot(rows.density, rows.speedup, "o", ls=style, color=colour, ms=3.5, lw=1.0, label=f"{kind} {shape}")
        axes.axhline(1, color=GREY, lw=0.8)
        axes.set(xscale="log", yscale="log", xlabel="density", title=title)
        axes.invert_xaxis()
        axes.grid(axis="y")
    panels[0].set_ylabel("times faster than dense")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def reading(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each layer, the speedup of the truly sparse path at each density, and the least density to gain."""
    rows = table[table.path == "sparse"]
    wide = rows.pivot_table(index=["kind", "shape"], columns="density", values="speedup", sort=False)
    wide = wide[sorted(wide.columns, reverse=True)]
    gains = [next((f"{100 * (1 - d):g} %" for d in wide if row[d] > 1), "none") for _, row in wide.iterrows()]
    wide.columns = [f"at {100 * (1 - d):g} %" for d in wide]
    return wide.assign(**{"faster from": gains}).reset_index()
