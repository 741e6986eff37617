"""Maps to play with: a text box that asks the city, and areas that answer under the pointer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import shapely
from matplotlib.figure import Figure

from tenfold.errors import InputError
from tenfold.papers.calliper import maps
from tenfold.urban.basemap import Context
from tenfold.urban.cartography import Polygons

Search = Callable[[str], tuple[str, np.ndarray]]
DIGITS = 1e-5  # degrees; a metre


def picture(
    query: str,
    search: Search,
    hexagons: gpd.GeoDataFrame | Polygons,
    context: Context,
    note: str = "",
) -> tuple[Figure, str]:
    """Return the similarity map of one text, and a sentence about it.

    `search` takes a text to what was understood of it and the cosines (N,). Raises `InputError` for an empty text.
    """
    query = " ".join(query.split())
    if not query:
        raise InputError("write a few words to look for, such as: a quiet park")
    meant, values = search(query)
    figure = maps.similarities(hexagons, {meant: values}, context, note=note)
    told = "" if meant == query else f"no word of “{query}” is known, the nearest is "
    words = f"{told}“{meant}”: cosine {values.min():.2f} to {values.max():.2f}, median {np.median(values):.2f}"
    return figure, words.replace("-", "−")


def search_box(
    search: Search,
    hexagons: gpd.GeoDataFrame | Polygons,
    context: Context,
    start: str,
    live: bool,
    note: str = "",
) -> Any:
    """Show the map of a text, and a box to type another; not `live`: the map of `start` alone.

    Without a person there are no widgets either: their messages have nobody to answer them, and a headless run that
    waits for an answer waits for ever.
    """
    cells = maps.layer(hexagons, context)
    if not live:
        return _shown(start, search, cells, context, note)

    import ipywidgets
    from IPython.display import display

    box = ipywidgets.Text(value=start, description="find", continuous_update=False)
    shown = ipywidgets.interactive_output(lambda query: _shown(query, search, cells, context, note), {"query": box})
    return display(box, shown)


def explore_map(
    frame: gpd.GeoDataFrame,
    column: str,
    live: bool,
    tooltip: Sequence[str] = (),
    colours: Sequence[str] | str = "viridis",
) -> Any:
    """Return areas as a map to zoom into, coloured by `column`, which tells `tooltip` under the pointer; else None.

    There are no background tiles; only the map's own script comes from the network. Where folium is missing (the extra
    "maps"), or nobody is there to look (not `live`), one line says so instead.
    """
    missing = [name for name in (column, *tooltip) if name not in frame]
    if missing:
        raise InputError(f"the areas have no column '{missing[0]}' to show")
    if not live:
        return print("The map to zoom into is left out of a run without a reader.")
    try:
        import folium  # noqa: F401
    except ImportError:
        return print("The map to zoom into needs folium: install tenfold with the extra 'maps'.")
    columns = list(dict.fromkeys([column, *tooltip]))
    degrees = frame[[*columns, "geometry"]].to_crs(4326)
    # A metre is enough, and halves what the browser has to load.
    degrees["geometry"] = shapely.set_precision(degrees.geometry.to_numpy(), DIGITS)
    look = {"style_kwds": {"weight": 0.2, "fillOpacity": 0.75}, "cmap": colours, "tiles": None}
    return degrees.explore(column, tooltip=columns, **look)


def _shown(query: str, search: Callable, cells: Polygons, context: Context, note: str) -> None:
    from IPython.display import display

    try:
        figure, words = picture(query, search, cells, context, note)
    except InputError as error:
        return print(error)
    display(figure)
    plt.close(figure)
    return print(words)
