"""The quiet ground of a map: land, river, borough borders, railways; what every panel shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.path import Path

from tenfold.urban.cartography import Lines, Polygons

LAND = "#f1eee8"
WATER = "#c9dbe6"
RIM = "#8a857c"
RAIL = "#3d3a36"
TOLERANCE = 15.0  # metres; a third of a pixel of a map of London that is 7 inches wide
CREEK = 120.0  # metres; gaps narrower than twice that are land on a map
BANKS = 500.0  # metres; half the width of the estuary, the widest gap between two banks


@dataclass(frozen=True)
class Context:
    """What lies below and above the data of a map; a layer that is None is left out.

    All layers are in metres (EPSG:27700). `note` says in words what is real and what is simulated, `data` are the
    registered names of the data sets that the layers come from.
    """

    outline: gpd.GeoDataFrame
    boroughs: gpd.GeoDataFrame
    thames: gpd.GeoDataFrame | None = None
    tube: gpd.GeoDataFrame | None = None
    caz: gpd.GeoDataFrame | None = None
    water: gpd.GeoDataFrame | None = None
    note: str = ""
    data: tuple[str, ...] = ()

    @cached_property
    def extent(self) -> tuple[float, float, float, float]:
        """West, south, east and north edge of the map, with a margin of a fiftieth."""
        west, south, east, north = self.outline.total_bounds
        margin = (east - west) / 50
        return west - margin, south - margin, east + margin, north + margin

    @cached_property
    def shape(self) -> Path:
        """The land's rim as a path that clips: cells of a grid reach beyond it, and the city does not."""
        return self._land.paths[0]

    def ground(self, axes: Axes, colour: str = LAND) -> None:
        """Draw the land, in one colour."""
        self._land.fill(axes, colour)

    def overlay(
        self,
        axes: Axes,
        ink: str = "white",
        scale: float = 1.0,
        rails: bool = True,
        zone: str = "",
        water: str = WATER,
    ) -> None:
        """Draw water, hairline borders in `ink`, railways, and the Central Activities Zone in the colour `zone`.

        `scale` thins the lines of small panels.
        """
        self._water.fill(axes, water, zorder=2)
        self._stream.draw(axes, water, 1.2 * scale, zorder=2)
        self._borders.draw(axes, ink, 0.45 * scale, zorder=2.2, alpha=0.85)
        self._rim.draw(axes, RIM, 0.5 * scale, zorder=2.3)
        if rails:
            self._rails.draw(axes, RAIL, 0.35 * scale, zorder=2.4, alpha=0.5)
        if zone:
            self._zone.draw(axes, zone, 1.1 * scale, zorder=3)

    @cached_property
    def _area(self):
        """The outline, simplified, with what lies between the banks: simple outlines leave the river and creeks out."""
        whole = shapely.union(shapely.simplify(self.outline.geometry.union_all(), TOLERANCE), self._river)
        return shapely.buffer(shapely.buffer(whole, CREEK, quad_segs=2), -CREEK, quad_segs=2)

    @cached_property
    def _land(self) -> Polygons:
        return Polygons([self._area])

    @cached_property
    def _river(self):
        return shapely.simplify(river(self.boroughs, self.outline), TOLERANCE)

    @cached_property
    def _water(self) -> Polygons:
        lakes = [] if self.water is None else shapely.get_parts(self.water.intersection(self._area).to_numpy())
        return Polygons([shape for shape in [self._river, *lakes] if shape.area > 0])

    @cached_property
    def _stream(self) -> Lines:
        """The river above the tide, where the file has it: only its line is known there."""
        if self.thames is None:
            return Lines([])
        return Lines([shapely.difference(self._inside(self.thames), shapely.buffer(self._river, 100))])

    @cached_property
    def _borders(self) -> Lines:
        """Each border once: two neighbours' hairlines on top of each other would be twice as dark."""
        rims = shapely.union_all(shapely.boundary(shapely.simplify(self.boroughs.geometry.to_numpy(), TOLERANCE / 3)))
        outer = shapely.buffer(shapely.boundary(self._area), 4 * TOLERANCE)
        banks = shapely.buffer(self._river, 4 * TOLERANCE)
        inner = shapely.difference(shapely.line_merge(rims), shapely.union(outer, banks))
        return Lines([shapely.simplify(inner, TOLERANCE)])

    @cached_property
    def _rim(self) -> Lines:
        return Lines([self._area])

    @cached_property
    def _rails(self) -> Lines:
        return Lines([] if self.tube is None else [self._inside(self.tube)])

    @cached_property
    def _zone(self) -> Lines:
        return Lines([] if self.caz is None else shapely.simplify(self.caz.geometry.to_numpy(), TOLERANCE))

    def _inside(self, layer: gpd.GeoDataFrame):
        lines = shapely.simplify(shapely.union_all(layer.geometry.to_numpy()), TOLERANCE)
        return shapely.intersection(lines, self._area)


def river(boroughs: gpd.GeoDataFrame, outline: gpd.GeoDataFrame | None = None):
    """Return the tidal river as a polygon: the largest gap between the boroughs, whose outlines end at its banks.

    Gaps are what the outline, or the boroughs widened and narrowed again by 500 m, cover and the boroughs do not.
    """
    land = shapely.union_all(shapely.simplify(boroughs.geometry.to_numpy(), TOLERANCE / 3), grid_size=1.0)
    closed = shapely.buffer(shapely.buffer(land, BANKS, quad_segs=4), -BANKS, quad_segs=4)
    gaps = shapely.difference(closed, land)
    if outline is not None:
        gaps = shapely.union(gaps, shapely.difference(outline.geometry.union_all(), land))
    # Slivers along the borders are a few metres wide; opening removes them and leaves the river whole.
    gaps = shapely.get_parts(shapely.buffer(shapely.buffer(gaps, -10, quad_segs=2), 10, quad_segs=2))
    return gaps[np.argmax(shapely.area(gaps))] if len(gaps) else shapely.Polygon()
