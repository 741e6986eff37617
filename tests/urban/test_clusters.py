"""Clusters, their names by rule, elbow and silhouette, colours: known cities, invariances, seeds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score

from tenfold.errors import InputError
from tenfold.urban.clusters import (
    ROLES,
    agreement,
    cluster,
    elbow,
    principal_colours,
    relabel,
    silhouettes,
)
from tenfold.urban.themes import THEMES, themes

CELLS = 400
TEXTS = (
    "a place of public parks, a type of green space",
    "a place of factories, a type of industry",
    "a place of bus stops, a type of public transport",
    "a place of primary schools, a type of education",
    "a place of convenience stores, a type of food shops",
    "a place of restaurants, a type of eating out",
    "a place of theatres, a type of performing arts",
    "a place of gatehouses, a type of gatehouses",
)
# POIs of each text around a cell of each role, and how far out it lies in m.
MIX = np.array(
    [
        [3, 0, 2, 1, 0, 0, 0, 1],
        [0, 6, 8, 1, 1, 2, 0, 1],
        [2, 1, 9, 9, 9, 4, 0, 1],
        [3, 1, 9, 3, 6, 60, 9, 1],
    ]
)
FAR = np.array([16_000, 14_000, 12_000, 4_000])


@pytest.fixture
def city():
    """The true role of each cell, the POIs around it, its distance to the centre."""
    rng = np.random.default_rng(0)
    role = rng.integers(0, 4, CELLS)
    return role, rng.poisson(MIX[role]), rng.normal(FAR[role], 1500)


def blobs(k=4, spread=0.1, seed=0, cells=CELLS, width=8):
    """Embeddings about k directions, of any length, and the number of the direction of each."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, k, cells)
    rows = np.eye(width)[which] + spread * rng.normal(size=(cells, width))
    return rows * rng.uniform(0.5, 20, (cells, 1)), which


def test_directions_are_clustered_whatever_their_lengths():
    rows, which = blobs()
    assert agreement(cluster(rows), which) == 1
    assert np.array_equal(cluster(rows), cluster(7 * rows))


def test_clusters_follow_the_seed_alone():
    rows = np.random.default_rng(0).normal(size=(CELLS, 8))
    first = cluster(rows, seed=1)
    assert np.array_equal(first, cluster(rows, seed=1))
    assert np.array_equal(np.unique(first), np.arange(4))
    assert not np.array_equal(first, cluster(rows, seed=2))


def test_an_empty_cell_does_not_stop_the_clusters():
    rows, which = blobs()
    rows[3] = 0
    assert agreement(np.delete(cluster(rows), 3), np.delete(which, 3)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_rule_names_the_true_roles_whatever_order_the_clusters_come_in(city, seed):
    role, counts, distance = city
    names = np.random.default_rng(seed).permutation([7, 1, 30, 4])
    naming = relabel(names[role], counts, TEXTS, distance)
    assert np.array_equal(naming.labels, role)
    assert naming.evidence.index.tolist() == list(ROLES)
    assert naming.evidence["cluster"].tolist() == names.tolist()
    assert naming.evidence["cells"].tolist() == np.bincount(role).tolist()
    assert (naming.evidence["margin"] > 0).all()


def test_the_evidence_is_what_it_says(city):
    role, counts, distance = city
    evidence = relabel(role, counts, TEXTS, distance).evidence
    found, total = themes(TEXTS), counts.sum(axis=0)
    assert found == ["green", "infrastructure", "infrastructure", "homes", "homes", "centre", "centre", None]
    themed = np.array([name is not None for name in found])
    for number, name in enumerate(ROLES):
        here = counts[role == number]
        assert evidence.loc[name, "density"] == pytest.approx(here.sum(axis=1).mean())
        assert evidence.loc[name, "distance"] == pytest.approx(distance[role == number].mean())
        for theme in THEMES:
            mask = np.array([other == theme for other in found])
            lift = here[:, mask].sum() / here[:, themed].sum() / (total[mask].sum() / total[themed].sum())
            assert evidence.loc[name, theme] == pytest.approx(lift, rel=0.03, abs=0.01)


def test_the_names_are_the_best_of_all_24():
    """The sum of scores, and the margin of each role, by trying every assignment."""
    from itertools import permutations

    from tenfold.urban.clusters import _assigned

    scores = np.random.default_rng(0).normal(size=(4, 4))
    totals = {order: sum(scores[j, i] for i, j in enumerate(order)) for order in permutations(range(4))}
    order, margins = _assigned(scores)
    best = max(totals, key=totals.get)
    assert tuple(order) == best
    for i in range(4):
        rest = max(value for other, value in totals.items() if other[i] != best[i])
        assert margins[i] == pytest.approx(totals[best] - rest)


def test_a_city_without_industry_in_its_texts_is_still_named(city):
    role, counts, distance = city
    kept = [0, 3, 4, 5, 6, 7]
    naming = relabel(role, counts[:, kept], [TEXTS[i] for i in kept], distance)
    assert (naming.evidence["infrastructure"] == 1).all()
    assert np.array_equal(np.unique(naming.labels), np.arange(4))
    assert np.array_equal(naming.labels == 3, role == 3)


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ("public parks", "green"),
        ("car parks", "infrastructure"),
        ("a place of business parks, a type of property", "infrastructure"),
        ("a place that sells garden furniture, a type of retail", "centre"),
        ("a place that produces furniture, a type of manufacturing and production", "infrastructure"),
        ("a place of stationery, a type of retail", "centre"),
        ("railway stations", "infrastructure"),
        ("bus stops", "infrastructure"),
        ("business services", None),
        ("Barbers", None),
        ("bars", "centre"),
        ("primary schools", "homes"),
    ],
)
def test_words_tell_themes(text, theme):
    assert themes([text]) == [theme]


