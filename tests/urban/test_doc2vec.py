"""Doc2Vec: kinds of areas recovered from counts, and not from shuffled classes; empty areas; seeds."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.urban.doc2vec import doc2vec
from tenfold.urban.surroundings import region_counts
from tests.urban import planted


def counts_of(labels, patch):
    return region_counts(labels, planted.CLASSES, patch, 64)


def test_kinds_of_areas_are_recovered_and_shuffled_ones_are_not():
    _, labels, patch = planted.city()
    types = planted.kind(np.arange(64))
    assert planted.recovered(doc2vec(counts_of(labels, patch), 16), types) > 0.95
    assert planted.recovered(doc2vec(counts_of(planted.shuffled(labels), patch), 16), types) < 0.5


def test_areas_with_equal_counts_get_equal_vectors():
    _, labels, patch = planted.city(pois=640)
    counts = counts_of(labels, patch)
    counts[7] = counts[50]
    vectors = doc2vec(counts, 8, steps=2000)
    same, typical = np.linalg.norm(vectors[7] - vectors[50]), np.linalg.norm(vectors[7] - vectors[20])
    assert same < 0.05 * typical


def test_an_empty_area_ends_at_zero():
    _, labels, patch = planted.city(pois=640)
    counts = counts_of(labels, patch)
    counts[5] = 0
    size = np.linalg.norm(doc2vec(counts, 8, steps=2000), axis=1)
    assert size[5] < 0.02 * np.median(size)


def test_one_seed_one_answer():
    counts = np.random.default_rng(0).poisson(2.0, (20, 6))
    first, again, other = (doc2vec(counts, 4, seed=seed, steps=20) for seed in (0, 0, 1))
    assert first.shape == (20, 4) and (first == again).all() and not np.allclose(first, other)


def test_no_poi_at_all_is_refused():
    with pytest.raises(InputError, match="at least one pair"):
        doc2vec(np.zeros((3, 4)))
