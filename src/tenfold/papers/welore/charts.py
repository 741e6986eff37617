"""Figures of fine-tuning: what is learnt, what it costs, and what the paper's own bars say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.book.style import BLUE, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.papers.welore.effects import best
from tenfold.papers.welore.looks import BAR, METHOD, TUNING


def tuning(history: pd.DataFrame, costs: pd.DataFrame, methods: tuple[str, ...], err: float) -> Figure:
    """Draw fine-tuning at one ERR, each method at its best rate: loss, perplexity, trained parameters, throughput.

    As the paper's Figures 1 and 5; means over seeds. Throughput is measured here and depends on the machine.
    """
    figure, panels = plt.subplots(1, 4, figsize=(WIDTH_DOUBLE, 2.5), width_ratios=[1.5, 1.5, 1, 1])
    rates = best(history).drop_duplicates(["err", "method"]).set_index(["err", "method"]).rate
    known = [method for method in methods if (err, method) in rates.index]
    for method in known:
        rows = history[(history.err == err) & (history.method == method) & (history.rate == rates[err, method])]
        words, shade, marker = TUNING[method]
        means = rows.groupby("step")[["loss", "held"]].mean()
        panels[0].plot(means.loss.dropna(), color=shade, lw=1.0, label=f"{words}, rate {rates[err, method]:g}")
        held = np.exp(means.held.dropna())
        panels[1].plot(held, color=shade, marker=marker, ms=3.5, lw=1.0)
    _bars(panels[2], costs[costs.err == err], known, "trainable", 1e-6)
    _bars(panels[3], costs[costs.err == err], known, "tokens_per_second", 1e-3)
    panels[0].set(xlabel="step", ylabel="training loss, nats")
    panels[1].set(xlabel="step", ylabel="perplexity, held out")
    panels[2].set_title("trained, $10^6$")
    panels[3].set_title("$10^3$ tokens/s")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _bars(axes: Axes, costs: pd.DataFrame, methods: list[str], column: str, unit: float) -> None:
    means = costs.groupby("method")[column].mean() * unit
    for height, method in enumerate(methods):
        axes.barh(height, means[method], color=TUNING[method][1], height=0.7)
        axes.text(means[method], height, f" {means[method]:.3g}", va="center", fontsize=6.5)
    axes.set_yticks([])
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xlim(0, 1.35 * means.max())


def recovered(history: pd.DataFrame) -> Figure:
    """Draw the held-out loss before and after fine-tuning, every method and rate, a panel per ERR."""
    errs = sorted(set(history.err))
    figure, panels = plt.subplots(1, len(errs), figsize=(WIDTH_DOUBLE, 2.4), squeeze=False)
    found = history.dropna(subset=["held"]).sort_values("step")
    found = found.groupby(["err", "method", "rate", "seed"]).held.agg(["first", "last"]).reset_index()
    rates = sorted(set(found.rate))
    for axes, err in zip(panels[0], errs, strict=True):
        here = found[found.err == err].assign(gain=lambda rows: rows["last"] - rows["first"])
        names = [name for name in TUNING if name in set(here.method)]
        for number, rate in enumerate(rates):
            for height, method in enumerate(names):
                rows = here[(here.method == method) & (here.rate == rate)].gain
                at = height + 0.26 * (number - (len(rates) - 1) / 2)
                bars = [[rows.mean() - rows.min()], [rows.max() - rows.mean()]]
                _, shade, marker = TUNING[method]
                fill = shade if number else "white"
                axes.errorbar([rows.mean()], [at], xerr=bars, color=shade, marker=marker, mfc=fill, **BAR)
        axes.axvline(0, color=GREY, lw=0.7, ls="--")
        axes.set_yticks(range(len(names)), [TUNING[name][0] for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set(title=f"ERR {err:.0%}", xlabel="change of the held-out loss, nats")
    for axes in panels[0, 1:]:
        axes.set_yticklabels([])
    return figure


def honesty(table: pd.DataFrame) -> Figure:
    """Draw LRC-only over full fine-tuning: as claimed, as the paper's bars show it, and as counting gives it."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.75, 2.0))
    for height, row in enumerate(table.itertuples()):
        axes.plot([row.claimed], [height - 0.2], "D", color=VERMILLION, label="abstract" if height == 0 else None)
        if np.isfinite(row.figure):
            off = [[row.figure - row.low], [row.high - row.figure]]
            words = "the paper's bars" if height == 0 else None
            axes.errorbar([row.figure], [height], xerr=off, fmt="o", color=BLUE, label=words, **BAR)
        axes.plot([row.counted], [height + 0.2], "s", color=GREY, label="counted" if height == 0 else None)
    axes.axvline(1, color=GREY, lw=0.7, ls="--")
    axes.set_yticks(range(len(table)), table.quantity)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("LRC-only over full fine-tuning")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def costs(table: pd.DataFrame, err: float) -> Figure:
    """Draw counted work and bytes of a step, and measured throughput, over those of full fine-tuning."""
    words = {
        "trainable": "trained parameters",
        "macs": "multiply-adds per token",
        "bytes": "bytes without activations",
        "tokens_per_second": "tokens per second (measured)",
    }
    rows = table[table.err == err].groupby(["method", "seed"])[list(words)].mean()
    full = rows.xs("full", level="method")
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.75, 2.4))
    names = [name for name in TUNING if name != "full" and name in rows.index.get_level_values("method")]
    for number, method in enumerate(names):
        found = rows.xs(method, level="method") / full
        text, shade, marker = TUNING[method]
        heights = np.arange(len(words)) + 0.16 * (number - (len(names) - 1) / 2)
        spread = np.vstack([found.mean() - found.min(), found.max() - found.mean()])
        axes.errorbar(found.mean(), heights, xerr=spread, color=shade, marker=marker, label=text, **{**BAR, "lw": 0})
    axes.axvline(1, color=GREY, lw=0.7, ls="--")
    axes.set_yticks(range(len(words)), words.values())
    axes.set_ylim(len(words) - 0.5, -0.5)
    axes.set(xlabel="over full fine-tuning", xlim=(0, None))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def tasks(table: pd.DataFrame) -> Figure:
    """Draw the loss on a task's test text after fine-tuning for it, and the share of right answers; grey: a guess."""
    names = list(dict.fromkeys(table.task))
    figure, panels = plt.subplots(2, len(names), figsize=(WIDTH_DOUBLE, 3.6), squeeze=False, sharex="col")
    errs = sorted(set(table.err))
    for column, task in enumerate(names):
        for line, value in enumerate(("loss", "right")):
            axes, here = panels[line, column], table[table.task == task]
            _dots(axes, here, errs, value)
            axes.set_ylabel("loss, nats per token" if line == 0 else "right answers")
        panels[1, column].axhline(here.chance.mean(), color=GREY, lw=0.7, ls="--")
        panels[1, column].set_ylim(-0.02, max(0.2, 1.1 * table[table.task == task].right.max()))
        panels[0, column].set_title(task)
        panels[1, column].set_xticks(range(len(errs)), ["dense" if e == 0 else f"ERR {e:.0%}" for e in errs])
    handles, words = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=5)
    return figure


