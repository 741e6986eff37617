"""The simulated city: real margins, a truth in closed form, one seed behind it all."""

import functools
import hashlib
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from esda import Moran
from libpysal.weights import KNN
from scipy.spatial import cKDTree
from scipy.stats import chi2, entropy
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from threadpoolctl import threadpool_limits

from tenfold.datasets.london.figures import SHARES, ns_sec_figures, poi_figures
from tenfold.datasets.london.neighbourhoods import fit_margins, voronoi
from tenfold.datasets.london.profiles import LEANINGS, class_profiles
from tenfold.datasets.london.raster import Raster
from tenfold.datasets.london.simulation import Simulation, simulation
from tenfold.datasets.london.wording import CATEGORIES, describe
from tenfold.datasets.london.zones import BASE, CENTRE, TREND, ZONES
from tenfold.errors import InputError

SHARE = [*SHARES]


@pytest.fixture(scope="module")
def city():
    return simulation()


@pytest.fixture(scope="module")
def pois(city):
    return city.pois()


@pytest.fixture(scope="module")
def people(city):
    return city.ns_sec()


def places(frame):
    return shapely.get_coordinates(frame.geometry)


def kinds(city, pois):
    return pd.Index(city.classes).get_indexer(pois.poi_class)


def somewhere(city, n=500, seed=9):
    """Places all over the bounding box, many of them outside the boroughs."""
    west, south, east, north = city.boroughs.total_bounds
    return np.random.default_rng(seed).uniform((west, south), (east, north), (n, 2))


# Two squares of 10 km beside each other, around the centre of the city.
@functools.cache
def squares():
    east, north = CENTRE
    shapes = [shapely.box(east - 10_000, north - 5000, east, north + 5000)]
    shapes.append(shapely.box(east, north - 5000, east + 10_000, north + 5000))
    return gpd.GeoDataFrame({"code": ["W", "E"], "name": ["west", "east"]}, geometry=shapes, crs="EPSG:27700")


def figures(lsoas=(20, 30), residents=(30_000, 40_000)):
    shares = pd.DataFrame(np.full((2, 9), 1 / 9), columns=SHARE)
    return shares.assign(code=["W", "E"], lsoas=lsoas, residents=residents)


def small(counts, seed=0, **changes):
    """A city of two boroughs with counts {class: (west, east)}."""
    table = pd.DataFrame(counts).assign(code=["W", "E"])
    categories = dict.fromkeys(counts, "eating out")
    arguments = {"boroughs": squares(), "shares": figures(), "counts": table, "categories": categories}
    return Simulation(**(arguments | changes), seed=seed)


# Zones


def test_zones_are_weights(city):
    w = city.zones(somewhere(city))
    assert w.shape == (500, 8) == (500, len(city.zone_names))
    assert (w > 0).all()
    np.testing.assert_allclose(w.sum(axis=1), 1, rtol=1e-14)


def test_zones_are_the_softmax_of_their_bumps(city):
    xy, bumps = somewhere(city, 40), city.zones.bumps
    assert bumps.radii.min() >= 500
    assert bumps.radii.max() == 8000
    scores = BASE + TREND * np.hypot(*(xy - CENTRE).T)[:, None] / 10_000
    for zone, centre, radii, angle, height in zip(*vars(bumps).values(), strict=True):
        along = (xy - centre) @ [np.cos(angle), np.sin(angle)]
        across = (xy - centre) @ [-np.sin(angle), np.cos(angle)]
        scores[:, zone] += height * np.exp(-0.5 * ((along / radii[0]) ** 2 + (across / radii[1]) ** 2))
    ratios = np.log(city.zones(xy)) @ (np.eye(8) - 1 / 8)
    centred = scores @ (np.eye(8) - 1 / 8)
    temperature = np.vdot(centred, centred) / np.vdot(centred, ratios)
    np.testing.assert_allclose(ratios, centred / temperature, atol=1e-9)


