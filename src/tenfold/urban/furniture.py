"""Map furniture: scale bar, north arrow, keys, colour ramps, attribution; drawn where the map has no data."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

ATTRIBUTION = (
    "Contains National Statistics data and OS data, Crown copyright and database right; OpenStreetMap contributors "
    "(ODbL); Powered by TfL Open Data; Greater London Authority"
)
INK = "#3d3a36"
SMALL = 5.5  # points; the smallest type that survives printing
LINE = 0.105  # inches from one line of small type to the next
LETTER = 0.0415  # inches that a letter of small type takes, on average
NICE = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # kilometres


def frame(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    """Make axes a map: the extent (west, south, east, north) in metres, one scale both ways, no axes."""
    west, south, east, north = extent
    axes.set(xlim=(west, east), ylim=(south, north), aspect="equal")
    axes.set_axis_off()


def scale_bar(axes: Axes, at: tuple[float, float] = (0.015, 0.045), size: float = 6.0) -> float:
    """Draw a scale bar of a sixth of the map's width at most, and return its length in km."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    km = max([item for item in NICE if item <= (east - west) / 6e3] or NICE[:1])
    x, y = west + at[0] * (east - west), south + at[1] * (north - south)
    height = (north - south) / 110
    half = km * 500.0
    bars = [[(a, y), (a + half, y), (a + half, y + height), (a, y + height)] for a in (x, x + half)]
    axes.add_collection(
        PolyCollection(bars, facecolors=[INK, "white"], edgecolors=INK, linewidths=0.5, zorder=6), False
    )
    for part, word in ((0, "0"), (0.5, f"{km / 2:g}"), (1, f"{km:g} km")):
        place = {"ha": "left" if word.endswith("km") else "center", "va": "top", "fontsize": size, "color": INK}
        shift = -0.6 * height if word.endswith("km") else 0.0
        axes.text(x + part * 2 * half + shift, y - 0.5 * height, word, **place, zorder=6)
    return float(km)


def north_arrow(axes: Axes, at: tuple[float, float] = (0.035, 0.1), size: float = 7.0) -> None:
    """Draw an arrow to the north of the grid, as high as a 28th of the map's width."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    x, y = west + at[0] * (east - west), south + at[1] * (north - south)
    height = (east - west) / 28
    tip, notch, wing = y + height, y + 0.25 * height, 0.32 * height
    halves = [[(x, tip), (x - wing, y), (x, notch)], [(x, tip), (x + wing, y), (x, notch)]]
    look = {"facecolors": [INK, "white"], "edgecolors": INK, "linewidths": 0.5, "joinstyle": "round"}
    axes.add_collection(PolyCollection(halves, **look, zorder=6), autolim=False)
    axes.text(x, tip + 0.1 * height, "N", ha="center", va="bottom", fontsize=size, color=INK, zorder=6)


def wrapped(words: str, inches: float) -> list[str]:
    """Return the lines of small type that `words` take in this width; a line break starts a new one."""
    room = int(inches / LETTER)
    return [line for part in words.splitlines() if part for line in textwrap.wrap(part, room)]


def attribution(figure: Figure, lines: Sequence[str], colour: str) -> None:
    """Write lines of small type along the lower edge of a figure, above whatever is added below the canvas."""
    width, height = figure.get_size_inches()
    place = {"va": "bottom", "fontsize": SMALL, "color": colour, "linespacing": 1.25, "parse_math": False}
    figure.text(0.04 / width, 0.03 / height, "\n".join(lines), **place)


def mark(word: str, colour: Any, marker: str = "h", filled: bool = True) -> Line2D:
    """Return one entry of a key: a hexagon ("h"), a point ("o"), a square ("s") or a line ("-") in its colour."""
    if marker == "-":
        return Line2D([], [], color=colour, lw=1.1, label=word)
    size = {"o": 4.5, "h": 7.0, "s": 6.0}[marker]
    face, edge = (colour, INK) if filled else ("none", colour)
    return Line2D([], [], ls="", marker=marker, ms=size, mfc=face, mec=edge, mew=0.3 if filled else 1.0, label=word)


def key(where: Axes | Figure, marks: Sequence[Line2D], **options: Any) -> None:
    """Draw a key without a box; it belongs in a corner that holds no data, or below the panels."""
    look = {"loc": "lower right", "handletextpad": 0.4, "labelspacing": 0.35, "borderaxespad": 0.2, "fontsize": 6.5}
    look |= {"alignment": "left", "frameon": False, **options}
    if isinstance(where, Figure):
        where.legend(handles=list(marks), **look).set_zorder(7)
    else:
        # `Axes.legend` keeps one key alone: a second would take the first one's place.
        where.add_artist(Legend(where, list(marks), [item.get_label() for item in marks], **look)).set_zorder(7)


def ramp(axes: Axes, norm: Normalize, colours: Colormap, label: str, values: np.ndarray | None = None) -> None:
    """Fill axes with a colour bar and its scale; above it stands how many of the values have each colour."""
    low, high = norm.vmin, norm.vmax
    shades = colours(np.linspace(0, 1, 256))[None, :, :3]
    axes.imshow(shades, extent=(low, high, 0, 1), aspect="auto", interpolation="nearest")
    if values is not None:
        counts, edges = np.histogram(np.clip(values, low, high), bins=40, range=(low, high))
        fill = colours(norm((edges[:-1] + edges[1:]) / 2))
        axes.bar(edges[:-1], 2.6 * counts / counts.max(), np.diff(edges), bottom=1.2, align="edge", color=fill, lw=0)
    axes.set(xlim=(low, high), ylim=(0, 1 if values is None else 3.8), yticks=[])
    axes.tick_params(labelsize=6, length=2, pad=1.5)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(label, fontsize=6.5, labelpad=1.5)
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)
