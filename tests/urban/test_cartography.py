"""Layers on paper: holes stay holes, every row its colour, pixels of the nearest place; river and furniture."""

import io

import geopandas as gpd
import matplotlib
import numpy as np
import pytest
import shapely
from matplotlib import pyplot
from matplotlib.path import Path
from scipy.spatial import cKDTree

from tenfold.errors import InputError
from tenfold.urban.basemap import Context, river
from tenfold.urban.cartography import Lines, Mosaic, Polygons, paths, points
from tenfold.urban.furniture import ATTRIBUTION, attribution, frame, key, mark, north_arrow, ramp, scale_bar, wrapped

RING = shapely.Polygon(
    [(0, 0), (40, 0), (40, 40), (0, 40)], holes=[[(10, 10), (30, 10), (30, 30), (10, 30)]]
)  # 1,600 - 400
ISLANDS = shapely.MultiPolygon([shapely.box(60, 0, 80, 20), shapely.box(60, 60, 80, 80)])
RED, BLUE, WHITE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)


@pytest.fixture(autouse=True)
def canvas():
    with matplotlib.rc_context():
        matplotlib.use("Agg")
        yield
    pyplot.close("all")


@pytest.fixture
def axes():
    """A map of 100 by 100 metres, a pixel for each metre."""
    figure = pyplot.figure(figsize=(1, 1), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    frame(axes, (0, 0, 100, 100))
    return axes


def pixel(axes, x, y):
    axes.figure.canvas.draw()
    image = np.asarray(axes.figure.canvas.buffer_rgba())
    return tuple(image[99 - y, x, :3] / 255)


def area(path):
    """The area inside a compound path: shells count one way, holes the other."""
    ends = np.flatnonzero(path.codes == Path.CLOSEPOLY)
    rings = np.split(path.vertices, ends[:-1] + 1)
    return abs(sum(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2 for x, y in (ring.T for ring in rings)))


@pytest.mark.parametrize("turn", [1, -1])
def test_paths_have_the_area_of_their_polygons_in_order(turn):
    """However the rings were wound."""
    shell, hole = RING.exterior.coords[::turn], RING.interiors[0].coords[::turn]
    shapes = [shapely.Polygon(shell, [hole]), ISLANDS, shapely.Point(5, 5).buffer(3)]
    assert [area(path) for path in paths(shapes)] == pytest.approx([shape.area for shape in shapes])


def test_a_hole_shows_what_is_below_and_an_island_has_its_rows_colour(axes):
    Polygons([RING, ISLANDS]).draw(axes, np.array([RED, BLUE]))
    assert pixel(axes, 5, 20) == RED
    assert pixel(axes, 20, 20) == WHITE
    assert pixel(axes, 70, 10) == pixel(axes, 70, 70) == BLUE
    assert pixel(axes, 50, 50) == WHITE


def test_what_lies_outside_the_clip_is_not_painted(axes):
    clip = paths([shapely.box(0, 0, 20, 100)])[0]
    Polygons([shapely.box(0, 0, 100, 100)]).draw(axes, "red", clip=clip)
    assert pixel(axes, 10, 50) == RED
    assert pixel(axes, 60, 50) == WHITE


@pytest.mark.parametrize("wrong", [shapely.Point(0, 0), shapely.Polygon(), shapely.LineString([(0, 0), (1, 1)]), None])
def test_a_row_without_a_polygon_is_refused_by_its_number(wrong):
    with pytest.raises(InputError, match="row 1 of 2"):
        Polygons([RING, wrong])


def test_colours_must_fit_the_polygons(axes):
    with pytest.raises(InputError, match="3 colours for 1 polygons"):
        Polygons([RING]).draw(axes, np.zeros((3, 3)))


def test_many_polygons_are_pixels_in_a_vector_file(axes):
    """The file holds one picture, however many polygons; lines stay lines."""
    squares = [shapely.box(x, y, x + 1, y + 1) for x in range(30) for y in range(30)]
    Polygons(squares).draw(axes, np.random.default_rng(0).random((900, 3)))
    Lines([RING]).draw(axes, "black", 1.0)
    file = io.StringIO()
    axes.figure.savefig(file, format="svg")
    assert file.getvalue().count("<image") == 1
    assert file.getvalue().count("<path") < 10


def test_lines_are_one_path_with_a_start_for_each_part():
    lines = Lines([shapely.LineString([(0, 0), (1, 1), (2, 0)]), RING, None])
    assert (lines.path.codes == Path.MOVETO).sum() == 3, "the line, the rim and the rim of the hole"
    assert len(lines.path.vertices) == 3 + 5 + 5
    assert Lines([]).path is None


def test_points_are_painted_where_they_are(axes):
    points(axes, np.array([[30.5, 70.5]]), "blue", 8)
    assert pixel(axes, 30, 70) == BLUE
    assert pixel(axes, 70, 30) == WHITE


def test_a_mosaic_takes_the_colour_of_the_nearest_place():
    rng = np.random.default_rng(1)
    places, colours = rng.uniform(0, 100, (20, 2)), rng.integers(0, 256, (20, 3)) / 255
    image = Mosaic(places, (0, 0, 100, 50), pixel=2.0, reach=30.0).image(colours)
    assert image.shape == (25, 50, 4)
    x, y = np.meshgrid(np.arange(1, 100, 2), np.arange(49, 0, -2))
    far = np.hypot(*(np.stack([x, y])[..., None] - places.T[:, None, None]))
    seen = far.min(-1) < 30
    assert np.array_equal(image[..., 3] == 255, seen)
    assert np.array_equal(image[seen, :3] / 255, colours[far.argmin(-1)][seen])


def test_a_mosaic_keeps_the_frame_and_the_clip(axes):
    mosaic = Mosaic(np.array([[25.0, 50.0], [75.0, 50.0]]), (0, 0, 100, 100), pixel=5)
    mosaic.draw(axes, np.array([RED, BLUE]), clip=paths([shapely.box(0, 0, 100, 60)])[0])
    assert axes.get_xlim() == (0, 100) and axes.get_ylim() == (0, 100)
    assert (pixel(axes, 20, 30), pixel(axes, 80, 30), pixel(axes, 20, 90)) == (RED, BLUE, WHITE)


def banks(width=400.0):
    """Two boroughs on the banks of a river that runs from west to east, with a sliver between two of their parts."""
    south = shapely.box(0, 0, 10_000, 4_000)
    north = shapely.box(0, 4_000 + width, 10_000, 9_000).difference(shapely.box(5_000, 6_000, 5_005, 9_000))
    return gpd.GeoDataFrame({"name": ["south", "north"]}, geometry=[south, north], crs=27700)


@pytest.mark.parametrize("width", [100.0, 400.0, 900.0])
def test_the_river_is_the_gap_between_the_boroughs(width):
    """From end to end, but for the corners that widening and narrowing cuts off at its mouths."""
    found = river(banks(width))
    assert found.area == pytest.approx(10_000 * width, rel=0.12)
    assert shapely.box(1_000, 4_010, 9_000, 3_990 + width).within(found)
    assert found.bounds[1] == pytest.approx(4_000, abs=15)
    assert found.bounds[3] == pytest.approx(4_000 + width, abs=15)


def test_an_outline_tells_the_river_exactly():
    outline = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 10_000, 9_000)], crs=27700)
    assert river(banks(), outline).area == pytest.approx(10_000 * 400, rel=1e-3)


