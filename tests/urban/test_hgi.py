"""HGI: negatives, planted kinds of regions recovered across the city, and not from shuffled classes."""

import numpy as np
import pytest
from shapely import box

from tenfold.errors import InputError
from tenfold.urban.graph import region_edges
from tenfold.urban.hgi import Negatives, hgi
from tenfold.urban.surroundings import region_counts
from tests.urban import planted

SIDE = 10
CELLS = np.array([box(i, j, i + 1, j + 1) for j in range(SIDE) for i in range(SIDE)])
COUNTS = np.array([[3, 0, 1], [0, 0, 0], [2, 2, 0], [0, 5, 0], [1, 0, 0], [3, 4, 0]])


@pytest.fixture
def negatives():
    return Negatives(COUNTS)


def test_another_region_is_never_the_own_and_has_pois(negatives):
    rng = np.random.default_rng(0)
    draws = np.array([negatives.draw_regions(rng) for _ in range(4000)])
    assert (draws != np.arange(6)).all() and (draws != 1).all()
    # Region 1 is empty and has no hard ones: every region with POIs comes up alike.
    share = np.bincount(draws[:, 1], minlength=6) / 4000
    np.testing.assert_allclose(share[[0, 2, 3, 4, 5]], 0.2, atol=0.02)


def test_a_quarter_of_the_draws_is_hard(negatives):
    unit = COUNTS / np.maximum(np.linalg.norm(COUNTS, axis=1, keepdims=True), 1e-9)
    cosine = unit @ unit.T
    hard = (cosine > 0.6) & (cosine < 0.8)
    rng = np.random.default_rng(1)
    draws = np.array([negatives.draw_regions(rng) for _ in range(8000)])
    assert hard.any(axis=1).sum() >= 4
    for r in np.flatnonzero(hard.any(axis=1)):
        expected = 0.25 + 0.75 * hard[r].sum() / 4  # four other regions have POIs
        assert hard[r][draws[:, r]].mean() == pytest.approx(expected, abs=0.02)


def test_negative_pairs_are_all_pois_of_the_other_region(negatives):
    owner = np.repeat(np.arange(6), COUNTS.sum(axis=1))
    poi, region = negatives.draw(np.random.default_rng(2))
    other = negatives.draw_regions(np.random.default_rng(2))
    for r in range(6):
        assert poi[region == r].tolist() == np.flatnonzero(owner == other[r]).tolist()


def planted_city(seed=0):
    """POIs of 100 square regions of 500 m in ten blocks; kind k of a region prefers classes 4k to 4k+3."""
    rng = np.random.default_rng(seed)
    region = np.repeat(np.arange(100), 12)
    corner = np.column_stack([region % SIDE, region // SIDE])
    xy = 500 * (corner + rng.random((1200, 2))) + [530_000, 180_000]
    group = np.where(rng.random(1200) < 0.9, kinds()[region], rng.integers(4, size=1200))
    return xy, group * 4 + rng.integers(4, size=1200), region


def kinds():
    """Blocks of 5 columns and 2 rows; the right half has the kinds of the left one, two blocks further up."""
    column, row = np.arange(100) % SIDE, np.arange(100) // SIDE
    return (row // 2 + 2 * (column // 5)) % 4


def found_across(vectors):
    """Share of regions whose most similar region in the other half of the city is of their kind."""
    left = np.arange(100) % SIDE < 5
    unit = vectors - vectors.mean(axis=0)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    cosine = unit @ unit.T
    cosine[left[:, None] == left] = -np.inf
    return float((kinds()[cosine.argmax(axis=1)] == kinds()).mean())


def embed(xy, labels, region, **options):
    options = {"dims": 16, "epochs": 80, **options}
    return hgi(xy, labels, planted.CLASSES, region, region_edges(CELLS), np.ones(100), **options)


def test_kinds_are_recovered_across_the_city_and_shuffled_ones_are_not():
    xy, labels, region = planted_city()
    losses = []
    found = embed(xy, labels, region, progress=lambda epoch, loss: losses.append(loss))
    assert found.shape == (100, 16) and len(losses) == 80
    assert min(losses) < 0.85 * 2 * np.log(2) < 1.2 * losses[0]
    assert found_across(found) > 0.7
    assert found_across(embed(xy, planted.shuffled(labels), region)) < 0.45


def test_regions_of_a_shuffled_city_are_told_from_the_true_ones():
    """Were both the same, -ln s(x) - ln s(-x) could not fall below 2 ln 2."""
    losses = []
    embed(*planted_city(), alpha=0.0, epochs=60, progress=lambda epoch, loss: losses.append(loss))
    assert min(losses) < 0.9 * 2 * np.log(2)


def test_one_seed_one_answer_whatever_the_order_of_edges():
    xy, labels, region = planted_city()
    first, again, other = (embed(xy, labels, region, epochs=3, seed=seed) for seed in (0, 0, 1))
    assert (first == again).all() and not np.allclose(first, other)
    twice = np.concatenate([region_edges(CELLS), region_edges(CELLS)[::-1, ::-1]])
    assert (hgi(xy, labels, 16, region, twice, np.full(100, 7.0), dims=16, epochs=3) == first).all()


def test_features_of_classes_may_replace_one_hot():
    xy, labels, region = planted_city()
    same = embed(xy, labels, region, epochs=2, class_features=np.eye(16))
    assert (same == embed(xy, labels, region, epochs=2)).all()
    blind = embed(xy, labels, region, epochs=2, class_features=np.ones((16, 3)))
    assert blind.shape == (100, 16) and not np.allclose(blind, same)


def test_a_region_without_pois_gets_a_finite_vector():
    xy, labels, region = planted_city()
    kept = region != 42
    found = embed(xy[kept], labels[kept], region[kept], epochs=2)
    assert region_counts(labels[kept], 16, region[kept], 100)[42].sum() == 0
    assert np.isfinite(found).all()


def test_bad_input_is_named():
    xy, labels, region = planted_city()
    edges, area = region_edges(CELLS), np.ones(100)
    cases = [
        (lambda: embed(xy, labels, region, dims=10, heads=4), "dims that heads divides"),
        (lambda: embed(xy, labels, region, epochs=0), "epochs >= 1"),
        (lambda: embed(xy, labels, region * 0), "POIs in at least two regions"),
        (lambda: embed(xy, labels, region + 1), "region must lie in 0..99, not 100"),
        (lambda: hgi(xy, labels, 16, region, edges + 1, area), "region_edges must lie in 0..99"),
        (lambda: hgi(xy, labels, 16, region, edges, 0 * area), "region_area must be positive"),
        (lambda: embed(xy, labels, region, class_features=np.ones((15, 3))), r"class_features must be finite, \(16"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()
