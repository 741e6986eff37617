"""Figures of the trainings: which module, which start, which mapping, which rate, against the dense network."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.lowrank import rank_mapping
from tenfold.papers.lr_sms.cells import Cell
from tenfold.papers.lr_sms.contrasts import of
from tenfold.papers.lr_sms.looks import BAR, COLOURS, NAMES, STARTS, VOICES, WER

MODULES = {"attention": (BLUE, "o", "attention"), "ff": (VERMILLION, "s", "feed-forward")}


def percent(rows: pd.DataFrame, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return word error rates and their bars, of intervals over utterances, in percent."""
    rate = 100 * rows[f"{part}_wer"].to_numpy()
    low, high = (100 * rows[f"{part}_{end}"].to_numpy() for end in ("low", "high"))
    return rate, np.vstack([rate - low, high - rate])


def band(axes: Axes, table: pd.DataFrame, part: str) -> None:
    """Shade the range of the dense network over its seeds."""
    rate, _ = percent(of(table, Cell()), part)
    axes.axhspan(rate.min(), rate.max(), color=GREY, alpha=0.25, lw=0, label="dense, all seeds")
    axes.axhline(rate.mean(), color=BLACK, lw=0.8, ls="--")


def shares(table: pd.DataFrame, afterwards: pd.DataFrame) -> Figure:
    """Draw word error rate against the kept share of the rank, a panel per voices (Figure 1).

    Lines: means over seeds of attention or feed-forwards alone; crosses: the dense network cut to the same ranks.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.7))
    for axes, (part, words) in zip(panels, VOICES.items(), strict=True):
        band(axes, table, part)
        for number, (module, (shade, marker, name)) in enumerate(MODULES.items()):
            rows = alone(table, module)
            means = 100 * rows.groupby(module)[f"{part}_wer"].mean()
            axes.plot(means.index, means, color=shade, lw=1.2, label=f"{name}, from scratch")
            rate, bars = percent(rows, part)
            axes.errorbar(rows[module] * (0.97, 1.03)[number], rate, bars, fmt=marker, color=shade, **{**BAR, "lw": 0})
            cut = alone(afterwards[afterwards.state == "cut"], module).sort_values(module)
            values = 100 * cut[f"{part}_wer"]
            axes.plot(cut[module], values, "x:", color=shade, ms=5, lw=0.8, label=f"{name}, cut afterwards")
        axes.set(xlabel=r"kept share $\rho$ of the rank", ylabel=WER, title=words, xscale="log")
        ticks = sorted(set(alone(table, "ff").ff))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def alone(table: pd.DataFrame, module: str) -> pd.DataFrame:
    """Return the rows in which only one module is factorised, uniform and started by SVD, at the run's rate."""
    other = "ff" if module == "attention" else "attention"
    plain = (table.init == "svd") & (table.mapping == "uniform") & (table.width == 0)
    plain &= (table.rate == 1) & (table.epochs == 1)
    return table[plain & (table[module] < 1) & (table[other] == 1)]


