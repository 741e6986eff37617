"""The text box and the map to zoom into: what they show, and that nothing waits for a person who is not there."""

import builtins
import sys

import geopandas as gpd
import pytest
import shapely
from matplotlib import pyplot
from matplotlib.figure import Figure

from tenfold.errors import InputError
from tenfold.papers.calliper import explore
from tenfold.urban.basemap import Context

SQUARES = gpd.GeoDataFrame(
    {"cosine": [0.1, -0.2, 0.3], "zone": ["park", "centre", "park"]},
    geometry=[shapely.box(x, 170_000, x + 9_000, 190_000) for x in (510_000, 520_000, 530_000)],
    crs=27700,
)
WHOLE = gpd.GeoDataFrame(geometry=[shapely.box(505_000, 160_000, 555_000, 199_000)], crs=27700)
GROUND = Context(WHOLE, WHOLE)


pytestmark = pytest.mark.usefixtures("house_style")


def search(query):
    return query, SQUARES.cosine.to_numpy() * len(query)


def test_a_text_is_drawn_and_told():
    figure, words = explore.picture("  a quiet\n park ", search, SQUARES, GROUND)
    assert isinstance(figure, Figure)
    assert words == "“a quiet park”: cosine −2.40 to 3.60, median 1.20"
    assert "“a quiet park”" in [text.get_text() for text in figure.texts]


def test_words_that_are_not_known_are_told():
    figure, words = explore.picture("tranquil", lambda query: ("quiet park", search(query)[1]), SQUARES, GROUND)
    assert words.startswith("no word of “tranquil” is known, the nearest is “quiet park”: cosine")
    assert "“quiet park”" in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("query", ["", "  \n"])
def test_no_text_is_refused_before_anything_is_asked(query):
    with pytest.raises(InputError, match="a few words"):
        explore.picture(query, None, SQUARES, GROUND)


def test_without_a_person_there_are_no_widgets(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert explore.search_box(search, SQUARES, GROUND, "parks", live=False) is None
    assert "“parks”: cosine" in capsys.readouterr().out
    assert pyplot.get_fignums() == []


def test_the_box_asks_with_the_readers_words(monkeypatch):
    import ipywidgets

    asked, boxes = [], []
    monkeypatch.setattr(explore, "_shown", lambda query, *rest: asked.append(query))
    monkeypatch.setattr("IPython.display.display", lambda *shown: boxes.extend(shown))
    explore.search_box(search, SQUARES, GROUND, "parks", live=True)
    (box,) = [item for item in boxes if isinstance(item, ipywidgets.Text)]
    box.value = "cafes"
    assert asked == ["parks", "cafes"]


def test_a_bad_text_in_the_box_is_one_line(capsys):
    explore._shown(" ", search, SQUARES, GROUND, "")
    assert capsys.readouterr().out.count("\n") == 1


def test_areas_answer_under_the_pointer():
    pytest.importorskip("folium")
    page = explore.explore_map(SQUARES, "cosine", live=True, tooltip=["zone"]).get_root().render()
    assert "openstreetmap" not in page.lower(), "no tiles"
    assert '"zone": "park"' in page and '"cosine": 0.3' in page


def test_nothing_is_built_for_nobody(capsys):
    assert explore.explore_map(SQUARES, "cosine", live=False) is None
    assert capsys.readouterr().out.count("\n") == 1


def test_without_folium_one_line_says_what_to_install(monkeypatch, capsys):
    real = builtins.__import__

    def absent(name, *rest):
        if name == "folium":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert explore.explore_map(SQUARES, "cosine", live=True) is None
    told = capsys.readouterr().out
    assert "extra 'maps'" in told and told.count("\n") == 1


@pytest.mark.parametrize("columns", [("cosin", []), ("cosine", ["zones"])])
def test_a_missing_column_is_named(columns):
    with pytest.raises(InputError, match=f"'{columns[1][0] if columns[1] else columns[0]}'"):
        explore.explore_map(SQUARES, columns[0], live=True, tooltip=columns[1])
