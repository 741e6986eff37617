"""Maps of points: what is where, how land is used, where people live."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tenfold.book.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from tenfold.papers.calliper.palettes import CLASSES, LAND_USE, LUMINOUS, MANY, NIGHT, REST
from tenfold.papers.calliper.sheet import GAP, sheet
from tenfold.urban.basemap import Context
from tenfold.urban.cartography import points
from tenfold.urban.furniture import key, mark

ROUNDS = 6
GROUPS = (BLUE, ORANGE, VERMILLION, GREEN, PURPLE, SKY, BLACK)


def pois(
    table: gpd.GeoDataFrame,
    context: Context,
    by: str = "category",
    title: str = "What stands where",
    subtitle: str = "",
    note: str = "",
    size: float = 0.9,
) -> Figure:
    """Draw every POI in the colour of its `category` or its `licence`, on dark ground; rarer kinds share one colour."""
    page = sheet(context, title=title, subtitle=subtitle, note=note)
    (axes,) = page.panels
    context.ground(axes, NIGHT)
    colours = palette(table[by], night=True)
    _scattered(axes, table, colours, by, size)
    context.overlay(axes, ink="#5b6470", rails=False, water="#2d3f52")
    key(axes, _marks(table[by], colours))
    return page.figure


def licences(
    table: gpd.GeoDataFrame,
    context: Context,
    title: str = "The same points, by the licence under which they come",
    subtitle: str = "ODbL asks to share alike; each layer can be taken, or left out, on its own",
    note: str = "",
    size: float = 0.6,
) -> Figure:
    """Draw the POIs of each licence in a panel of its own, coloured by category."""
    groups = table.licence.value_counts().index
    words = [f"{name}, {(table.licence == name).sum():,}" for name in groups]
    page = sheet(context, words, min(3, len(words)), title, subtitle, note, below=0.2)
    colours = palette(table.category, night=True)
    for axes, name in zip(page.panels, groups, strict=True):
        context.ground(axes, NIGHT)
        _scattered(axes, table[table.licence == name], colours, "category", size)
        context.overlay(axes, ink="#5b6470", scale=0.6, rails=False, water="#2d3f52")
    marks = [mark(name, colour, "o") for name, colour in colours.items()]
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, (page.foot - GAP) / page.figure.get_figheight())}
    key(page.figure, marks, ncols=len(marks), columnspacing=0.9, fontsize=6, **place)
    return page.figure


def land_use(
    table: gpd.GeoDataFrame,
    context: Context,
    title: str = "Land use, point by point",
    subtitle: str = "",
    note: str = "",
    size: float = 1.6,
) -> Figure:
    """Draw the points of the land-use task over the outline, in the colours of their `label`."""
    page = sheet(context, title=title, subtitle=subtitle, note=note)
    (axes,) = page.panels
    context.ground(axes)
    colours = palette(table.label)
    context.overlay(axes, ink="#c9c3b8")
    _scattered(axes, table, colours, "label", size)
    key(axes, _marks(table.label, colours))
    return page.figure


def centroids(
    table: gpd.GeoDataFrame,
    context: Context,
    title: str = "Where London lives",
    subtitle: str = "Population-weighted centres of the census areas: a random split leaves neighbours on both sides",
    note: str = "",
    groups: Mapping[str, np.ndarray] | None = None,
    size: float = 1.5,
) -> Figure:
    """Draw the centres of the census areas; `groups` (name: rows) colours those of a split."""
    page = sheet(context, title=title, subtitle=subtitle, note=note)
    (axes,) = page.panels
    context.ground(axes)
    context.overlay(axes, ink="#c9c3b8")
    names = pd.Series("census area", index=range(len(table)))
    for name, rows in (groups or {}).items():
        names.iloc[rows] = name
    told = table.assign(group=names.to_numpy())
    # In turn: a colour that comes twice is better than a group that does not come.
    colours = dict(zip(groups or ["census area"], cycle(GROUPS), strict=False))
    _scattered(axes, told, colours, "group", size)
    key(axes, _marks(told.group, colours))
    return page.figure


def palette(kinds: pd.Series, night: bool = False) -> dict[str, str]:
    """Return a colour for each kind, commonest first; what the longest palette cannot hold is "other"."""
    names = kinds.value_counts(sort=True).index.tolist()
    fitting = LUMINOUS if night else CLASSES if len(names) <= len(CLASSES) else MANY
    if set(names) <= set(LAND_USE):
        return {name: LAND_USE[name] for name in names}
    if len(names) <= len(fitting):
        return dict(zip(names, fitting, strict=False))
    return {**dict(zip(names, fitting[:-1], strict=False)), "other": REST}


def _scattered(axes: Axes, table: gpd.GeoDataFrame, colours: Mapping[str, str], by: str, size: float) -> None:
    """Paint the points in a shuffled order: drawn kind by kind, the last would cover the first.

    A run of one colour is painted ten times as fast as points of many, so the order is shuffled in ROUNDS runs.
    """
    xy = np.column_stack([table.geometry.x, table.geometry.y])
    kinds = _gathered(table[by], colours).to_numpy(dtype=str)
    lot = np.random.default_rng(0).integers(ROUNDS, size=len(table))
    for turn in range(ROUNDS):
        for kind, colour in colours.items():
            points(axes, xy[(lot == turn) & (kinds == kind)], colour, size)


def _marks(kinds: pd.Series, colours: Mapping[str, str]) -> list[Line2D]:
    counts = _gathered(kinds, colours).value_counts()
    return [mark(f"{name}, {counts.get(name, 0):,}", colour, "o") for name, colour in colours.items()]


def _gathered(kinds: pd.Series, colours: Mapping[str, str]) -> pd.Series:
    """Return the kinds, those without a colour of their own as "other"."""
    return kinds.where(kinds.isin(list(colours)), "other")
