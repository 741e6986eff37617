"""The city of a run: a stratified sample of POIs, texts with and without names, tasks, and whose data these are."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal

from tenfold import datasets
from tenfold.book import claims, verdict
from tenfold.datasets import london
from tenfold.papers.calliper import city

from .conftest import town_parameters

pytestmark = pytest.mark.xdist_group("calliper")


def city_of(**changes):
    return city.City(**city.plan(town_parameters(), **changes))


@pytest.fixture
def own_pois(tmp_path):
    """A reader's POIs: 40 cafes and 20 parks, every other one with a name."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"poi_class": ["cafes"] * 40 + ["parks"] * 20, "category": ["eating out"] * 40 + ["green"] * 20}
    )
    frame["name"] = [f"Place {number}" if number % 2 else "" for number in range(60)]
    xy = rng.uniform((520_000, 170_000), (540_000, 190_000), (60, 2))
    path = tmp_path / "own.csv"
    frame.assign(easting=xy[:, 0], northing=xy[:, 1]).to_csv(path, index=False)
    return str(path)


@pytest.fixture
def own_labels(tmp_path):
    path = tmp_path / "labels.csv"
    columns = {"label": ["b", "a", "b"], "easting": [530_000.0, 531_000.0, 520_000.0], "northing": 180_000.0}
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


# What a worker is told


def test_a_plan_is_all_that_a_worker_needs():
    values = city.plan(town_parameters(names=True))
    assert json.loads(json.dumps(values)) == values
    assert set(values) == {field.name for field in dataclasses.fields(city.City)}
    assert values["names"] is True
    assert city.plan(town_parameters(), source="auto", pois=7)["pois"] == 7


def test_one_process_builds_a_city_once(place):
    assert city.build(**city.plan(town_parameters())) is place


def test_the_same_plan_is_the_same_city(place):
    again = city_of()
    assert again is not place
    for layer in ("places", "census", "land_use", "hexagons"):
        assert_geodataframe_equal(getattr(again, layer), getattr(place, layer))


# The sample of POIs


@pytest.mark.parametrize("pois", [512, 900, 5000])
def test_every_class_keeps_its_share_to_one_poi(pois):
    everything = london.pois("simulated")
    expected = everything.poi_class.value_counts() * pois / len(everything)
    sample = city_of(pois=pois).places
    assert len(sample) == pois and sample.index.is_unique
    found = sample.poi_class.value_counts().reindex(expected.index, fill_value=0)
    assert (found - expected).abs().max() < 1, "chance alone would miss by several"
    assert_geodataframe_equal(sample, everything.loc[sample.index])


def test_the_seed_draws_other_pois_of_the_same_classes(place):
    other = city_of(seed=1).places
    counts = [table.poi_class.value_counts().sort_index() for table in (place.places, other)]
    pd.testing.assert_series_equal(*counts)
    common = len(other.index.intersection(place.places.index))
    assert common < 0.1 * len(other), "1.6 % of the POIs are drawn: hardly one comes twice"


def test_a_sample_covers_every_part_of_a_class(place):
    """The rows of a class are in the order of boroughs: the first of them alone would leave half of London out."""
    assert place.places.borough.nunique() == 33


@pytest.mark.parametrize("pois", [0, 10**6])
def test_all_pois_are_taken_where_all_are_asked_for(pois):
    assert_geodataframe_equal(city_of(pois=pois).places, london.pois("simulated"))


def test_numbers_stand_for_classes_texts_and_categories(place):
    table = place.places
    assert place.classes == sorted(set(table.poi_class))
    assert [place.classes[number] for number in place.poi_class] == table.poi_class.tolist()
    texts, index = place.texts
    assert len(set(texts)) == len(texts)
    assert [texts[number] for number in index] == table.text.tolist()
    assert list(place.kinds) == place.classes
    assert [place.kinds[name] for name in table.poi_class] == table.category.tolist()
    pairs = set(zip(place.category, place.kinds.values(), strict=True))
    assert len(pairs) == len(set(place.category)) == len(set(place.kinds.values()))
    np.testing.assert_array_equal(place.poi_xy, table.geometry.get_coordinates())


