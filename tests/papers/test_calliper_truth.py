"""A city with a known truth: what is learnt follows it, stays within its information, and helps where none was seen."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tenfold.datasets import london
from tenfold.papers.calliper import encoders, evaluation, results, truth
from tenfold.urban import text_features

from .conftest import embedded, town_parameters

pytestmark = pytest.mark.xdist_group("calliper")
# All 57,000 simulated POIs and the laptop's wavelengths; the network is half as wide.
CITY = {"pois": 0, "frequencies": 16, "width": 128, "out": 32, "batch": 512, "epochs": 5}
CITY |= {"areas": 1200, "probe_epochs": 60, "text": "tfidf", "replicates": 1}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """What training on the whole simulated city recovers of it, and its probes beside the untrained encoder's."""
    p = town_parameters(**CITY)
    trained = []
    with embedded(tmp_path_factory.mktemp("data")), pytest.MonkeyPatch.context() as patch:
        (point,) = truth.points(p)
        real = encoders.train
        patch.setattr(encoders, "train", lambda *given: trained.append(real(*given)) or trained[-1])
        recovered = truth.recover(**point)
        # The study trains with the same seed on the same city: once is enough.
        patch.setattr(encoders, "train", lambda *given: trained[0])
        tasks = {"hexagons": False, "probes": ["mlp"], **results.fixed(p)}
        studies = [evaluation.study(**results.point(p, name, 0) | tasks) for name in ("calliper", "untrained", "mean")]
    scores = pd.concat([study["scores"] for study in studies])
    return recovered, trained[0].history, scores.set_index(["task", "method", "split"])


# What must come out


def test_similarity_follows_the_true_probability(learnt):
    recovered, _, _ = learnt
    (row,) = truth.table([recovered]).itertuples()
    assert row.spearman > 0.5
    assert abs(row.spearman_untrained) < 0.15, "chance"
    assert row.median > row.median_untrained + 0.3


def test_another_classs_map_is_not_followed(learnt):
    """The control of the control: any smooth map would not do."""
    recovered, _, _ = learnt
    learned, true = recovered["similarity"], recovered["probability"]
    own = [spearmanr(learned[:, c], true[:, c])[0] for c in range(learned.shape[1])]
    other = [spearmanr(learned[:, c], np.roll(true, 7, axis=1)[:, c])[0] for c in range(learned.shape[1])]
    assert np.mean(own) > np.mean(other) + 0.3


def test_the_loss_lies_between_what_nothing_and_what_everything_known_would_give(learnt):
    recovered, history, _ = learnt
    best = history.validation_loss.min()
    assert history.floor.iloc[0] < best < history.bound.iloc[0] - 0.2
    found = recovered["information"]
    assert found["learnt"] == pytest.approx((history.bound - history.validation_loss).max())
    assert found["most"] == pytest.approx(history.bound.iloc[0] - history.floor.iloc[0])
    # ln B - loss of 5,700 validation pairs scatters by some hundredths of a nat.
    assert 0.2 < found["learnt"] < found["true"] + 0.03 < found["most"]


def test_training_helps_in_boroughs_that_were_held_out(learnt):
    _, _, scores = learnt
    kl, f1 = scores.kl, scores.f1
    assert kl["sdm", "calliper", "blocked"] < 0.9 * kl["sdm", "untrained", "blocked"]
    assert kl["sdm", "calliper", "blocked"] < 0.9 * kl["sdm", "mean", "blocked"]
    assert f1["luc", "calliper", "blocked"] > 2 * f1["luc", "untrained", "blocked"]
    assert kl["sdm", "untrained", "random"] < kl["sdm", "untrained", "blocked"], "a random split flatters"


# How it is made


def test_every_seed_gets_the_simulated_city_whatever_the_run_shows(tmp_path):
    path = tmp_path / "own.csv"
    columns = {"poi_class": ["cafes"], "category": ["eating out"], "easting": [530_000.0], "northing": [180_000.0]}
    pd.DataFrame(columns).to_csv(path, index=False)
    points = truth.points(town_parameters(london="auto", names=True, pois_file=str(path), replicates=3))
    assert [point["seed"] for point in points] == [0, 1, 2]
    assert json.loads(json.dumps(points)) == points
    for point in points:
        city = point["city"]
        assert (city["source"], city["pois_file"], city["names"]) == ("simulated", "", False)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("data")):
        (point, _) = truth.points(town_parameters(text="tfidf"))
        return point, truth.recover(**point)


