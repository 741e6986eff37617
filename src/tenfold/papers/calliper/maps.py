"""Maps of embeddings on hexagons: clusters, principal colours, similarity to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import rankdata

from tenfold.errors import InputError
from tenfold.papers.calliper.palettes import SIMILARITY, ZONES
from tenfold.papers.calliper.sheet import GAP, Sheet, sheet
from tenfold.urban.basemap import Context
from tenfold.urban.cartography import Mosaic, Polygons
from tenfold.urban.furniture import INK, key, mark, ramp

TOP = "#ff4f79"  # far from every colour of viridis, for each kind of colour vision

PIXEL = 100.0  # metres; two printed pixels of a large panel
Areas = gpd.GeoDataFrame | Polygons | Mosaic | np.ndarray


def layer(areas: Areas, context: Context) -> Polygons | Mosaic:
    """Return the areas as something to draw; what is converted already is taken as it is.

    A frame becomes polygons; of points (N, 2) in metres each colours all that is nearest to it.
    """
    if isinstance(areas, np.ndarray):
        return Mosaic(areas, context.extent, PIXEL)
    return areas if isinstance(areas, Polygons | Mosaic) else Polygons(areas.geometry)


def clusters(
    hexagons: Areas,
    labels: np.ndarray,
    context: Context,
    title: str = "London in four kinds of place",
    subtitle: str = "",
    note: str = "",
    palette: Mapping[str, str] = ZONES,
) -> Figure:
    """Draw one clustering: `labels` (N,) are indices into `palette`, which names and colours the clusters."""
    page = sheet(context, title=title, subtitle=subtitle, note=note)
    (axes,) = page.panels
    context.ground(axes)
    layer(hexagons, context).draw(axes, _painted(labels, palette), clip=context.shape)
    context.overlay(axes, zone=INK)
    shares = np.bincount(labels, minlength=len(palette)) / max(len(labels), 1)
    words = [f"{name}, {100 * share:.0f} %" for name, share in zip(palette, shares, strict=True)]
    key(axes, [*map(mark, words, palette.values()), *_zone(context)])
    return page.figure


def clusterings(
    hexagons: Areas,
    labels: Mapping[str, np.ndarray],
    context: Context,
    title: str = "The same city, seen by each method",
    subtitle: str = "",
    note: str = "",
    palette: Mapping[str, str] = ZONES,
    columns: int = 3,
) -> Figure:
    """Draw the clusterings of several methods side by side, `labels` by method, with one key below them all."""
    page = sheet(context, list(labels), min(columns, len(labels)), title, subtitle, note, below=0.2)
    cells = layer(hexagons, context)
    for axes, found in zip(page.panels, labels.values(), strict=True):
        context.ground(axes)
        cells.draw(axes, _painted(found, palette), clip=context.shape)
        context.overlay(axes, zone=INK, scale=0.6, rails=False)
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, (page.foot - GAP) / page.figure.get_figheight())}
    marks = [*(mark(name, colour) for name, colour in palette.items()), *_zone(context)]
    key(page.figure, marks, ncols=len(marks), columnspacing=1.4, fontsize=7, **place)
    return page.figure


def colours(
    hexagons: Areas,
    rgb: np.ndarray,
    context: Context,
    title: str = "London in the colours of its embedding",
    subtitle: str = "Red, green and blue are the first three principal components: like colours, like surroundings.",
    note: str = "",
) -> Figure:
    """Draw three principal components as red, green and blue, `rgb` (N, 3) in [0, 1]."""
    page = sheet(context, title=title, subtitle=subtitle, note=note)
    (axes,) = page.panels
    context.ground(axes)
    layer(hexagons, context).draw(axes, np.asarray(rgb, dtype=float), clip=context.shape)
    context.overlay(axes, rails=False)
    return page.figure


def similarities(
    hexagons: gpd.GeoDataFrame | Polygons,
    values: Mapping[str, np.ndarray],
    context: Context,
    title: str = "",
    subtitle: str = "",
    note: str = "",
    top: int = 30,
    places: Mapping[str, tuple[float, float]] | None = None,
    label: str = "cosine of place and text",
    columns: int = 3,
) -> Figure:
    """Draw the similarity of every hexagon to some texts, `values` by text, all on one colour scale.

    The rims of the `top` most similar hexagons are marked, and with a star the true `places` (easting, northing) of a
    text where they are known.
    """
    if not values:
        raise InputError("similarity maps need at least one text")
    columns = min(columns, len(values))
    words = [f"“{text}”" for text in values]
    page = sheet(context, words, columns, title, subtitle, note, below=0.45 if len(values) > 1 else 0.0)
    cells, norm = layer(hexagons, context), shared(values.values())
    for axes, (text, value) in zip(page.panels, values.items(), strict=True):
        context.ground(axes)
        cells.draw(axes, SIMILARITY(norm(value)), clip=context.shape)
        context.overlay(axes, scale=0.6 if columns > 1 else 1.0, rails=columns == 1)
        cells.rims(axes, np.argsort(value)[-top:] if top else [], TOP, 0.7 if columns > 1 else 1.0)
        if places and text in places:
            axes.plot(*places[text], "*", ms=9, mfc="white", mec=INK, mew=0.6, zorder=6)
    _scale(page, norm, label, np.concatenate(list(values.values())), top)
    return page.figure


def agreement(
    places: Areas,
    learnt: Mapping[str, np.ndarray],
    true: Mapping[str, np.ndarray],
    context: Context,
    correlations: Mapping[str, float] | None = None,
    title: str = "What the encoder learnt, above what is true",
    subtitle: str = "Each place by its rank in similarity to the class (above) and in its true probability (below)",
    note: str = "",
) -> Figure:
    """Draw learnt similarity over true probability, class by class, as ranks: only their order can be compared.

    `correlations` are Spearman's, by class.
    """
    columns = len(learnt)
    told = [f"   (Spearman {correlations[name]:.2f})".replace("-", "−") if correlations else "" for name in learnt]
    words = [f"{name}{rest}" for name, rest in zip(learnt, told, strict=True)] + ["truth"] * columns
    page = sheet(context, words, columns, title, subtitle, note, below=0.4)
    cells = layer(places, context)
    maps = [*learnt.values(), *(true[name] for name in learnt)]
    for axes, value in zip(page.panels, maps, strict=True):
        context.ground(axes)
        cells.draw(axes, SIMILARITY(rankdata(value) / len(value)), clip=context.shape)
        context.overlay(axes, scale=0.6, rails=False)
    ramp(page.inset(2.2, page.foot + 0.27, 2.6, 0.07), Normalize(0, 100), SIMILARITY, "rank of a place, per cent")
    return page.figure


def shared(values: Sequence[np.ndarray]) -> Normalize:
    """Return one colour scale for several maps, from the 0.5th to the 99.5th percentile of all values."""
    low, high = np.quantile(np.concatenate([np.asarray(value, dtype=float) for value in values]), [0.005, 0.995])
    return Normalize(low, max(high, low + 1e-9), clip=True)


def _painted(labels: np.ndarray, palette: Mapping[str, str]) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= len(palette):
        raise InputError(f"cluster labels must lie in 0 to {len(palette) - 1}")
    return np.array([to_rgb(colour) for colour in palette.values()])[labels]


def _zone(context: Context) -> list[Line2D]:
    return [] if context.caz is None else [mark("Central Activities Zone", INK, "-")]


def _scale(page: Sheet, norm: Normalize, label: str, values: np.ndarray, top: int) -> None:
    """Draw the colour bar, and what the rims mean: in the empty corner of one map, below several."""
    if len(page.panels) == 1:
        ramp(page.inset(5.35, page.foot + 0.42, 1.5, 0.3), norm, SIMILARITY, label, values)
        place = {"loc": "upper right", "bbox_to_anchor": (0.995, 0.985)}
    else:
        ramp(page.inset(2.2, page.foot + 0.3, 2.6, 0.2), norm, SIMILARITY, label, values)
        place = {"loc": "lower right", "bbox_to_anchor": (0.995, (page.foot + 0.2) / page.figure.get_figheight())}
    if top:
        key(page.figure, [mark(f"the {top} most similar", TOP, filled=False)], **place)
