"""Spectra over violins: the pictures that compare models with arrays, and with detectors to come."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullFormatter

from tenfold.book.style import BLACK, GREY, WIDTH_DOUBLE
from tenfold.papers.gb_igw.labels import ARRAY, ARRAY_COLOUR, FREQUENCY, LOG_OMEGA, MODEL, MODEL_COLOUR

FAINTEST = -14.0  # the overview cuts violins here: below are upper limits that run on to the edge of the table
WIDEST = 0.03  # dex in frequency at a violin's widest
BESIDE = {"DECIGO": "right", "Taiji": "right", "ET": "right", "TianQin": "left", "CE": "left"}
HALO = [withStroke(linewidth=2, foreground="white")]


def draw(axes: Axes, outlines: pd.DataFrame, colour: str, alpha: float = 0.55) -> None:
    """Draw the violins of one array: density sideways, its central 95 % dark, the rest light."""
    centres = np.log10(outlines.groupby("bin").f_Hz.first().to_numpy())
    # Neighbours never overlap: high bins lie close together on a logarithmic axis.
    room = np.minimum(WIDEST, 0.47 * np.diff(centres, append=2 * centres[-1] - centres[-2]))
    for (_, violin), half in zip(outlines.groupby("bin"), room, strict=True):
        f, y, width = (violin[name].to_numpy() for name in ("f_Hz", "log10_h2omega", "width"))
        inside = violin.inside.to_numpy()
        left, right = f * 10 ** (-half * width), f * 10 ** (half * width)
        axes.fill_betweenx(y, left, right, color=colour, alpha=0.3 * alpha, lw=0, zorder=2)
        axes.fill_betweenx(y, left, right, where=inside, color=colour, alpha=alpha, lw=0, zorder=2)


def arrays(violins: pd.DataFrame, bands: pd.DataFrame, references: pd.DataFrame, fitted: str) -> Figure:
    """Draw each array's violins in a panel of its own, with the same fitted and standard spectra over all."""
    figure, panels = plt.subplots(2, 2, figsize=(WIDTH_DOUBLE, 5.2), sharex=True, sharey=True)
    for axes, (dataset, outlines) in zip(panels.flat, violins.groupby("dataset", sort=False), strict=True):
        draw(axes, outlines, ARRAY_COLOUR[dataset], alpha=0.7)
        _spectra(axes, bands, references)
        axes.set_title(ARRAY[dataset] + (" (fitted)" if dataset == fitted else " (compared)"))
        axes.set(xscale="log", xlim=(8e-10, 6e-8), ylim=(-17.5, -5.0))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(True, axis="y")
    figure.supxlabel(FREQUENCY, fontsize=8)
    figure.supylabel(LOG_OMEGA, fontsize=8)
    figure.legend(handles=_handles(bands, references), loc="outside upper center", ncols=4)
    return figure


def overview(
    violins: pd.DataFrame, bands: pd.DataFrame, references: pd.DataFrame, detectors: pd.DataFrame, bbn: float
) -> Figure:
    """Draw all arrays and all detectors in one plane from nanohertz to kilohertz, with the fits across."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 4.4))
    for dataset, outlines in violins[violins.log10_h2omega > FAINTEST].groupby("dataset", sort=False):
        draw(axes, outlines, ARRAY_COLOUR[dataset])
    _spectra(axes, bands, references)
    for name, curve in detectors.groupby("detector", sort=False):
        _detector(axes, name, curve)
    axes.axhline(np.log10(bbn), color=GREY, lw=0.8, ls=(0, (6, 2)))
    words = "nucleosynthesis, for energy spread over one e-fold"
    axes.text(7e-10, np.log10(bbn) + 0.15, words, fontsize=6, color="#555555", path_effects=HALO, zorder=6)
    axes.set(xscale="log", xlim=(5e-10, 3e3), ylim=(-21, -3.5), xlabel=FREQUENCY, ylabel=LOG_OMEGA)
    shown = [Patch(color=ARRAY_COLOUR[name], alpha=0.6, label=ARRAY[name]) for name in violins.dataset.unique()]
    figure.legend(handles=[*shown, *_handles(bands, references)], loc="outside upper center", ncols=4)
    return figure


def _detector(axes: Axes, name: str, curve: pd.DataFrame) -> None:
    seen = curve[curve.h2omega < 1e-4]
    style = "-" if (curve.source == "table").all() else (0, (3, 1))
    axes.plot(seen.f_Hz, np.log10(seen.h2omega), color="#555555", lw=0.8, ls=style, zorder=1)
    best = seen.loc[seen.h2omega.idxmin()]
    place = {"ha": BESIDE.get(name, "center"), "va": "top", "path_effects": HALO, "zorder": 6}
    axes.text(best.f_Hz, np.log10(best.h2omega) - 0.2, name, fontsize=6.2, color="#333333", **place)


def _spectra(axes: Axes, bands: pd.DataFrame, references: pd.DataFrame) -> None:
    for name, band in bands.groupby("model", sort=False):
        colour = MODEL_COLOUR[name]
        axes.fill_between(band.f_Hz, band["q2.5"], band["q97.5"], color=colour, alpha=0.12, lw=0, zorder=3)
        axes.fill_between(band.f_Hz, band["q16"], band["q84"], color=colour, alpha=0.25, lw=0, zorder=3)
        axes.plot(band.f_Hz, band["best"], color=colour, lw=1.3, zorder=4)
    for name, curve in references.groupby("model", sort=False):
        axes.plot(curve.f_Hz, curve["best"], color=MODEL_COLOUR[name], lw=1.2, ls=_style(name), zorder=4)


def _style(name: str) -> str:
    return "--" if name == "sfsr" else "-."


def _handles(bands: pd.DataFrame, references: pd.DataFrame) -> list[Line2D]:
    fitted = [
        Line2D([], [], color=MODEL_COLOUR[m], lw=1.5, label=f"{MODEL[m]}: best, 68 %, 95 %")
        for m in bands.model.unique()
    ]
    fixed = [Line2D([], [], color=MODEL_COLOUR[m], ls=_style(m), label=MODEL[m]) for m in references.model.unique()]
    return [*fitted, *fixed]


def single(outlines: pd.DataFrame, dataset: str, curves: Sequence[tuple[np.ndarray, np.ndarray, str]]) -> Figure:
    """Draw one array's violins and a few curves (f_Hz, log10 h2omega, label): the picture that sliders move."""
    figure, axes = plt.subplots(figsize=(5.0, 3.4))
    draw(axes, outlines, ARRAY_COLOUR.get(dataset, BLACK), alpha=0.7)
    for f, y, label in curves:
        axes.plot(f, y, label=label, zorder=4)
    axes.set(xscale="log", xlim=(1e-9, 5e-8), ylim=(-14, -5), xlabel=FREQUENCY, ylabel=LOG_OMEGA)
    axes.set_title(ARRAY[dataset])
    axes.legend(loc="upper left")
    return figure