def test_the_city_has_its_zones_where_cities_have_them(city):
    raster = city.raster
    strongest = np.array(ZONES)[city.zones(raster.centres[raster.cell]).argmax(axis=1)]
    away = np.hypot(*(raster.centres[raster.cell] - CENTRE).T)
    middle = pd.Series(away).groupby(strongest).median()
    assert middle.index.tolist() == sorted(ZONES)
    assert middle["dense homes"] < middle["high street"] < middle["suburb"]
    assert city.zones([CENTRE]).argmax() == ZONES.index("centre")
    assert city.zones([(546_200, 182_000)]).argmax() == ZONES.index("industry")


# Places of interest


def test_every_borough_has_as_many_places_of_each_class_as_it_really_has(city, pois):
    real = poi_figures().counts.set_index("code").rename(index=city.boroughs.set_index("code")["name"])
    found = pd.crosstab(pois["borough"], pois["poi_class"])
    pd.testing.assert_frame_equal(found, real.loc[found.index, found.columns], check_names=False, check_dtype=False)
    assert len(pois) == real.to_numpy().sum()


def test_every_place_lies_in_its_borough(city, pois):
    outlines = city.boroughs.set_index("name").geometry
    shapely.prepare(outlines.to_numpy())
    assert shapely.covers(outlines.loc[pois["borough"]].to_numpy(), pois.geometry.to_numpy()).all()
    np.testing.assert_array_equal(places(pois), pois[["easting", "northing"]])


def test_places_carry_what_real_ones_do(pois):
    columns = "poi_class category text name source licence borough easting northing geometry"
    assert pois.columns.tolist() == columns.split()
    assert pois.crs == "EPSG:27700"
    assert pois.attrs["kind"] == "synthetic"
    assert pois["category"].equals(pois["poi_class"].map(CATEGORIES))
    row = pois.iloc[1234]
    assert row["text"] == describe(row["poi_class"], row["category"])


def test_places_stand_where_the_intensity_says(city, pois):
    """Pearson's chi^2 over blocks of 2 km, boroughs and classes: its dof, since counts per borough are fixed."""
    raster = city.raster
    expected = city.intensity[raster.cell] * city.rates[raster.borough] * raster.area[:, None]
    origin, side = raster.origin, 2000
    blocks = lambda xy: np.floor((xy - origin) / side).astype(int) @ [1000, 1]  # noqa: E731
    piece = pd.DataFrame(expected).groupby([raster.borough, blocks(raster.centres[raster.cell])]).sum()
    borough = pd.Index(city.boroughs["name"]).get_indexer(pois["borough"])
    # By the centre of its cell: blocks hold whole cells.
    cell = raster.centres[raster.cell_of(places(pois))]
    observed = pd.crosstab([borough, blocks(cell)], kinds(city, pois))
    observed = observed.reindex(index=piece.index, columns=piece.columns, fill_value=0).to_numpy()
    enough = piece.to_numpy() >= 5
    assert enough.sum() > 1500
    terms = (observed - piece.to_numpy())[enough] ** 2 / piece.to_numpy()[enough]
    low, high = chi2.ppf([1e-4, 1 - 1e-4], enough.sum())
    assert low - len(city.counts.ravel()) < terms.sum() < high
    # Told apart from a city where each borough is the same all over.
    flat = city.counts[raster.borough] * (raster.area / city.boroughs.area.to_numpy()[raster.borough])[:, None]
    flat = pd.DataFrame(flat).groupby([raster.borough, blocks(raster.centres[raster.cell])]).sum().to_numpy()
    assert ((observed - flat)[enough] ** 2 / flat[enough]).sum() > 5 * high


