"""Great Britain through an encoder of London: what the embedding says where it has seen nothing."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.figure import Figure
from matplotlib.path import Path
from scipy.spatial import cKDTree

from tenfold.papers.calliper.sheet import sheet
from tenfold.urban.basemap import LAND, Context
from tenfold.urban.cartography import Lines, Mosaic, Polygons
from tenfold.urban.furniture import INK, key, mark

WIDE = 4.4  # inches; the island is twice as high as wide
DETAIL = 500.0  # metres; half a pixel
FINE = 20  # pixels across a cell that is wide enough for them


def britain(
    xy: np.ndarray,
    rgb: np.ndarray,
    districts: gpd.GeoDataFrame,
    trained: gpd.GeoDataFrame | None = None,
    title: str = "Great Britain, as London's encoder sees it",
    subtitle: str = "Principal components as colours; outside London all is extrapolation",
    note: str = "",
) -> Figure:
    """Draw colours (N, 3) of the cells of a grid with centres (N, 2), cut at the coast; `trained` is outlined.

    `districts` are simplified already, to half a kilometre (`tenfold.urban.grids.simplified`).
    """
    context = Context(districts, districts)
    page = sheet(context, ("",), 1, title, subtitle, note, wide=WIDE, at=(0.72, 0.86))
    (axes,) = page.panels
    land = Polygons(districts.geometry)
    land.fill(axes, LAND)
    mosaic(xy, context.extent).draw(axes, rgb, clip=Path.make_compound_path(*land.paths))
    Lines(districts.geometry).draw(axes, "white", 0.15, alpha=0.35)
    if trained is not None:
        Lines(shapely.simplify(trained.geometry.to_numpy(), DETAIL)).draw(axes, INK, 0.9, zorder=3)
        key(axes, [mark("where it was trained", INK, "-")], loc="upper right", bbox_to_anchor=(1.0, 0.84))
    return page.figure


def mosaic(xy: np.ndarray, extent: tuple[float, float, float, float]) -> Mosaic:
    """Return the cells of a grid with centres (N, 2) as pixels; what no cell covers stays empty."""
    near = cKDTree(xy).query(xy[:: max(len(xy) // 1000, 1)], k=2)[0][:, 1]
    spacing = float(np.median(near))
    pixel = max(2 * DETAIL, spacing / FINE)
    # Corners of a regular hexagon are 0.58 spacings away; cells of a globe are not quite regular.
    return Mosaic(xy, extent, pixel, reach=max(0.75 * spacing, pixel))
