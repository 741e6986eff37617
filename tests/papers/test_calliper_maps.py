"""Maps drawn from little data: no warning on the way, what every map must carry, keys that hide nothing."""

import geopandas as gpd
import matplotlib
import numpy as np
import pandas as pd
import pytest
import shapely
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from tenfold.book.figure import DPI, footed
from tenfold.datasets import london
from tenfold.errors import InputError
from tenfold.papers.calliper import britain, choropleths, diagram, maps, palettes, points, tiles
from tenfold.papers.calliper.city import NS_SEC
from tenfold.papers.calliper.context import context
from tenfold.urban.cartography import EMPTY, Mosaic, Polygons
from tenfold.urban.furniture import ATTRIBUTION

from .conftest import embedded

NOTE = "All below the boroughs is simulated."
METHODS = ("TF-IDF", "Place2Vec", "SPPE", "HGI", "Space2Vec", "CaLLiPer")


pytestmark = pytest.mark.usefixtures("look")


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("data")):
        return context("simulated")


@pytest.fixture(scope="module")
def hexagons(tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("data")):
        return london.hexagons("simulated", resolution=7)


@pytest.fixture(scope="module")
def boroughs(tmp_path_factory):
    with embedded(tmp_path_factory.mktemp("data")):
        return london.boroughs("simulated")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def words(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def maps_of(figure):
    """The panels of a sheet: axes without axis; colour bars have one."""
    return [axes for axes in figure.axes if not axes.axison]


def check(figure, panels, hides_nothing=None):
    """Paint a figure as saving would; return the words on it.

    It has so many maps, and says what is real and whose data these are, inside the canvas and below every map. Where
    `hides_nothing` is the ground, no key may cover more than a 400th of it.
    """
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    (footer,) = [text for text in figure.texts if "Greater London Authority" in text.get_text()]
    told = " ".join(footer.get_text().split())
    assert ATTRIBUTION in told and NOTE in told
    box = footer.get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0
    drawn = maps_of(figure)
    assert len(drawn) == panels
    lowest = min(axes.get_window_extent().y0 for axes in figure.axes)
    assert box.y1 <= lowest
    for legend in figure.findobj(Legend):
        extent = legend.get_window_extent()
        assert figure.bbox.x0 - 1 <= extent.x0 and extent.x1 <= figure.bbox.x1 + 1 and box.y1 <= extent.y0 + 2
        for axes in drawn if hides_nothing else []:
            place = shapely.box(*axes.transData.inverted().transform(extent).ravel())
            assert place.intersection(hides_nothing).area < hides_nothing.area / 400, legend.get_texts()
    return words(figure)


@pytest.fixture(scope="module")
def land(ground):
    return ground.outline.union_all()


def colours_of(axes):
    """The face colours of the areas of a panel."""
    (layer,) = [item for item in axes.collections if item.get_rasterized()]
    return layer.get_facecolor()[:, :3]


def test_the_ground_of_a_bare_machine_says_so(ground):
    assert ground.data == ("london_boroughs_simple",)
    assert "simplified" in ground.note
    assert ground.tube is ground.caz is ground.thames is None


@pytest.mark.mirror
def test_the_ground_of_real_london(mirror):
    real = context()
    assert {"london_outline", "london_boroughs", "london_thames", "london_tube", "london_caz"} <= set(real.data)
    assert real._river.area == pytest.approx(21.1e6, rel=0.02), "1,594.7 km2 within the outline, 1,573.4 in boroughs"


def test_clusters_have_their_colours_names_and_shares(hexagons, ground, land, rng):
    labels = rng.integers(0, 4, len(hexagons))
    labels[:10] = 3
    figure = maps.clusters(hexagons, labels, ground, note=NOTE)
    told = check(figure, 1, land)
    expected = [to_rgb(palettes.ZONES[list(palettes.ZONES)[label]]) for label in labels]
    assert np.allclose(colours_of(figure.axes[0]), expected)
    share = 100 * np.mean(labels == 3)
    assert f"centre and commercial, {share:.0f} %" in told
    assert "Central Activities Zone" not in told, "it is not at hand"


def test_the_zone_is_named_where_it_is_drawn(hexagons, ground, rng):
    zone = gpd.GeoDataFrame(geometry=[shapely.box(528_000, 178_000, 533_000, 183_000)], crs=27700)
    there = type(ground)(ground.outline, ground.boroughs, caz=zone)
    labels = rng.integers(0, 4, len(hexagons))
    assert "Central Activities Zone" in words(maps.clusters(hexagons, labels, there))
    assert "Central Activities Zone" in words(maps.clusterings(hexagons, {"a": labels, "b": labels}, there))


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_label_without_a_colour_is_refused(wrong, hexagons, ground):
    with pytest.raises(InputError, match="0 to 3"):
        maps.clusters(hexagons, np.full(len(hexagons), wrong), ground)


def test_six_methods_share_their_polygons(hexagons, ground, rng):
    """Each panel has its own labels, and all the same paths."""
    labels = {name: rng.integers(0, 4, len(hexagons)) for name in METHODS}
    figure = maps.clusterings(hexagons, labels, ground, note=NOTE)
    told = check(figure, 6)
    assert set(METHODS) <= set(told)
    layers = [next(item for item in axes.collections if item.get_rasterized()) for axes in maps_of(figure)]
    assert len({id(layer.get_paths()[0]) for layer in layers}) == 1
    assert not np.array_equal(layers[0].get_facecolor(), layers[1].get_facecolor())


@pytest.mark.parametrize("count", [1, 3])
def test_a_stored_map_is_the_drawn_one(count, hexagons, ground, rng, tmp_path):
    """Pixel by pixel; the book's own footer is added below, and moves nothing."""
    labels = {name: rng.integers(0, 4, len(hexagons)) for name in METHODS[:count]}
    figure = maps.clusterings(hexagons, labels, ground, note=NOTE)
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    with footed(figure, "Data: London boroughs (embedded) | tenfold calliper, scale smoke, seed 0") as box:
        figure.savefig(tmp_path / "map.png", dpi=DPI, bbox_inches=box)
    stored = np.round(255 * pyplot.imread(tmp_path / "map.png")[..., :3]).astype(int)
    assert stored.shape[1] == drawn.shape[1] and 20 < len(stored) - len(drawn) < 60
    differ = (np.abs(stored[: len(drawn)] - drawn).max(-1) > 40).mean()
    assert differ < 1e-3


def test_components_are_drawn_as_they_are(hexagons, ground, rng):
    rgb = rng.random((len(hexagons), 3))
    figure = maps.colours(hexagons, rgb, ground, note=NOTE)
    check(figure, 1)
    assert np.allclose(colours_of(figure.axes[0]), rgb)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_texts_share_one_colour_scale(count, hexagons, ground, land, rng):
    """The same cosine has the same colour in every panel."""
    values = {f"text {k}": rng.normal(0.1 * k, 0.05, len(hexagons)) for k in range(count)}
    for value in values.values():
        value[5] = 0.123
    figure = maps.similarities(hexagons, values, ground, note=NOTE, top=7)
    told = check(figure, count, land if count == 1 else None)
    assert {f"“{text}”" for text in values} <= set(told)
    assert "the 7 most similar" in told
    panels = maps_of(figure)[:count]
    assert len({tuple(colours_of(axes)[5]) for axes in panels}) == 1


def test_the_most_similar_places_are_marked_and_the_true_one_has_a_star(hexagons, ground, rng):
    values = rng.normal(size=len(hexagons))
    cells = Polygons(hexagons.geometry)
    figure = maps.similarities(cells, {"park": values}, ground, top=5, places={"park": (530_000, 180_000)})
    (marked,) = [
        item.get_paths()
        for item in figure.axes[0].collections
        if len(item.get_edgecolor()) and np.allclose(item.get_edgecolor()[0, :3], to_rgb(maps.TOP))
    ]
    best = np.argsort(values)[-5:]
    assert {id(path) for path in marked} == {id(cells.paths[row]) for row in best}
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[530_000, 180_000]]