def test_boroughs_without_a_gap_have_no_river():
    whole = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 5_000, 9_000), shapely.box(5_000, 0, 9_000, 9_000)])
    assert river(whole).is_empty


def ground(**layers):
    areas = banks()
    return Context(gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 10_000, 9_000)], crs=27700), areas, **layers)


def layer(*shapes):
    return gpd.GeoDataFrame(geometry=[*shapes], crs=27700)


def test_a_map_needs_outline_and_boroughs_alone(axes):
    context = ground()
    frame(axes, context.extent)
    context.ground(axes)
    before = len(axes.collections)
    context.overlay(axes, zone="black")
    assert len(axes.collections) == before + 3, "river, borders, rim: no stream, no rails, no zone"


def test_every_layer_that_is_there_is_drawn(axes):
    """Lines that leave the outline end at it, and a stream ends where the river begins."""
    line = shapely.LineString([(-5_000, 2_000), (15_000, 2_000)])
    stream = shapely.LineString([(500, 8_000), (500, 4_200), (9_000, 4_200)])
    lake = shapely.box(8_000, 500, 12_000, 900)
    context = ground(thames=layer(stream), tube=layer(line), caz=layer(shapely.box(1, 1, 9, 9)), water=layer(lake))
    frame(axes, context.extent)
    context.overlay(axes, zone="black")
    assert len(axes.collections) == 6
    assert context._rails.path.vertices[:, 0].tolist() == pytest.approx([0, 10_000], abs=1)
    assert context._stream.path.vertices[:, 1].min() > 4_400
    assert sum(area(path) for path in context._water.paths) == pytest.approx(400 * 10_000 + 2_000 * 400, rel=0.02)


