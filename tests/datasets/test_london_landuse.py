"""Labelled points: drawn in open data, evenly and always alike, or the strongest zone of the simulated city."""

import numpy as np
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal

from tenfold.datasets import london
from tenfold.datasets.london.landuse import AWAY, _drawn
from tenfold.errors import InputError


def test_places_are_drawn_evenly_over_unequal_shapes():
    """A triangle, a square of four times its area and a ring: places in each by area, and even inside each."""
    triangle = shapely.Polygon([(0, 0), (10, 0), (0, 10)])
    square = shapely.box(100, 0, 120, 10)
    ring = shapely.Point(300, 0).buffer(20, quad_segs=64).difference(shapely.Point(300, 0).buffer(19, quad_segs=64))
    shapes = np.array([triangle, square, ring])
    xy = _drawn(shapes, 20_000, np.random.default_rng(0), lambda xy: np.ones(len(xy), dtype=bool))
    held = np.array([shapely.contains_xy(shape, xy) for shape in shapes])
    assert held.sum(axis=0).tolist() == [1] * 20_000
    share = shapely.area(shapes) / shapely.area(shapes).sum()
    # Five standard errors of a share of 20,000.
    np.testing.assert_allclose(held.mean(axis=1), share, rtol=0, atol=5 * np.sqrt(0.25 / 20_000))
    np.testing.assert_allclose(xy[held[0]].mean(axis=0), [10 / 3, 10 / 3], atol=0.3)
    np.testing.assert_allclose(xy[held[1]].mean(axis=0), [110, 5], atol=0.3)


def test_what_is_not_accepted_is_drawn_again():
    square = np.array([shapely.box(0, 0, 10, 10)])
    xy = _drawn(square, 100, np.random.default_rng(0), lambda xy: xy[:, 0] < 1)
    assert xy.shape == (100, 2)
    assert (xy[:, 0] < 1).all()


def test_simulated_zones(bare):
    frame = london.land_use(points=40)
    assert len(frame) == 8 * 40
    assert frame.label.nunique() == 8
    assert frame.attrs["kind"] == "synthetic"
    assert frame.attrs["task"] == "the strongest of eight simulated zones"
    xy = frame.geometry.get_coordinates().to_numpy()
    city = london.simulation()
    assert frame.label.tolist() == [city.zone_names[row] for row in city.zones(xy).argmax(axis=1)]
    assert frame.borough.tolist() == london.borough_of(xy, london.boroughs()).tolist()


def test_points_are_counted():
    with pytest.raises(InputError, match="at least 1, not 0"):
        london.land_use(points=0)


@pytest.mark.mirror
def test_real_labels(mirror):
    """Parks lie in parks, water in water, the rest 50 m from both; twice the same, from one seed."""
    frame = london.land_use(points=100)
    assert frame.label.value_counts().to_dict() == {"park": 100, "water": 100, "built or other": 100}
    parks, lakes = london.greenspace().union_all(), london.water().union_all()
    by_label = frame.groupby("label").geometry
    assert by_label.get_group("park").within(parks).all()
    assert by_label.get_group("water").within(lakes).all()
    for layer in (parks, lakes):
        assert by_label.get_group("built or other").distance(layer).min() > AWAY
    boroughs = london.boroughs().set_index("name").geometry
    assert frame.geometry.within(boroughs[frame.borough].reset_index(drop=True)).all()
    assert frame.groupby("label").borough.nunique().min() > 10
    assert frame.attrs["task"].startswith("park, inland water, or built or other")
    assert_geodataframe_equal(frame, london.land_use(points=100))
