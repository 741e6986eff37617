"""A reader's own files: every format gives the same rows, and every fault one line that names file and row."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal

from tenfold.datasets import fingerprint, label, london, used
from tenfold.errors import InputError

XY = np.array([[530_020.0, 180_400.0], [515_000.5, 165_000.25], [549_000.0, 190_000.0]])
WORDS = {"poi_class": ["Cafes", "bus stops", "cafes"], "category": ["eating out", "Public Transport", "eating out"]}


def metres(**columns):
    return pd.DataFrame(WORDS | {"easting": XY[:, 0], "northing": XY[:, 1]} | columns)


def degrees(**columns):
    angles = london.to_degrees(XY)
    return pd.DataFrame(WORDS | {"longitude": angles[:, 0], "latitude": angles[:, 1]} | columns)


def points(crs, **columns):
    xy = XY if crs == 27700 else london.to_degrees(XY)
    return gpd.GeoDataFrame(WORDS | columns, geometry=shapely.points(xy), crs=crs)


def pointx(**columns):
    words = [
        "A place of Cafes, a type of Eating Out",
        "A place that sells Clothing, a type of Retail",
        "A place that produces Glass, a type of Manufacturing and Production",
    ]
    told = {"ref_no": [1, 2, 3], "name": ["Costa", None, "Smith"], "pointx_class": ["0102", "0946", "0737"]}
    places = {"feature_easting": XY[:, 0], "feature_northing": XY[:, 1], "description": words}
    return pd.DataFrame(told | places | columns)


def written(path, table):
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_file(path)
    return path


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("metres.csv", metres()),
        ("degrees.csv", degrees()),
        ("capitals.csv", metres().rename(columns=str.upper)),
        ("told.csv", metres(crs="EPSG:27700")),
        ("number.csv", degrees(crs=4326)),
        ("plain.parquet", metres()),
        ("points.parquet", points(27700)),
        ("points.geojson", points(4326)),
        ("points.gpkg", points(27700)),
        ("degrees.gpkg", points(4326)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_format_gives_the_same_rows(bare, tmp_path, name, table):
    found = london.pois(path=written(tmp_path / name, table))
    assert found.poi_class.tolist() == ["cafes", "bus stops", "cafes"]
    assert found.text[1] == "a place of bus stops, a type of public transport"
    assert found.borough.tolist() == london.borough_of(XY, london.boroughs()).tolist()
    assert set(found.source) == {name}
    np.testing.assert_allclose(found[["easting", "northing"]].to_numpy(), XY, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.geometry.get_coordinates().to_numpy(), XY, rtol=0, atol=0.01)
    assert (found.attrs["kind"], found.crs.to_epsg()) == ("real", 27700)


def test_pointx(bare, tmp_path):
    found = london.pois(path=written(tmp_path / "os.csv", pointx()))
    assert found.poi_class.tolist() == ["cafes", "clothing", "glass"]
    assert found.category.tolist() == ["eating out", "retail", "manufacturing and production"]
    assert found.text.tolist() == pointx().description.str.lower().tolist()
    assert found.name.tolist() == ["Costa", "", "Smith"]
    np.testing.assert_array_equal(found[["easting", "northing"]], XY)


def test_a_description_of_ones_own_is_the_text(bare, tmp_path):
    table = metres(name=["A", "", None], description=["Coffee by the river", None, ""])
    found = london.pois(path=written(tmp_path / "own.csv", table))
    assert found.text.tolist() == [
        "coffee by the river",
        "a place of bus stops, a type of public transport",
        "a place of cafes, a type of eating out",
    ]
    assert found.name.tolist() == ["A", "", ""]


def test_own_files_are_told_and_found_again(bare, tmp_path):
    path = written(tmp_path / "own.csv", metres())
    found = london.pois(path=str(path))
    assert label([found.attrs["dataset"]]) == "Data: own.csv (real)"
    assert all(fingerprint(item.name) == item.fingerprint for item in used())
    assert_geodataframe_equal(found, london.pois("simulated", path=path))


def changed(table, row, **cells):
    table = table.astype(object)
    for column, value in cells.items():
        table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (metres().drop(columns="category"), "no column category"),
        (metres().drop(columns="northing"), "no columns easting and northing"),
        (changed(metres(), 1, poi_class=None), "row 2: poi_class is empty"),
        (changed(metres(), 2, category="  "), "row 3: category is empty"),
        (changed(metres(), 1, easting=None), "row 2: easting is no number"),
        (changed(metres(), 0, northing="here\nthere"), "row 1: northing is no number"),
        (changed(metres(), 2, easting=np.inf), "row 3: easting is no number"),
        (changed(metres(), 2, easting=430_000), r"row 3: \(430000, 190000\) lies outside the frame"),
        (changed(metres(), 0, easting=180_400, northing=530_020), "row 1: .* outside the frame"),
        (changed(degrees(), 1, longitude=51.5, latitude=-0.1), "row 2: .* outside the frame"),
        (changed(metres(), 1, easting=-0.12, northing=51.5), "row 2: .* degrees where metres belong"),
        (changed(degrees(), 2, longitude=530_000, latitude=180_000), "row 3: .* metres where degrees belong"),
        (metres(crs=["EPSG:27700", "EPSG:27700", "EPSG:4326"]), "row 3: crs is EPSG:4326, but EPSG:27700 in row 1"),
        (metres(crs="EPSG:4326"), "crs is EPSG:4326, which does not go with easting and northing"),
        (metres(crs="EPSG:3857"), "crs is EPSG:3857"),
        (pointx().drop(columns="feature_northing"), "no column feature_northing; a PointX file has"),
        (changed(pointx(), 1, description="Shop"), "row 2: description is no 'A place of"),
        (changed(pointx(), 1, feature_easting=None), "row 2: easting is no number"),
        (metres(Easting=1.0), "the column easting occurs twice"),
        (metres().iloc[:0], "has no rows"),
    ],
)
def test_a_fault_is_one_line_that_names_it(bare, tmp_path, table, words):
    path = written(tmp_path / "own.csv", table)
    with pytest.raises(InputError, match=words) as caught:
        london.pois(path=path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def spoilt(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "no.geojson").write_text('{"type": "Feature')
    (tmp_path / "own.xlsx").touch()
    written(tmp_path / "web.gpkg", points(27700).to_crs(3857))
    written(tmp_path / "areas.gpkg", points(27700).assign(geometry=shapely.buffer(shapely.points(XY), 10)))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.csv", "no file"),
        ("empty.csv", "cannot be read"),
        ("no.parquet", "cannot be read"),
        ("no.geojson", "cannot be read"),
        ("own.xlsx", "not as '.xlsx'"),
        ("web.gpkg", "not in EPSG:3857"),
        ("areas.gpkg", "row 1: is no point"),
    ],
)
def test_a_file_that_is_no_table_of_points(bare, tmp_path, name, words):
    spoilt(tmp_path)
    with pytest.raises(InputError, match=words) as caught:
        london.pois(path=tmp_path / name)
    assert "\n" not in str(caught.value)
    assert used() == []


@pytest.mark.parametrize("column", ["label", "landuse", "Land_Use"])
def test_labels(bare, tmp_path, column):
    labels = ["High street", "Park", "Park"]
    found = london.land_use(path=written(tmp_path / "labels.geojson", points(27700, **{column: labels})))
    assert found.label.tolist() == labels
    assert list(found.columns) == ["label", "borough", "geometry"]
    assert found.attrs["task"] == "the labels of labels.geojson"
    assert found.attrs["kind"] == "real"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (points(27700), "no column label, landuse or land_use"),
        (points(27700, label=["a", None, "b"]), "row 2: label is empty"),
    ],
)
def test_faulty_labels(bare, tmp_path, table, words):
    with pytest.raises(InputError, match=words):
        london.land_use(path=written(tmp_path / "labels.gpkg", table))