def test_no_text_is_no_map(hexagons, ground):
    with pytest.raises(InputError, match="at least one text"):
        maps.similarities(hexagons, {}, ground)


@pytest.mark.parametrize("areas", ["polygons", "points"])
def test_learnt_and_true_are_compared_by_rank(areas, hexagons, ground, rng):
    """A monotone change of one of them changes nothing."""
    truth = {"parks": rng.random(len(hexagons)), "cafes": rng.random(len(hexagons))}
    learnt = {name: np.exp(7 * value) for name, value in truth.items()}
    places = hexagons if areas == "polygons" else hexagons[["x", "y"]].to_numpy()
    figure = maps.agreement(places, learnt, truth, ground, {"parks": -0.5, "cafes": 0.75}, note=NOTE)
    told = check(figure, 4)
    assert {"parks   (Spearman −0.50)", "cafes   (Spearman 0.75)", "truth"} <= set(told)
    panels = maps_of(figure)
    if areas == "polygons":
        painted = [colours_of(axes) for axes in panels]
    else:
        painted = [axes.images[0].get_array() for axes in panels]
    assert np.array_equal(painted[0], painted[2]) and np.array_equal(painted[1], painted[3])
    assert not np.array_equal(painted[0], painted[1])


@pytest.fixture
def shares(boroughs, rng):
    return rng.dirichlet(np.full(9, 3.0), len(boroughs))


