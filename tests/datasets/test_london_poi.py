"""The table of open POIs: every trap of its files, doubles, wording, the copy on disk, and what stands in for it."""

import numpy as np
import pandas as pd
import pytest
from geopandas.testing import assert_geodataframe_equal

from tenfold import project
from tenfold.datasets import Resolution, fingerprint, london, used
from tenfold.datasets.london import embedded, layers, poi
from tenfold.datasets.london.doubles import mutual, without_doubles
from tenfold.datasets.london.figures import NS_SEC_FILE, POI_FILE, poi_figures
from tenfold.datasets.london.frame import inside, to_degrees
from tenfold.datasets.london.wording import CATEGORIES, describe


def rows(*places, source="one.csv", poi_class="cafes"):
    """Return POI rows from (easting, northing, name)."""
    table = pd.DataFrame(places, columns=["easting", "northing", "name"]).astype({"easting": float, "northing": float})
    return table.assign(source=source, poi_class=poi_class, licence="CC0")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("bus stops", "public transport"), "a place of bus stops, a type of public transport"),
        (("Clothing", "retail"), "a place that sells clothing, a type of retail"),
        (
            ("Glass", "Manufacturing and Production"),
            "a place that produces glass, a type of manufacturing and production",
        ),
        (("pubs", "nightlife", "The Swan"), "the swan, a place of pubs, a type of nightlife"),
    ],
)
def test_describe(words, text):
    assert describe(*words) == text


def test_repeated_rows_are_dropped_and_neighbours_stay():
    table = rows((0, 0, "a"), (0.2, 0.1, "a"), (0, 0, "b"), (5, 0, "a"))
    assert without_doubles(table).index.tolist() == [0, 2, 3]
    other = pd.concat([rows((0, 0, "a")), rows((0, 0, "a"), poi_class="bars")], ignore_index=True)
    assert len(without_doubles(other)) == 2


def test_a_place_of_two_files_stays_in_the_first():
    first = rows((0, 0, "Costa"), (1000, 0, "Woburn"))
    second = rows((5, 0, ""), (12, 0, ""), (1030, 0, ""), (3000, 0, ""), source="two.csv")
    kept = without_doubles(pd.concat([first, second], ignore_index=True))
    # 5 m away: the same cafe; 12 m: its neighbour, for Costa has its partner; 30 m: another cafe.
    assert kept.easting.tolist() == [0, 1000, 12, 1030, 3000]


@pytest.mark.parametrize("distance", [0.5, 2.0, 10.0])
def test_partners_are_one_to_one_and_near(distance):
    rng = np.random.default_rng(5)
    first, second = rng.uniform(0, 30, (80, 2)), rng.uniform(0, 30, (60, 2))
    double = mutual(first, second, distance)
    away = np.hypot(*(second[:, None] - first[None]).transpose(2, 0, 1))
    pairs = (away == away.min(axis=0)) & (away == away.min(axis=1, keepdims=True)) & (away <= distance)
    np.testing.assert_array_equal(double, pairs.any(axis=1))
    assert double.any()


def test_missing_eastings_come_from_the_angles():
    """The angles of these files lack the datum shift, as 113 m and -54 m between both pairs of columns show."""
    true = np.array([[530_000.0, 180_000.0], [515_000.0, 165_000.0], [550_000.0, 190_000.0]])
    angles = to_degrees(true + layers.DATUM_SHIFT)
    table = pd.DataFrame({"easting": true[:, 0], "northing": true[:, 1]}).assign(
        longitude=angles[:, 0], latitude=angles[:, 1]
    )
    table.loc[1, "easting"] = np.nan
    table.loc[2, ["easting", "northing"]] = np.nan
    np.testing.assert_allclose(layers.surveyed(table), true, rtol=0, atol=0.01)


@pytest.fixture
def shelf(tmp_path):
    """A folder of small files, as a resolution."""

    def place(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name.replace('_', '-')}.csv").write_text(text)
        return Resolution("small", "mirror", tmp_path, "00", "small files")

    return place


def test_bus_stops_without_virtual_ones_and_empty_lines(shelf):
    header = "Stop_Code_LBSL,Bus_Stop_Code,Naptan_Atco,Stop_Name,Location_Easting,Location_Northing,Heading,Stop_Area"
    lines = [
        "1,91,4900A,WESTMINSTER STN <> / PARLIAMENT SQUARE,530171,179738,177,0K08,0",
        "",
        "2,NONE,,ORPINGTON BUS STATION #,545000,165000,,RM09,0",
        "3,93,4900B,NEVER BUILT,530000,180000,90,0K08,1",
    ]
    stops = layers.bus_stops(shelf(bus_stops="\n".join([header + ",Virtual_Bus_Stop", *lines, ""])))
    assert stops.name.tolist() == ["Westminster Stn / Parliament Square", "Orpington Bus Station"]
    assert stops[["easting", "northing"]].to_numpy().tolist() == [[530171, 179738], [545000, 165000]]
    assert set(stops.licence) == {"TfL open data licence"}


def test_openstreetmap_without_pubs_and_strays(tmp_path):
    text = "lat,lon,category\n51.5,-0.1,cafe\n51.5,-0.1,pub\n51.5,-0.1,pharmacy\n51.6,-0.2,bakery\n"
    (tmp_path / "osm_london_pois.csv").write_text(text)
    table = layers.openstreetmap(Resolution("small", "mirror", tmp_path, "00", "small files"))
    assert table.poi_class.tolist() == ["cafes", "bakeries"]
    assert (table.name == "").all()
    angles = to_degrees(table[["easting", "northing"]].to_numpy())
    np.testing.assert_allclose(angles, [[-0.1, 51.5], [-0.2, 51.6]], rtol=0, atol=1e-6)


