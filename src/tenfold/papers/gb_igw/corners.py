"""Corner plots of posteriors: the parameters of GB-I, and the spectral indices that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import corner
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tenfold.book.style import GREY
from tenfold.papers.gb_igw.checks import PLANCK_N_S
from tenfold.papers.gb_igw.labels import ARRAY, AXIS, MODEL, MODEL_COLOUR

LEVELS = (0.393, 0.865)  # one and two standard deviations of a two-dimensional Gaussian


def parameters(draws: Mapping[str, pd.DataFrame], names: Sequence[str], array: str) -> Figure:
    """Draw the posterior of a model's own parameters, one colour a model."""
    figure = _corner(draws, names, width=5.6)
    _legend(figure, draws, f"posterior on {ARRAY[array]}")
    return figure


def indices(draws: Mapping[str, pd.DataFrame], array: str) -> Figure:
    """Draw the posterior of n_s, n_T and log10 r that follow from the parameters, beside the CMB's values."""
    names = ("n_s", "n_t", "log10_r")
    figure = _corner(draws, names, width=5.0, shown={"n_s": PLANCK_N_S[0], "n_t": 0.0})
    axes = np.array(figure.axes).reshape(len(names), len(names))
    for row in range(len(names)):
        axes[row, 0].axvline(PLANCK_N_S[0], color=GREY, lw=1, ls="--")
    axes[1, 0].axhline(0, color=GREY, lw=1, ls=":")
    for row in (1, 2):
        axes[row, 1].axvline(0, color=GREY, lw=1, ls=":")
    extra = [
        Line2D([], [], color=GREY, ls="--", label=r"Planck $n_s$ [recalled]"),
        Line2D([], [], color=GREY, ls=":", label=r"$n_T = 0$"),
    ]
    _legend(figure, draws, f"implied by {ARRAY[array]}", extra)
    return figure


def _corner(
    draws: Mapping[str, pd.DataFrame], names: Sequence[str], width: float, shown: Mapping[str, float] | None = None
) -> Figure:
    """Draw all models into one corner plot whose ranges also hold the values `shown`."""
    figure = plt.figure(figsize=(width, width), layout="none")
    also = {name: [value] for name, value in (shown or {}).items()}
    ranges = [_range([*(frame[name] for frame in draws.values()), also.get(name, [])]) for name in names]
    for model, frame in draws.items():
        corner.corner(
            frame[list(names)].to_numpy(),
            fig=figure,
            labels=[AXIS[name] for name in names],
            range=ranges,
            color=MODEL_COLOUR[model],
            bins=40,
            smooth=1.8,
            smooth1d=1.2,
            levels=LEVELS,
            plot_datapoints=False,
            plot_density=False,
            fill_contours=True,
            no_fill_contours=False,
            hist_kwargs={"lw": 1.2},
            contour_kwargs={"linewidths": 0.9},
            max_n_ticks=4,
            labelpad=0.08,
        )
    for axis in figure.axes:
        axis.tick_params(labelsize=6.5)
    return figure


def _range(columns: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return a range that shows all but a thousandth of each column, with a little room."""
    low = min(np.quantile(column, 0.001) for column in columns if len(column))
    high = max(np.quantile(column, 0.999) for column in columns if len(column))
    room = 0.03 * (high - low)
    return low - room, high + room


def _legend(figure: Figure, models: Mapping[str, object], title: str, extra: Sequence[Line2D] = ()) -> None:
    handles = [Line2D([], [], color=MODEL_COLOUR[name], label=MODEL[name]) for name in models]
    figure.legend(handles=[*handles, *extra], title=title, loc="upper right", bbox_to_anchor=(0.97, 0.97))
