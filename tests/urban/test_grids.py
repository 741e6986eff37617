"""Grids of cells, and files of their embeddings."""

import json

import geopandas as gpd
import h3
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from tenfold.datasets import london
from tenfold.errors import InputError
from tenfold.urban import grids

TOWN = shapely.box(525_000, 175_000, 535_000, 185_000)


def areas(*shapes):
    return gpd.GeoDataFrame(geometry=[*shapes], crs=27700)


def cells(frame, resolution, chunk=grids.CHUNK):
    return [name for names, _ in grids.h3_centres(frame, resolution, chunk) for name in names]


def test_centres_lie_inside_and_hexagons_cover_the_area():
    frame = grids.h3_cells(areas(TOWN), 8)
    assert shapely.contains_xy(TOWN, frame.x, frame.y).all()
    assert frame.area.sum() == pytest.approx(TOWN.area, rel=0.03)
    assert frame.union_all().area == pytest.approx(frame.area.sum(), rel=1e-6), "no overlap"
    assert np.allclose(np.c_[frame.centroid.x, frame.centroid.y], frame[["x", "y"]], atol=5)
    assert frame.crs.to_epsg() == 27700 and frame.cell.is_unique


def test_cells_are_those_of_h3():
    frame = grids.h3_cells(areas(TOWN), 7)
    for cell, (x, y) in zip(frame.cell, london.to_degrees(frame[["x", "y"]]), strict=True):
        assert h3.latlng_to_cell(y, x, 7) == cell


@pytest.mark.parametrize("chunk", [1, 7, 50, 10_000])
def test_chunks_hold_every_cell_once(chunk):
    sizes = [len(names) for names, _ in grids.h3_centres(areas(TOWN), 7, chunk)]
    assert max(sizes) <= chunk and all(size == chunk for size in sizes[:-1])
    assert sum(sizes) == len(set(cells(areas(TOWN), 7, chunk))) == len(cells(areas(TOWN), 7))


def test_neighbours_and_overlapping_areas_share_no_cell():
    west, east = shapely.box(525_000, 175_000, 530_000, 185_000), shapely.box(529_000, 175_000, 535_000, 185_000)
    found = cells(areas(west, east), 8)
    assert len(found) == len(set(found))
    assert set(found) == set(cells(areas(TOWN), 8))


def test_parts_and_what_a_repair_leaves_are_understood():
    islands = shapely.MultiPolygon(
        [shapely.box(525_000, 175_000, 528_000, 178_000), shapely.box(531_000, 181_000, 535_000, 185_000)]
    )
    mixed = shapely.GeometryCollection([*islands.geoms, shapely.LineString([(525_000, 175_000), (535_000, 185_000)])])
    assert cells(areas(mixed), 8) == cells(areas(islands), 8) != []


def test_simplified_areas_still_meet():
    rng = np.random.default_rng(0)
    y = np.linspace(175_000, 185_000, 400)
    seam = np.c_[530_000 + rng.normal(0, 20, 400), y]
    west = shapely.Polygon([(525_000, 175_000), *seam, (525_000, 185_000)])
    east = shapely.Polygon([(535_000, 175_000), *seam, (535_000, 185_000)])
    coarse = grids.simplified(areas(west, east), 100)
    assert coarse.count_coordinates().sum() < 0.2 * areas(west, east).count_coordinates().sum()
    assert coarse.union_all().area == pytest.approx(coarse.area.sum(), rel=1e-9)
    assert coarse.union_all().area == pytest.approx(TOWN.area, rel=1e-3)
    assert len(coarse.union_all().interiors) == 0


@pytest.mark.parametrize("resolution", [-1, 16])
def test_a_resolution_that_does_not_exist_is_refused(resolution):
    with pytest.raises(InputError, match="0 to 15"):
        grids.h3_cells(areas(TOWN), resolution)


def test_cells_larger_than_the_area_are_refused():
    with pytest.raises(InputError, match="finer"):
        grids.h3_cells(areas(shapely.box(525_000, 175_000, 525_010, 175_010)), 5)


def embed(xy):
    return np.sin(xy[:, :1] / np.geomspace(100, 5_000, 128))


def test_a_grid_comes_back_from_its_file(tmp_path):
    path = tmp_path / "deep" / "grid.parquet"
    count = grids.embed_grid(embed, grids.h3_centres(areas(TOWN), 8, chunk=60), path, {"encoder": "grid", "seed": 0})
    back = gpd.read_parquet(path)
    whole = grids.h3_cells(areas(TOWN), 8)
    assert count == len(back) == len(whole)
    assert pq.ParquetFile(path).num_row_groups == -(-count // 60), "chunk by chunk"
    assert back.crs.to_epsg() == 27700
    assert back.cell.tolist() == whole.cell.tolist()
    assert np.array_equal(np.c_[back.geometry.x, back.geometry.y], whole[["x", "y"]])
    names = [f"e{k:02d}" for k in range(128)]
    assert list(back.columns) == ["cell", "geometry", *names]
    assert set(back[names].dtypes) == {np.dtype(np.float16)}
    assert np.array_equal(back[names].to_numpy(), embed(whole[["x", "y"]].to_numpy()).astype(np.float16))
    assert json.loads(pq.read_schema(path).metadata[b"tenfold"]) == {"encoder": "grid", "seed": 0}


def test_a_run_that_fails_leaves_no_file(tmp_path):
    calls = []

    def fails(xy):
        calls.append(len(xy))
        if len(calls) == 2:
            raise RuntimeError("no memory")
        return embed(xy)

    with pytest.raises(RuntimeError, match="no memory"):
        grids.embed_grid(fails, grids.h3_centres(areas(TOWN), 8, chunk=50), tmp_path / "grid.parquet")
    assert calls == [50, 50]
    assert list(tmp_path.iterdir()) == []


def test_a_grid_without_cells_is_refused(tmp_path):
    with pytest.raises(InputError, match="no cells"):
        grids.embed_grid(embed, iter(()), tmp_path / "grid.parquet")
    assert list(tmp_path.iterdir()) == []


def test_areas_keep_their_columns_and_shapes(tmp_path):
    frame = grids.h3_cells(areas(TOWN), 7).assign(borough="Camden")
    values = embed(frame[["x", "y"]].to_numpy())[:, :3]
    grids.export_embeddings(tmp_path / "areas.parquet", frame, values)
    back = gpd.read_parquet(tmp_path / "areas.parquet")
    assert back.geom_equals_exact(frame.geometry, 0).all()
    assert back.drop(columns=["geometry", "e00", "e01", "e02"]).equals(frame.drop(columns="geometry"))
    assert np.allclose(back[["e00", "e01", "e02"]], values, atol=1e-3)


def test_what_does_not_fit_is_not_written(tmp_path):
    frame = grids.h3_cells(areas(TOWN), 7)
    with pytest.raises(InputError, match="2 embeddings for"):
        grids.export_embeddings(tmp_path / "a.parquet", frame, np.zeros((2, 3)))
    with pytest.raises(InputError, match="metres"):
        grids.export_embeddings(tmp_path / "a.parquet", frame.to_crs(4326), np.zeros((len(frame), 3)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.mirror
def test_greater_london_has_the_cells_that_the_paper_counts(mirror):
    assert len(grids.h3_cells(london.outline(), 8)) == 2411