# Names


def test_names_go_into_the_texts_only_when_asked(own_pois):
    without, named = city_of(pois_file=own_pois), city_of(pois_file=own_pois, names=True)
    assert len(without.texts[0]) == 2, "one text a class"
    texts, index = named.texts
    assert len(texts) == 2 + 30, "the unnamed ones share theirs"
    for name, text in zip(named.places.name, np.array(texts)[index], strict=True):
        assert text.startswith(f"{name.lower()}, a place of ") if name else text.startswith("a place of ")
    plain, rows = without.texts
    assert all(long.endswith(short) for long, short in zip(np.array(texts)[index], np.array(plain)[rows], strict=True))


def test_unnamed_pois_are_told_alike_with_the_switch(place):
    texts, index = city_of(names=True).texts
    assert texts == place.texts[0]
    np.testing.assert_array_equal(index, place.texts[1])


# The areas and the tasks


def test_areas_are_drawn_from_the_census_and_keep_their_order(place):
    everything = london.ns_sec("simulated")
    rows = [everything.code.tolist().index(code) for code in place.census.code]
    assert len(rows) == 200 and rows == sorted(set(rows))
    assert place.census.code.tolist() != everything.code[:200].tolist()
    assert city_of(seed=1).census.code.tolist() != place.census.code.tolist()
    assert len(city_of(areas=0).census) == len(everything) == 4994


def test_polygons_go_row_by_row_with_the_areas(place):
    assert place.polygons.code.tolist() == place.census.code.tolist()
    assert shapely.covers(place.polygons.geometry.to_numpy(), place.census.geometry.to_numpy()).all()
    centres, shapes = place.regions
    assert len(centres) == len(shapes) == 4994
    assert shapely.covers(shapes.to_numpy(), shapely.points(centres)).all()


def test_the_tasks_are_those_of_the_tables(place):
    sdm, luc = place.tasks["sdm"], place.tasks["luc"]
    assert (sdm.kind, luc.kind) == ("distribution", "classes")
    assert sdm.target.shape == (200, 9) and len(sdm.classes) == 9
    np.testing.assert_allclose(sdm.target.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(sdm.target, place.census[[f"ns_sec_{k}" for k in range(1, 10)]])
    np.testing.assert_array_equal(sdm.xy, place.census.geometry.get_coordinates())
    assert [luc.classes[number] for number in luc.target] == place.land_use.label.tolist()
    np.testing.assert_array_equal(luc.xy, place.land_use.geometry.get_coordinates())
    for task in (sdm, luc):
        np.testing.assert_array_equal(task.boroughs, london.borough_of(task.xy, place.boroughs))


def test_a_coarser_grid_has_a_seventh_of_the_cells(place):
    finer = city_of(resolution=8)
    assert len(finer.hexagons) / len(place.hexagons) == pytest.approx(7, rel=0.02)
    np.testing.assert_array_equal(finer.hexagon_xy, finer.hexagons[["x", "y"]])


# Whose data these are


def test_a_simulated_city_says_so(place):
    assert not place.real
    assert place.note == city.SIMULATED
    assert place.own == set()
    assert place.data("places", "census", "hexagons")[0] == "london_simulation"
    assert place.data("places", "places") == place.data("places")
    assert set(place.data("hexagons")) == {"london_boroughs_simple"}


def test_a_readers_own_files_are_told_apart(own_pois, own_labels):
    pois, labels = city_of(pois_file=own_pois), city_of(land_use_file=own_labels)
    both = city_of(pois_file=own_pois, land_use_file=own_labels)
    assert pois.own == both.own == {"london_pois"}
    assert labels.own == set(), "two classes are not the ten of the paper"
    assert not both.real, "the census is still simulated"
    assert "simulated, but for the reader's own points of interest." in pois.note
    assert "own points of interest and labels of land use" in both.note
    assert both.data("places") == [own_pois] and both.data("land_use") == [own_labels]
    assert datasets.label(both.data("places")) == "Data: own.csv (real)"
    assert both.tasks["luc"].classes == ("a", "b") and both.tasks["luc"].target.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("classes", "official"), [(city.OFFICIAL, False), (city.OFFICIAL + 1, True)])
