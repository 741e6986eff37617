"""Figures of the comparisons: evidences, priors, planes, profiles, single bins, and the limits of slow roll."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from tenfold.book.style import BLUE, GREEN, GREY, VERMILLION, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.gb_igw.exponent import DECISIVE, PLANCK_N_S
from tenfold.papers.gb_igw.labels import ARRAY, ARRAY_COLOUR, AXIS, MODEL, MODEL_COLOUR


def evidences(table: pd.DataFrame) -> Figure:
    """Draw ln Bayes factors against the free power law, models down, arrays across."""
    import seaborn  # only here, and half a second to import

    grid = table.pivot(index="model", columns="dataset", values="ln_bayes_factor")
    grid = grid.loc[table.model.unique(), table.dataset.unique()]
    width = max(WIDTH_SINGLE, 1.9 + 0.95 * grid.shape[1])
    figure, axes = plt.subplots(figsize=(width, 0.9 + 0.3 * len(grid)))
    words = grid.map(lambda value: f"< {-DECISIVE:.0f}" if value < -DECISIVE else f"{value:+.1f}")
    scale = {"cmap": "RdBu", "vmin": -12, "vmax": 12}
    bar = {"label": "ln Bayes factor against the free power law", "extend": "both"}
    seaborn.heatmap(grid, annot=words, fmt="", annot_kws={"size": 7}, cbar_kws=bar, ax=axes, **scale)
    axes.set_xticklabels([ARRAY[name].replace(", ", ",\n") for name in grid.columns], fontsize=6.5)
    axes.set_yticklabels([MODEL[name] for name in grid.index], rotation=0)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    return figure


def prior_sensitivity(table: pd.DataFrame) -> Figure:
    """Draw the medians and intervals of n, n_T and n_s on each array under both priors on the coupling."""
    chosen = table[table.model.isin(["gb1_log", "gb1_linear"])]
    arrays = list(chosen.dataset.unique())
    figure, panels = plt.subplots(1, 3, figsize=(WIDTH_DOUBLE, 0.9 + 0.33 * len(arrays)), sharey=True)
    for axes, quantity in zip(panels, ("n", "n_t", "n_s"), strict=True):
        for shift, name in ((-0.14, "gb1_log"), (0.14, "gb1_linear")):
            rows = chosen[(chosen.model == name) & (chosen.quantity == quantity)].set_index("dataset").loc[arrays]
            y = np.arange(len(arrays)) + shift
            axes.hlines(y, rows["q2.5"], rows["q97.5"], color=MODEL_COLOUR[name], lw=0.9)
            axes.hlines(y, rows["q16"], rows["q84"], color=MODEL_COLOUR[name], lw=2.6)
            axes.plot(rows["median"], y, "o", color=MODEL_COLOUR[name], ms=4, mec="white", mew=0.5)
        axes.set_xlabel(AXIS[quantity])
    panels[0].axvline(0, color=GREY, lw=0.8, ls=":")
    panels[1].axvline(0, color=GREY, lw=0.8, ls=":")
    panels[2].axvline(PLANCK_N_S[0], color=GREY, lw=0.8, ls="--")
    panels[0].set_yticks(range(len(arrays)), [ARRAY[name] for name in arrays])
    panels[0].set_ylim(len(arrays) - 0.5, -0.5)
    handles = [Line2D([], [], color=MODEL_COLOUR[m], lw=2.6, label=MODEL[m]) for m in ("gb1_log", "gb1_linear")]
    handles += [Line2D([], [], color=GREY, ls="--", label="Planck $n_s$ [recalled]")]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def plane(draws: dict[str, pd.DataFrame]) -> Figure:
    """Draw the n_s-n_T plane and, magnified, the distance of GB-I from n_s - 1 = n_T, with lines of fixed N."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.9))
    for name, frame in draws.items():
        style = {"ms": 1.5, "alpha": 0.25, "color": MODEL_COLOUR[name], "rasterized": True}
        left.plot(frame.n_s, frame.n_t, ".", zorder=3, **style)
        right.plot(frame.n_s, frame.n_s - 1 - frame.n_t, ".", **style)
    n = np.linspace(-170, 10, 400)
    for efolds, style in ((50, ":"), (60, "-"), (70, "--")):
        n_t, apart = -2 * n / (4 * efolds + n), -4 / (4 * efolds + n)
        label = rf"$n_s - 1 = n_T - 4/(4N+n)$, $N={efolds}$"
        right.plot(1 + n_t + apart, apart, color="#333333", lw=0.9, ls=style, label=label)
    left.plot(1 + n_t + apart, n_t, color="#333333", lw=0.7)
    low, high = (PLANCK_N_S[0] + s * 5 * PLANCK_N_S[1] for s in (-1, 1))
    for axes in (left, right):
        axes.axvspan(low, high, color=GREY, alpha=0.35, lw=0, label=r"Planck $n_s \pm 5\sigma$ [recalled]")
        axes.set(xlim=(0.7, 4.8), xlabel=AXIS["n_s"])
    left.axhline(0, color=GREY, lw=0.6)
    left.set(ylim=(-0.35, 4.0), ylabel=AXIS["n_t"])
    right.set(ylim=(-0.075, -0.005), ylabel=r"$n_s - 1 - n_T$")
    clouds = [Line2D([], [], marker="o", ls="", ms=4, color=MODEL_COLOUR[m], label=MODEL[m]) for m in draws]
    figure.legend(handles=[*clouds, *right.get_legend_handles_labels()[0]], loc="outside upper center", ncols=3)
    return figure


