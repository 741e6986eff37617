"""Regions: what is inside, what is outside, and that an interval is never both."""

import math

import numpy as np
import pytest

from tenfold.book.region import Region

REGIONS = [Region.above(1), Region.below(1), Region(-1, 1, closed=True)]


@pytest.mark.parametrize("region", REGIONS, ids=str)
def test_an_interval_is_inside_or_outside_or_neither(region):
    grid = np.linspace(-2, 2, 17)  # holds every edge
    for low in grid:
        for high in grid[grid >= low]:
            inside, outside = region.covers(low, high), region.excludes(low, high)
            points = [region.holds(x) for x in np.linspace(low, high, 129)]
            assert inside == all(points)
            assert outside == (not any(points))


def test_open_ends_are_outside_and_closed_ends_inside():
    assert not Region.above(0).holds(0) and Region.above(0).excludes(-1, 0)
    assert not Region.below(0).holds(0) and Region.below(0).excludes(0, 1)
    assert Region(0, 1, closed=True).holds(0) and not Region(0, 1, closed=True).excludes(1, 2)


def test_empty_regions_are_known():
    assert Region(2, 1, closed=True).empty
    assert not Region(1, 1, closed=True).empty
    assert not Region.above(1).empty


def test_regions_are_told_in_words_and_in_json():
    assert [str(region) for region in REGIONS] == ["above 1", "below 1", "-1 to 1"]
    assert [region.ends() for region in REGIONS] == [[1, None], [None, 1], [-1, 1]]
    assert Region.above(1).high == math.inf