def test_the_closed_form_is_the_frequency(city, pois):
    """Among places where P(c | x) lies in one range, a share P are of class c: within 4.5 standard errors."""
    p, kind = city.class_probability(places(pois)), kinds(city, pois)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    for c in np.argsort(-city.counts.sum(axis=0))[:6]:
        for group in np.array_split(np.argsort(p[:, c]), 10):
            expected, variance = p[group, c].sum(), (p[group, c] * (1 - p[group, c])).sum()
            assert abs((kind[group] == c).sum() - expected) < 4.5 * np.sqrt(variance)
        assert np.quantile(p[:, c], 0.9) > 1.5 * np.quantile(p[:, c], 0.1)


def test_a_class_that_a_borough_lacks_is_impossible_there(city):
    lacking = city.counts == 0
    b, c = np.argwhere(lacking)[0]
    inside = city.boroughs.geometry[b].representative_point()
    p = city.class_probability([(inside.x, inside.y)])
    assert p[0, c] == 0
    assert (p[0, ~lacking[b]] > 0).all()


def test_beyond_the_boroughs_the_nearest_one_counts(city):
    xy = somewhere(city)
    outside = xy[~shapely.contains_xy(city.boroughs.union_all(), xy)]
    assert len(outside) > 50
    distance = shapely.distance(city.boroughs.geometry.to_numpy()[:, None], shapely.points(outside))
    np.testing.assert_array_equal(city.raster.borough_of(outside), distance.argmin(axis=0))
    np.testing.assert_allclose(city.class_probability(outside).sum(axis=1), 1, rtol=1e-12)


def test_fewer_places_are_thinned_evenly(city, pois):
    few = city.pois(5000)
    assert len(few) == 5000
    keys = ["borough", "poi_class"]
    share = pois.groupby(keys).size() * (5000 / len(pois))
    found = few.groupby(keys).size().reindex(share.index, fill_value=0)
    assert (found - share).abs().max() < 1
    whole = set(map(tuple, places(pois)))
    assert len(whole.intersection(map(tuple, places(few)))) == 5000


# Information


def test_the_entropy_of_classes_is_known(city, pois):
    assert city.entropy() == pytest.approx(entropy(pois["poi_class"].value_counts()), rel=1e-12)


def test_information_is_the_mean_log_ratio(city, pois):
    p = city.class_probability(places(pois))
    share = city.counts.sum(axis=0) / city.counts.sum()
    ratio = np.log((p / share)[np.arange(len(pois)), kinds(city, pois)])
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.004
    assert abs(ratio.mean() - city.information()) < 3.5 * error
    # More than the boroughs alone tell, and less than all there is to know.
    joint = city.counts / city.counts.sum()
    boroughs = entropy(joint.ravel(), np.outer(joint.sum(axis=1), joint.sum(axis=0)).ravel())
    assert boroughs + 0.15 < city.information() < 0.5 * city.entropy()


def test_information_is_the_entropy_where_each_borough_has_one_class():
    city = small({"cafes": (30, 0), "pubs": (0, 50)})
    assert city.information() == pytest.approx(entropy([30, 50]), rel=1e-12)


def test_there_is_no_information_where_all_classes_are_alike(monkeypatch):
    # The package hands out a function of the module's name.
    module = sys.modules[Simulation.__module__]
    monkeypatch.setattr(module, "class_profiles", lambda categories, rng: np.ones((8, len(categories))))
    assert small({"cafes": (30, 60), "pubs": (10, 20)}).information() == pytest.approx(0, abs=1e-12)


def test_information_does_not_hang_on_the_raster():
    coarse, fine = (small({"cafes": (50, 50), "public parks": (20, 20)}, side=side) for side in (250, 125))
    assert coarse.information() == pytest.approx(fine.information(), rel=0.02)
    assert coarse.information() > 0.05


# Neighbourhoods