def profile(table: pd.DataFrame) -> Figure:
    """Draw the largest ln L at each potential exponent n, relative to each array's best."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE + 1.0, 2.8))
    for dataset, rows in table.groupby("dataset", sort=False):
        relative = rows.max_log_likelihood - rows.max_log_likelihood.max()
        axes.plot(rows.n, relative, ".-", ms=3, lw=1, color=ARRAY_COLOUR[dataset], label=ARRAY[dataset])
    axes.axvline(0, color=GREY, lw=0.8, ls=":")
    axes.axvspan(0, table.n.max(), color=GREY, alpha=0.15, lw=0)
    axes.text(0.985, 0.04, "$n>0$", transform=axes.transAxes, ha="right", color="#444444", fontsize=7)
    axes.set_yscale("symlog", linthresh=5)
    axes.set_ylim(top=1)
    axes.set(xlabel="potential exponent " + AXIS["n"], ylabel=r"$\ln L_{\max}(n) - \ln L_{\max}$")
    axes.legend(loc="lower center")
    return figure


def offsets(table: pd.DataFrame) -> Figure:
    """Draw how far each spectrum lies from the central value of the lowest bins of each array."""
    names = ["gb1_log", "gb1_linear", "sfsr", "gb2"]
    arrays = list(table.dataset.unique())
    figure, panels = plt.subplots(1, len(arrays), figsize=(WIDTH_DOUBLE, 2.4), sharey=True)
    markers = dict(zip(names, "os^v", strict=True))
    for axes, dataset in zip(panels, arrays, strict=True):
        rows = table[table.dataset == dataset]
        for name in names:
            axes.plot(
                rows.bin, rows[name], markers[name] + "-", ms=4, lw=0.8, color=MODEL_COLOUR[name], label=MODEL[name]
            )
        axes.set(yscale="log", xlabel="frequency bin", title=ARRAY[dataset], xticks=rows.bin)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.grid(True, axis="y")
    panels[0].set_ylabel("distance to the median [dex]")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def influence(table: pd.DataFrame) -> Figure:
    """Draw the power law's posterior with each frequency bin left out, beside that of all bins."""
    figure, panels = plt.subplots(2, 1, figsize=(WIDTH_SINGLE + 0.8, 3.4), sharex=True)
    for axes, key in zip(panels, ("log10_A", "gamma"), strict=True):
        rows = table[table.quantity == key]
        full, rest = rows[rows.dropped == 0].iloc[0], rows[rows.dropped > 0]
        axes.axhspan(full["q16"], full["q84"], color=GREY, alpha=0.25, lw=0, label="all bins, 68 %")
        axes.axhline(full["median"], color=GREY, lw=0.9)
        reach = [rest["median"] - rest["q16"], rest["q84"] - rest["median"]]
        axes.errorbar(rest.dropped, rest["median"], reach, fmt="o", color=BLUE, ms=3.5, lw=0.9, capsize=0)
        axes.set_ylabel(AXIS[key])
    panels[1].set_xlabel("frequency bin left out")
    panels[1].set_xticks(rest.dropped)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right")
    return figure


