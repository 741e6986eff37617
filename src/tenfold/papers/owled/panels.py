"""Figures of errors: against sparsity by method and by part, by calibration, on the grid of M and lambda."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, ScalarFormatter

from tenfold.book.style import BLACK, GREY, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.owled.labels import UNITS, WORDS
from tenfold.papers.owled.looks import CALIBRATION, LINE, METHOD, PART, look
from tenfold.papers.owled.parameters import ALLOCATIONS, METHODS

DODGE = 0.006
"""Sparsities between neighbouring curves, so that their bars can be told apart."""
SHOWN = ("token_loss", "E_car", "E_ped", "E_lon", "E_lat", "language")
CONSTANT = {"color": GREY, "lw": 0.9, "ls": (0, (1, 1.5)), "zorder": 0}
DENSE = {"color": BLACK, "lw": 0.8, "ls": "--", "zorder": 0}


def curves(table: pd.DataFrame, constant: dict[str, float]) -> Figure:
    """Draw every metric of the pruned LLM against sparsity, a curve per method and allocation, bars over seeds.

    Dashed: the dense driver; dotted grey: constant answers, where there are any.
    """
    figure, panels = plt.subplots(2, 3, figsize=(WIDTH_DOUBLE, 4.3), sharex=True)
    rows = table[(table.part == "llm") & (table.calibration == "driving")]
    dense = table[table.part == "dense"]
    for axes, metric in zip(panels.flat, SHOWN, strict=True):
        axes.axhline(dense[metric].mean(), **DENSE)
        if metric in constant:
            axes.axhline(constant[metric], **CONSTANT)
        for number, (method, allocation) in enumerate((m, a) for m in METHODS for a in ALLOCATIONS):
            some = rows[(rows.method == method) & (rows.allocation == allocation)]
            kind = look(method, allocation)
            style = {"color": kind.colour, "marker": kind.marker, "ls": kind.line, "ms": 3.5, "lw": 1.0}
            _spread(axes, some, metric, DODGE * (number - 2.5), style)
        unit = {"token_loss": "nats", "language": "1 − F1"}.get(metric, f"mean error, {UNITS.get(metric, '')}")
        axes.set(title=WORDS[metric], ylabel=unit)
        axes.set_xticks(sorted(set(rows.sparsity)))
        axes.set_ylim(bottom=0)
    for axes in panels[-1]:
        axes.set_xlabel("sparsity of the LLM")
    handles = [
        _handle(look(m, a).label, look(m, a).colour, look(m, a).marker, LINE[a][0])
        for m in METHODS
        for a in ALLOCATIONS
    ]
    handles += [Line2D([], [], label="dense", **DENSE), Line2D([], [], label="constant answer", **CONSTANT)]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def parts(table: pd.DataFrame) -> Figure:
    """Draw token loss against sparsity for encoder, LLM and both, a column per method; above inputs are pruned too."""
    figure, panels = plt.subplots(2, len(METHODS), figsize=(WIDTH_DOUBLE, 4.0), sharex=True, sharey=True)
    rows = table[(table.allocation == "uniform") & (table.calibration == "driving")]
    dense = table[table.part == "dense"].token_loss.mean()
    for line, inputs in zip(panels, ("pruned", "kept"), strict=True):
        for axes, method in zip(line, METHODS, strict=True):
            axes.axhline(dense, **DENSE)
            for number, (part, (_, colour, marker)) in enumerate(PART.items()):
                # The LLM has no raw features: its curve is the same above and below.
                here = rows[(rows.method == method) & (rows.part == part)]
                here = here[here.inputs == ("pruned" if part == "llm" else inputs)]
                style = {"color": colour, "marker": marker, "ls": "-", "ms": 3.5, "lw": 1.0}
                _spread(axes, here, "token_loss", DODGE * (number - 1), style)
            axes.set_title(METHOD[method][0])
            axes.set_xticks(sorted(set(rows[rows.part != "dense"].sparsity)))
    for axes, words in zip(panels[:, 0], ("all maps of the encoder", "its raw-feature maps kept"), strict=True):
        axes.set_ylabel(f"token loss in nats\n{words}")
        axes.set_ylim(bottom=0)
    for axes in panels[-1]:
        axes.set_xlabel("sparsity")
    handles = [_handle(f"{label} pruned", colour, marker, "-") for label, colour, marker in PART.values()]
    figure.legend(handles=[*handles, Line2D([], [], label="dense", **DENSE)], loc="outside upper center", ncols=4)
    return figure


def calibrations(table: pd.DataFrame) -> Figure:
    """Draw token loss by what the statistics come from, a panel per sparsity; points of a seed are joined."""
    grid = sorted(set(table.sparsity))
    figure, panels = plt.subplots(1, len(grid), figsize=(WIDTH_DOUBLE, 2.1), squeeze=False)
    names = [name for name in CALIBRATION if name in set(table.calibration)]
    for axes, sparsity in zip(panels[0], grid, strict=True):
        here = table[table.sparsity == sparsity]
        for _, seed in here.groupby("seed"):
            line = seed.set_index("calibration").token_loss.reindex(names)
            axes.plot(line, range(len(names)), color=GREY, lw=0.6, zorder=1)
        for height, name in enumerate(names):
            values = here[here.calibration == name].token_loss
            axes.plot(
                values, np.full(len(values), height), "o", color=CALIBRATION[name][1], ms=4.5, mec="white", mew=0.5
            )
        axes.set_yticks(range(len(names)), [CALIBRATION[name][0] for name in names] if axes is panels[0, 0] else [])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set(title=f"Wanda, sparsity {sparsity:g}", xlabel="token loss in nats")
    return figure


def heat(table: pd.DataFrame, chosen: tuple[float, float]) -> Figure:
    """Draw OWL's token loss minus that of one ratio for every M and lambda: mean over seeds, and the worst of them.

    `chosen` is (M, lambda) of all other figures, framed.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.3), sharey=True)
    wide = {
        title: table.pivot_table(index="M", columns="lam", values="difference", aggfunc=how)
        for title, how in {"mean over seeds": "mean", "worst seed": "max"}.items()
    }
    most = max(*(float(each.abs().max().max()) for each in wide.values()), 1e-3)
    for axes, (title, values) in zip(panels, wide.items(), strict=True):
        drawn = axes.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", origin="lower")
        for (row, column), value in np.ndenumerate(values.to_numpy()):
            colour = "white" if abs(value) > 0.6 * most else "#222222"
            text = f"{value:+.2f}".replace("-", "−")
            axes.text(column, row, text, fontsize=7, color=colour, ha="center", va="center")
        axes.set_xticks(range(len(values.columns)), [f"{value:g}" for value in values.columns])
        axes.set_yticks(range(len(values.index)), [f"{value:g}" for value in values.index])
        place = (list(values.columns).index(chosen[1]) - 0.5, list(values.index).index(chosen[0]) - 0.5)
        axes.add_patch(plt.Rectangle(place, 1, 1, fill=False, ec=BLACK, lw=1.2))
        axes.set(title=title, xlabel=r"$\lambda$")
    panels[0].set_ylabel("M")
    figure.colorbar(drawn, ax=panels, label="OWL minus one ratio\nin nats, blue: better")
    return figure


def _spread(axes: Axes, rows: pd.DataFrame, metric: str, shift: float, style: dict) -> None:
    """Draw means over seeds against sparsity, with bars of one deviation."""
    some = rows.groupby("sparsity")[metric].agg(["mean", "std"])
    axes.errorbar(some.index + shift, some["mean"], some["std"].fillna(0), elinewidth=0.6, capsize=0, **style)


def _handle(label: str, colour: str, marker: str, line: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, ls=line, ms=3.5, lw=1.0, label=label)


def learning(table: pd.DataFrame) -> Figure:
    """Draw the loss of every training against the share of its steps; columns seed, share, loss."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE, 2.1))
    for seed, rows in table.groupby("seed"):
        axes.plot(rows.share, rows.loss, "o-", ms=3, label=f"seed {seed}", lw=1.0)
    axes.set(xlabel="share of the training", ylabel="token loss in nats", yscale="log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([tick for tick in (0.1, 0.2, 0.5, 1, 2, 5) if table.loss.min() <= tick <= table.loss.max()])
    axes.legend()
    return figure
