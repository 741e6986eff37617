"""Features of places: each method's against its formula, what depends on the place and what on the seed."""

import numpy as np
import pytest

from tenfold.papers.calliper import encoders
from tenfold.papers.calliper.features import DIMS, TOPICS, features
from tenfold.papers.calliper.methods import CLUSTERED, METHODS, RIVALS, labels
from tenfold.urban import encoding, place2vec

from .conftest import town_parameters

pytestmark = pytest.mark.xdist_group("calliper")
MADE = [name for name in METHODS if name not in ("mean", "neighbours", "untrained", "space2vec", "calliper")]


@pytest.fixture
def settings(town):
    return encoders.plan(town)


@pytest.fixture
def xy(place):
    return place.tasks["sdm"].xy


def brute(place, xy):
    """Count the POIs of each class within 800 m, one place after the other."""
    counts = np.zeros((len(xy), len(place.classes)))
    for row, centre in enumerate(xy):
        near = np.hypot(*(place.poi_xy - centre).T) <= 800
        np.add.at(counts[row], place.poi_class[near], 1)
    return counts


def test_methods_are_those_of_the_paper_and_controls():
    assert set(RIVALS) | {"calliper"} == {name for name, method in METHODS.items() if method.published}
    assert set(CLUSTERED) <= set(METHODS) and len(CLUSTERED) == 6 and CLUSTERED[-1] == "calliper"
    assert {METHODS[name].kind for name in RIVALS} == {"baseline", "encoder"}
    required = {"mean", "neighbours", "encoding", "untrained", "counts"}
    assert required <= {name for name, method in METHODS.items() if method.kind == "control"}, (
        "controls that the paper lacks"
    )
    assert labels(["calliper", "tf_idf"]) == ["CaLLiPer", "TF-IDF"]


@pytest.mark.parametrize("method", MADE)
def test_every_method_speaks_of_every_place_and_one_seed_gives_one_answer(method, place, settings, xy):
    found = features(method, place, settings, 3)(xy)
    assert found.shape[0] == len(xy) and found.ndim == 2
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert (found.std(axis=0) > 0).any(), "places differ"
    np.testing.assert_array_equal(features(method, place, settings, 3)(xy), found)


@pytest.mark.parametrize("method", ["mean", "neighbours"])
def test_two_controls_have_no_features(method, place, settings):
    assert features(method, place, settings, 0) is None


@pytest.mark.parametrize("method", ["encoding", "counts", "tf_idf"])
def test_features_that_follow_from_places_alone_know_no_seed(method, place, settings, xy):
    np.testing.assert_array_equal(*(features(method, place, settings, seed)(xy) for seed in (0, 1)))


@pytest.mark.parametrize("method", ["random", "lda", "place2vec", "doc2vec", "sppe", "hgi"])
def test_features_that_are_learnt_or_drawn_follow_their_seed(method, place, settings, xy):
    one, other = (features(method, place, settings, seed)(xy) for seed in (0, 1))
    assert np.abs(one - other).max() > 1e-3


def test_counts_are_logarithms_of_what_stands_within_the_radius(place, settings, xy):
    np.testing.assert_allclose(features("counts", place, settings, 0)(xy), np.log1p(brute(place, xy)), rtol=1e-6)


def test_tf_idf_weighs_by_rarity_and_has_unit_length(place, settings, xy):
    counts = brute(place, xy)
    weight = 1 + np.log((1 + len(xy)) / (1 + (counts > 0).sum(axis=0)))
    rows = counts * weight
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(features("tf_idf", place, settings, 0)(xy), rows, atol=1e-6)


def test_topics_are_shares(place, settings, xy):
    shares = features("lda", place, settings, 0)(xy)
    assert shares.shape[1] == min(TOPICS, len(place.classes))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_place2vec_averages_the_vectors_of_its_classes(place, settings, xy):
    dims = min(settings["out"], DIMS)
    vectors = place2vec(place.poi_xy, place.poi_class, len(place.classes), dims, 2)
    counts = brute(place, xy)
    mean = counts @ vectors / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    found = features("place2vec", place, settings, 2)(xy)
    np.testing.assert_allclose(found, mean, atol=1e-5)
    assert (found[counts.sum(axis=1) == 0] == 0).all()
    assert features("sppe", place, settings, 2)(xy).shape == (len(xy), dims)


def test_class_vectors_are_no_wider_than_the_embedding(place, xy):
    for out, width in ((8, 8), (4096, DIMS)):
        settings = encoders.plan(town_parameters(out=out))
        assert features("doc2vec", place, settings, 0)(xy[:40]).shape[1] == width


def test_random_vectors_know_the_row_and_not_the_place(place, settings, xy):
    draw = features("random", place, settings, 0)
    np.testing.assert_array_equal(draw(xy), draw(xy + 5000.0))
    assert draw(xy).shape == (len(xy), settings["out"])


def test_positional_features_are_the_encoding(place, xy):
    given = {"encoding": "theory", "frequencies": 4, "lambda_min": 200.0, "lambda_max": 9000.0}
    found = features("encoding", place, encoders.plan(town_parameters(**given)), 0)(xy)
    expected = encoding("theory", frequencies=4, lambda_min=200.0, lambda_max=9000.0)(xy)
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_hgi_gives_a_place_the_vector_of_its_area(place, settings):
    speak = features("hgi", place, settings, 0)
    centres, _ = place.regions
    at = speak(centres[:50])
    np.testing.assert_array_equal(speak(centres[:50][::-1] + 1.0), at[::-1])
    assert at.shape[1] == settings["out"]
    assert len(np.unique(at, axis=0)) > 40, "areas differ"
