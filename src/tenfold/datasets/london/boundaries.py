"""Areas of London: boroughs, outline, neighbourhoods, hexagons; and the districts of Great Britain."""

from __future__ import annotations

import geopandas as gpd
import h3
import numpy as np
import shapely

from tenfold.datasets.london.figures import ns_sec_figures
from tenfold.datasets.london.frame import CRS, on_grid, to_degrees, to_metres
from tenfold.datasets.london.sources import read, real, stamped
from tenfold.datasets.provenance import Resolution
from tenfold.datasets.resolution import resolve


def boroughs(source: str = "auto") -> gpd.GeoDataFrame:
    """Return the 33 boroughs in the order of their codes: `name`, `code`, polygons in EPSG:27700.

    Real outlines end at high water; the embedded ones are simplified. Both hold about 1,573.5 km2.
    """
    if found := real(source, "london_boroughs"):
        frame = read(found[0], "Boroughs.gpkg").rename(columns={"NAME": "name", "GSS_CODE": "code"})
    else:
        found = [resolve("london_boroughs_simple")]
        frame = on_grid(read(found[0], "london/boroughs.json").rename(columns={"id": "name"}))
        frame["code"] = frame["name"].map(ns_sec_figures().set_index("name")["code"])
    frame["geometry"] = frame.geometry.make_valid()
    return stamped(frame[["name", "code", "geometry"]].sort_values("code", ignore_index=True), found[0])


def outline(source: str = "auto") -> gpd.GeoDataFrame:
    """Return Greater London as one polygon, tidal river included (1,594.7 km2), or the union of the boroughs."""
    if found := real(source, "london_outline"):
        return stamped(read(found[0], "london.shp")[["geometry"]], found[0])
    areas = boroughs(source)
    whole = gpd.GeoDataFrame(geometry=[areas.union_all()], crs=CRS)
    whole.attrs |= areas.attrs
    return whole


def lsoa_areas(place: Resolution) -> gpd.GeoDataFrame:
    """Return the polygons of the 4,994 LSOA 2021, 20 m generalised: `code`, `name`, `borough`, EPSG:27700."""
    columns = {"LSOA21CD": "code", "LSOA21NM": "name", "LAD22NM": "borough"}
    frame = read(place, "london-2021-lsoa-gen20.shp", columns=list(columns)).rename(columns=columns)
    frame["geometry"] = frame.geometry.make_valid()
    return frame


def hexagons(source: str = "auto", resolution: int = 9) -> gpd.GeoDataFrame:
    """Return cells that cover London: centre `x`, `y` (m) and polygon in EPSG:27700.

    Real: 15,041 hexagons of the Greater London Authority, 350 m apart (0.1061 km2). Else: the H3 cells of
    `resolution` whose centres lie in the boroughs (9: 16,666 of 0.094 km2 on average).
    """
    if found := real(source, "london_hexagons"):
        frame = read(found[0], "Hex350_grid_GLA.shp", columns=["Centroid_X", "Centroid_Y"])
        frame = frame.rename(columns={"Centroid_X": "x", "Centroid_Y": "y"})
        return stamped(frame[["x", "y", "geometry"]], found[0])
    areas = boroughs(source)
    cells = _cells(areas, resolution)
    centre = to_metres([h3.cell_to_latlng(cell)[::-1] for cell in cells])
    corners = [shapely.Polygon(to_metres([corner[::-1] for corner in h3.cell_to_boundary(cell)])) for cell in cells]
    frame = gpd.GeoDataFrame({"x": centre[:, 0], "y": centre[:, 1]}, geometry=corners, crs=CRS)
    frame.attrs |= areas.attrs
    return frame


def districts() -> gpd.GeoDataFrame | None:
    """Return the 380 districts of Great Britain of 2013, or None: `name`, `code`, polygons in EPSG:27700."""
    if not (found := real("auto", "london_districts")):
        return None
    columns = {"LAD13NM": "name", "LAD13CD": "code"}
    frame = on_grid(read(found[0], "gb_topo_lad.json").rename(columns=columns))[["name", "code", "geometry"]]
    # Nine in ten of these rings touch themselves; this way of mending them leaves no stray lines behind.
    frame["geometry"] = frame.geometry.make_valid(method="structure", keep_collapsed=False)
    return stamped(frame.sort_values("code", ignore_index=True), found[0])


def _cells(areas: gpd.GeoDataFrame, resolution: int) -> list[str]:
    """Return the H3 cells whose centre lies in one of `areas`, sorted."""
    whole = shapely.transform(shapely.union_all(areas.geometry.to_numpy()), to_degrees)
    return sorted(h3.geo_to_cells(whole, resolution))


def borough_of(xy: np.ndarray, areas: gpd.GeoDataFrame) -> np.ndarray:
    """Return the names (N,) of the boroughs that hold, or else are nearest to, points (N, 2) in metres."""
    points = shapely.points(xy)
    shapes = areas.geometry.to_numpy()
    row = np.full(len(points), -1)
    # Asked this way round the 33 outlines are prepared once. On a common border the first of them wins.
    area, point = shapely.STRtree(points).query(shapes, predicate="intersects")
    row[point[::-1]] = area[::-1]
    lost = row < 0
    if lost.any():
        row[lost] = shapely.STRtree(shapes).nearest(points[lost])
    return areas["name"].to_numpy()[row]