def test_a_common_border_is_drawn_once():
    halves = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 5_000, 9_000), shapely.box(5_000, 0, 10_000, 9_000)])
    context = Context(layer(shapely.box(0, 0, 10_000, 9_000)), halves.set_crs(27700))
    ends = context._borders.path.vertices
    assert np.allclose(ends[:, 0], 5_000)
    assert len(ends) == 2


@pytest.mark.parametrize(("width", "km"), [(58_390, 5), (60_000, 10), (6_600, 1), (676_000, 100)])
def test_the_scale_bar_is_as_long_as_it_says(width, km):
    figure = pyplot.figure(figsize=(7, 5))
    axes = figure.add_axes((0, 0, 1, 1))
    frame(axes, (500_000, 150_000, 500_000 + width, 150_000 + 0.7 * width))
    assert scale_bar(axes) == km
    boxes = [path.get_extents() for path in axes.collections[0].get_paths()]
    assert boxes[-1].x1 - boxes[0].x0 == pytest.approx(1000 * km)
    assert f"{km} km" in [text.get_text() for text in axes.texts]
    inside = figure.bbox.get_points()
    figure.canvas.draw()
    for text in axes.texts:
        box = text.get_window_extent()
        assert inside[0, 0] <= box.x0 and inside[0, 1] <= box.y0


def test_the_arrow_points_up(axes):
    north_arrow(axes)
    (letter,) = axes.texts
    tip = max(path.vertices[:, 1].max() for path in axes.collections[0].get_paths())
    assert letter.get_text() == "N" and letter.get_position()[1] > tip


@pytest.mark.parametrize("inches", [3.0, 4.4, 7.0])
def test_lines_of_small_type_fit_their_width(inches):
    figure = pyplot.figure(figsize=(inches, 1), dpi=200)
    lines = wrapped("All below the boroughs is simulated.\n" + ATTRIBUTION, inches)
    attribution(figure, lines, "grey")
    figure.canvas.draw()
    box = figure.texts[0].get_window_extent()
    assert box.x1 <= figure.bbox.x1 and box.y0 >= 0
    assert " ".join(lines).endswith("Greater London Authority")
    assert lines[0] == "All below the boroughs is simulated."


def test_two_keys_stand_side_by_side(axes):
    key(axes, [mark("a", "red")], loc="lower left")
    key(axes, [mark("b", "blue", "-"), mark("c", "red", "h", filled=False)])
    legends = axes.findobj(matplotlib.legend.Legend)
    assert {text.get_text() for legend in legends for text in legend.get_texts()} == {"a", "b", "c"}


def test_a_ramp_counts_values_beyond_its_ends_in_its_ends():
    axes = pyplot.figure().add_subplot()
    norm, values = matplotlib.colors.Normalize(0, 1), np.array([-5.0, 0.01, 0.5, 7.0])
    ramp(axes, norm, matplotlib.colormaps["viridis"], "cosine", values)
    heights = [bar.get_height() for bar in axes.patches]
    assert heights[-1] > 0 and heights[0] == max(heights) == pytest.approx(2 * heights[-1])
    assert axes.get_xlim() == (0, 1) and axes.get_xlabel() == "cosine"


def test_a_mosaic_asks_a_tree_once_for_all_panels(axes, monkeypatch):
    asked = []
    monkeypatch.setattr("tenfold.urban.cartography.cKDTree", lambda xy: asked.append(1) or cKDTree(xy))
    mosaic = Mosaic(np.array([[1.0, 1.0]]), (0, 0, 10, 10), 1)
    for shade in (RED, BLUE):
        mosaic.draw(axes, np.array([shade]))
    assert len(asked) == 1
