"""Encoders of a run: what is trained on what, what is left as it was born, and which settings reach the network."""

import json

import numpy as np
import pandas as pd
import pytest

from tenfold.errors import InputError
from tenfold.papers.calliper import encoders
from tenfold.urban import Pretraining, pretrain, sentences, text_features, untrained

from .conftest import TOWN, town_parameters

pytestmark = pytest.mark.xdist_group("calliper")
XY = np.array([[530_000.0, 180_000.0], [515_500.0, 171_000.0], [548_000.0, 189_000.0]])


@pytest.fixture
def settings(town):
    return encoders.plan(town)


def same(one, other):
    assert json.dumps(one.options) == json.dumps(other.options)
    np.testing.assert_array_equal(one.embed(XY), other.embed(XY))
    pd.testing.assert_frame_equal(one.history, other.history)


def test_a_plan_is_plain_and_follows_the_parameters():
    given = {
        "encoding": "theory",
        "frequencies": 6,
        "lambda_max": 9000.0,
        "width": 16,
        "out": 8,
        "normalize_text": True,
    }
    found = encoders.plan(town_parameters(**given))
    assert json.loads(json.dumps(found)) == found
    assert {name: found[name] for name in given} == given
    assert (found["objective"], found["epochs"]) == ("clip", TOWN["epochs"])
    assert encoders.plan(town_parameters(), out=5, objective="multipositive")["out"] == 5
    network = encoders.network(found)
    assert set(network) == {"encoding", "frequencies", "lambda_min", "lambda_max", "width", "out"}


@pytest.mark.parametrize(("there", "kind"), [("json", "minilm"), ("no_such_package", "tfidf")])
def test_a_plan_says_which_texts_are_meant_here(there, kind, monkeypatch):
    """What was kept without MiniLM must not be taken for what is made with it."""
    monkeypatch.setattr(sentences, "_NEEDED", (there,))
    assert encoders.plan(town_parameters(text="auto"))["text"] == kind
    assert encoders.plan(town_parameters(text="tfidf"))["text"] == "tfidf"


@pytest.mark.parametrize(
    ("wanted", "there", "found"), [("cpu", True, "cpu"), ("auto", True, "cuda"), ("auto", False, "cpu")]
)
def test_a_gpu_is_taken_where_it_is_wanted_and_there(wanted, there, found, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    assert encoders.plan(town_parameters(device=wanted))["device"] == found


def test_a_gpu_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device: there is no CUDA device here"):
        encoders.plan(town_parameters(device="cuda"))


def test_calliper_learns_from_pairs_of_place_and_text(place, settings):
    texts, index = place.texts
    training = Pretraining(batch=settings["batch"], epochs=settings["epochs"], patience=settings["patience"])
    expected = pretrain(
        place.poi_xy, index, text_features(texts, "tfidf").features, encoders.network(settings), training, 3
    )
    found = encoders.made("calliper", place, settings, 3)
    same(found, expected)
    assert found.best_epoch >= 1 and found.projection is not None
    assert found.embed(XY).shape == (3, settings["out"])
    same(encoders.made("calliper", place, settings, 3), found)
    other = encoders.made("calliper", place, settings, 4).embed(XY)
    assert np.abs(other - found.embed(XY)).max() > 0.01, "another seed is another encoder"


@pytest.mark.parametrize("change", [{"normalize_text": True}, {"objective": "multipositive"}, {"batch": 64}])
def test_every_setting_of_the_training_counts(change, place, settings):
    plain, changed = (encoders.made("calliper", place, one, 0) for one in (settings, settings | change))
    assert np.abs(plain.history.train_loss - changed.history.train_loss).max() > 1e-3
    assert np.abs(plain.embed(XY) - changed.embed(XY)).max() > 1e-3


def test_space2vec_learns_from_classes_and_knows_no_text(place, settings, monkeypatch):
    found = encoders.made("space2vec", place, settings, 0)
    assert found.projection is None and found.best_epoch >= 1
    assert found.history.bound.to_numpy() == pytest.approx(2 * np.log(2))
    with pytest.raises(InputError, match="not trained on texts"):
        found.similarity(XY, np.ones((1, 384)))
    told = ["one text", "another text for all"], np.ones(len(place.poi_class), dtype=int)
    monkeypatch.setitem(place.__dict__, "texts", told)
    same(encoders.made("space2vec", place, settings, 0), found)
    # An ablation changes the objective of CaLLiPer alone.
    monkeypatch.undo()
    same(encoders.made("space2vec", place, settings | {"objective": "multipositive"}, 0), found)


def test_an_untrained_encoder_is_where_its_training_begins(place, settings):
    """With a rate of zero the weights stay: the trained encoder is then its untrained twin."""
    born = encoders.made("untrained", place, settings, 5)
    same(born, untrained(encoders.network(settings), 5))
    assert born.best_epoch == 0 and len(born.history) == 0
    texts, index = place.texts
    still = Pretraining(batch=256, epochs=1, lr=1e-30)
    features = text_features(texts, "tfidf").features
    kept = pretrain(place.poi_xy, index, features, encoders.network(settings), still, 5)
    np.testing.assert_allclose(kept.embed(XY), born.embed(XY), atol=1e-7)
    assert np.abs(encoders.made("calliper", place, settings, 5).embed(XY) - born.embed(XY)).max() > 0.01


@pytest.mark.parametrize("method", ["mean", "neighbours", "encoding", "tf_idf", "hgi", "place2vec"])
def test_other_methods_have_no_encoder(method, place, settings):
    assert encoders.made(method, place, settings, 0) is None
