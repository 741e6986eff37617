"""Clusters of hexagons: named by the rule, repeatable, held against markers that took no part in them."""

from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from tenfold.datasets import london
from tenfold.papers.calliper import clustering
from tenfold.papers.calliper.methods import CLUSTERED
from tenfold.urban import ROLES, agreement, elbow, silhouettes

pytestmark = pytest.mark.xdist_group("calliper")


@pytest.fixture(scope="module")
def embeddings(place):
    """Four kinds of hexagon in plain sight: the distance to the centre in four rings, with a little noise."""
    ring = np.digitize(clustering.distance(place), [6000, 12_000, 17_000])
    return np.eye(4)[ring] * 3 + np.random.default_rng(0).normal(0, 0.05, (len(ring), 4)), ring


def found_with(labels, seeds=(0,)):
    """Return results as of a run in which each method has these labels, (method, seed): labels, or one for all."""
    pairs = [(name, seed) for name in (*CLUSTERED, "untrained") for seed in seeds]
    at = labels if isinstance(labels, dict) else dict.fromkeys(pairs, labels)
    return SimpleNamespace(seeds=[*seeds], found={pair: {"labels": at[pair]} for pair in pairs})


# Clusters and their names


def test_plain_kinds_are_found_and_named_by_the_rule(place, embeddings):
    rows, ring = embeddings
    found = clustering.painted(rows, place, seed=0)
    pairs = set(zip(found["labels"], ring, strict=True))
    assert len(pairs) == 4, "each ring is a cluster of its own"
    assert set(found["labels"]) == {0, 1, 2, 3}
    names = {ring: ROLES[label] for label, ring in pairs}
    assert names[0] == "centre and commercial", "the innermost, where restaurants are"
    evidence = found["evidence"]
    assert evidence.role.tolist() == [*ROLES]
    assert evidence.cells.tolist() == np.bincount(found["labels"]).tolist()
    assert (evidence.margin >= 0).all()
    assert "choices" not in found


def test_the_same_seed_gives_the_same_names_whatever_the_scale_of_the_embedding(place, embeddings):
    rows, _ = embeddings
    first = clustering.painted(rows, place, seed=3)
    lengths = np.random.default_rng(1).uniform(0.5, 2, (len(rows), 1))
    for again in (clustering.painted(rows, place, seed=3), clustering.painted(rows * lengths, place, seed=3)):
        np.testing.assert_array_equal(again["labels"], first["labels"])
    pd.testing.assert_frame_equal(clustering.painted(rows, place, seed=3)["evidence"], first["evidence"])


def test_the_seed_decides_where_a_continuum_is_cut(place):
    rows = np.random.default_rng(0).normal(size=(len(place.hexagons), 8))
    one, other = (clustering.painted(rows, place, seed)["labels"] for seed in (0, 1))
    assert agreement(one, other) < 0.9


def test_names_hang_on_what_stands_around_and_not_on_the_number_of_the_cluster(place, embeddings, monkeypatch):
    """k-means may number its clusters as it likes: the map stays the same."""
    rows, _ = embeddings
    first = clustering.painted(rows, place, seed=0)["labels"]
    real = clustering.cluster
    for turn in ([1, 2, 3, 0], [3, 2, 1, 0]):
        monkeypatch.setattr(clustering, "cluster", lambda *given, turn=turn: np.array(turn)[real(*given)])
        np.testing.assert_array_equal(clustering.painted(rows, place, seed=0)["labels"], first)


def test_distances_are_to_charing_cross(place):
    expected = place.hexagons.geometry.centroid.distance(shapely.Point(530_034, 180_381))
    np.testing.assert_allclose(clustering.distance(place), expected, atol=20)


def test_words_of_clusters():
    assert clustering.named(np.array([3, 0])).tolist() == ["centre and commercial", "green space"]


# How many clusters


def test_numbers_of_clusters_are_judged_on_the_raw_embedding(place, embeddings):
    rows, _ = embeddings
    table = clustering.painted(rows, place, seed=2, counted=True)["choices"]
    assert table.k.tolist() == list(range(1, 11)) and set(table.seed) == {2}
    kept = np.random.default_rng(2).choice(len(rows), len(rows), replace=False)
    inertia = elbow(rows[kept], range(1, 11))
    np.testing.assert_allclose(table.inertia, inertia / inertia[0])
    assert table.inertia[0] == 1 and table.inertia[3] < 0.01, "four kinds: the elbow is there"
    assert np.isnan(table.silhouette[0])
    assert table.silhouette[1:].idxmax() == 3 and table.silhouette[3] > 0.9
    np.testing.assert_allclose(table.silhouette[1:], silhouettes(rows[kept], range(2, 11), sample=2500), atol=1e-12)


# Against markers and each other


