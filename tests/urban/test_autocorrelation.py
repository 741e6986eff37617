"""Moran's I on maps whose value is known, local labels on a map with one hot and one cold corner, seeds."""

import geopandas as gpd
import numpy as np
import pytest
from shapely import box

from tenfold.errors import InputError
from tenfold.urban.autocorrelation import contiguity, lisa, moran, neighbours

SIDE = 12


def squares(side=SIDE):
    """A chess board of unit squares, row by row."""
    cells = [box(x, y, x + 1, y + 1) for y in range(side) for x in range(side)]
    return gpd.GeoDataFrame(geometry=cells, crs=27700)


@pytest.fixture(scope="module")
def queen():
    return contiguity(squares())


def test_queen_neighbours_share_an_edge_or_a_corner(queen):
    counts = np.array([len(queen.neighbors[i]) for i in range(SIDE * SIDE)]).reshape(SIDE, SIDE)
    assert counts[0, 0] == 3
    assert (counts[0, 1:-1] == 5).all()
    assert (counts[1:-1, 1:-1] == 8).all()
    np.testing.assert_allclose(queen.sparse.sum(axis=1), 1)


def test_an_island_gets_its_nearest_neighbour():
    frame = squares(3)
    frame.loc[9] = [box(20, 0, 21, 1)]
    weights = contiguity(frame)
    assert weights.islands == []
    assert weights.neighbors[9] == [2]
    np.testing.assert_allclose(weights.sparse.sum(axis=1), 1)


def test_nearest_points_are_neighbours():
    weights = neighbours([[0, 0], [1, 0], [3, 0], [7, 0]], k=1)
    assert [weights.neighbors[i] for i in range(4)] == [[1], [0], [1], [2]]


def test_moran_of_a_ring_of_opposites_is_minus_one():
    angle = 2 * np.pi * np.arange(60) / 60
    ring = neighbours(np.c_[np.cos(angle), np.sin(angle)], k=2)
    result = moran(np.arange(60) % 2, ring)
    assert result.i == pytest.approx(-1)
    assert result.p == pytest.approx(1 / 1000)


def test_moran_of_a_wave_on_a_ring_is_the_cosine_of_its_step():
    n, waves = 60, 3
    angle = 2 * np.pi * np.arange(n) / n
    ring = neighbours(np.c_[np.cos(angle), np.sin(angle)], k=2)
    assert moran(np.cos(waves * angle), ring).i == pytest.approx(np.cos(2 * np.pi * waves / n), abs=1e-9)


def test_noise_has_no_autocorrelation_and_its_p_values_are_spread(queen):
    rng = np.random.default_rng(0)
    results = [moran(rng.normal(size=SIDE * SIDE), queen, permutations=99) for _ in range(40)]
    assert results[0].expected == pytest.approx(-1 / (SIDE * SIDE - 1))
    values = np.array([result.i for result in results])
    assert abs(values.mean() - results[0].expected) < 3 * values.std() / np.sqrt(len(values))
    assert np.mean([result.p <= 0.05 for result in results]) < 0.3


def test_the_permutations_agree_with_those_of_esda(queen):
    from esda import Moran as Statistic

    rng = np.random.default_rng(1)
    values = 0.05 * (np.arange(SIDE * SIDE) % SIDE) + rng.normal(size=SIDE * SIDE)
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    theirs = Statistic(values, queen, permutations=999)
    np.random.set_state(state)  # noqa: NPY002
    ours = moran(values, queen)
    assert ours.i == pytest.approx(theirs.I, rel=1e-12)
    assert 0.02 < theirs.p_sim < 0.3
    assert ours.p == pytest.approx(theirs.p_sim, abs=0.03)


def corners():
    """Noise with a hot and a cold corner of 4 x 4 squares."""
    values = 0.1 * np.random.default_rng(0).normal(size=(SIDE, SIDE))
    values[:4, :4] += 3
    values[-4:, -4:] -= 3
    return values.ravel()


def test_local_labels_find_the_hot_and_the_cold_corner(queen):
    table = lisa(corners(), queen)
    label = table["label"].to_numpy().reshape(SIDE, SIDE)
    assert (label[:3, :3] == "high-high").all()
    assert (label[-3:, -3:] == "low-low").all()
    elsewhere = np.ones((SIDE, SIDE), bool)
    elsewhere[:5, :5] = elsewhere[-5:, -5:] = False
    assert np.mean(label[elsewhere] == "not significant") > 0.95


def test_local_statistics_are_those_of_the_formula(queen):
    values = corners()
    d = values - values.mean()
    expected = (len(d) - 1) * d * (queen.sparse @ d) / (d @ d)
    table = lisa(values, queen, permutations=9)
    np.testing.assert_allclose(table["local_i"], expected, rtol=1e-10)
    names = {(True, True): "high-high", (False, True): "low-high", (False, False): "low-low", (True, False): "high-low"}
    signs = zip(d > 0, queen.sparse @ d > 0, strict=True)
    assert table["quadrant"].tolist() == [names[bool(a), bool(b)] for a, b in signs]


def test_a_map_of_noise_is_labelled_nowhere(queen):
    noise = np.random.default_rng(3).normal(size=SIDE * SIDE)
    table = lisa(noise, queen)
    assert (table["p"] <= 0.05).sum() > 5
    assert (table["label"] != "not significant").sum() == 0


def test_seeds_decide_and_the_global_state_stays(queen):
    state = np.random.get_state()  # noqa: NPY002
    first, second = lisa(corners(), queen, seed=5), lisa(corners(), queen, seed=5)
    assert first.equals(second)
    assert not first["p"].equals(lisa(corners(), queen, seed=6)["p"])
    noise = np.random.default_rng(4).normal(size=SIDE * SIDE)
    assert moran(noise, queen, seed=1) == moran(noise, queen, seed=1) != moran(noise, queen, seed=2)
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(state, after, strict=True))


def test_bad_input_is_refused(queen):
    with pytest.raises(InputError, match="do not fit weights of 144"):
        moran(np.zeros(5), queen)
    with pytest.raises(InputError, match="all values are equal"):
        lisa(np.ones(144), queen)
    with pytest.raises(InputError, match="value 3 is not finite"):
        moran(np.where(np.arange(144) == 3, np.nan, 1.0), queen)
    with pytest.raises(InputError, match="nearest neighbours"):
        neighbours(np.zeros((4, 2)), k=4)
    with pytest.raises(InputError, match="contiguity"):
        contiguity(squares().set_geometry(squares().centroid))


@pytest.mark.mirror
def test_the_census_shares_are_autocorrelated_as_measured_before(mirror):
    """Moran's I of the nine shares lies between 0.46 and 0.78."""
    frame = gpd.read_file(mirror / "calliper" / "london_lsoa_pwc_ns-sec.geojson")
    weights = neighbours(np.c_[frame.geometry.x, frame.geometry.y])
    values = [moran(frame[f"ns-sec_{k}"], weights, permutations=19).i for k in range(1, 10)]
    assert min(values) == pytest.approx(0.46, abs=0.03)
    assert max(values) == pytest.approx(0.78, abs=0.03)
