"""Figures of the film: gradients and weights along a training."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import GREY, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.papers.welore.looks import LINEAR, short


def gradients(film: dict[str, Any]) -> Figure:
    """Draw the cosines between gradients of a fixed batch, and the gradients' singular values, over the steps.

    As the paper's Figure 2. Lower row: each picture's values over their largest, in powers of ten.
    """
    figure, panels = plt.subplots(2, 4, figsize=(WIDTH_DOUBLE, 3.6))
    last = film["history"].step.max()
    for column, (name, maps) in enumerate(film["maps"].items()):
        cosine, values = np.asarray(maps["cosine"]), np.asarray(maps["gradient"])
        box = (0, last, last, 0)
        upper = panels[0, column].imshow(cosine, vmin=-1, vmax=1, cmap="RdBu_r", extent=box, aspect="auto")
        lower = _tall(panels[1, column], values / values[:, :1].clip(1e-12), last, -4)
        panels[0, column].set(title=name, xlabel="step")
        panels[1, column].set_xlabel("singular value")
    for line, label in ((0, "step"), (1, "step")):
        panels[line, 0].set_ylabel(label)
    figure.colorbar(upper, ax=panels[0], label="cosine")
    figure.colorbar(lower, ax=panels[1], label=r"$\log_{10}\sigma_i/\sigma_1$")
    return figure


def weights(film: dict[str, Any]) -> Figure:
    """Draw the weights' singular values over the steps, as the paper's Figure 3: over their largest."""
    figure, panels = plt.subplots(1, 4, figsize=(WIDTH_DOUBLE, 2.1), sharey=True)
    last = film["history"].step.max()
    for axes, (name, maps) in zip(panels, film["maps"].items(), strict=True):
        values = np.asarray(maps["weight"])
        drawn = axes.imshow(
            values / values[:, :1].clip(1e-12),
            vmin=0,
            vmax=1,
            cmap="viridis",
            extent=(1, values.shape[1], last, 0),
            aspect="auto",
        )
        axes.set(title=name, xlabel="singular value")
    panels[0].set_ylabel("step")
    figure.colorbar(drawn, ax=panels, label=r"$\sigma_i/\sigma_1$")
    return figure


def _tall(axes: Any, values: np.ndarray, last: int, least: float) -> Any:
    box = (1, values.shape[1], last, 0)
    logs = np.log10(values.clip(10.0**least))
    return axes.imshow(logs, vmin=least, vmax=0, cmap="viridis", extent=box, aspect="auto")


def pictures(film: dict[str, Any]) -> pd.DataFrame:
    """Return the numbers of both figures: map, kind (cosine, gradient, weight), step, column, value."""
    frames = []
    steps = sorted(set(film["table"].step))
    for name, maps in film["maps"].items():
        for kind, values in maps.items():
            values = np.asarray(values)
            rows, columns = np.indices(values.shape)
            part = {"map": name, "kind": kind, "step": np.asarray(steps)[rows.ravel()]}
            frames.append(pd.DataFrame(part | {"column": columns.ravel(), "value": values.ravel()}))
    return pd.concat(frames, ignore_index=True)


def emergence(table: pd.DataFrame) -> Figure:
    """Draw the stable rank of weights and of gradients along the training by kind of map, means over blocks."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.4))
    kinds = {"stable_rank": "stable rank of W", "gradient_stable_rank": "stable rank of G"}
    for axes, (column, words) in zip(panels, kinds.items(), strict=True):
        for linear, shade in LINEAR.items():
            means = table[table.linear == linear].groupby("step")[column].mean()
            axes.plot(means, color=shade, lw=1.0, label=short(linear))
        axes.set(xlabel="step", ylabel=words, ylim=(0, None))
    panels[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def steadiness(adjacent: pd.DataFrame, overlap: pd.DataFrame) -> Figure:
    """Draw how steady gradients are: cosines of neighbouring pictures by kind of map, and the overlap of subspaces."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.4))
    for linear, shade in LINEAR.items():
        panels[0].plot(adjacent[adjacent.linear == linear].groupby("step").cosine.mean(), color=shade, lw=1.0)
    for number, (name, rows) in enumerate(overlap.groupby("map", sort=False)):
        shade = (LINEAR["q_proj"], LINEAR["k_proj"], LINEAR["down_proj"], LINEAR["up_proj"])[number]
        panels[1].plot(rows.groupby("step").overlap.mean(), color=shade, lw=1.0, label=name)
    panels[1].axhline(overlap.chance.mean(), color=GREY, lw=0.7, ls="--")
    panels[0].axhline(0, color=GREY, lw=0.7, ls="--")
    panels[0].set(xlabel="step", ylabel="cosine with the picture before")
    panels[1].set(xlabel="step", ylabel="overlap of 8 directions", ylim=(0, 1))
    handles = [plt.Line2D([], [], color=shade, label=short(name)) for name, shade in LINEAR.items()]
    panels[0].legend(handles=handles, ncols=2, fontsize=6)
    panels[1].legend(fontsize=6)
    return figure


def link(table: pd.DataFrame) -> Figure:
    """Draw the rank that a map keeps against how steady its gradient was, a dot per map and seed."""
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE * 1.3, 2.6))
    for linear, shade in LINEAR.items():
        rows = table[table.linear == linear]
        axes.scatter(rows.cosine, rows.kept, s=12, color=shade, label=short(linear), lw=0)
    axes.set(xlabel="cosine of neighbouring gradients, second half", ylabel="kept share of the rank, ERR 50 %")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
