"""Checks of the notebook: identities, the kernel in closed form, calibration, tables of what was trained on."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax

from tenfold import datasets
from tenfold.book import claims
from tenfold.papers.calliper import checks, city, encoders
from tenfold.urban import Pretrained, moran, neighbours, text_features

from .conftest import town_parameters

pytestmark = pytest.mark.xdist_group("calliper")


@pytest.fixture(scope="module")
def texts(place):
    return text_features(place.texts[0], "tfidf")


@pytest.fixture(scope="module")
def model(studied):
    return studied.model()


# Identities


def tolerance():
    (claim,) = [claim for claim in claims.load("calliper") if claim.id == "W6-identities"]
    return 0.0005, claim.null


def test_sizes_come_out_as_published(place):
    table = checks.identities(place)
    assert (table.residual.abs() < tolerance()[0]).all()
    assert {592_128, 641_409, 33} <= set(table.expected)
    assert set(table.columns) == {"quantity", "expected", "found", "residual"}
    assert not table.quantity.str.contains("hexagon").any(), "simulated cells are no identity"


@pytest.mark.parametrize(("name", "options"), [("width", {"width": 255}), ("blocks", {"blocks": 3})])
def test_a_network_of_another_size_would_be_seen(name, options, place, monkeypatch):
    real = checks.LocationEncoder
    monkeypatch.setattr(checks, "LocationEncoder", lambda encoding: real(encoding, **options))
    wrong = checks.identities(place).set_index("quantity").residual
    assert abs(wrong["parameters of the location encoder"]) > tolerance()[0]
    assert abs(wrong["trained parameters"]) > tolerance()[0]


def test_a_missing_bias_would_be_seen(place, monkeypatch):
    """The smallest mistake that can be made in the sizes: 128 of 49,281 parameters."""
    monkeypatch.setattr(checks, "TextHead", lambda features, out: torch.nn.Linear(features.shape[1], out, bias=False))
    wrong = checks.identities(place).set_index("quantity").residual
    assert abs(wrong["parameters of the text projection and the temperature"]) > tolerance()[0]


def test_shares_that_do_not_add_up_would_be_seen(place, monkeypatch):
    real = checks.london.ns_sec
    monkeypatch.setattr(checks.london, "ns_sec", lambda source: real(source).assign(ns_sec_9=0.0))
    assert checks.identities(place).residual.abs().max() > tolerance()[0]


@pytest.mark.mirror
def test_london_comes_out_as_published(mirror):
    """Numbers and areas as published, as the ledger asks for them."""
    real = city.City(**city.plan(town_parameters(), source="auto"))
    table = checks.identities(real).set_index("quantity")
    assert (table.residual.abs() < tolerance()[0]).all()
    assert table.found[["areas", "hexagons"]].tolist() == [4994, 15_041]
    assert table.found["area of London in km2"] == pytest.approx(1594.7, abs=0.05)


# The kernel


def test_the_kernel_is_its_closed_form():
    """<PE(x), PE(x + d)>/2F = (F + sum_k cos(d/lambda_k))/2F for d to the east."""
    table = checks.kernels()
    assert list(table.range.unique()) == list(checks.RANGES)
    np.testing.assert_allclose(table.measured, table.closed_form, atol=1e-9)
    for name, (low, high) in checks.RANGES.items():
        rows = table[table.range == name]
        assert rows.measured.iloc[0] == pytest.approx(1)
        wavelengths = low * (high / low) ** (np.arange(32) / 31)
        d = rows.distance.to_numpy()[:, None]
        np.testing.assert_allclose(rows.closed_form, (32 + np.cos(d / wavelengths).sum(axis=1)) / 64, atol=1e-12)
        assert (rows.measured[1:] < 1 - 1e-6).all()
        assert rows.measured.min() > 0.2, "it does not fall to zero: half of it is the northing"
    assert [item.name for item in datasets.used()] == ["equations"]


# Autocorrelation


def test_every_share_of_the_census_is_autocorrelated(place):
    table = checks.autocorrelation(place)
    assert tuple(table["share"]) == city.NS_SEC
    task = place.tasks["sdm"]
    first = moran(task.target[:, 0], neighbours(task.xy), seed=0)
    assert (table.moran[0], table.p[0]) == (first.i, first.p)
    assert (table.p <= 0.01).mean() > 0.7 and table.moran[0] > 0.2


def test_a_hot_corner_is_found_and_noise_is_not(place):
    rng = np.random.default_rng(0)
    xy = place.tasks["sdm"].xy
    corner = (xy[:, 0] > 537_000) & (xy[:, 1] > 185_000)
    noise = rng.normal(size=len(xy))
    hot = checks.local(place, noise + 6 * corner)
    assert (hot.label[corner] == "high-high").mean() > 0.8
    assert hot.attrs["moran"] == pytest.approx(moran(noise + 6 * corner, neighbours(xy), permutations=0).i)
    quiet = checks.local(place, noise)
    assert (quiet.label == "not significant").mean() > 0.95 and abs(quiet.attrs["moran"]) < 0.15


# Calibration


class Oracle:
    """An encoder that knows the log odds of every text at every place; a class's share if it is told nothing."""

    def __init__(self, tell):
        self.tell = tell

    def class_probability(self, xy, features, counts):
        return softmax(np.log(counts) + self.tell(np.asarray(xy)), axis=1)


