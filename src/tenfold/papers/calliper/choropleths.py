"""Choropleths of shares over the census areas: observed, predicted, what is left, and where it clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tenfold.errors import InputError, unknown
from tenfold.papers.calliper.maps import Areas, layer
from tenfold.papers.calliper.palettes import QUADRANTS, steps
from tenfold.papers.calliper.sheet import GAP, Sheet, sheet
from tenfold.urban.basemap import Context
from tenfold.urban.cartography import EMPTY, Mosaic, Polygons
from tenfold.urban.classes import Classes, classify, symmetric
from tenfold.urban.furniture import key, mark

FIFTHS = ("lowest fifth of areas", "second", "third", "fourth", "highest fifth")
CORNER = {
    "fontsize": 5.8,
    "labelspacing": 0.25,
    "handletextpad": 0.3,
    "handlelength": 0.9,
    "borderpad": 0.1,
}  # keys in the corner of half a page


def residuals(
    areas: Areas,
    observed: np.ndarray,
    predicted: np.ndarray,
    quadrants: Sequence[str],
    context: Context,
    what: str,
    moran: float | None = None,
    level: float = 0.05,
    title: str = "",
    subtitle: str = "",
    note: str = "",
    scheme: str = "quantiles",
) -> Figure:
    """Draw a share (N,) observed, predicted, their difference, and the local clusters of the difference: four panels.

    Observed and predicted have the same classes; NaN is where nothing was predicted. `quadrants` (N,) are the
    labels of local Moran's I, such as "high-low", found at a false discovery rate of `level`; `moran` is the global I.
    """
    left = np.asarray(observed, dtype=float) - np.asarray(predicted, dtype=float)
    _check(quadrants)
    words = [
        "observed",
        "predicted",
        "observed − predicted, percentage points",
        f"where errors cluster (local Moran's I, {100 * level:g} % false discoveries)",
    ]
    words[2] += "" if moran is None else f" (Moran's I {moran:.2f})".replace("-", "−")
    page = sheet(context, words, 2, title or what, subtitle, note)
    cells, shared = layer(areas, context), classify(np.concatenate([observed, predicted]), scheme)
    for axes, values in zip(page.panels, (observed, predicted), strict=False):
        _classed(axes, cells, values, shared, "%", context)
    _classed(page.panels[2], cells, left, symmetric(left), "", context)
    colours = np.array([to_rgb(QUADRANTS[word]) for word in quadrants])
    _panel(page.panels[3], cells, colours, context)
    key(page.panels[3], _marks([word.replace("-", " among ") for word in QUADRANTS], [*QUADRANTS.values()]), **CORNER)
    return page.figure


def predictions(
    areas: Areas,
    values: Mapping[str, np.ndarray],
    context: Context,
    what: str,
    subtitle: str = "",
    note: str = "",
    scheme: str = "quantiles",
    columns: int = 3,
) -> Figure:
    """Draw a share as observed and as each method predicts it, `values` by name, all in the classes of the first."""
    page = sheet(context, list(values), min(columns, len(values)), what, subtitle, note, below=0.2)
    cells, missing = layer(areas, context), any(np.isnan(value).any() for value in values.values())
    classes = classify(next(iter(values.values())), scheme)
    colours = steps(len(classes))
    for axes, value in zip(page.panels, values.values(), strict=True):
        _panel(axes, cells, _coloured(classes.of(value), colours), context, 0.6)
    _row(page, _marks(classes.labels("%", hundredths=True), colours, missing))
    return page.figure


def profile(
    areas: Areas,
    shares: np.ndarray,
    names: Sequence[str],
    context: Context,
    title: str = "Who lives where",
    subtitle: str = "",
    note: str = "",
    columns: int = 3,
) -> Figure:
    """Draw each of K shares (N, K) by fifths of the areas, with its median behind its name."""
    medians = np.nanmedian(shares, axis=0)
    words = [f"{name} ({100 * median:.0f} %)" for name, median in zip(names, medians, strict=True)]
    page = sheet(context, words, columns, title, subtitle, note, below=0.2)
    cells, colours = layer(areas, context), steps(len(FIFTHS))
    for axes, share in zip(page.panels, np.asarray(shares, dtype=float).T, strict=True):
        bounds = np.nanquantile(share, np.arange(1, len(FIFTHS)) / len(FIFTHS))
        fifth = np.where(np.isnan(share), -1, np.searchsorted(bounds, share, side="left"))
        _panel(axes, cells, _coloured(fifth, colours), context, 0.6)
    _row(page, _marks(FIFTHS, colours))
    return page.figure


def _classed(
    axes: Axes, cells: Polygons | Mosaic, values: np.ndarray, classes: Classes, unit: str, context: Context
) -> None:
    """Draw one panel with the key of its classes in its corner, the highest on top."""
    found, colours = classes.of(values), steps(len(classes), diverging=np.isinf(classes.bounds[0]))
    _panel(axes, cells, _coloured(found, colours), context)
    key(axes, _marks(classes.labels(unit, hundredths=True)[::-1], colours[::-1], (found < 0).any()), **CORNER)


def _marks(words: Sequence[str], colours: Sequence, missing: bool = False) -> list[Line2D]:
    marks = [mark(word, colour, "s") for word, colour in zip(words, colours, strict=True)]
    return marks + ([mark("missing", EMPTY, "s")] if missing else [])


def _panel(axes: Axes, cells: Polygons | Mosaic, colours: np.ndarray, context: Context, scale: float = 0.8) -> None:
    context.ground(axes)
    cells.draw(axes, colours, clip=context.shape)
    context.overlay(axes, scale=scale, rails=False)


def _coloured(found: np.ndarray, colours: Sequence) -> np.ndarray:
    return np.array([*map(to_rgb, colours), to_rgb(EMPTY)])[found]


def _row(page: Sheet, marks: list[Line2D]) -> None:
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, (page.foot - GAP) / page.figure.get_figheight())}
    key(page.figure, marks, ncols=len(marks), columnspacing=1.4, fontsize=7, **place)


def _check(quadrants: Sequence[str]) -> None:
    if wrong := set(quadrants) - set(QUADRANTS):
        raise unknown("quadrant", min(wrong), QUADRANTS)
    if not len(quadrants):
        raise InputError("a map needs at least one area")
