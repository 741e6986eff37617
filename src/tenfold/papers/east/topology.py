"""Figures of masks and activations: density over the run, layers, weights ever used, live paths, phasing."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.east.panels import COLOUR, MARKER, label
from tenfold.papers.east.plans import LABELS


def density(trace: pd.DataFrame) -> Figure:
    """Draw F2: target and realised density of EAST and RigL over the steps, in units of the budget."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 2.4))
    for name in ("rigl", "east"):
        rows = trace[trace.row == name].sort_values("step")
        axes.step(
            rows.step, rows.target_density / rows.budget, where="post", color=COLOUR[name], lw=0.9, label=LABELS[name]
        )
        axes.plot(rows.step, rows.density / rows.budget, ".", color=COLOUR[name], ms=4)
    axes.plot([], [], ".", color=GREY, label="realised, after each update")
    axes.axhline(1, color=GREY, lw=0.6)
    axes.set(xlabel="step", ylabel="density / budget", ylim=(0, None))
    axes.legend(loc="upper right")
    return figure


def phasing(table: pd.DataFrame) -> Figure:
    """Draw F3: beta, and how far the coefficients of DyReLU are from ReLU's, over the epochs."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.4))
    middle = table.groupby("epoch")[["beta", "deviation", "full_deviation"]].median()
    axes.plot(middle.index, middle.beta, color=BLACK, lw=1.2, label="beta")
    axes.plot(middle.index, middle.full_deviation, color=SKY, lw=1.0, label="deviation before beta")
    axes.plot(middle.index, middle.deviation, color=VERMILLION, lw=1.2, label="deviation in use")
    axes.set(xlabel="epoch", ylabel="beta, mean |coefficient - ReLU's|", ylim=(-0.02, 1.05))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def rectify(x: np.ndarray, coefficients: np.ndarray, beta: float) -> np.ndarray:
    """Return max(a1 x + b1, a2 x + b2) with coefficients (a1, a2, b1, b2) at phase beta; x (N,)."""
    a1, a2, b1, b2 = beta * np.asarray(coefficients) + (1 - beta) * np.array([1.0, 0.0, 0.0, 0.0])
    return np.maximum(a1 * x + b1, a2 * x + b2)


def activations(sample: pd.DataFrame, betas: tuple[float, ...] = (1.0, 0.5, 0.0)) -> Figure:
    """Draw learnt activations, a panel for each channel, at several phases."""
    shown = sample.head(4)
    figure, panels = plt.subplots(1, len(shown), figsize=(WIDTH_DOUBLE, 2.0), sharex=True, sharey=True, squeeze=False)
    x = np.linspace(-2, 2, 401)
    for axes, (_, row) in zip(panels[0], shown.iterrows(), strict=True):
        coefficients = row[["a1", "a2", "b1", "b2"]].to_numpy(float)
        for beta, colour in zip(betas, (VERMILLION, ORANGE, GREY), strict=True):
            axes.plot(x, rectify(x, coefficients, beta), color=colour, lw=1.2, label=f"beta = {beta:g}")
        axes.axvline(0, color=GREY, lw=0.4)
        axes.set(xlabel="x", title=f"channel {int(row.channel) + 1}")
    panels[0][0].set_ylabel("y")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def layers(table: pd.DataFrame, sparsity: float) -> Figure:
    """Draw F5: the density of each layer at the end of training, in the order of the network, beside ERK's start."""
    rows = table[table.sparsity == sparsity]
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 2.8))
    names = [name for name in LABELS if name in set(rows.row) and name not in ("dense", "east")]
    start = rows[rows.row == "rigl"].groupby("layer", sort=False).start_density.median()
    axes.plot(range(len(start)), start, color=GREY, lw=5, alpha=0.35, label="ERK at the start")
    for name in names:
        # A layer without weights has no place on this axis: a gap.
        middle = rows[rows.row == name].groupby("layer", sort=False).end_density.median().replace(0, np.nan)
        axes.plot(range(len(middle)), middle, color=COLOUR[name], marker=MARKER.get(name, "o"), ms=3, lw=0.8)
        axes.plot([], [], color=COLOUR[name], marker=MARKER.get(name, "o"), ms=3, lw=0.8, label=LABELS[name])
    owned = rows[rows.row == "east"].groupby("layer", sort=False).end_density.median()
    places = [list(start.index).index(name) for name in owned.index]
    axes.plot(places, owned, "o", color=COLOUR["east"], ms=4, label="EAST (owned kernels)")
    axes.set_xticks(range(len(start)), [short(name) for name in start.index], rotation=90, fontsize=5.5)
    axes.set(ylabel="density", yscale="log", title=f"{100 * sparsity:g} % sparsity")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