def test_neighbourhoods_average_to_the_real_shares(city, people):
    real = ns_sec_figures().set_index("name").loc[city.boroughs["name"]]
    persons = people[SHARE].mul(people["residents"], axis=0).groupby(people["borough"]).sum()
    residents = people.groupby("borough")["residents"].agg(["sum", "size"]).loc[real.index]
    np.testing.assert_allclose(persons.loc[real.index].div(residents["sum"], axis=0), real[SHARE], rtol=0, atol=1e-9)
    assert residents["sum"].tolist() == real["residents"].tolist()
    assert residents["size"].tolist() == real["lsoas"].tolist()
    assert len(people) == 4994
    np.testing.assert_allclose(people[SHARE].sum(axis=1), 1, rtol=0, atol=1e-12)
    assert people["residents"].min() > 400


def test_neighbours_are_alike(people):
    weights = KNN.from_array(places(people), 8)
    weights.transform = "r"
    values = [Moran(people[name], weights, permutations=0) for name in SHARE]
    # Between 0.46 and 0.78 in the census of 2021.
    assert all(0.4 < value.I < 0.85 and value.z_norm > 10 for value in values)


def test_neighbourhoods_are_as_hard_to_tell_as_the_real_ones(people):
    y = people[SHARE].to_numpy()
    kl = lambda q: float((y * np.log(y / q)).sum(axis=1).mean())  # noqa: E731
    borough = people.groupby("borough")[SHARE].transform("mean").to_numpy()
    assert kl(y.mean(axis=0)) == pytest.approx(0.073, rel=0.1)
    assert kl(borough) == pytest.approx(0.051, rel=0.1)


def test_places_tell_of_people_in_boroughs_never_seen(city, pois, people):
    """What the city is for: places nearby carry over to held-out boroughs, coordinates do not; neither tells all."""
    prosperity = np.log(people["ns_sec_1"] / people["ns_sec_7"]).to_numpy()
    xy = places(people)
    tree, c = cKDTree(xy), len(city.classes)
    near = cKDTree(places(pois)).sparse_distance_matrix(tree, 800, output_type="coo_matrix")
    counts = np.bincount(near.col * c + kinds(city, pois)[near.row], minlength=len(xy) * c).reshape(-1, c)

    def score(model, features, groups, folds):
        return r2_score(prosperity, cross_val_predict(model, features, prosperity, groups=groups, cv=folds))

    blocked = functools.partial(score, groups=people["borough"], folds=GroupKFold(5, shuffle=True, random_state=0))
    neighbours = KNeighborsRegressor(10, weights="distance")
    content, nearest = blocked(RidgeCV(), np.log1p(counts)), blocked(neighbours, xy)
    assert nearest + 0.15 < content < blocked(RidgeCV(), city.zones(xy)) < 0.8
    # At random splits the neighbours give it away, as they do in the real city.
    assert score(neighbours, xy, None, KFold(5, shuffle=True, random_state=0)) > content + 0.15


def test_neighbourhood_cells_tile_the_boroughs(city, people):
    cells = city.lsoas()
    assert cells["code"].equals(people["code"])
    assert cells["name"].is_unique
    assert set(cells.geom_type) <= {"Polygon", "MultiPolygon"}
    assert cells.is_valid.all()
    assert shapely.covers(cells.geometry.to_numpy(), people.geometry.to_numpy()).all()
    area = cells.area.groupby(cells["borough"]).sum().loc[city.boroughs["name"]]
    np.testing.assert_allclose(area, city.boroughs.area, rtol=1e-9)
    union = cells.dissolve("borough").area.loc[city.boroughs["name"]]
    np.testing.assert_allclose(union, city.boroughs.area, rtol=1e-9)


def test_homes_are_dense_in_the_middle(city):
    cells = city.lsoas()
    away = np.hypot(*(shapely.get_coordinates(cells.representative_point()) - CENTRE).T)
    assert 3 * cells.area[away < 8000].median() < cells.area[away > 16_000].median()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_sites_share_a_borough(count):
    square = shapely.box(0, 0, 2, 1)
    cells = voronoi(np.array([[0.5, 0.5], [1.5, 0.5], [1.0, 0.1]])[:count], square)
    assert len(cells) == count
    assert shapely.area(cells).sum() == pytest.approx(2)


