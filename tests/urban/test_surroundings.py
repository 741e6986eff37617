"""Counts against brute force, TF-IDF against its formula, topics that recover planted kinds, bad input."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.urban import surroundings
from tenfold.urban.surroundings import class_counts, k_nearest_counts, lda, pooled, region_counts, tf_idf
from tests.urban import planted


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 3000, (300, 2)), rng.integers(5, size=300), rng.uniform(0, 3000, (40, 2))


def test_counts_within_a_radius_equal_brute_force(scene, monkeypatch):
    xy, labels, centres = scene
    distance = np.linalg.norm(centres[:, None] - xy[None], axis=2)
    expected = np.array([np.bincount(labels[row <= 700.0], minlength=5) for row in distance])
    assert (class_counts(xy, labels, 5, centres, 700.0) == expected).all()
    monkeypatch.setattr(surroundings, "_CENTRES_AT_ONCE", 7)
    assert (class_counts(xy, labels, 5, centres, 700.0) == expected).all()


def test_radius_includes_its_circle_and_nothing_beyond():
    xy, labels = [[0, 0], [800, 0], [0, 800.001]], [0, 1, 2]
    assert class_counts(xy, labels, 4, [[0, 0], [1e5, 0]]).tolist() == [[1, 1, 0, 0], [0, 0, 0, 0]]
    assert class_counts(xy, labels, 4, np.zeros((0, 2))).shape == (0, 4)


def test_counts_know_no_origin_and_no_order(scene):
    xy, labels, centres = scene
    order = np.random.default_rng(1).permutation(len(xy))
    shift = np.array([5e5, 1e5])
    moved = class_counts(xy[order] + shift, labels[order], 5, centres + shift, 701.3)
    assert (moved == class_counts(xy, labels, 5, centres, 701.3)).all()


def test_nearest_counts_equal_brute_force(scene):
    xy, labels, centres = scene
    near = np.linalg.norm(centres[:, None] - xy[None], axis=2).argsort(axis=1)[:, :12]
    expected = np.array([np.bincount(labels[row], minlength=5) for row in near])
    assert (k_nearest_counts(xy, labels, 5, centres, 12) == expected).all()
    assert (k_nearest_counts(xy, labels, 5, centres, 300) == np.bincount(labels)).all()
    assert (k_nearest_counts(xy, labels, 5, xy, 1).argmax(axis=1) == labels).all()


def test_region_counts_are_a_table_of_pairs(scene):
    labels = scene[1]
    region = np.random.default_rng(2).integers(6, size=300)
    counts = region_counts(labels, 5, region, 8)
    assert counts.shape == (8, 5) and counts[6:].sum() == 0
    assert all(counts[a, c] == ((region == a) & (labels == c)).sum() for a in range(6) for c in range(5))


def test_tf_idf_is_its_formula():
    counts = np.array([[3, 0, 1], [0, 0, 4], [0, 0, 0], [1, 1, 1]])
    idf = [1 + np.log(5 / (1 + containing)) for containing in (2, 1, 3)]
    expected = counts * idf
    norms = np.sqrt((expected**2).sum(axis=1))
    found = tf_idf(counts)
    np.testing.assert_allclose(found[[0, 1, 3]], expected[[0, 1, 3]] / norms[[0, 1, 3], None], rtol=1e-14)
    assert (found[2] == 0).all()
    np.testing.assert_allclose(tf_idf(7 * counts), found, rtol=1e-14)


def kinds_from(features, types):
    return planted.recovered(features - features.mean(axis=0), types)


@pytest.mark.parametrize("method", [tf_idf, lambda counts: lda(counts, topics=4)])
def test_counts_tell_kinds_of_patches_apart_and_shuffled_ones_do_not(method):
    _, labels, patch = planted.city()
    types = planted.kind(np.arange(64))
    assert kinds_from(method(region_counts(labels, planted.CLASSES, patch, 64)), types) > 0.95
    null = method(region_counts(planted.shuffled(labels), planted.CLASSES, patch, 64))
    assert kinds_from(null, types) < 0.5


def test_topics_are_shares_from_one_seed():
    counts = np.random.default_rng(0).poisson(1.0, (30, 6))
    counts[4] = 0
    shares = lda(counts, topics=3, seed=5)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(shares[4], 1 / 3, rtol=1e-12)
    assert (shares == lda(counts, topics=3, seed=5)).all()
    assert not np.allclose(shares, lda(counts, topics=3, seed=6))


def test_pooled_vectors_are_means_over_pois():
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [4.0, 4.0]])
    found = pooled([[3, 1, 0], [0, 0, 5], [0, 0, 0]], vectors)
    np.testing.assert_allclose(found, [[0.75, 0.5], [4, 4], [0, 0]])
    assert (pooled(np.eye(3, dtype=int), vectors) == vectors).all()
    np.testing.assert_allclose(pooled([[0.25, 0.25, 0.0]], vectors), [[0.5, 1.0]])


def test_bad_input_is_named(scene):
    xy, labels, centres = scene
    cases = [
        (lambda: class_counts(xy, labels, 4, centres), r"poi_class must lie in 0..3, not 4 \(row"),
        (lambda: class_counts(xy, labels + 0.5, 5, centres), "poi_class must be 300 whole numbers"),
        (lambda: class_counts(xy[:-1], labels, 5, centres), "poi_class must be 299"),
        (lambda: class_counts(xy, labels, 5, [[0, np.nan]]), "centres is not finite in row 0"),
        (lambda: class_counts(xy[:, :1], labels, 5, centres), r"poi_xy must have the shape \(N, 2\)"),
        (lambda: class_counts(xy, labels, 5, centres, 0), "radius must be positive"),
        (lambda: k_nearest_counts(xy, labels, 5, centres, 301), "k must lie in 1..300"),
        (lambda: region_counts(labels, 5, labels, 4), "region must lie in 0..3"),
        (lambda: pooled([[1, 2]], np.eye(3)), "do not fit counts of 2 classes"),
        (lambda: tf_idf([[1, 1], [1, -1]]), "not negative: row 1"),
        (lambda: lda([[1, 1]], topics=0), "topics >= 1"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()