def learning(table: pd.DataFrame) -> Figure:
    """Draw test loss and word error rate against the epoch, a curve per start (Figure 2)."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.5))
    for name, (words, shade, marker) in STARTS.items():
        rows = table[table.network == name]
        for axes, column, unit in zip(panels, ("test_loss", "test_wer"), (1, 100), strict=True):
            axes.plot(rows.epoch, unit * rows[column], marker=marker, ms=4, lw=1, color=shade, label=words)
    epochs = sorted(set(table.epoch))
    for axes, words in zip(panels, ("test loss, nats per utterance", WER), strict=True):
        axes.set(xlabel="epoch", ylabel=words, yscale="log")
        axes.set_xticks(epochs if len(epochs) < 12 else epochs[:: len(epochs) // 8])
        plain(axes)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


def plain(axes: Axes) -> None:
    """Label a logarithmic axis with plain numbers: 1, 2, 5, 10, ..."""
    low, high = axes.get_ylim()
    steps = [digit * 10**power for power in range(-2, 4) for digit in (1, 2, 3, 5)]
    ticks = [tick for tick in steps if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


def mappings(table: pd.DataFrame, both: Cell, blocks: int) -> Figure:
    """Draw kept shares by block, and word error rates by mapping (Figure 3): dots are seeds, lines their means."""
    figure, panels = plt.subplots(1, 3, figsize=(WIDTH_DOUBLE, 2.4), width_ratios=[1, 1.2, 1.2])
    names = list(dict.fromkeys(table.mapping))
    for name in names:
        shade = COLOURS.get(name, COLOURS["both"] if name == "uniform" else GREY)
        shape = rank_mapping(both.ff, blocks, name) if name != "dense" else np.ones(blocks)
        panels[0].plot(range(1, blocks + 1), shape, "o-", color=shade, ms=4, lw=1)
        for axes, part in zip(panels[1:], VOICES, strict=True):
            rows = table[table.mapping == name]
            rate, bars = percent(rows, part)
            place = names.index(name) + np.linspace(-0.15, 0.15, len(rate)) * (len(rate) > 1)
            axes.errorbar(place, rate, bars, fmt="o", color=shade, **{**BAR, "lw": 0})
            axes.plot(names.index(name) + np.array([-0.3, 0.3]), [rate.mean()] * 2, color=shade, lw=1.5)
    panels[0].set(xlabel="block", ylabel=r"kept share $\rho_l$ of feed-forwards")
    panels[0].set_xticks(range(1, blocks + 1, max(1, blocks // 6)))
    panels[0].set_ylim(bottom=0)
    for axes, words in zip(panels[1:], VOICES.values(), strict=True):
        axes.set_xticks(range(len(names)), names, rotation=20, ha="right")
        axes.set(ylabel=WER, title=words)
        axes.set_ylim(bottom=0)
    return figure


def differences(table: pd.DataFrame) -> Figure:
    """Draw by how much each network errs more than the dense one of its seed: a dot per seed, bars over utterances."""
    names = list(dict.fromkeys(table.network))
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 0.9 + 0.26 * len(names)), sharey=True)
    for axes, (part, words) in zip(panels, VOICES.items(), strict=True):
        for height, name in enumerate(names):
            rows = table[(table.network == name) & (table.part == part)]
            place = height + np.linspace(-0.2, 0.2, len(rows)) * (len(rows) > 1)
            value = 100 * rows.difference
            bars = np.vstack([value - 100 * rows.low, 100 * rows.high - value])
            axes.errorbar(value, place, xerr=bars, fmt="o", color=COLOURS[name], **{**BAR, "lw": 0})
        axes.axvline(0, color=BLACK, lw=0.8, ls="--")
        axes.set(xlabel="words in a hundred more than dense", title=words)
        axes.set_yticks(range(len(names)), [NAMES[name] for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
    return figure


def against(table: pd.DataFrame, column: str, unit: float, xlabel: str) -> Figure:
    """Draw word error rate against learning rate or epochs, dense and low rank, a panel per voices.

    column: what the cells say, over the run's own value `unit`.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.3))
    for axes, (part, words) in zip(panels, VOICES.items(), strict=True):
        for dense, shade, marker, name in ((True, BLACK, "s", "dense"), (False, GREEN, "o", "low rank, both")):
            rows = table[(table.attention == 1) == dense]
            means = 100 * rows.groupby(column)[f"{part}_wer"].mean()
            axes.plot(unit * means.index, means, color=shade, lw=1.2, label=name)
            rate, bars = percent(rows, part)
            axes.errorbar(unit * rows[column], rate, bars, fmt=marker, color=shade, **{**BAR, "lw": 0})
        ticks = sorted(set(unit * table[column]))
        axes.set(xlabel=xlabel, ylabel=WER, title=words, xscale="log")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def baselines(table: pd.DataFrame) -> Figure:
    """Draw the networks of about as many parameters as LR-SMS beside it: dots are seeds, bars means."""
    names = ["dense", "both", "narrow", "tuned", "cut"]
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.1), sharey=True)
    for axes, (suffix, words) in zip(panels, (("", VOICES["test"]), ("_unseen", VOICES["unseen"])), strict=True):
        for height, name in enumerate(names):
            values = 100 * table[f"{name}{suffix}"]
            shade = COLOURS[name]
            axes.barh(height, values.mean(), color=shade, alpha=0.55, height=0.6)
            axes.plot(values, np.full(len(values), height), "o", color=shade, ms=3.5, mec=BLACK, mew=0.4)
        axes.set_yticks(range(len(names)), [NAMES[name] for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set(xlabel=WER, title=words)
    return figure