def test_a_truthful_encoder_is_calibrated(place, texts, monkeypatch):
    """POIs whose class is drawn from the probabilities that are given for it."""
    rng = np.random.default_rng(0)
    slope = rng.normal(0, 2, len(place.classes))
    oracle = Oracle(lambda xy: (xy[:, :1] - 530_000) / 10_000 * slope)
    everything = checks.london.pois(place.source)
    counts = np.bincount(place.texts[1])
    given = oracle.class_probability(everything[["easting", "northing"]], None, counts)
    drawn = (given.cumsum(axis=1) > rng.uniform(size=(len(given), 1))).argmax(axis=1)
    told = everything.assign(poi_class=np.array(place.classes)[drawn])
    monkeypatch.setattr(checks.london, "pois", lambda *_, **__: told)
    table = checks.calibration(oracle, place, texts)
    error = np.sqrt(table.predicted * (1 - table.predicted) / table.n)
    assert (np.abs(table.observed - table.predicted) < 4 * error + 1e-6).all()
    assert table.predicted.is_monotonic_increasing and table.predicted.iloc[-1] > 5 * table.predicted.mean()
    boaster = Oracle(lambda xy: 3 * oracle.tell(xy))
    wrong = checks.calibration(boaster, place, texts)
    assert wrong.observed.iloc[-1] < wrong.predicted.iloc[-1] - 0.05, "a boaster is found out"


def test_probabilities_of_classes_add_up_over_held_out_pois(place, texts, model):
    table = checks.calibration(model, place, texts, bins=7)
    assert len(table) == 7 and table.held_out.all()
    assert table.n.sum() == 20_000 * len(place.classes)
    mean = np.average(table.predicted, weights=table.n)
    assert mean == pytest.approx(1 / len(place.classes))
    met = np.average(table.observed, weights=table.n) * len(place.classes)
    assert 0.98 < met <= 1, "every POI has one class, of which the sample lacks the rarest"
    pd.testing.assert_frame_equal(checks.calibration(model, place, texts, bins=7), table)


def test_where_all_pois_are_trained_on_they_are_asked_themselves(tmp_path, model):
    path = named_pois(tmp_path, 600)
    everything = city.City(**city.plan(town_parameters(), pois=0, pois_file=path))
    features = text_features(everything.texts[0], "tfidf")
    trained = encoders.train(everything, encoders.plan(town_parameters()), 0)
    table = checks.calibration(trained, everything, features)
    assert not table.held_out.any()
    assert table.n.sum() == 600 * len(everything.classes)


def named_pois(folder, count):
    table = checks.london.pois("simulated").sample(count, random_state=0)
    frame = table[["poi_class", "category", "easting", "northing"]].assign(name=[f"The {k}" for k in range(count)])
    frame.to_csv(folder / "own.csv", index=False)
    return str(folder / "own.csv")