def _dots(axes: Axes, rows: pd.DataFrame, errs: list[float], value: str) -> None:
    looks = {"before": ("before", GREY, "x"), **{name: TUNING[name] for name in ("full", "lora", "galore", "welore")}}
    for number, (method, (words, shade, marker)) in enumerate(looks.items()):
        found = rows[rows.method == method].groupby("err")[value].agg(["mean", "min", "max"])
        places = [errs.index(err) + 0.14 * (number - 2) for err in found.index]
        bars = np.vstack([found["mean"] - found["min"], found["max"] - found["mean"]])
        axes.errorbar(places, found["mean"], bars, color=shade, marker=marker, label=words, **{**BAR, "lw": 0})
    axes.set_xlim(-0.5, len(errs) - 0.5)


def shares(table: pd.DataFrame) -> Figure:
    """Draw the published shares of parameters of WeLore beside those of uniform ranks at the same ERR, counted."""
    models = list(dict.fromkeys(table.model))
    figure, panels = plt.subplots(1, len(models), figsize=(WIDTH_DOUBLE * 0.75, 2.3), sharey=True)
    for axes, model in zip(panels, models, strict=True):
        rows = table[table.model == model]
        axes.plot(rows.err, rows.uniform, color=GREY, marker="o", ms=3.5, lw=1.0, label="uniform, all in factors")
        axes.plot(rows.err, rows.kept, color=GREY, marker="o", mfc="white", ls="--", ms=3.5, label="uniform, or dense")
        shade, marker = METHOD["welore-lrc"][1:]
        axes.plot(rows.err, rows.published, color=shade, marker=marker, ms=3.5, lw=1.0, label="WeLore, Table 4")
        axes.set(title=model, xlabel="effective rank reduction")
    panels[0].set_ylabel("parameters, share")
    panels[0].legend()
    return figure
