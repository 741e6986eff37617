"""Metres and degrees of London: round trips, an independent transformation, and the frame."""

import numpy as np
import pytest
from pyproj import Transformer

from tenfold.datasets.london import FRAME, to_degrees, to_metres
from tenfold.datasets.london.frame import inside

RNG = np.random.default_rng(3)
PLACES = RNG.uniform(FRAME[:2], FRAME[2:], size=(500, 2))


def test_round_trip_is_below_a_centimetre():
    np.testing.assert_allclose(to_metres(to_degrees(PLACES)), PLACES, rtol=0, atol=0.01)


def test_one_place_at_a_time_gives_the_same():
    np.testing.assert_array_equal(to_degrees(PLACES[:1]), to_degrees(PLACES)[:1])


def test_an_independent_transformation_agrees():
    """Whatever PROJ takes here, seven parameters or the grid OSTN15: they differ by less than 5 m in London."""
    x, y = Transformer.from_crs(4326, 27700, always_xy=True).transform(*to_degrees(PLACES).T)
    assert np.hypot(*(np.column_stack([x, y]) - PLACES).T).max() < 5


def test_a_known_place():
    """Trafalgar Square, King Charles I: TQ 3002 8040; without the datum shift it would be 125 m away."""
    assert np.hypot(*(to_metres([[-0.12776, 51.50733]]) - (530_020, 180_400))[0]) < 60


def test_the_true_origin_stays_on_its_meridian():
    """2 degrees west of Airy's Greenwich is easting 400,000 m; its WGS84 longitude is that less the datum shift."""
    longitude = to_degrees([[400_000.0, 150_000.0], [400_000.0, 200_000.0]])[:, 0]
    assert np.ptp(longitude) < 1e-4
    assert longitude == pytest.approx(-2.0, abs=0.002)


def test_the_frame():
    west, south, east, north = FRAME
    edges = [(west, south), (east, north), (530_000, 180_000)]
    beyond = [(west - 1, south), (east, north + 1), (np.nan, 180_000), (530_000, np.inf), (0, 0), (-0.1, 51.5)]
    assert inside(edges).all()
    assert not inside(beyond).any()
