"""NS-SeC shares: the official rows and split of the paper, borough figures, and the simulated census."""

import numpy as np
import pytest
from scipy.special import rel_entr
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor

from tenfold.datasets import label, london
from tenfold.datasets.london.figures import SHARES, ns_sec_figures


def shares(frame):
    return frame[[*SHARES]].to_numpy()


def places(frame):
    return frame.geometry.get_coordinates().to_numpy()


def kl(target, predicted):
    return rel_entr(target, predicted).sum(axis=1).mean()


@pytest.fixture(scope="module")
def split():
    """The paper's split: 20 % test, then 10 % of the rest for validation, both with seed 42."""
    rest, test = train_test_split(np.arange(4994), test_size=0.2, random_state=42)
    train, validation = train_test_split(rest, test_size=0.1, random_state=42)
    return train, validation, test


@pytest.mark.mirror
def test_rows_and_shares(mirror):
    """4,994 rows whose shares sum to 1."""
    table = london.ns_sec()
    assert len(table) == table.code.nunique() == 4994
    assert np.abs(shares(table).sum(axis=1) - 1).max() < 1e-12
    assert (shares(table) >= 0).all()
    assert table.crs.to_epsg() == 27700
    assert table.borough.nunique() == 33
    # Whole persons behind the shares, fewer than live there: children and unknown classes are not among them.
    persons = shares(table) * table.residents.to_numpy()[:, None]
    np.testing.assert_allclose(persons, persons.round(), rtol=0, atol=1e-9)
    assert table.residents.sum() == 7_103_931


@pytest.mark.mirror
def test_official_split(mirror, split):
    """Sizes, first codes, and the two reference errors, all of which depend on the order of the rows."""
    table = london.ns_sec()
    train, validation, test = split
    assert (len(train), len(validation), len(test)) == (3595, 400, 999)
    assert table.code.iloc[test[:2]].tolist() == ["E01033920", "E01003810"]
    y, xy = shares(table), places(table)
    assert kl(y[test], y[train].mean(axis=0)) == pytest.approx(0.07393, abs=5e-6)
    nearest = KNeighborsRegressor(10, weights="distance").fit(xy[train], y[train])
    assert kl(y[test], nearest.predict(xy[test])) == pytest.approx(0.02883, abs=5e-6)


@pytest.mark.mirror
def test_areas_go_with_their_centres(mirror):
    """Every code joins, row by row; a weighted centre lies in its area or at most beside it."""
    points, areas = london.ns_sec(), london.lsoas()
    for column in ("code", "name", "borough"):
        assert points[column].tolist() == areas[column].tolist()
    assert areas.is_valid.all()
    assert areas.crs.to_epsg() == 27700
    away = points.geometry.distance(areas.geometry, align=False)
    assert away.max() < 100
    assert (away == 0).mean() > 0.99
    assert (london.borough_of(places(points), london.boroughs()) == points.borough).mean() > 0.999


@pytest.mark.mirror
def test_embedded_figures_are_those_of_the_census(mirror):
    table, figures = london.ns_sec(), ns_sec_figures().set_index("name")
    for borough, rows in table.groupby("borough"):
        assert len(rows) == figures.lsoas[borough]
        assert rows.residents.sum() == figures.residents[borough]
        mean = np.average(shares(rows), axis=0, weights=rows.residents)
        np.testing.assert_allclose(mean, figures.loc[borough, [*SHARES]].to_numpy(float), rtol=0, atol=1e-12)


def test_embedded_figures(bare):
    figures = ns_sec_figures()
    assert len(figures) == figures.code.nunique() == 33
    assert figures.lsoas.sum() == 4994
    assert np.abs(shares(figures).sum(axis=1) - 1).max() < 1e-12


def test_simulated_census_keeps_the_borough_figures(bare):
    points, areas = london.ns_sec(), london.lsoas()
    assert list(points.columns) == ["code", "name", "borough", *SHARES, "residents", "geometry"]
    assert list(areas.columns) == ["code", "name", "borough", "geometry"]
    assert points.code.tolist() == areas.code.tolist()
    figures = ns_sec_figures().set_index("name")
    for borough, rows in points.groupby("borough"):
        assert len(rows) == figures.lsoas[borough]
        mean = np.average(shares(rows), axis=0, weights=rows.residents)
        np.testing.assert_allclose(mean, figures.loc[borough, [*SHARES]].to_numpy(float), rtol=0, atol=1e-9)


def test_a_figure_says_what_is_simulated_and_what_is_not(bare):
    points = london.ns_sec()
    assert points.attrs["kind"] == "synthetic"
    assert label([points.attrs["dataset"]]) == "Data: simulated below the boroughs (synthetic)"
    assert label(points.attrs["datasets"]).endswith("borough figures (embedded)")