def test_a_class_that_a_borough_lacks_has_no_share():
    margins = np.array([[0.0, 0.4, 0.6]])
    leaning = np.random.default_rng(0).normal(size=(6, 3))
    shares = fit_margins(leaning, np.zeros(6, int), np.arange(1, 7), margins)
    assert shares[:, 0].max() < 1e-10
    np.testing.assert_allclose(np.arange(1, 7) @ shares / 21, margins[0], rtol=0, atol=1e-10)


def test_fitted_margins_keep_the_odds():
    """Shares differ from softmax(leaning) by one factor per class and borough alone."""
    rng = np.random.default_rng(3)
    leaning, borough = rng.normal(size=(50, 4)), np.repeat([0, 1], 25)
    shares = fit_margins(leaning, borough, rng.integers(500, 2000, 50), rng.dirichlet(np.ones(4), 2))
    odds = np.log(shares[:, 1:] / shares[:, :1]) - (leaning[:, 1:] - leaning[:, :1])
    for rows in (odds[:25], odds[25:]):
        np.testing.assert_allclose(rows, rows[:1] * np.ones((25, 1)), atol=1e-10)


def test_the_number_of_neighbourhoods_can_shrink(city):
    fewer = simulation(lsoa_fraction=0.05)
    assert fewer.digest != city.digest
    real = ns_sec_figures().set_index("name")["lsoas"]
    found = fewer.ns_sec().groupby("borough").size()
    assert (found - 0.05 * real).abs().max() <= 1
    assert found.min() == 1
    assert fewer.lsoas().area.sum() == pytest.approx(city.boroughs.area.sum(), rel=1e-9)


# Land use


def test_land_use_is_the_strongest_zone(city):
    use = city.land_use(1600)
    xy = places(use)
    assert (np.array(ZONES)[city.zones(xy).argmax(axis=1)] == use["label"]).all()
    assert use["label"].value_counts().to_dict() == dict.fromkeys(ZONES, 200)
    outlines = city.boroughs.set_index("name").geometry
    assert shapely.covers(outlines.loc[use["borough"]].to_numpy(), use.geometry.to_numpy()).all()
    assert "zones" in use.attrs["task"]


def test_land_use_of_a_small_city_is_filled_up():
    use = small({"cafes": (5, 5)}).land_use(100)
    assert len(use) == 100
    assert use["label"].nunique() >= 5


# Seeds, figures, refusals


def drawn(seed):
    city = small({"cafes": (30, 60), "pubs": (10, 20)}, seed)
    frames = (city.pois(), city.pois(20), city.ns_sec(), city.land_use(50))
    xy = [places(frame) for frame in frames]
    return [*xy, city.lsoas().to_wkb()["geometry"].to_numpy(), frames[2][SHARE].to_numpy(), city.zones(xy[0])]


def test_the_seed_decides_everything():
    one, same, other = drawn(1), drawn(1), drawn(2)
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_places_in_their_cells_differ_between_seeds():
    """Intensities differ anyway: draws of two cities must not share their random numbers either."""
    one, other = (small({"cafes": (300, 600)}, seed) for seed in (1, 2))
    for draw in (Simulation.pois, Simulation.ns_sec, lambda city: city.land_use(400)):
        a, b = (set(map(tuple, np.round(places(draw(city)) % 250, 6))) for city in (one, other))
        assert not a & b


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_decides_nothing(threads):
    with threadpool_limits(threads, user_api="blas"):
        found = simulation.__wrapped__(lsoa_fraction=0.1)
        digest = hashlib.sha256(found.intensity.tobytes() + found.ns_sec()[SHARE].to_numpy().tobytes())
    alone = simulation(lsoa_fraction=0.1)
    wanted = hashlib.sha256(alone.intensity.tobytes() + alone.ns_sec()[SHARE].to_numpy().tobytes())
    assert digest.digest() == wanted.digest()