def recovery(draws: pd.DataFrame, ranks: pd.DataFrame, injected: dict[str, float]) -> Figure:
    """Draw the posteriors of injected power laws and where the truth falls in each."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.9))
    arrays = list(draws.array.unique())
    first = draws[draws.array == arrays[0]]
    left.plot(first.gamma, first.log10_A, ".", ms=2, alpha=0.3, color=BLUE, rasterized=True)
    left.plot(injected["gamma"], injected["log10_A"], "*", ms=11, color=VERMILLION, mec="white", label="injected")
    left.set(xlabel=AXIS["gamma"], ylabel=AXIS["log10_A"], title=ARRAY.get(arrays[0], arrays[0]))
    left.legend(loc="upper right")
    for key, colour in (("log10_A", BLUE), ("gamma", VERMILLION)):
        rows = ranks[ranks.parameter == key]
        right.plot(np.arange(1, len(rows) + 1), rows["rank"], "o", ms=4, color=colour, label=AXIS[key])
    right.axhspan(0.005, 0.995, color=GREY, alpha=0.15, lw=0, label="central 99 %")
    right.set(ylim=(-0.04, 1.24), ylabel="posterior mass below the truth", yticks=np.linspace(0, 1, 6))
    names = [name.replace("simulated", "synthetic").replace(" ", "\n") for name in arrays]
    right.set_xticks(range(1, len(arrays) + 1), names, fontsize=5.5)
    right.legend(loc="upper right", ncols=3)
    return figure


def background(curves: pd.DataFrame, ends: pd.DataFrame) -> Figure:
    """Draw the tensor tilt along exact inflation beside slow roll, and their relative difference."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(WIDTH_SINGLE + 0.8, 3.4), sharex=True, height_ratios=[2, 1])
    for (n, alpha), rows in curves.groupby(["n", "alpha"], sort=False):
        (line,) = top.plot(rows.N, rows.exact, lw=1.4, label=rf"$n={n:g}$, $\alpha={alpha:g}$, exact")
        top.plot(rows.N, rows.slow_roll, lw=1, ls="--", color=line.get_color())
        bottom.plot(rows.N, 100 * (rows.exact / rows.slow_roll - 1), lw=1.2, color=line.get_color())
    top.plot([], [], color=GREY, ls="--", lw=1, label="slow roll")
    endless = ends[~ends.ended]
    words = "\n".join(rf"$\alpha={row.alpha:g}$: does not end" for row in endless.itertuples())
    top.text(0.98, 0.06, words, transform=top.transAxes, ha="right", fontsize=6.5, color="#444444")
    top.set(ylabel=r"tensor tilt $-2\epsilon_H$", ylim=(-0.2, 0.0))
    bottom.set(xlabel="e-folds before the end", ylabel="exact / slow roll\n- 1 [%]", yscale="log")
    bottom.grid(True, axis="y")
    top.legend(loc="center right")
    return figure


