"""Interpolation: closed forms, brute force, and the reference value on the census of London."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.urban.interpolation import nearest_classes, nearest_neighbours


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1e4, (80, 2)), rng.dirichlet(np.ones(4), 80), rng.uniform(0, 1e4, (30, 2))


def test_two_points_weigh_by_inverse_distance():
    found = nearest_neighbours([[0, 0], [300, 0]], [[1.0, 0.0], [0.0, 1.0]], [[100, 0], [0, 0], [150, 70]], k=2)
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3], [1, 0], [0.5, 0.5]], rtol=1e-12)


def test_prediction_equals_brute_force(scene):
    xy, shares, places = scene
    expected = []
    for place in places:
        distance = np.linalg.norm(xy - place, axis=1)
        near = np.argsort(distance)[:10]
        expected.append(np.average(shares[near], axis=0, weights=1 / distance[near]))
    found = nearest_neighbours(xy, shares, places)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)


def test_training_points_get_their_own_target(scene):
    xy, shares, _ = scene
    np.testing.assert_array_equal(nearest_neighbours(xy, shares, xy), shares)
    labels = shares.argmax(axis=1)
    assert (nearest_classes(xy, labels, xy) == labels).all()


def test_class_with_the_most_weight_wins(scene):
    xy, shares, places = scene
    labels = np.array(["park", "home", "shop", "work"])[shares.argmax(axis=1)]
    for place, found in zip(places, nearest_classes(xy, labels, places), strict=True):
        distance = np.linalg.norm(xy - place, axis=1)
        near = np.argsort(distance)[:5]
        votes = {name: (1 / distance[near])[labels[near] == name].sum() for name in set(labels[near])}
        assert found == max(votes, key=votes.get)
    # One near neighbour outweighs two far ones of another class.
    assert nearest_classes([[1, 0], [9, 0], [0, 9]], [3, 5, 5], [[0, 0]], k=3).tolist() == [3]


def test_bad_input_is_named(scene):
    xy, shares, places = scene
    with pytest.raises(InputError, match=r"k must lie in 1..80"):
        nearest_neighbours(xy, shares, places, k=81)
    with pytest.raises(InputError, match="79 targets do not fit 80"):
        nearest_classes(xy, np.zeros(79, int), places)
    with pytest.raises(InputError, match="test_xy is not finite in row 0"):
        nearest_neighbours(xy, shares, [[np.inf, 0]])


@pytest.mark.mirror
def test_census_of_london_gives_the_reference_divergence(mirror):
    """KL 0.02883 from coordinates alone, against 0.07393 of the training mean."""
    import geopandas
    from sklearn.model_selection import train_test_split

    frame = geopandas.read_file(mirror / "calliper" / "london_lsoa_pwc_ns-sec.geojson")
    shares = frame[[f"ns-sec_{i}" for i in range(1, 10)]].to_numpy()
    xy = np.column_stack([frame.geometry.x, frame.geometry.y])
    rest, test = train_test_split(np.arange(len(frame)), test_size=0.2, random_state=42)
    train, _ = train_test_split(rest, test_size=0.1, random_state=42)

    def divergence(predicted):
        y = shares[test]
        return np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / predicted), 0).sum(axis=1).mean()

    assert divergence(nearest_neighbours(xy[train], shares[train], xy[test])) == pytest.approx(0.02883, abs=2e-5)
    mean = np.broadcast_to(shares[train].mean(axis=0), (len(test), 9))
    assert divergence(mean) == pytest.approx(0.07393, abs=2e-5)