def test_pois_of_many_classes_count_as_the_papers(classes, official, tmp_path):
    path = tmp_path / "os.csv"
    columns = {"poi_class": [f"kind {k}" for k in range(classes)], "category": "shops"}
    pd.DataFrame(columns | {"easting": 530_000.0, "northing": 180_000.0}).to_csv(path, index=False)
    assert city_of(pois=0, pois_file=str(path)).own == {"london_pois"} | ({"os_pois"} if official else set())


@pytest.mark.mirror
def test_the_city_of_the_mirror_is_real(mirror):
    real = city_of(source="auto", areas=0)
    assert real.real
    assert "simulated" not in real.note
    assert len(real.census) == 4994 and len(real.hexagons) == 15_041
    assert {"london_pois", "london_ns_sec"} <= set(real.data("places", "census"))


@pytest.mark.mirror
def test_open_land_use_is_not_that_of_a_reader(mirror, own_labels):
    assert city_of(source="auto", land_use_points=50).own == {"open_land_use"}
    assert city_of(source="auto", land_use_file=own_labels).own == set()


# The ledger


def judged(claim, real):
    """Judge a claim on tables that hold no number at all: only what comes before the numbers is asked."""

    def tables(name):
        raise LookupError(name)

    try:
        return verdict.judge(claim, tables, "paper", real).reason
    except LookupError:
        return "judged"


def needing(*names):
    return {claim.id for claim in claims.load("calliper") if set(claim.needs) & set(names)}


def test_ten_land_uses_of_a_reader_count_as_the_papers(tmp_path):
    path = tmp_path / "ten.csv"
    east = 520_000.0 + 1000.0 * np.arange(20)
    pd.DataFrame({"label": [*"abcdefghij"] * 2, "easting": east, "northing": 180_000.0}).to_csv(path, index=False)
    assert city_of(land_use_file=str(path)).own == {"land_use_labels"}


def test_stand_ins_judge_no_claim_about_london(place):
    """Without real data only the simulated city and the identities can be judged."""
    real = {item.name for item in datasets.used() if item.kind in ("real", "mirror")} | place.own
    found = {claim.id for claim in claims.load("calliper") if judged(claim, real) == "judged"}
    assert found == {"W5-truth", "W6-identities"}


def test_own_files_open_the_claims_that_wait_for_them():
    open_data = {"london_ns_sec", "london_pois", "london_hexagons", "london_caz", "london_greenspace", "open_land_use"}

    def waiting(real):
        return {claim.id for claim in claims.load("calliper") if judged(claim, real) != "judged"}

    never = needing("satclip_weights", "singapore", "calliper_plus_comparison")
    assert len(never) == 3
    assert waiting(open_data) == never | needing("os_pois", "land_use_labels")
    assert waiting(open_data | {"land_use_labels"}) == never | needing("os_pois")
    assert waiting(open_data | {"land_use_labels", "os_pois"}) == never
    assert {"C2-kl", "C2-f1"} <= needing("os_pois")


def test_what_claims_need_is_a_data_set_or_a_readers_file():
    known = set(datasets.registry.datasets())
    own = {"os_pois", "land_use_labels", "open_land_use"}
    missing = {"satclip_weights", "singapore", "calliper_plus_comparison"}
    for claim in claims.load("calliper"):
        assert set(claim.needs) <= known | own | missing, claim.id