def short(name: str) -> str:
    """Return the name of a tensor without its last word."""
    return name.removesuffix(".weight").replace("layer", "stage ").replace(".", " ")


def exploration(runs: pd.DataFrame) -> Figure:
    """Draw F6: the share of all weights that were ever active (in-time over-parameterisation)."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.6))
    shown = runs[runs.row.isin(["static", "set", "rigl", "east"])]
    for name, rows in shown.groupby("row", sort=False):
        middle = rows.groupby("sparsity")[["active_share", "itop"]].median()
        axes.plot(1 - middle.index, middle.itop, marker=MARKER.get(name, "o"), color=COLOUR[name], label=LABELS[name])
    grid = np.array(sorted(shown.sparsity.unique()))
    axes.plot(1 - grid, 1 - grid, color=GREY, lw=0.8, ls=":", label="no exploration")
    axes.set(xscale="log", yscale="log", xlabel="density", ylabel="share of weights ever active")
    axes.invert_xaxis()
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def alive(runs: pd.DataFrame) -> Figure:
    """Draw F7: the share of the remaining weights that lie on a path from an input to a class."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.6))
    names = [name for name in LABELS if name in set(runs.row) and name != "dense"]
    grid = sorted(runs[runs.row == "rigl"].sparsity.unique())
    for name in names:
        rows = runs[runs.row == name]
        x = rows.sparsity.map(grid.index)
        axes.plot(x, rows.live_share, ".", color=COLOUR[name], ms=3, alpha=0.5)
        middle = rows.groupby(x).live_share.median()
        axes.plot(middle.index, middle, marker=MARKER.get(name, "o"), color=COLOUR[name], ms=3.5, label=LABELS[name])
    axes.set_xticks(range(len(grid)), [f"{100 * s:g}" for s in grid])
    axes.set(xlabel="nominal sparsity in %", ylabel="live weights / weights left", ylim=(0, 1.03))
    axes.grid(axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def budgets(table: pd.DataFrame) -> Figure:
    """Draw how many weights exact ERK leaves to each tensor, a panel for each network."""
    networks = list(dict.fromkeys(table.network))
    figure, panels = plt.subplots(1, len(networks), figsize=(WIDTH_DOUBLE, 2.2), squeeze=False)
    for axes, name in zip(panels[0], networks, strict=True):
        rows = table[table.network == name]
        axes.bar(rows.tensor, rows.weights, color=BLUE, width=0.8)
        axes.set(xlabel="tensor, from stem to classifier", title=f"{name}: {rows.weights.sum():,} weights")
    panels[0][0].set_ylabel("weights left")
    return figure


def floors(table: pd.DataFrame, net: str) -> Figure:
    """Draw the weights that each allocation leaves, over the budget, against sparsity."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.3))
    rows = table[table.net == net]
    grid = sorted(rows.sparsity.unique())
    colours = (GREY, VERMILLION, ORANGE, GREEN)
    for colour, (name, one) in zip(colours, rows.groupby("floor", sort=False), strict=True):
        axes.plot(one.sparsity.map(grid.index), one.ratio, "o-", color=colour, ms=4, label=name)
    axes.set_xticks(range(len(grid)), [f"{100 * s:g}" for s in grid])
    axes.set(xlabel="sparsity in %", ylabel="weights left / budget", yscale="log", title=net)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def schedules(table: pd.DataFrame) -> Figure:
    """Draw what changes over a run: density, activation, learning rate."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 1.9))
    axes.plot(table.share_of_run, table.density_over_target, color=ORANGE, lw=1.3, label="density / target")
    axes.plot(table.share_of_run, table.beta, color=SKY, lw=1.3, label="beta of DyReLU")
    axes.plot(
        table.share_of_run, table.lr / table.lr.max(), color=BLACK, lw=1.0, ls="--", label="learning rate / first"
    )
    axes.set(xlabel="share of the run", ylim=(0, None), xlim=(0, 1))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def deployed(table: pd.DataFrame) -> Figure:
    """Draw how far the logits of trained EAST networks are from those of the same network with plain ReLU."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.0))
    names = [label(row) for row in table.row]
    places = np.arange(len(table))
    for column, colour, words in (
        ("undeployed", ORANGE, "left dynamic (beta = 1)"),
        ("difference", BLUE, "after phasing (beta = 0)"),
    ):
        axes.plot(np.maximum(table[column], 1e-9), places, "o", color=colour, ms=4, label=words)
    axes.set_yticks(places, names)
    axes.set(xscale="log", xlabel="largest difference of logits", xlim=(3e-10, None))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
