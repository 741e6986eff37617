"""London as 33 tiles: every borough as large, near its place, with bars of what is there and what was predicted."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from tenfold.book.style import GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.errors import InputError
from tenfold.papers.calliper.palettes import SEQUENTIAL
from tenfold.papers.calliper.sheet import EDGE, GAP, heading, whole
from tenfold.urban.furniture import ATTRIBUTION, INK, LINE, attribution, key, mark, wrapped

GRID = (7, 7)  # columns and rows
HEIGHT = 0.78  # inches of a tile
CLOSE = 1.0  # weight of a tile's distance from the middle, which keeps the tiles together
BODY, RULE = "#f4f2ed", "#cfcac0"


def boroughs(
    areas: gpd.GeoDataFrame,
    observed: np.ndarray,
    classes: Sequence[str],
    predicted: np.ndarray | None = None,
    title: str = "Who lives in each borough",
    subtitle: str = "",
    note: str = "",
) -> Figure:
    """Draw shares (B, K) of each borough as bars in a tile near the borough's place, predictions (B, K) as ticks."""
    shown = [values for values in (observed, predicted) if values is not None]
    if any(np.shape(values) != (len(areas), len(classes)) for values in shown):
        raise InputError(f"shares must have the shape ({len(areas)}, {len(classes)}), a row for each borough")
    lines = wrapped(f"{note}\n{ATTRIBUTION}".strip(), WIDTH_DOUBLE)
    rows = -(-len(classes) // 3)
    foot = 0.03 + LINE * len(lines) + GAP
    bottom = foot + 0.13 * rows + 0.1
    height = whole(bottom + GRID[1] * HEIGHT + 0.45)
    figure = plt.figure(figsize=(WIDTH_DOUBLE, height), layout="none")
    attribution(figure, lines, GREY)
    ticks = "" if predicted is None else "red ticks what was predicted, "
    heading(figure, title, subtitle or f"Bars are observed shares of residents, {ticks}the rule marks one in five")
    box = (EDGE, bottom, WIDTH_DOUBLE - 2 * EDGE, GRID[1] * HEIGHT)
    axes = figure.add_axes((box[0] / WIDTH_DOUBLE, box[1] / height, box[2] / WIDTH_DOUBLE, box[3] / height))
    axes.set(xlim=(0, GRID[0]), ylim=(GRID[1], 0))
    axes.set_axis_off()
    colours = [SEQUENTIAL(shade) for shade in np.linspace(0.95, 0.2, len(classes))]
    _tiles(axes, areas["name"], places(areas), np.asarray(observed), predicted, colours)
    marks = [mark(name, colour, "s") for name, colour in zip(classes, colours, strict=True)]
    where = {"loc": "lower center", "bbox_to_anchor": (0.5, (foot - GAP) / height)}
    key(figure, marks, ncols=3, columnspacing=1.4, **where)
    return figure


def places(areas: gpd.GeoDataFrame, grid: tuple[int, int] = GRID) -> np.ndarray:
    """Return column and row (B, 2) of each area's tile: the assignment with the least sum of squares."""
    inside = areas.geometry.representative_point()
    xy = np.column_stack([inside.x, -inside.y])
    columns, rows = grid
    # The ranks spread the crowded centre, the metres keep the shape of the whole.
    even = (xy - xy.min(0)) / np.ptp(xy, axis=0)
    rank = xy.argsort(0).argsort(0) / (len(xy) - 1)
    wanted = (0.5 * even + 0.5 * rank) * [columns - 1, rows - 1]
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    if len(xy) > len(cells):
        raise InputError(f"{len(xy)} areas do not fit into {len(cells)} tiles")
    middle = (np.array(grid) - 1) / 2
    cost = ((wanted[:, None] - cells[None]) ** 2).sum(-1) + CLOSE * (((cells - middle) / middle) ** 2).sum(-1)
    return cells[linear_sum_assignment(cost)[1]]


def _tiles(axes: Axes, names, cells: np.ndarray, observed: np.ndarray, predicted, colours) -> None:
    count = observed.shape[1]
    most = max(np.nanmax(values) for values in (observed, predicted) if values is not None)
    left = cells[:, :1] + 0.09 + 0.82 * np.arange(count) / count  # (B, K)
    base, tall, wide = cells[:, 1:] + 0.93, 0.62 / most, 0.82 / count
    axes.add_collection(PolyCollection(_boxes(cells[:, 0] + 0.03, cells[:, 1] + 0.03, 0.94, 0.94), facecolors=BODY))
    rules = [[(x + 0.09, y), (x + 0.91, y)] for x, y in zip(cells[:, 0], base[:, 0] - 0.2 * tall, strict=True)]
    axes.add_collection(LineCollection(rules, colors=RULE, linewidths=0.5))
    bars = _boxes(left.ravel(), (base - tall * observed).ravel(), 0.86 * wide, (tall * observed).ravel())
    axes.add_collection(PolyCollection(bars, facecolors=colours * len(cells), linewidths=0))
    if predicted is not None:
        y = base - tall * np.asarray(predicted)
        ticks = np.stack([np.stack([left - 0.1 * wide, y], -1), np.stack([left + 0.96 * wide, y], -1)], -2)
        axes.add_collection(LineCollection(ticks.reshape(-1, 2, 2), colors=VERMILLION, linewidths=1.1))
    for (column, row), name in zip(cells, names, strict=True):
        words = "\n".join(textwrap.wrap(name.replace(" and ", " & "), 16))
        axes.text(column + 0.08, row + 0.08, words, fontsize=5.5, va="top", color=INK, linespacing=1.05)


def _boxes(x, y, width, height) -> np.ndarray:
    """Return rectangles (N, 4, 2) from their upper left corners."""
    x, y, width, height = np.broadcast_arrays(x, y, width, height)
    right, low = x + width, y + height
    return np.stack([np.stack(corner, -1) for corner in ((x, y), (right, y), (right, low), (x, low))], 1)