def test_one_seed_one_answer(small):
    point, first = small
    again = truth.recover(**point)
    pd.testing.assert_frame_equal(again["correlations"], first["correlations"], check_exact=True)
    np.testing.assert_array_equal(again["similarity"], first["similarity"])
    assert again["information"] == first["information"]


def test_correlations_are_those_of_the_maps_by_name(small, place):
    _, found = small
    world = london.simulation()
    columns = [world.classes.index(name) for name in place.classes]
    np.testing.assert_array_equal(found["xy"], place.hexagon_xy)
    np.testing.assert_array_equal(found["probability"], world.class_probability(found["xy"])[:, columns])
    table = found["correlations"]
    trained = table[table.encoder == "trained"].set_index("poi_class")
    assert trained.index.tolist() == place.classes
    for c, name in enumerate(place.classes):
        expected = spearmanr(found["similarity"][:, c], found["probability"][:, c])[0]
        assert trained.spearman[name] == pytest.approx(expected)
        assert trained.share[name] == pytest.approx((place.places.poi_class == name).mean())


def test_the_maps_are_cosines_of_the_texts_of_their_classes(small, place):
    point, found = small
    texts, _ = place.texts
    features = text_features(texts, "tfidf").features
    model = encoders.train(place, point["encoder"], 0)
    for c, name in enumerate(place.classes):
        row = features[texts.index(place.places.text[place.places.poi_class == name].iloc[0])]
        expected = model.similarity(found["xy"], row[None])[:, 0]
        np.testing.assert_allclose(found["similarity"][:, c], expected, atol=1e-6)


def test_places_are_at_most_so_many_hexagons(place, monkeypatch):
    monkeypatch.setattr(truth, "PLACES", 50)
    first, again, other = (truth._anywhere(place, seed) for seed in (0, 0, 1))
    assert len(first) == len(np.unique(first, axis=0)) == 50
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    everything = {tuple(xy) for xy in place.hexagon_xy}
    assert {tuple(xy) for xy in first} <= everything


def recovered(spearman, seed=0):
    """Return one seed's answer with correlations by encoder and class."""
    rows = [
        {"encoder": name, "seed": seed, "poi_class": known, "share": share, "spearman": value}
        for name, values in spearman.items()
        for (known, share), value in zip({"bars": 0.1, "pubs": 0.2, "cafes": 0.7}.items(), values, strict=True)
    ]
    xy = np.arange(8.0).reshape(4, 2)
    probability = np.column_stack([np.full(4, 0.1), np.full(4, 0.3), np.full(4, 0.6)])
    similarity = np.arange(12.0).reshape(4, 3)
    information = {"seed": seed, "learnt": 0.2, "most": 2.0, "true": 0.5}
    maps = {"xy": xy, "similarity": similarity, "probability": probability}
    return {"correlations": pd.DataFrame(rows), "information": information, **maps}


def test_the_table_weighs_classes_by_their_shares():
    ones = [recovered({"trained": [1.0, 0.5, 0.1], "untrained": [0.0, 0.1, -0.1]}, seed) for seed in (0, 1)]
    table = truth.table(ones)
    assert table.seed.tolist() == [0, 1]
    np.testing.assert_allclose(table.spearman, 0.1 + 0.1 + 0.07)
    np.testing.assert_allclose(table.spearman_untrained, 0.02 - 0.07)
    np.testing.assert_allclose(table["median"], 0.5)
    np.testing.assert_allclose(table.median_untrained, 0.0)
    assert (table.learnt[0], table.most[0], table.true[0]) == (0.2, 2.0, 0.5)


def test_maps_of_the_commonest_classes_come_with_their_correlations():
    one = recovered({"trained": [1.0, 0.5, 0.1], "untrained": [0.0, 0.0, 0.0]})
    found = truth.compared(one, shown=2)
    assert list(found["learnt"]) == list(found["true"]) == ["cafes", "pubs"]
    assert found["correlations"] == {"cafes": 0.1, "pubs": 0.5}
    np.testing.assert_array_equal(found["learnt"]["pubs"], one["similarity"][:, 1])
    np.testing.assert_array_equal(found["true"]["cafes"], one["probability"][:, 2])
    numbers = found["numbers"]
    assert list(numbers.columns) == ["x", "y", "cafes, learnt", "pubs, learnt", "cafes, true", "pubs, true"]
    np.testing.assert_array_equal(numbers["cafes, learnt"], one["similarity"][:, 2])
