"""What a map of London shows besides: zones of the plan, river, lakes, parks and underground lines."""

from __future__ import annotations

import geopandas as gpd

from tenfold.datasets.london.frame import CRS, on_grid
from tenfold.datasets.london.sources import read, real, stamped


def central_activities_zone() -> gpd.GeoDataFrame | None:
    """Return the Central Activities Zone of the draft London Plan of 2009 as one polygon, or None."""
    return _zone("london_caz", "central-activities-zone.shp")


def inner_london() -> gpd.GeoDataFrame | None:
    """Return Inner London of the draft London Plan of 2009 as one polygon, or None."""
    return _zone("london_inner", "inner-outer-london.shp")


def thames() -> gpd.GeoDataFrame | None:
    """Return the line of the River Thames above the tide (Kingston and west of it), or None: `name`, EPSG:27700.

    The tidal river is what the outline of London holds and the boroughs do not.
    """
    if not (found := real("auto", "london_thames")):
        return None
    return stamped(on_grid(read(found[0], "london_thames.geojson")), found[0])


def tube_lines() -> gpd.GeoDataFrame | None:
    """Return 394 pieces of the underground lines of February 2018, or None: `line`, EPSG:27700."""
    if not (found := real("auto", "london_tube")):
        return None
    frame = on_grid(read(found[0], "londonTubeLines.json"))[["id", "geometry"]]
    return stamped(frame.rename(columns={"id": "line"}), found[0])


def water() -> gpd.GeoDataFrame | None:
    """Return 212 polygons of inland water in and around London, or None; the tidal Thames is not among them."""
    return _areas("london_water", "Water.gpkg", {})


def greenspace() -> gpd.GeoDataFrame | None:
    """Return the 989 public parks and gardens of OS Open Greenspace, or None: `name` ("" if none)."""
    return _areas("london_greenspace", "Greenspace.gpkg", {"distName1": "name"})


def _zone(dataset: str, file: str) -> gpd.GeoDataFrame | None:
    if not (found := real("auto", dataset)):
        return None
    # The projection file tells the British National Grid without its number.
    frame = read(found[0], file)[["geometry"]].set_crs(CRS, allow_override=True)
    return stamped(frame, found[0])


def _areas(dataset: str, file: str, columns: dict[str, str]) -> gpd.GeoDataFrame | None:
    if not (found := real("auto", dataset)):
        return None
    frame = read(found[0], file, columns=list(columns)).rename(columns=columns)
    frame["geometry"] = frame.geometry.make_valid()
    return stamped(frame.fillna({"name": ""}) if columns else frame, found[0])