def test_residuals_have_four_panels_and_two_scales(boroughs, ground, land, shares, rng):
    observed, predicted = shares[:, 0], shares[:, 1].copy()
    predicted[3] = np.nan
    quadrants = rng.choice([*palettes.QUADRANTS], len(boroughs))
    figure = choropleths.residuals(boroughs, observed, predicted, quadrants, ground, "students", -0.12, note=NOTE)
    told = check(figure, 4, land)
    assert {"observed", "predicted", "students", "missing", "high among low"} <= set(told)
    assert any("Moran's I −0.12" in text for text in told)
    panels = maps_of(figure)
    assert np.allclose(colours_of(panels[1])[3], to_rgb(EMPTY)) and np.allclose(colours_of(panels[2])[3], to_rgb(EMPTY))
    expected = [to_rgb(palettes.QUADRANTS[word]) for word in quadrants]
    assert np.allclose(colours_of(panels[3]), expected)
    legends = [[text.get_text() for text in axes.findobj(Legend)[0].get_texts()] for axes in panels[:2]]
    assert legends[0] == [text for text in legends[1] if text != "missing"]


def test_too_high_and_too_low_are_opposite_colours(boroughs, ground, shares):
    """Observed minus predicted: what the model misses is orange, what it invents is violet."""
    observed = np.full(len(boroughs), 0.2)
    observed[0] = 0.3
    predicted = np.full(len(boroughs), 0.2)
    predicted[1] = 0.3
    observed[2:4], predicted[4:6] = 0.22, 0.22
    quadrants = ["not significant"] * len(boroughs)
    figure = choropleths.residuals(boroughs, observed, predicted, quadrants, ground, "x")
    missed, invented, right = colours_of(maps_of(figure)[2])[[0, 1, 10]]
    assert missed[0] > missed[2] and invented[2] > invented[1]
    assert right.min() > 0.9


def test_an_unknown_quadrant_is_refused(boroughs, ground, shares):
    with pytest.raises(InputError, match="did you mean 'high-low'"):
        choropleths.residuals(boroughs, shares[:, 0], shares[:, 1], ["high-lo"] * len(boroughs), ground, "x")


def test_methods_share_the_classes_of_what_is_observed(boroughs, ground, shares):
    values = {
        "observed": shares[:, 0],
        "HGI": shares[:, 0][::-1],
        "CaLLiPer": np.where(shares[:, 2] > 0.1, 0.5, np.nan),
    }
    figure = choropleths.predictions(boroughs, values, ground, "students", note=NOTE)
    told = check(figure, 3)
    assert {*values, "missing"} <= set(told)
    first, second, _ = (colours_of(axes) for axes in maps_of(figure))
    assert np.array_equal(first, second[::-1])


def test_places_alone_are_enough_for_a_choropleth(boroughs, ground, shares):
    inside = boroughs.representative_point()
    figure = choropleths.profile(np.c_[inside.x, inside.y], shares, NS_SEC, ground, note=NOTE)
    check(figure, 9)
    assert all(axes.images for axes in maps_of(figure))