def attractor(table: pd.DataFrame) -> Figure:
    """Draw how the exact tilt of blue GB-I leaves the closed form within a few e-folds."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE + 0.8, 2.7))
    closed = table.closed_form.iloc[0]
    for (alpha, limit), rows in table.groupby(["alpha", "limit"], sort=False):
        (line,) = axes.plot(rows.since, rows.exact, lw=1.4, label=rf"exact, $\alpha={alpha:g}$")
        axes.axhline(limit, color=line.get_color(), lw=0.8, ls=":")
    axes.axhline(closed, color=GREY, lw=1, ls="--", label=rf"closed form, any $\alpha$: {closed:.3f}")
    axes.set(xlabel="e-folds since the start", ylabel=r"tensor tilt $-2\epsilon_H$", xscale="log", ylim=(0, 2.1))
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.85))
    return figure


def exclusion(table: pd.DataFrame, bbn: float, ground: float | None, draws: pd.DataFrame) -> Figure:
    """Draw which (n_T, r) nucleosynthesis and ground-based detectors forbid, over the IGW posterior.

    Solid: the spectrum runs on; dashed: it ends at the reheating frequency, out of the ground's reach.
    """
    heats = list(table.log10_T_rh.unique())
    figure, panels = plt.subplots(1, len(heats), figsize=(WIDTH_DOUBLE, 2.7), sharex=True, sharey=True)
    styles = {"none": (VERMILLION, "-", "to $10^8$ Hz"), "f_rh": (BLUE, "--", r"cut at $f_{\rm rh}$")}
    for axes, heat in zip(panels, heats, strict=True):
        near = draws[np.abs(draws.log10_T_rh - heat) < 0.5]
        axes.plot(near.n_t, near.log10_r, ".", ms=1.5, alpha=0.3, color=GREY, rasterized=True)
        for cut, (colour, style, _) in styles.items():
            rows = table[(table.log10_T_rh == heat) & (table.cut == cut)]
            grid = rows.pivot(index="log10_r", columns="n_t", values="log10_integral")
            level = [np.log10(bbn)]
            axes.contour(grid.columns, grid.index, grid, levels=level, colors=colour, linestyles=style, linewidths=1.3)
            if cut == "none":
                top = [level[0], np.inf]
                axes.contourf(grid.columns, grid.index, np.minimum(grid, 1e3), levels=top, colors=colour, alpha=0.1)
        if ground is not None:
            rows = table[(table.log10_T_rh == heat) & (table.cut == "none")]
            grid = rows.pivot(index="log10_r", columns="n_t", values="log10_h2omega_25Hz")
            level = [np.log10(ground)]
            axes.contour(grid.columns, grid.index, grid, levels=level, colors=GREEN, linestyles="-", linewidths=1.1)
        axes.set(title=rf"$T_{{\rm rh}} = 10^{{{heat:g}}}$ GeV", xlabel=AXIS["n_t"], ylim=(-40, 0))
    panels[0].set_ylabel(AXIS["log10_r"])
    handles = [
        Line2D([], [], color=c, ls=s, label=f"nucleosynthesis, spectrum {words}") for c, s, words in styles.values()
    ]
    handles += [Line2D([], [], color=GREEN, label="advanced LIGO at 25 Hz")] if ground is not None else []
    handles.append(
        Line2D([], [], marker="o", ls="", ms=3, color=GREY, label="posterior within 0.5 dex of this temperature")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def staircase(table: pd.DataFrame) -> Figure:
    """Draw ln L along log10 A at a scale below the grid: level steps, whose gradient is zero."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.2))
    start = table.log10_A.iloc[0]
    axes.plot(1e3 * (table.log10_A - start), table.log_likelihood, drawstyle="steps-mid", lw=0.9)
    axes.set(xlabel=rf"$\log_{{10}} A - ({start:g})$ [$10^{{-3}}$ dex]", ylabel=r"$\ln L$ at $\gamma=3.2$")
    return figure


def seeing(table: pd.DataFrame) -> Figure:
    """Draw how far GB-I stands above standard slow roll for each space detector, before and after nucleosynthesis."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.5), sharex=True, sharey=True)
    names = list(table.detector.unique())
    for axes, (selection, words) in zip(panels, (("all", "all draws"), ("bbn", "nucleosynthesis kept")), strict=True):
        for shift, name in ((-0.14, "gb1_log"), (0.14, "gb1_linear")):
            rows = table[(table.draws == selection) & (table.model == name)].set_index("detector").loc[names]
            y = np.arange(len(names)) + shift
            label = f"{MODEL[name]} ({int(rows.n.iloc[0])} draws)"
            axes.hlines(y, rows["q2.5"], rows["q97.5"], color=MODEL_COLOUR[name], lw=1.2)
            axes.plot(rows["median"], y, "o", ms=4.5, color=MODEL_COLOUR[name], mec="white", mew=0.5, label=label)
        axes.axvline(0, color=GREY, lw=0.8, ls=":")
        axes.set(xlabel=r"$\log_{10}(\Omega_{\rm GB}/\Omega_{\rm standard})$", title=words)
        axes.legend(loc="upper right", fontsize=6.2)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -1.6)
    return figure
