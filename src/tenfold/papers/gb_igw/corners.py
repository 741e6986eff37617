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
from tenfold.papers.gb_igw.exponent import PLANCK_N_S
from tenfold.papers.gb_igw.labels import ARRAY, AXIS, MODEL, MODEL_COLOUR

LEVELS = (0.393, 0.865)  # one and two standard deviations of a two-dimensional Gaussian


def parameters(draws: Mapping[str, pd.DataFrame], bounds: Mapping[str, tuple[float, float]], array: str) -> Figure:
    """Draw the posterior of a model's own parameters within their prior bounds, one colour a model."""
    ranges = [_range([frame[name] for frame in draws.values()], *pair) for name, pair in bounds.items()]
    figure = _corner(draws, list(bounds), ranges, bins=36, width=5.6)
    _legend(figure, draws, f"posterior on {ARRAY[array]}")
    return figure


def indices(draws: Mapping[str, pd.DataFrame], array: str) -> Figure:
    """Draw the posterior of n_s, n_T and log10 r that follow from the parameters, beside the CMB's values."""
    names = ("n_s", "n_t", "log10_r")
    also = {"n_s": [PLANCK_N_S[0]], "n_t": [0.0], "log10_r": []}
    ranges = [_range([*(frame[name] for frame in draws.values()), also[name]]) for name in names]
    # Fine bins: the posterior under a uniform alpha is narrow, and smoothing must not widen it.
    figure = _corner(draws, names, ranges, bins=110, width=5.0)
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
    draws: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    ranges: Sequence[tuple[float, float]],
    bins: int,
    width: float,
) -> Figure:
    """Draw all models into one corner plot."""
    figure = plt.figure(figsize=(width, width), layout="none")
    for model, frame in draws.items():
        corner.corner(
            frame[list(names)].to_numpy(),
            fig=figure,
            labels=[AXIS[name] for name in names],
            range=ranges,
            color=MODEL_COLOUR[model],
            bins=bins,
            smooth=2.2,
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


def _range(columns: Sequence[Sequence[float]], lowest: float = -np.inf, highest: float = np.inf) -> tuple[float, float]:
    """Return a range that shows all but a thousandth of each column, with a little room where the bounds leave any."""
    low = min(np.quantile(column, 0.001) for column in columns if len(column))
    high = max(np.quantile(column, 0.999) for column in columns if len(column))
    room = 0.05 * (high - low)
    return max(low - room, lowest), min(high + room, highest)


def _legend(figure: Figure, models: Mapping[str, object], title: str, extra: Sequence[Line2D] = ()) -> None:
    handles = [Line2D([], [], color=MODEL_COLOUR[name], label=MODEL[name]) for name in models]
    figure.legend(handles=[*handles, *extra], title=title, loc="upper right", bbox_to_anchor=(0.97, 0.97))