def test_simulated_pois_keep_the_borough_figures(bare):
    table, figures = london.pois(), poi_figures()
    assert list(table.columns) == [*poi.COLUMNS, "geometry"]
    codes = table.borough.map(london.boroughs().set_index("name").code)
    counts = pd.crosstab(codes, table.poi_class).reindex(columns=list(figures.categories), fill_value=0)
    np.testing.assert_array_equal(counts, figures.counts.set_index("code").loc[counts.index, counts.columns])
    assert (table.text == [describe(*pair) for pair in zip(table.poi_class, table.category, strict=True)]).all()
    assert (london.borough_of(table[["easting", "northing"]].to_numpy(), london.boroughs()) == table.borough).all()
    assert all(fingerprint(item.name) == item.fingerprint for item in used() if item.source != "synthetic")


def test_figures_know_every_class(bare):
    figures = poi_figures()
    assert figures.categories == CATEGORIES
    assert set(figures.licences.values()) == {layers.ODBL, layers.OGL, layers.TFL}
    assert figures.counts.shape == (33, 1 + len(CATEGORIES))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache for the tests of this file alone, so that the reader's own is neither read nor written."""
    if project.mirror() is None:
        pytest.skip("no mirror of real data here: set TENFOLD_MIRROR")
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENFOLD_CACHE", str(folder))
        yield folder / "london"


@pytest.fixture(scope="module")
def table(cache):
    return london.pois()


@pytest.mark.mirror
def test_the_copy_on_disk_equals_the_fresh_table(cache, table):
    path = next(cache.iterdir())
    written = path.stat().st_mtime_ns
    again = london.pois()
    assert path.stat().st_mtime_ns == written
    assert_geodataframe_equal(table, again, check_column_type="exact")
    assert table.attrs == again.attrs


@pytest.mark.mirror
def test_a_broken_copy_is_made_again(cache, table):
    path = next(cache.iterdir())
    path.write_bytes(path.read_bytes()[:1000])
    assert_geodataframe_equal(table, london.pois())
    assert [item.name for item in cache.iterdir()] == [path.name]


@pytest.mark.mirror
def test_another_wording_is_another_copy(cache, monkeypatch, tmp_path):
    """The name of the copy follows the text of the modules that make it."""
    found = [Resolution(name, "mirror", cache, "00", name) for name in poi.DATA]
    before = poi._key(found)
    other = tmp_path / "wording.py"
    other.write_text("CATEGORIES = {}")
    monkeypatch.setattr(poi.wording, "__file__", str(other))
    assert poi._key(found) != before


@pytest.mark.mirror
def test_real_table(table):
    xy = table[["easting", "northing"]].to_numpy()
    assert 55_000 < len(table) < 60_000
    assert inside(xy).all()
    assert set(table.poi_class) == set(CATEGORIES)
    assert (table.category == table.poi_class.map(CATEGORIES)).all()
    assert (table.text == table.text.str.lower()).all()
    assert not table.isna().any(axis=None)
    assert table.groupby("poi_class").licence.nunique().max() == 1
    order = table.sort_values(["poi_class", "easting", "northing", "name"]).index
    assert order.tolist() == list(range(len(table)))
    assert (table.name != "").mean() > 0.5


@pytest.mark.mirror
def test_real_numbers(table):
    """About 60,000, less those beyond the borders; the entropy is that of few, uneven classes."""
    count = table.poi_class.value_counts()
    assert count["bus stops"] == pytest.approx(17_830, abs=10)
    assert count["pubs"] == 4098
    assert count["public parks"] == 989
    assert count["cafes"] == pytest.approx(6_677, abs=20)
    share = count / count.sum()
    assert -(share * np.log(share)).sum() == pytest.approx(2.219, abs=0.005)


@pytest.mark.mirror
def test_theatres_and_museums_stand_where_they_are(table):
    """Well-known houses within 150 m of themselves, after the wrong datum shifts of the files are undone.

    Longitude and latitude by hand; the files are off by 125, 249 and 374 m in the same direction each time.
    """
    known = {
        "Victoria Palace": (-0.1427, 51.4966),
        "Churchill Theatre": (0.0143, 51.4037),
        "Tate Modern": (-0.0994, 51.5076),
        "Florence Nightingale Museum": (-0.1177, 51.5001),
        "British Library": (-0.1277, 51.5300),
        "100 Club": (-0.1352, 51.5161),
    }
    table = table[table.category.isin(["performing arts", "museums and libraries"])]
    errors = []
    for name, angles in known.items():
        found = table[table.name == name][["easting", "northing"]].to_numpy()
        assert len(found) == 1, name
        errors.append((found - london.to_metres([angles]))[0])
    assert np.abs(np.median(errors, axis=0)).max() < 25
    assert np.hypot(*np.transpose(errors)).max() < 150


@pytest.mark.mirror
def test_every_borough_is_the_one_that_holds_the_place(table):
    boroughs = london.boroughs().set_index("name").geometry
    for name, places in table[::7].groupby("borough"):
        # The tidal river belongs to no borough, whose outlines end at high water.
        assert places.distance(boroughs[name]).max() < 500
        assert (places.distance(boroughs[name]) == 0).mean() > 0.98


@pytest.mark.mirror
def test_embedded_figures_can_be_made_again(cache):
    folder = project.root() / "data" / "embedded"
    made = embedded.made()
    assert set(made) == {NS_SEC_FILE, POI_FILE}
    for name, text in made.items():
        assert (folder / name).read_bytes() == text.encode()