def test_a_profile_shows_fifths(boroughs, ground, shares):
    figure = choropleths.profile(boroughs, shares, NS_SEC, ground, note=NOTE)
    told = check(figure, 9)
    assert {"lowest fifth of areas", "highest fifth"} <= set(told)
    _, counts = np.unique(colours_of(maps_of(figure)[0]), axis=0, return_counts=True)
    assert len(counts) == 5 and counts.max() - counts.min() <= 1


def table(kinds, rng, **columns):
    size = len(kinds)
    places = gpd.points_from_xy(rng.uniform(510_000, 550_000, size), rng.uniform(165_000, 195_000, size))
    return gpd.GeoDataFrame({"category": kinds, **columns}, geometry=places, crs=27700)


def test_points_are_counted_by_kind_and_rare_kinds_together(ground, land, rng):
    kinds = np.repeat([f"kind {k}" for k in range(9)], np.arange(90, 0, -10))
    figure = points.pois(table(kinds, rng), ground, note=NOTE)
    told = check(figure, 1, land)
    assert {"kind 0, 90", "kind 5, 40", "other, 60"} <= set(told)
    drawn = sum(len(item.get_offsets()) for item in figure.axes[0].collections if item.get_rasterized())
    assert drawn == len(kinds)


def test_licences_have_panels_of_their_own(ground, rng):
    kinds = np.repeat(["food", "buses"], [30, 20])
    rows = table(kinds, rng, licence=np.repeat(["ODbL 1.0", "OGL v3"], [35, 15]))
    figure = points.licences(rows, ground, note=NOTE)
    told = check(figure, 2)
    assert {"ODbL 1.0, 35", "OGL v3, 15", "food", "buses"} <= set(told)
    drawn = [
        sum(len(item.get_offsets()) for item in axes.collections if item.get_rasterized()) for axes in maps_of(figure)
    ]
    assert drawn == [35, 15]


@pytest.mark.parametrize("count", [3, 8, 10, 12])
def test_land_uses_have_colours_of_their_own(count, ground, rng):
    kinds = [f"use {k}" for k in range(count)] * 3
    rows = table(kinds, rng, label=kinds)
    figure = points.land_use(rows, ground, note=NOTE)
    told = check(figure, 1)
    colours = points.palette(pd.Series(kinds))
    assert len(set(colours.values())) == len(colours) == min(count, 10)
    assert ("other" in colours) == (count > 10) == any(text.startswith("other") for text in told)


def test_centres_show_a_split(ground, land, rng):
    rows = table(["x"] * 30, rng)
    groups = {"train": np.arange(20), "test": np.arange(20, 30)}
    assert {"train, 20", "test, 10"} <= set(check(points.centroids(rows, ground, groups=groups, note=NOTE), 1, land))
    assert "census area, 30" in words(points.centroids(rows, ground))
    folds = {f"fold {k}": np.arange(k, 30, 9) for k in range(9)}
    drawn = points.centroids(rows, ground, groups=folds)
    assert {f"{name}, {len(members)}" for name, members in folds.items()} <= set(words(drawn)), "no fold may be lost"


def test_every_borough_has_a_tile_near_its_place(boroughs):
    cells = tiles.places(boroughs)
    assert len(np.unique(cells, axis=0)) == 33
    assert cells.min() == 0 and (cells < tiles.GRID).all()
    where = dict(zip(boroughs["name"], cells, strict=True))
    assert where["Hillingdon"][0] < where["City of London"][0] < where["Havering"][0]
    assert where["Enfield"][1] < where["City of London"][1] < where["Croydon"][1]
    inside = boroughs.representative_point()
    for axis, values in enumerate((inside.x, -inside.y)):
        assert np.corrcoef(cells[:, axis], values)[0, 1] > 0.8


def test_tiles_have_a_bar_for_each_share(boroughs, shares):
    figure = tiles.boroughs(boroughs, shares, NS_SEC, shares[::-1], note=NOTE)
    told = check(figure, 1)
    assert {"Camden", "Kensington &\nChelsea", *NS_SEC} <= set(told)
    bars = next(item for item in figure.axes[0].collections if len(item.get_paths()) == shares.size)
    heights = np.array([np.ptp(path.vertices[:, 1]) for path in bars.get_paths()]).reshape(shares.shape)
    assert np.allclose(heights / shares, heights[0, 0] / shares[0, 0])
    with pytest.raises(InputError, match=r"\(33, 9\)"):
        tiles.boroughs(boroughs, shares[:5], NS_SEC)


