"""Embeddings as files: what is written is what was embedded, where it was embedded, and under which name."""

import json

import geopandas as gpd
import h3
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from tenfold.datasets import label, london
from tenfold.papers.calliper import city, clustering, exports
from tenfold.papers.calliper.parameters import Parameters

pytestmark = pytest.mark.xdist_group("calliper")
# Two districts that share a border, 60 km each, with a corner that is too small to be drawn.
WEST = shapely.union(shapely.box(400e3, 150e3, 460e3, 210e3), shapely.box(399_900, 180_000, 400e3, 180_100))
DISTRICTS = gpd.GeoDataFrame(
    {"name": ["West", "East"], "code": ["E1", "E2"]},
    geometry=[WEST, shapely.box(460e3, 150e3, 520e3, 210e3)],
    crs=27700,
)


@pytest.fixture
def britain(monkeypatch):
    """A country of two districts around a London that counts as real."""
    monkeypatch.setattr(city.City, "real", True)
    monkeypatch.setattr(london, "districts", lambda: DISTRICTS)


def columns(path, letter="e"):
    """Return the embeddings of a file in the order of their columns."""
    table = pq.read_table(path)
    names = sorted(name for name in table.column_names if name[0] == letter and name[1:].isdigit())
    return np.column_stack([table[name] for name in names]), names


def test_hexagons_come_back_with_their_embeddings(place, studied, tmp_path):
    london.ns_sec("simulated")  # another test forgot what was used
    embedded, path = studied.model().embed(place.hexagon_xy), tmp_path / "hexagons.parquet"
    exports.hexagons(tmp_path, place, embedded)
    frame = gpd.read_parquet(path)
    assert frame.crs.to_epsg() == 27700 and len(frame) == len(place.hexagons)
    assert shapely.equals(frame.geometry.to_numpy(), place.hexagons.geometry.to_numpy()).all()
    np.testing.assert_array_equal(frame[["x", "y"]], place.hexagon_xy)
    stored, names = columns(path)
    assert names[0] == "e00" and stored.dtype == np.float16
    np.testing.assert_array_equal(stored, embedded.astype(np.float16))
    told = json.loads(pq.read_schema(path).metadata[b"tenfold"])
    assert told == {"paper": "calliper", "data": label(place.data("places", "hexagons"))}
    assert "simulated below the boroughs (synthetic)" in told["data"]


def test_the_country_is_embedded_cell_by_cell(britain, place, studied, tmp_path):
    model = studied.model()
    found = exports.country(tmp_path, place, model, 6)
    whole = shapely.transform(DISTRICTS.union_all(), london.to_degrees)
    expected = set(h3.geo_to_cells(whole, 6))
    stored = pq.read_table(tmp_path / "britain.parquet")
    assert set(stored["cell"].to_pylist()) == expected and stored.num_rows == len(expected)
    xy, rgb = found["xy"], found["rgb"]
    centres = london.to_metres([h3.cell_to_latlng(cell)[::-1] for cell in stored["cell"].to_pylist()])
    np.testing.assert_allclose(xy, centres, atol=1e-3)
    embedded, names = columns(tmp_path / "britain.parquet")
    assert len(names) == model.encoder.out
    np.testing.assert_allclose(embedded, model.embed(xy), atol=2e-3)
    assert rgb.shape == (len(xy), 3) and 0 <= rgb.min() < rgb.max() <= 1
    away = np.linalg.norm(xy - clustering.CENTRE, axis=1)
    assert all(np.corrcoef(rgb[:, k], away)[0, 1] > -0.05 for k in range(3)), "signs follow the distance to London"
    np.testing.assert_array_equal(found["numbers"][["x", "y"]], xy)
    np.testing.assert_array_equal(found["numbers"][["r", "g", "b"]], rgb)
    assert found["districts"].name.tolist() == ["West", "East"]
    assert shapely.get_num_coordinates(found["districts"].geometry).tolist() == [5, 5], "simplified for the map"
    assert json.loads(stored.schema.metadata[b"tenfold"]) == {"paper": "calliper", "resolution": 6}


def test_a_simulated_london_has_no_country(place, studied, tmp_path, monkeypatch):
    monkeypatch.setattr(london, "districts", lambda: DISTRICTS)
    assert exports.country(tmp_path, place, studied.model(), 6) is None
    assert list(tmp_path.glob("*.parquet")) == []


def test_without_districts_there_is_no_country(britain, place, studied, tmp_path, monkeypatch):
    monkeypatch.setattr(london, "districts", lambda: None)
    assert exports.country(tmp_path, place, studied.model(), 6) is None


def test_outlines_are_simplified_to_a_thirtieth_of_a_cells_edge():
    spec = Parameters.specs()["country_resolution"]
    assert set(exports.TOLERANCE) == set(range(spec.low, spec.high + 1)), "every resolution that can be asked for"
    for resolution, tolerance in exports.TOLERANCE.items():
        edge = h3.average_hexagon_edge_length(resolution, unit="m")
        assert edge / 40 < tolerance <= edge / 29, resolution
