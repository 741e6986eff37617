"""Areas of London, real and embedded: counts, areas, coordinate systems, and which data they tell of."""

import h3
import numpy as np
import pytest
import shapely
from shapely.testing import assert_geometries_equal

from tenfold.datasets import fingerprint, london, used
from tenfold.datasets.london import FRAME
from tenfold.errors import InputError

CODES = [f"E09{number:06d}" for number in range(1, 34)]


def test_embedded_boroughs(bare):
    """33 outlines, 1,573.6 km2, which cover London once and lie within 1 m of its frame."""
    areas = london.boroughs()
    assert list(areas.code) == CODES
    assert areas.set_index("code").name[["E09000001", "E09000033"]].tolist() == ["City of London", "Westminster"]
    assert areas.crs.to_epsg() == 27700
    assert areas.is_valid.all()
    assert set(areas.geom_type) <= {"Polygon", "MultiPolygon"}
    assert areas.area.sum() / 1e6 == pytest.approx(1573.6, abs=0.1)
    assert areas.union_all().area == pytest.approx(areas.area.sum(), rel=1e-4)
    np.testing.assert_allclose(areas.total_bounds, FRAME, rtol=0, atol=10)
    assert areas.attrs["dataset"] == "london_boroughs_simple"
    assert areas.attrs["kind"] == "embedded"


def test_the_source_simulated_needs_nothing_real(bare):
    assert_geometries_equal(london.boroughs("simulated").geometry.to_numpy(), london.boroughs().geometry.to_numpy())
    london.hexagons("simulated", resolution=6)
    london.outline("simulated")
    assert {item.kind for item in used()} <= {"embedded", "absent"}
    assert {item.name for item in used() if item.kind == "absent"} == {"london_boroughs"}


def test_what_nothing_stands_in_for_is_none(bare):
    for layer in (london.central_activities_zone, london.inner_london, london.thames, london.tube_lines):
        assert layer() is None
    for layer in (london.water, london.greenspace, london.districts):
        assert layer() is None


def test_every_use_can_be_found_again(bare):
    """The cache of results asks for the same fingerprints: one that differs would make every run start anew."""
    london.boroughs()
    london.boroughs("simulated")
    london.thames()
    assert len(used()) == 4
    assert all(fingerprint(item.name) == item.fingerprint for item in used())


def test_embedded_outline_is_the_union(bare):
    outline = london.outline()
    assert len(outline) == 1
    assert outline.area.sum() == pytest.approx(london.boroughs().area.sum(), rel=1e-4)


@pytest.mark.parametrize("resolution", [7, 8])
def test_h3_cells_have_their_centres_in_the_boroughs(bare, resolution):
    cells = london.hexagons(resolution=resolution)
    outline = london.outline().geometry.iloc[0]
    assert shapely.contains_xy(outline, cells[["x", "y"]].to_numpy()).all()
    assert shapely.contains_xy(cells.geometry.to_numpy(), cells[["x", "y"]].to_numpy()).all()
    x, y = london.to_degrees(cells[["x", "y"]].to_numpy()).T
    names = [h3.latlng_to_cell(latitude, longitude, resolution) for longitude, latitude in zip(x, y, strict=True)]
    assert len(set(names)) == len(cells)
    # Cells of one resolution tile the plane: together they are as large as London but for its rim.
    assert cells.area.sum() == pytest.approx(outline.area, rel=0.05)
    exact = [h3.cell_area(name, "m^2") for name in names]
    np.testing.assert_allclose(cells.area, exact, rtol=0.005)


def test_borough_of_holds_or_is_nearest(bare):
    areas = london.boroughs()
    inner = areas.representative_point().get_coordinates().to_numpy()
    assert london.borough_of(inner, areas).tolist() == areas.name.tolist()
    # Heathrow's west, beyond the border, and a place far out at sea.
    far = np.array([[FRAME[0] - 5_000, 176_000], [FRAME[2] + 90_000, 184_000]])
    assert london.borough_of(far, areas).tolist() == ["Hillingdon", "Havering"]


def test_borough_of_a_common_border_is_one_of_both(bare):
    areas = london.boroughs()
    islington, camden = (areas[areas.name == name].geometry.iloc[0] for name in ("Islington", "Camden"))
    border = shapely.intersection(islington.boundary, camden.boundary)
    points = shapely.get_coordinates(border)[:20]
    assert set(london.borough_of(points, areas)) <= {"Islington", "Camden", "City of London", "Haringey"}


def test_unknown_source():
    for loader in (london.boroughs, london.outline, london.hexagons, london.ns_sec, london.pois, london.land_use):
        with pytest.raises(InputError, match="unknown source 'simulate'; did you mean 'simulated'"):
            loader("simulate")


@pytest.mark.mirror
def test_real_geometry(mirror):
    """Numbers and areas as published."""
    areas, outline, cells = london.boroughs(), london.outline(), london.hexagons()
    assert list(areas.code) == CODES
    assert areas.name.tolist() == london.boroughs("simulated").name.tolist()
    assert outline.area.sum() / 1e6 == pytest.approx(1594.7, abs=0.05)
    assert len(cells) == 15_041
    assert cells.area.median() / 1e6 == pytest.approx(0.1061, abs=5e-5)
    centre = cells.centroid.get_coordinates().to_numpy()
    np.testing.assert_allclose(cells[["x", "y"]], centre, rtol=0, atol=1.0)
    for frame in (areas, outline, cells):
        assert frame.crs.to_epsg() == 27700
        assert frame.is_valid.all()
        assert frame.attrs["kind"] == "mirror"


@pytest.mark.mirror
def test_embedded_outlines_follow_the_real_ones(mirror):
    real, simple = london.boroughs(), london.boroughs("simulated")
    both = shapely.intersection(real.geometry.to_numpy(), simple.geometry.to_numpy())
    either = shapely.union(real.geometry.to_numpy(), simple.geometry.to_numpy())
    assert (shapely.area(both) / shapely.area(either)).min() > 0.92


@pytest.mark.mirror
def test_context_layers(mirror):
    """Shapefiles without a code and TopoJSON without any CRS end in the British National Grid, at the right place."""
    outline = london.outline().geometry.iloc[0]
    zone, inner = london.central_activities_zone(), london.inner_london()
    assert zone.area.sum() / 1e6 == pytest.approx(33.52, abs=0.01)
    assert inner.area.sum() / 1e6 == pytest.approx(348.6, abs=0.1)
    assert inner.geometry.iloc[0].contains(zone.geometry.iloc[0])
    assert london.greenspace().representative_point().within(outline).all()
    assert len(london.water()) == 212
    lines = london.tube_lines()
    assert lines.line.nunique() == 12
    assert lines.within(outline.buffer(10_000)).mean() > 0.9
    assert london.thames().intersects(outline).all()
    for frame in (zone, inner, lines, london.greenspace(), london.water(), london.thames()):
        assert frame.crs.to_epsg() == 27700
        assert frame.is_valid.all()


@pytest.mark.mirror
def test_districts(mirror):
    """380 districts of 2013 with the land area of Great Britain, 229,800 km2, and London's boroughs among them."""
    districts = london.districts()
    assert len(districts) == 380
    assert districts.is_valid.all()
    assert set(districts.geom_type) <= {"Polygon", "MultiPolygon"}
    assert districts.area.sum() / 1e6 == pytest.approx(229_800, rel=0.01)
    here = districts[districts.code.isin(CODES)]
    assert len(here) == 33
    assert here.union_all().symmetric_difference(london.outline("simulated").geometry.iloc[0]).area / 1e6 < 60