@pytest.mark.parametrize("cells", [10_000_000, 5000])
def test_names_make_many_texts_of_a_class_and_leave_its_probability(cells, tmp_path, monkeypatch):
    """With names every POI has a text of its own: a class is still met as often as it is."""
    monkeypatch.setattr(checks, "CELLS", cells)
    named = city.City(**city.plan(town_parameters(), pois=600, names=True, pois_file=named_pois(tmp_path, 1500)))
    features = text_features(named.texts[0], "tfidf")
    assert len(features.features) == 600
    share = np.bincount(named.poi_class) / 600
    table = checks.calibration(Oracle(lambda xy: np.zeros((len(xy), 1))), named, features, bins=len(share))
    np.testing.assert_allclose(table.predicted, np.sort(share), rtol=1e-9)
    np.testing.assert_allclose(table.observed, table.predicted, atol=0.02)
    assert table.observed.iloc[-1] > 0.2


# Tables of what was trained on


def test_the_best_epoch_of_each_encoder():
    history = pd.DataFrame(
        {
            "run": ["b"] * 3 + ["a"] * 2,
            "seed": [0, 0, 1, 0, 0],
            "epoch": [1, 2, 1, 1, 2],
            "validation_loss": [5.0, 4.0, 3.0, 2.0, 2.5],
            "bound": 6.0,
            "floor": 1.0,
        }
    )
    table = checks.training(history)
    assert table[["run", "seed", "epoch"]].to_numpy().tolist() == [["b", 0, 2], ["b", 1, 1], ["a", 0, 1]]
    assert table.information.tolist() == [2.0, 3.0, 4.0]


def test_the_inventory_counts_every_poi(place):
    table = checks.inventory(place)
    assert table.pois.sum() == len(place.places) and table.pois.is_monotonic_decreasing
    counts = place.places.poi_class.value_counts()
    assert dict(zip(table.poi_class, table.pois, strict=True)) == counts.to_dict()
    assert dict(zip(table.poi_class, table.category, strict=True)) == place.kinds
    assert all(name in text for name, text in zip(table.poi_class, table.text, strict=True))


def test_the_inventory_shows_the_texts_that_are_learnt(tmp_path):
    named = city.City(**city.plan(town_parameters(), pois=0, names=True, pois_file=named_pois(tmp_path, 600)))
    assert checks.inventory(named).text.str.match(r"the \d+, a place of ").all()
    assert set(checks.inventory(named).licence) == {"the reader's own"}


# A batch, and the search


def test_a_batch_has_distinct_texts_and_the_models_similarity(place, texts, model):
    found = checks.batch(model, place, texts, size=6)
    assert len(set(found["texts"])) == 6
    known = place.texts[0]
    features = texts.features[[known.index(text) for text in found["texts"]]]
    np.testing.assert_allclose(found["similarity"], model.similarity(found["xy"], features).T)
    at = {(x, y): text for x, y, text in zip(*place.poi_xy.T, place.places.text, strict=True)}
    assert [at[tuple(xy)] for xy in found["xy"]] == found["texts"], "the diagonal holds the true pairs"
    pairs = checks.pairs(found)
    assert len(pairs) == 36
    row = pairs[(pairs.text == found["texts"][2]) & (pairs.place == 5)].iloc[0]
    assert row.similarity == found["similarity"][2, 5]


def test_a_search_is_the_similarity_of_the_words(place, texts, model):
    search = checks.searcher(model, place, texts)
    meant, found = search("public parks")
    assert meant == "public parks"
    assert found.shape == (len(place.hexagons),)
    np.testing.assert_allclose(found, model.similarity(place.hexagon_xy, texts.encode(["public parks"]))[:, 0])
    assert np.abs(search("bus stops")[1] - found).max() > 0.01
    assert search("zzz")[0] != "zzz", "words that no text holds are answered for the nearest, and that is said"
    assert isinstance(model, Pretrained)