def test_more_areas_than_tiles_are_refused(boroughs):
    with pytest.raises(InputError, match="do not fit into 4 tiles"):
        tiles.places(boroughs, (2, 2))


def test_an_island_is_cut_at_its_coast(rng):
    halves = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 200_000, 300_000), shapely.box(200_000, 0, 400_000, 300_000)], crs=27700
    )
    x, y = np.meshgrid(np.arange(-20_000, 430_000, 10_000), np.arange(-20_000, 330_000, 10_000))
    xy = np.c_[x.ravel(), y.ravel()].astype(float)
    figure = britain.britain(xy, rng.random((len(xy), 3)), halves, halves.iloc[:1], note=NOTE)
    assert "where it was trained" in check(figure, 1)
    (image,) = figure.axes[0].images
    clip = image.get_clip_path().get_fully_transformed_path().vertices
    corners = figure.axes[0].transData.transform([(0, 0), (400_000, 300_000)])
    assert np.allclose([clip.min(0), clip.max(0)], corners)


def test_cells_that_are_missing_stay_empty():
    x, y = np.meshgrid(np.arange(0, 100_000, 10_000.0), np.arange(0, 100_000, 10_000.0))
    xy = np.c_[x.ravel(), y.ravel()]
    kept = np.hypot(*(xy - 50_000).T) > 25_000
    image = britain.mosaic(xy[kept], (0, 0, 100_000, 100_000)).image(np.ones((kept.sum(), 3)))
    assert image[len(image) // 2, image.shape[1] // 2, 3] == 0
    assert image[-5, 5, 3] == 255


def test_the_framework_shows_the_batch(ground, rng):
    similarity, xy = rng.normal(size=(5, 5)), rng.uniform([510_000, 165_000], [550_000, 190_000], (5, 2))
    texts = [f"A place of kind {k}, a type of a category with a long name" for k in range(5)]
    figure = diagram.framework(similarity, texts, xy, ground, note=NOTE)
    figure.canvas.draw()
    matrices = [image.get_array() for axes in figure.axes for image in axes.images]
    assert any(np.array_equal(matrix, similarity) for matrix in matrices)
    told = words(figure)
    assert any("frozen" in text for text in told) and sum("trained" in text for text in told) == 2
    assert any(ATTRIBUTION[:60] in text for text in told)
    towers = diagram.Towers.sized("TF-IDF", 100, 8, 32)
    told = " ".join(words(diagram.framework(similarity, texts, xy, ground, towers)))
    assert "TF-IDF\nfrozen" in told and "100 to 32" in told and "8 wavelengths" in told
    with pytest.raises(InputError, match=r"\(5, 5\)"):
        diagram.framework(similarity[:4], texts, xy, ground)


def test_areas_come_in_any_shape(hexagons, ground):
    cells = Polygons(hexagons.geometry)
    assert maps.layer(cells, ground) is cells
    assert isinstance(maps.layer(hexagons, ground), Polygons)
    assert isinstance(maps.layer(hexagons[["x", "y"]].to_numpy(), ground), Mosaic)


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]


def closest(colours, vision):
    """The least difference in CIELAB of two colours, as this vision sees them."""
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(VISION[vision]), 0, 1)
    ratio = seen @ np.transpose(XYZ) / [0.95047, 1.0, 1.08883]
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116).T
    lab = np.c_[116 * y - 16, 500 * (x - y), 200 * (y - z)]
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return apart[~np.eye(len(lab), dtype=bool)].min()


@pytest.mark.parametrize("vision", VISION)
def test_zones_are_told_apart_by_every_kind_of_vision(vision):
    assert closest(palettes.ZONES.values(), vision) > 18
    assert closest(palettes.QUADRANTS.values(), vision) > 10
    assert closest(palettes.steps(5), vision) > 10
    assert closest(palettes.steps(5, diverging=True), vision) > 10


def test_the_papers_palette_would_not_be():
    accent = matplotlib.colormaps["Accent"].colors[:4]
    assert closest(accent, "protan") < 5 < closest(accent, "normal")