def test_bad_input_of_the_rule_is_refused(city):
    role, counts, distance = city
    with pytest.raises(InputError, match="names 4 clusters, not 3"):
        relabel(role % 3, counts, TEXTS, distance)
    with pytest.raises(InputError, match="do not fit 400 cells"):
        relabel(role, counts[:, 1:], TEXTS, distance)
    with pytest.raises(InputError, match="no POI text names a theme"):
        relabel(role, counts, ["x"] * 8, distance)


def test_the_elbow_falls_to_the_sum_of_squares_within_the_true_clusters():
    rows, which = blobs(3, spread=0.02)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    inertia = elbow(rows, range(1, 6))
    assert inertia[0] == pytest.approx(((rows - rows.mean(0)) ** 2).sum(), rel=1e-9)
    within = sum(((rows[which == j] - rows[which == j].mean(0)) ** 2).sum() for j in range(3))
    assert inertia[2] == pytest.approx(within, rel=1e-9)
    assert (np.diff(inertia) < 0).all()


def test_the_silhouette_is_highest_at_the_true_number_and_equals_scikit_learn():
    rows, which = blobs(3, spread=0.05)
    found = silhouettes(rows / np.linalg.norm(rows, axis=1, keepdims=True), range(2, 6))
    assert found.argmax() == 1
    assert found[1] == pytest.approx(silhouette_score(rows, which, metric="cosine"), rel=1e-9)


def test_the_silhouette_of_a_sample_is_near_that_of_all_and_seeded():
    rows, _ = blobs(3, spread=0.3, cells=1200)
    sampled = silhouettes(rows, [3], sample=400)
    assert sampled == pytest.approx(silhouettes(rows, [3]), abs=0.05)
    assert np.array_equal(sampled, silhouettes(rows, [3], sample=400))
    assert not np.array_equal(sampled, silhouettes(rows, [3], sample=400, seed=1))
    with pytest.raises(InputError, match="two clusters"):
        silhouettes(rows, [1, 2])


def test_colours_are_the_stretched_components_with_their_sign_fixed():
    rng = np.random.default_rng(0)
    parts = rng.uniform(-1, 1, (CELLS, 3)) * [9, 4, 1]
    distance = parts @ [1.0, 1.0, 1.0]
    turned = parts @ np.linalg.qr(rng.normal(size=(5, 5)))[0][:3]
    colours = principal_colours(turned, distance)
    assert colours.shape == (CELLS, 3)
    for column in range(3):
        assert np.corrcoef(colours[:, column], parts[:, column])[0, 1] > 0.97
        assert np.mean(colours[:, column] == 0) == pytest.approx(0.02, abs=0.005)
        assert np.mean(colours[:, column] == 1) == pytest.approx(0.02, abs=0.005)
    # No turn or mirror image of the embedding changes a colour.
    np.testing.assert_allclose(principal_colours(-turned, distance), colours, atol=1e-9)
    assert np.corrcoef(principal_colours(turned, -distance)[:, 0], colours[:, 0])[0, 1] < -0.97


def test_colours_of_bad_input_are_refused():
    with pytest.raises(InputError, match="colours need"):
        principal_colours(np.ones((5, 2)), np.ones(5))
    with pytest.raises(InputError, match="row 1 of the embeddings"):
        cluster(np.where(np.arange(12).reshape(6, 2) == 3, np.nan, 1.0))


def test_agreement_ignores_names_and_chance_scores_zero():
    one = np.random.default_rng(0).integers(0, 4, 2000)
    other = np.random.default_rng(1).integers(0, 4, 2000)
    assert agreement(one, (one + 1) % 4) == 1
    assert abs(agreement(one, other)) < 0.01
    with pytest.raises(InputError, match="cannot agree"):
        agreement(one, other[1:])


@pytest.mark.mirror
def test_what_stands_around_the_hexagons_is_named_sensibly(mirror):
    """Clusters of TF-IDF within 800 m: the centre is dense and inmost, green is emptiest and holds the parks."""
    from tenfold.datasets import london
    from tenfold.urban.surroundings import class_counts, tf_idf

    pois, cells = london.pois(), london.hexagons()[["x", "y"]].to_numpy()
    classes, index = np.unique(pois["text"], return_inverse=True)
    counts = class_counts(pois[["easting", "northing"]].to_numpy(), index, len(classes), cells, 800.0)
    distance = np.hypot(*(cells - [530_034, 180_381]).T)
    evidence = relabel(cluster(tf_idf(counts)), counts, list(classes), distance).evidence
    assert isinstance(evidence, pd.DataFrame)
    assert evidence["density"].idxmax() == evidence["distance"].idxmin() == "centre and commercial"
    assert evidence["density"].idxmin() == evidence["green"].idxmax() == "green space"
    assert evidence["homes"].idxmax() == "residential"
    assert evidence["infrastructure"].idxmax() == "industry and infrastructure"