def test_enrichment_is_the_share_in_the_cluster_over_that_of_london(place, monkeypatch):
    count = len(place.hexagons)
    labels = np.arange(count) % 4
    green, centre = (labels == 0) * 0.5, np.full(count, 0.3)
    monkeypatch.setattr(clustering, "markers", lambda city: {"green": (0, green), "centre": (3, centre)})
    table = clustering.enrichment(found_with(labels), place)
    assert table.method.tolist() == [*CLUSTERED, "untrained"]
    np.testing.assert_allclose(table.green, count / (labels == 0).sum())
    np.testing.assert_allclose(table.centre, 1)


def test_each_seed_stands_beside_the_untrained_encoder_of_its_own(place, monkeypatch):
    count = len(place.hexagons)
    labels = np.arange(count) % 4
    turned = {(m, s): (labels + s * (m == "untrained")) % 4 for m in (*CLUSTERED, "untrained") for s in (0, 1)}
    mark = (labels == 0).astype(float)
    monkeypatch.setattr(clustering, "markers", lambda city: {"green": (0, mark)})
    table = clustering.enrichment(found_with(turned, (0, 1)), place).set_index(["method", "seed"])
    whole = count / (labels == 0).sum()
    assert table.green["calliper", 0] == table.green_untrained["calliper", 0] == pytest.approx(whole)
    assert table.green["calliper", 1] == pytest.approx(whole) and table.green_untrained["calliper", 1] == 0


def test_markers_of_the_simulated_city_are_its_true_zones(place):
    marks = clustering.markers(place)
    zones = london.simulation().zones(place.hexagon_xy)
    names = london.simulation().zone_names
    assert {name: role for name, (role, _) in marks.items()} == {"green": 0, "centre": 3}
    assert (ROLES[0], ROLES[3]) == ("green space", "centre and commercial")
    np.testing.assert_array_equal(marks["green"][1], zones[:, names.index("park")])
    np.testing.assert_array_equal(marks["centre"][1], zones[:, names.index("centre")])


def test_areas_cover_their_share_of_a_cell():
    def frame(*boxes):
        return gpd.GeoDataFrame(geometry=[shapely.box(*box) for box in boxes], crs=27700)

    cells = frame((0, 0, 100, 100), (100, 0, 200, 100), (300, 0, 400, 100), (500, 0, 600, 100))
    areas = frame((50, 0, 150, 100), (150, 0, 175, 100), (290, -10, 410, 110))
    np.testing.assert_allclose(clustering.covered(cells, areas), [0.5, 0.75, 1.0, 0.0])


def test_agreement_is_with_other_seeds_and_with_other_methods():
    rng = np.random.default_rng(0)
    ours = rng.integers(0, 4, 400)
    at = {(m, s): rng.integers(0, 4, 400) for m in (*CLUSTERED, "untrained") for s in (0, 1, 2)}
    at |= {("calliper", 0): ours, ("calliper", 1): (ours + 1) % 4, ("hgi", 0): ours}
    table = clustering.alike(found_with(at, (0, 1, 2)))
    assert table.method.tolist() == ["calliper", "calliper", *CLUSTERED[:-1]]
    assert table.seed.tolist() == [1, 2, 0, 0, 0, 0, 0]
    found = dict(zip(zip(table.method, table.seed, strict=True), table.adjusted_rand, strict=True))
    assert found["calliper", 1] == 1, "another numbering is the same clustering"
    assert found["hgi", 0] == 1
    assert abs(found["calliper", 2]) < 0.05 and abs(found["sppe", 0]) < 0.05


def test_sizes_stand_beside_the_papers_where_they_are_known():
    labels = {"CaLLiPer": np.repeat([0, 1, 3], [5, 2, 1]), "TF-IDF": np.zeros(8, int)}
    table = clustering.sizes(labels)
    ours = table[table.method == "CaLLiPer"]
    assert ours.kind.tolist() == [*ROLES]
    assert ours.hexagons.tolist() == [5, 2, 0, 1]
    assert ours.published.tolist() == [3390, 1611, 6671, 3369]
    assert table[table.method == "TF-IDF"].published.isna().all()
    assert all(sum(numbers) == 15_041 for numbers in clustering.PUBLISHED.values()), "the paper's hexagons"


def test_colours_come_with_their_places(place):
    rng = np.random.default_rng(0)
    away = clustering.distance(place)
    rgb = clustering.colours(np.column_stack([away / 100, rng.normal(size=(len(away), 4))]), place)
    table = clustering.hues(rgb, place)
    assert list(table.columns) == ["x", "y", "r", "g", "b"]
    np.testing.assert_array_equal(table[["x", "y"]], place.hexagon_xy)
    np.testing.assert_array_equal(table[["r", "g", "b"]], rgb)
    assert rgb.min() == 0 and rgb.max() == 1
    assert np.corrcoef(rgb[:, 0], away)[0, 1] > 0.9, "the first component is the distance, and rises with it"
