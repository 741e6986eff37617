"""Layers of a map as matplotlib collections: converted once, drawn in as many panels as wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from scipy.spatial import cKDTree

from tenfold.errors import InputError

AREAS = (3, 6)  # shapely's type numbers of polygons and multipolygons
SEAM = 0.25  # points; each polygon's edge has its own colour, or white seams would show between neighbours
EMPTY = "#dedbd4"
"""Where a value is missing."""


class Polygons:
    """The N polygons of a layer, each one compound path: holes stay holes, islands stay with their row.

    `geometry` holds polygons or multipolygons in metres. The paths are shared by every panel that they are drawn in.
    Raises `InputError` for a row that is no polygon.
    """

    def __init__(self, geometry: Iterable) -> None:
        shapes = np.asarray(geometry, dtype=object)
        wrong = np.flatnonzero(~np.isin(shapely.get_type_id(shapes), AREAS) | shapely.is_empty(shapes))
        if len(wrong):
            raise InputError(f"row {wrong[0]} of {len(shapes)} holds no polygon to draw")
        self.paths = paths(shapes)

    def __len__(self) -> int:
        return len(self.paths)

    def draw(
        self, axes: Axes, colours: np.ndarray | str, zorder: float = 1, clip: Path | None = None
    ) -> PathCollection:
        """Paint the polygons in one colour or in N, an array (N, 3) or (N, 4); only what lies in the path `clip` shows.

        They become pixels inside an otherwise vector figure: 15,041 hexagons as vectors would make a file of 10 MB.
        """
        if not isinstance(colours, str) and len(colours) != len(self):
            raise InputError(f"{len(colours)} colours for {len(self)} polygons")
        look = {"facecolors": colours, "edgecolors": "face", "linewidths": SEAM, "rasterized": True}
        collection = _add(axes, PathCollection(self.paths, **look, zorder=zorder))
        if clip is not None:
            collection.set_clip_path(clip, axes.transData)
        return collection

    def fill(self, axes: Axes, colour: str, zorder: float = 0) -> None:
        """Fill a few large polygons with one colour, as vectors."""
        _add(axes, PathCollection(self.paths, facecolors=colour, linewidths=0, zorder=zorder))

    def rims(self, axes: Axes, rows: Sequence[int], colour: str, width: float = 0.6, zorder: float = 4) -> None:
        """Draw the rims of a few polygons, as vectors."""
        look = {"facecolors": "none", "edgecolors": colour, "linewidths": width, "joinstyle": "round"}
        _add(axes, PathCollection([self.paths[row] for row in rows], **look, zorder=zorder))


class Mosaic:
    """Pixels that each take the colour of the nearest of N places (N, 2), found once for every panel.

    For regular grids that is the cell in which a pixel lies: a million polygons would take minutes, and a page has no
    room for them. A pixel farther than `reach` metres from every place stays empty.
    """

    def __init__(
        self, xy: np.ndarray, extent: tuple[float, float, float, float], pixel: float, reach: float = np.inf
    ) -> None:
        west, south, east, north = self.extent = extent
        x, y = np.arange(west + pixel / 2, east, pixel), np.arange(north - pixel / 2, south, -pixel)
        far, self._nearest = cKDTree(xy).query(np.stack(np.meshgrid(x, y), axis=-1), distance_upper_bound=reach)
        self._empty = ~np.isfinite(far)
        self._nearest[self._empty] = 0

    def image(self, colours: np.ndarray) -> np.ndarray:
        """Return the pixels (rows, columns, 4), from the north west, for the colours (N, 3) or (N, 4) of the places."""
        shades = np.round(255 * np.asarray(colours, dtype=float)[:, :3]).astype(np.uint8)
        opaque = np.where(self._empty, 0, 255).astype(np.uint8)
        return np.dstack([shades[self._nearest], opaque])

    def draw(self, axes: Axes, colours: np.ndarray, zorder: float = 1, clip: Path | None = None) -> None:
        """Paint the pixels; only what lies in the path `clip` shows."""
        west, south, east, north = self.extent
        frame = (axes.get_xlim(), axes.get_ylim())
        image = axes.imshow(self.image(colours), extent=(west, east, south, north), zorder=zorder, aspect="auto")
        axes.set(xlim=frame[0], ylim=frame[1], aspect="equal")
        if clip is not None:
            image.set_clip_path(clip, axes.transData)


class Lines:
    """The lines of a layer, or the rims of its polygons, as one path: no crossing is darker than the rest."""

    def __init__(self, geometry: Iterable) -> None:
        shapes = np.asarray(geometry, dtype=object)
        areas = np.isin(shapely.get_type_id(shapes), AREAS)
        xy, line = shapely.get_coordinates(
            shapely.get_parts(np.where(areas, shapely.boundary(shapes), shapes)), return_index=True
        )
        codes = np.where(np.diff(line, prepend=-1) > 0, Path.MOVETO, Path.LINETO).astype(Path.code_type)
        self.path = Path(xy, codes) if len(xy) else None

    def draw(self, axes: Axes, colour: str, width: float, zorder: float = 2, alpha: float = 1.0) -> None:
        """Draw the lines, as vectors."""
        if self.path is not None:
            look = {"facecolors": "none", "edgecolors": colour, "linewidths": width, "alpha": alpha}
            _add(axes, PathCollection([self.path], **look, joinstyle="round", capstyle="round", zorder=zorder))


def paths(geometry: Iterable) -> list[Path]:
    """Return one path for each polygon or multipolygon, in order; all coordinates are moved at once.

    Normalised polygons wind their shells one way and their holes the other, which is what leaves holes open.
    """
    shapes = shapely.normalize(np.asarray(geometry, dtype=object))
    if not len(shapes):
        return []
    parts, row = shapely.get_parts(shapes, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    starts = np.flatnonzero(np.diff(ring, prepend=-1))
    codes = np.full(len(xy), Path.LINETO, dtype=Path.code_type)
    codes[starts] = Path.MOVETO
    codes[np.append(starts[1:], len(xy)) - 1] = Path.CLOSEPOLY
    cuts = np.flatnonzero(np.diff(row[part][ring])) + 1
    return [Path(*pair) for pair in zip(np.split(xy, cuts), np.split(codes, cuts), strict=True)]


def points(axes: Axes, xy: np.ndarray, colour: str, size: float, zorder: float = 2) -> None:
    """Paint points (N, 2) as pixels in one colour; `size` is their diameter in printed points."""
    dots = axes.scatter(*np.reshape(xy, (-1, 2)).T, s=size**2, c=colour, linewidths=0, rasterized=True, zorder=zorder)
    dots.set_in_layout(False)


def _add(axes: Axes, collection: PathCollection) -> PathCollection:
    # The frame of a map is set by hand: neither limits nor layout need to know what lies inside.
    collection.set_in_layout(False)
    return axes.add_collection(collection, autolim=False)
