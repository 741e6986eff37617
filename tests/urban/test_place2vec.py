"""Place2Vec: contexts against a loop, planted groups recovered, and not from shuffled classes."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.urban.place2vec import contexts, place2vec
from tests.urban import planted


def test_contexts_equal_a_loop():
    rng = np.random.default_rng(0)
    xy, labels = rng.uniform(0, 500, (50, 2)), rng.integers(4, size=50)
    share = np.bincount(labels, minlength=4) / 50
    expected = np.zeros((4, 4))
    for i in range(50):
        distance = np.linalg.norm(xy - xy[i], axis=1)
        distance[i] = np.inf
        for j in np.argsort(distance)[:6]:
            expected[labels[i], labels[j]] += -np.log(share[labels[j]]) / (1 + distance[j] / 80)
    np.testing.assert_allclose(contexts(xy, labels, 4, k=6, scale=80.0), expected, rtol=1e-12)


def test_contexts_know_no_origin_and_no_direction():
    xy, labels, _ = planted.city(pois=300)
    turned = (xy - xy.mean(axis=0)) @ [[0.6, 0.8], [-0.8, 0.6]]
    np.testing.assert_allclose(contexts(turned, labels, 16), contexts(xy, labels, 16), rtol=1e-6)


def test_a_poi_is_no_context_of_itself_even_in_a_crowd():
    labels = np.array([0] * 30 + [1])
    found = contexts(np.zeros((31, 2)), labels, 2, k=5)
    # The lone POI of class 1 sees five of class 0, each at distance 0.
    assert found[1, 1] == 0
    assert found[1, 0] == pytest.approx(5 * -np.log(30 / 31))


def test_planted_groups_are_recovered_and_shuffled_ones_are_not():
    xy, labels, _ = planted.city()
    assert planted.recovered(place2vec(xy, labels, planted.CLASSES, 32), planted.GROUP) > 0.9
    null = place2vec(xy, planted.shuffled(labels), planted.CLASSES, 32)
    assert planted.recovered(null, planted.GROUP) < 0.6


def test_one_seed_one_answer():
    xy, labels, _ = planted.city(pois=300)
    first, again, other = (place2vec(xy, labels, 20, 8, seed=seed, steps=20) for seed in (3, 3, 4))
    assert first.shape == (20, 8) and (first == again).all() and not np.allclose(first, other)


def test_bad_input_is_named():
    xy, labels, _ = planted.city(pois=64)
    for options in ({"k": 64}, {"k": 0}, {"scale": 0.0}):
        with pytest.raises(InputError, match="place2vec needs"):
            contexts(xy, labels, 16, **options)
    with pytest.raises(InputError, match="at least two classes"):
        contexts(xy, np.zeros(64, int), 16)
