"""Grids of H3 cells and files of embeddings: cells in chunks, GeoParquet written as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import h3
import h3.api.numpy_int as integers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from tenfold import files
from tenfold.datasets.london import CRS, to_degrees, to_metres
from tenfold.errors import InputError

CHUNK = 100_000
"""Cells that are embedded at once: 128 numbers of 4 and of 2 bytes for each are 77 MB."""

NONE = np.array([], dtype=np.uint64)
Cells = tuple[np.ndarray, np.ndarray]
"""The names (n,) of some cells and their centres (n, 2) in metres."""


def h3_cells(area: gpd.GeoDataFrame, resolution: int) -> gpd.GeoDataFrame:
    """Return the H3 cells whose centre lies in `area`: `cell`, centre `x`, `y` (m) and hexagon, EPSG:27700.

    Resolution 8 has 2,411 cells in Greater London (0.66 km2 each there), 9 has 16,890 (0.094 km2, nearly the size of
    the paper's 350 m hexagons). Raises `InputError` for a resolution that does not exist, or no cell.
    """
    chunks = [*h3_centres(area, resolution)]
    if not chunks:
        raise InputError(f"no centre of an H3 cell of resolution {resolution} lies in the area: take a finer one")
    cells, xy = (np.concatenate(part) for part in zip(*chunks, strict=True))
    corners = [h3.cell_to_boundary(cell) for cell in cells]
    metres = to_metres(np.concatenate(corners)[:, ::-1])
    rings = shapely.linearrings(metres, indices=np.repeat(np.arange(len(cells)), [*map(len, corners)]))
    columns = {"cell": cells, "x": xy[:, 0], "y": xy[:, 1]}
    frame = gpd.GeoDataFrame(columns, geometry=shapely.polygons(rings), crs=CRS)
    frame.attrs |= area.attrs
    return frame


def simplified(areas: gpd.GeoDataFrame, tolerance: float) -> gpd.GeoDataFrame:
    """Return areas with fewer corners, common borders alike on both sides: no gap and no overlap opens between them.

    The districts of Great Britain have 376,000 corners, and 68,000 at 500 m; a tolerance of a thirtieth of a cell's
    edge finds the same cells. What vanishes, small islands, is left out.
    """
    shapes = shapely.coverage_simplify(areas.geometry.to_numpy(), tolerance)
    return areas.set_geometry(gpd.GeoSeries(shapes, index=areas.index, crs=areas.crs))[shapely.area(shapes) > 0]


def h3_centres(areas: gpd.GeoDataFrame, resolution: int, chunk: int = CHUNK) -> Iterator[Cells]:
    """Yield the cells of `areas` in chunks of at most `chunk`, area by area; none comes twice.

    Great Britain has 0.35 million cells at resolution 8 and 2.5 million at 9: names and centres of all of them are
    never held at once. Raises `InputError` for a resolution that does not exist.
    """
    if not 0 <= resolution <= 15:
        raise InputError(f"an H3 resolution lies in 0 to 15, not {resolution}")
    waiting = NONE
    for cells in _distinct(areas.geometry.to_numpy(), resolution):
        waiting = np.concatenate([waiting, cells])
        while len(waiting) >= chunk:
            yield _centred(waiting[:chunk])
            waiting = waiting[chunk:]
    if len(waiting):
        yield _centred(waiting)


def embed_grid(
    embed: Callable[[np.ndarray], np.ndarray],
    chunks: Iterable[Cells],
    path: Path,
    metadata: Mapping[str, Any] | None = None,
) -> int:
    """Write cells, centres (points) and float16 embeddings of a grid to GeoParquet; return the number of cells.

    `embed` takes centres (n, 2) in metres to (n, D). Each chunk is written before the next is made, and the file takes
    its place only when it is whole.
    """
    tables = (_table({"cell": cells}, shapely.points(xy), embed(xy), ["Point"], metadata) for cells, xy in chunks)
    return _write(Path(path), tables)


def export_embeddings(
    path: Path, frame: gpd.GeoDataFrame, embeddings: np.ndarray, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write areas with their embeddings (N, D) to GeoParquet: the columns of `frame`, then e00, e01, ... in float16.

    `metadata`, plain values, is kept in the file under "tenfold".
    """
    if len(frame) != len(embeddings):
        raise InputError(f"{len(embeddings)} embeddings for {len(frame)} areas")
    if frame.crs is None or frame.crs.to_epsg() != 27700:
        raise InputError(f"areas must be in metres ({CRS}) to be written")
    columns = {name: frame[name].to_numpy() for name in frame.columns if name != frame.geometry.name}
    shapes = frame.geometry.to_numpy()
    kinds = sorted({shape.geom_type for shape in shapes})
    _write(Path(path), [_table(columns, shapes, embeddings, kinds, metadata)])


def _distinct(shapes: np.ndarray, resolution: int) -> Iterator[np.ndarray]:
    """Yield the cells of each shape that no shape before it has: repaired districts can overlap by a few metres."""
    boxes, found = shapely.box(*shapely.bounds(shapes).T), []
    for index, shape in enumerate(shapes):
        cells = _cells(shape, resolution)
        for other in np.flatnonzero(shapely.intersects(boxes[:index], boxes[index])):
            cells = np.setdiff1d(cells, found[other], assume_unique=True)
        found.append(cells)
        yield cells


def _cells(shape: shapely.Geometry, resolution: int) -> np.ndarray:
    """Return the cells whose centre lies in a shape in metres, sorted; lines that a repair left behind hold none."""
    parts = shapely.get_parts(shapely.get_parts([shapely.transform(shape, to_degrees)]))
    areas = parts[shapely.get_type_id(parts) == 3]
    return np.unique(np.concatenate([NONE, *(integers.geo_to_cells(part, resolution) for part in areas)]))


def _centred(cells: np.ndarray) -> Cells:
    centres = np.array([integers.cell_to_latlng(cell) for cell in cells])
    return np.array([h3.int_to_str(int(cell)) for cell in cells]), to_metres(centres[:, ::-1])


def _table(
    columns: Mapping[str, Any],
    shapes: np.ndarray,
    embeddings: np.ndarray,
    kinds: list[str],
    metadata: Mapping[str, Any] | None,
) -> pa.Table:
    """Return one piece of a GeoParquet file, whose schema tells the geometry's kinds and its CRS."""
    from pyproj import CRS as System

    geometry = {"encoding": "WKB", "crs": System.from_user_input(CRS).to_json_dict(), "geometry_types": kinds}
    about = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": geometry}}
    half = np.asarray(embeddings, dtype=np.float16)
    arrays = {name: pa.array(value) for name, value in columns.items()}
    arrays |= {"geometry": pa.array(shapely.to_wkb(shapes), type=pa.binary())}
    arrays |= {f"e{k:02d}": pa.array(np.ascontiguousarray(half[:, k])) for k in range(half.shape[1])}
    return pa.table(arrays).replace_schema_metadata(
        {"geo": json.dumps(about), "tenfold": json.dumps(dict(metadata or {}))}
    )


def _write(path: Path, tables: Iterable[pa.Table]) -> int:
    rows, writer = 0, None
    with files.atomic(path) as temporary:
        try:
            for table in tables:
                writer = writer or pq.ParquetWriter(temporary, table.schema, compression="zstd")
                writer.write_table(table)
                rows += table.num_rows
        finally:
            if writer:
                writer.close()
        if not rows:
            raise InputError(f"nothing to write to {path.name}: the grid has no cells")
    return rows