def test_what_is_drawn_does_not_hang_on_what_was_drawn_before():
    counts = {"cafes": (30, 60)}
    first, second = small(counts), small(counts)
    second.land_use(10), second.lsoas(), second.pois(3)
    pd.testing.assert_frame_equal(first.ns_sec(), second.ns_sec())
    np.testing.assert_array_equal(places(first.pois()), places(second.pois()))


def test_the_digest_tells_the_figures():
    counts = {"cafes": (30, 60)}
    same = {small(counts).digest, small(counts).digest}
    others = {small(counts, seed=1).digest, small({"cafes": (31, 60)}).digest, small(counts, side=500).digest}
    assert len(same) == 1
    assert len(same | others) == 4


def test_known_words_lean_and_unknown_ones_do_not():
    profiles = np.mean(
        [class_profiles({"cafes": "x", "zyx": "x"}, np.random.default_rng(i)) for i in range(200)], axis=0
    )
    assert np.argmax(profiles[:, 0]) == np.argmax(LEANINGS["cafe"])
    np.testing.assert_allclose(profiles[:, 1], np.exp(0.3**2 / 2), rtol=0.1)


def test_every_class_of_the_open_places_leans():
    words = class_profiles(CATEGORIES, np.random.default_rng(0))
    assert (words.max(axis=0) > 2 * words.min(axis=0)).all()
    strongest = dict(zip(CATEGORIES, np.array(ZONES)[words.argmax(axis=0)], strict=True))
    expected = {"public parks": "park", "hospitals": "campus and health", "nightclubs": "centre"}
    assert {name: strongest[name] for name in expected} == expected


def test_a_raster_measures_what_it_cuts():
    raster = Raster(squares(), 250)
    ones = np.ones((len(raster.centres), 2))
    np.testing.assert_allclose(raster.sums(ones), 1e8, rtol=1e-12)
    smooth = raster.smooth(np.array([[1.0], [3.0]]), 2000)
    border = raster.cell_of([CENTRE, (CENTRE[0] - 9500, CENTRE[1]), (CENTRE[0] + 9500, CENTRE[1])])
    np.testing.assert_allclose(smooth[border, 0], [2, 1, 3], atol=0.06)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: small({"cafes": (1.5, 2)}), "whole numbers"),
        (lambda: small({"cafes": (0, 2)}), "every borough"),
        (lambda: small({"cafes": (1, 2), "pubs": (0, 0)}), "every class"),
        (lambda: small({"cafes": (-1, 2)}), "at least 0"),
        (lambda: small({"cafes": (np.nan, 2)}), "finite"),
        (lambda: small({"cafes": (1, 2)}, categories={"cafes": "a", "pubs": "b"}), "column 'pubs'"),
        (lambda: small({"cafes": (1, 2)}, shares=figures().drop(columns="ns_sec_9")), "column 'ns_sec_9'"),
        (lambda: small({"cafes": (1, 2)}, shares=figures()[:1]), "each of the 2 boroughs"),
        (lambda: small({"cafes": (1, 2)}, lsoa_fraction=0), "lsoa_fraction"),
        (lambda: small({"cafes": (1, 2)}).pois(4), "1..3"),
        (lambda: small({"cafes": (1, 2)}).pois(0), "1..3"),
        (lambda: small({"cafes": (1, 2)}).land_use(0), "at least 1"),
        (lambda: small({"cafes": (1, 2)}).class_probability([(0, 0)]), "outside"),
        (lambda: small({"cafes": (1, 2)}).class_probability([CENTRE, (np.nan, 1)]), "finite"),
        (lambda: small({"cafes": (1, 2)}).zones([1, 2, 3]), "easting"),
    ],
)
def test_what_cannot_be_is_refused(call, word):
    with pytest.raises(InputError, match=word) as caught:
        call()
    assert "\n" not in str(caught.value)
