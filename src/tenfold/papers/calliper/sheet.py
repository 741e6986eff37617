"""A sheet of maps: title, panels on one scale, scale bar and arrow, and the lines that every map must carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tenfold.book.style import GREY, WIDTH_DOUBLE
from tenfold.urban.basemap import Context
from tenfold.urban.furniture import ATTRIBUTION, INK, LINE, attribution, frame, north_arrow, scale_bar, wrapped

EDGE = 0.04  # inches that words keep from the left edge
GAP = 0.06  # inches between panels and around them
HEAD = 0.17  # inches of a panel's title


@dataclass(frozen=True)
class Sheet:
    """A figure and its panels, row by row; lengths in inches. `foot` is where the lowest panel may begin."""

    figure: Figure
    panels: tuple[Axes, ...]
    foot: float

    def inset(self, x: float, y: float, width: float, height: float) -> Axes:
        """Return axes at a place in inches from the lower left corner of the sheet."""
        across, up = self.figure.get_size_inches()
        return self.figure.add_axes((x / across, y / up, width / across, height / up), zorder=5)


def sheet(
    context: Context,
    titles: Sequence[str] = ("",),
    columns: int = 1,
    title: str = "",
    subtitle: str = "",
    note: str = "",
    below: float = 0.0,
    wide: float = WIDTH_DOUBLE,
    at: tuple[float, float] = (0.015, 0.04),
) -> Sheet:
    """Lay out one panel for each of `titles` in rows of `columns`, `wide` inches across.

    `note` and the context's own note say what is real and what is simulated; `below` keeps inches free under the
    panels, for a colour bar; `at` is where the scale bar begins, in shares of a panel. All places are reckoned here:
    no layout pass, which would take longer than the drawing.
    """
    extent = context.extent
    shape = (extent[3] - extent[1]) / (extent[2] - extent[0])
    rows = -(-len(titles) // columns)
    width = (wide - (columns + 1) * GAP) / columns
    head = HEAD if any(titles) else 0.0
    lines = wrapped(f"{note} {context.note}\n{ATTRIBUTION}".strip(), wide)
    foot = 0.03 + LINE * len(lines) + GAP
    top = 0.08 + (0.19 if title else 0) + (0.13 * (1 + subtitle.count("\n")) + 0.02 if subtitle else 0)
    height = whole(foot + below + rows * (width * shape + head + GAP) + top)
    figure = plt.figure(figsize=(wide, height), layout="none")
    attribution(figure, lines, GREY)
    heading(figure, title, subtitle)
    # One size for all, small enough for the longest: a letter takes about 0.0077 inches a point.
    size = min(8.0, (width - EDGE) / (0.0077 * max(map(len, [*titles, "."]))))
    panels = []
    for index, words in enumerate(titles):
        row, column = divmod(index, columns)
        x = GAP + column * (width + GAP)
        y = height - top - (row + 1) * (width * shape + head + GAP) + GAP
        axes = figure.add_axes((x / wide, y / height, width / wide, width * shape / height))
        frame(axes, extent)
        place = {"va": "bottom", "fontsize": size, "color": INK}
        figure.text((x + EDGE) / wide, (y + width * shape + 0.03) / height, words, **place)
        panels.append(axes)
    size, up = (5.5, 0.025) if columns > 1 else (6.5, 0.0)
    scale_bar(panels[0], (at[0], at[1] + up), size)
    north_arrow(panels[0], (at[0] + 0.02, at[1] + 0.05 + 1.8 * up), size + 0.5)
    return Sheet(figure, tuple(panels), foot)


def whole(inches: float) -> float:
    """Return a height of whole pixels at 50 dots an inch and its multiples: what is stored stays as sharp as drawn."""
    return math.ceil(50 * inches) / 50


def heading(figure: Figure, title: str, subtitle: str) -> None:
    """Write title and subtitle along the upper edge of a figure."""
    width, height = figure.get_size_inches()
    if title:
        figure.text(EDGE / width, 1 - 0.07 / height, title, va="top", fontsize=10, weight="bold", color=INK)
    if subtitle:
        place = {"va": "top", "fontsize": 7, "color": "#66625b", "linespacing": 1.3}
        figure.text(EDGE / width, 1 - (0.07 + (0.2 if title else 0)) / height, subtitle, **place)
