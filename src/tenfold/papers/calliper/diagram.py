"""The framework: two towers, and the matrix of similarities of a real batch between them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from tenfold.book.style import BLUE, GREEN, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.errors import InputError
from tenfold.papers.calliper.palettes import SIMILARITY
from tenfold.papers.calliper.sheet import EDGE, whole
from tenfold.urban.basemap import Context
from tenfold.urban.cartography import points
from tenfold.urban.furniture import ATTRIBUTION, INK, LINE, attribution, frame, ramp, wrapped

HEIGHT = 3.62  # inches above the footer
UPPER, LOWER = 2.55, 0.66  # inches: the middles of the text tower and of the location tower
FROZEN = "#e9e6df"


@dataclass(frozen=True)
class Towers:
    """The words in the boxes, which hold for every run; `sized` has the numbers of one."""

    text: str = "text\nencoder\nfrozen"
    projection: str = "linear\nprojection\ntrained"
    encoding: str = "sines and\ncosines of\nthe place"
    network: str = "residual\nnetwork\ntrained"

    @classmethod
    def sized(cls, text: str, features: int, frequencies: int, out: int) -> Towers:
        """Return the boxes of a run: the text encoder's name, its width, wavelengths, and the embedding's width."""
        return cls(
            f"{text}\nfrozen",
            f"linear\n{features} to {out}\ntrained",
            f"sines and\ncosines of\n{frequencies} wavelengths",
            f"residual\nnetwork to {out}\ntrained",
        )


def framework(
    similarity: np.ndarray,
    texts: Sequence[str],
    xy: np.ndarray,
    context: Context,
    towers: Towers = Towers(),
    note: str = "",
) -> Figure:
    """Draw how texts and places meet: `similarity` (N, N) of N texts (rows) and places (columns, `xy` in metres)."""
    count = len(texts)
    if np.shape(similarity) != (count, count) or np.shape(xy) != (count, 2):
        raise InputError(f"{count} texts need a similarity matrix ({count}, {count}) and places ({count}, 2)")
    lines = wrapped(f"{note} {context.note}\n{ATTRIBUTION}".strip(), WIDTH_DOUBLE)
    foot = whole(0.03 + LINE * len(lines) + 0.05)
    figure = plt.figure(figsize=(WIDTH_DOUBLE, HEIGHT + foot), layout="none")
    attribution(figure, lines, GREY)
    board = figure.add_axes((0, foot / (HEIGHT + foot), 1, HEIGHT / (HEIGHT + foot)))
    board.set(xlim=(0, WIDTH_DOUBLE), ylim=(0, HEIGHT))
    board.set_axis_off()
    _towers(board, towers)
    _texts(board, texts)
    _map(_inset(board, 0.05, 0.02, 1.95, 1.52), xy, context)
    _matrix(board, np.asarray(similarity, dtype=float))
    return figure


def _texts(board: Axes, texts: Sequence[str]) -> None:
    board.text(EDGE, HEIGHT - 0.1, "what stands there", fontsize=8, weight="bold", color=INK, va="top")
    step = min(0.17, 1.3 / len(texts))
    for index, text in enumerate(texts):
        y = HEIGHT - 0.36 - step * index
        board.text(EDGE + 0.1, y, str(index + 1), fontsize=6, color=VERMILLION, ha="right", va="top", weight="bold")
        board.text(EDGE + 0.15, y, textwrap.shorten(text, 48, placeholder=" …"), fontsize=5.5, color=INK, va="top")


def _map(axes: Axes, xy: np.ndarray, context: Context) -> None:
    frame(axes, context.extent)
    context.ground(axes)
    context.overlay(axes, ink="#d4cec3", scale=0.6, rails=False)
    points(axes, xy, VERMILLION, 2.2, zorder=5)
    shift = (context.extent[2] - context.extent[0]) / 60
    for index, (x, y) in enumerate(xy):
        axes.text(x + shift, y, str(index + 1), fontsize=5.5, color=INK, va="center", zorder=6)
    axes.set_title("where it stands", fontsize=8, weight="bold", color=INK, pad=2)


def _towers(board: Axes, towers: Towers) -> None:
    """Draw four boxes in two rows, and the arrows that lead through them to the matrix."""
    stops = ((2.3, 0.82), (3.33, 0.82))
    rows = (
        (UPPER, (towers.text, towers.projection), (FROZEN, GREEN)),
        (LOWER, (towers.encoding, towers.network), (FROZEN, BLUE)),
    )
    for y, words, colours in rows:
        _arrow(board, (2.12, y), (2.3, y))
        _arrow(board, (3.12, y), (3.33, y))
        for (x, wide), word, colour in zip(stops, words, colours, strict=True):
            light = colour == FROZEN
            look = {
                "boxstyle": "round,pad=0,rounding_size=0.06",
                "fc": colour,
                "ec": INK if light else "none",
                "lw": 0.6,
            }
            board.add_patch(FancyBboxPatch((x, y - 0.32), wide, 0.64, **look))
            place = {"ha": "center", "va": "center", "fontsize": 6.5, "linespacing": 1.25}
            board.text(x + wide / 2, y, word, color=INK if light else "white", **place)
    board.text(4.19, UPPER + 0.1, r"$u_i$", fontsize=8, color=GREEN)
    board.text(4.19, LOWER + 0.1, r"$\ell_j$", fontsize=8, color=BLUE)
    _arrow(board, (4.15, UPPER), (4.55, UPPER))
    _arrow(board, (4.15, LOWER), (5.4, 0.92), bend="angle,angleA=0,angleB=90,rad=6")


def _arrow(board: Axes, start: tuple[float, float], end: tuple[float, float], bend: str = "arc3") -> None:
    look = {"arrowstyle": "-|>", "mutation_scale": 6, "lw": 0.8, "color": INK, "shrinkA": 0, "shrinkB": 0}
    board.add_patch(FancyArrowPatch(start, end, connectionstyle=bend, **look))


def _matrix(board: Axes, similarity: np.ndarray) -> None:
    """Draw the similarities, the pairs that belong together framed on the diagonal."""
    count = len(similarity)
    axes = _inset(board, 4.72, 1.06, 2.2, 2.2)
    norm = Normalize(similarity.min(), max(similarity.max(), similarity.min() + 1e-9))
    axes.imshow(similarity, cmap=SIMILARITY, norm=norm, aspect="equal")
    for index in range(count):
        axes.add_patch(Rectangle((index - 0.5, index - 0.5), 1, 1, fill=False, ec="white", lw=1.2))
    axes.set(xticks=range(count), yticks=range(count))
    names = [str(index + 1) for index in range(count)]
    axes.set_xticklabels(names, fontsize=6)
    axes.set_yticklabels(names, fontsize=6)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    axes.set_title(r"$u_i \cdot \ell_j$: each text finds its place," + "\nand each place its text", fontsize=7)
    ramp(_inset(board, 5.9, 0.62, 1.0, 0.07), norm, SIMILARITY, "similarity")


def _inset(board: Axes, x: float, y: float, width: float, height: float) -> Axes:
    """Return axes at a place in inches of the board."""
    box = board.get_position()
    across, up = box.width / WIDTH_DOUBLE, box.height / HEIGHT
    return board.figure.add_axes((x * across, box.y0 + y * up, width * across, height * up))
