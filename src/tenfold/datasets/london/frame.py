"""The frame of London: metres of the British National Grid inside, degrees only at the edges."""

from __future__ import annotations

import functools

import geopandas as gpd
import numpy as np
import shapely
from pyproj import Transformer

CRS = "EPSG:27700"
DEGREES = "EPSG:4326"

# West, south, east, north of Greater London in metres.
FRAME = (503_568.0, 155_850.0, 561_958.0, 200_934.0)

# EPSG:1314 (seven parameters, within some 2 m of the grid OSTN15), spelt out: left to itself PROJ takes
# OSTN15 where its file happens to be installed, and coordinates would differ between machines.
_GRID_TO_DEGREES = (
    "+proj=pipeline +step +inv +proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996012717 +x_0=400000 +y_0=-100000 +ellps=airy"
    " +step +proj=push +v_3 +step +proj=cart +ellps=airy"
    " +step +proj=helmert +x=446.448 +y=-125.157 +z=542.06 +rx=0.15 +ry=0.247 +rz=0.842 +s=-20.489"
    " +convention=position_vector +step +inv +proj=cart +ellps=WGS84 +step +proj=pop +v_3"
    " +step +proj=unitconvert +xy_in=rad +xy_out=deg"
)


@functools.cache
def _pipeline() -> Transformer:
    return Transformer.from_pipeline(_GRID_TO_DEGREES)


def to_metres(degrees: np.ndarray) -> np.ndarray:
    """Return (N, 2) easting and northing in metres (EPSG:27700) of (N, 2) longitude and latitude (EPSG:4326)."""
    return _carried(degrees, "INVERSE")


def to_degrees(metres: np.ndarray) -> np.ndarray:
    """Return (N, 2) longitude and latitude (EPSG:4326) of (N, 2) easting and northing in metres (EPSG:27700)."""
    return _carried(metres, "FORWARD")


def on_grid(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return `frame`, given in degrees, in metres of the British National Grid; its own CRS is not asked."""
    moved = shapely.transform(frame.geometry.to_numpy(), to_metres)
    return frame.set_geometry(gpd.GeoSeries(moved, index=frame.index, crs=CRS))


def inside(xy: np.ndarray) -> np.ndarray:
    """Tell which of (N, 2) points in metres lie in the frame of London; NaN does not."""
    west, south, east, north = FRAME
    x, y = np.asarray(xy, dtype=np.float64).T
    return (x >= west) & (x <= east) & (y >= south) & (y <= north)


def _carried(points: np.ndarray, direction: str) -> np.ndarray:
    x, y = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
    return np.column_stack(_pipeline().transform(x, y, direction=direction))
