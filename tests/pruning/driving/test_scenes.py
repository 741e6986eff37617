"""Generated scenes: labels that are true, an expert written out, and places from above."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.pruning.driving import caption, generate, geometry, parse_caption, shortened, visible_objects

COUNT = 300


@pytest.fixture(scope="module")
def made():
    return generate(COUNT, 5)


def test_labels_say_what_the_rules_see(made):
    for scene in made:
        told, seen = parse_caption(scene["text"]), visible_objects(scene)
        for name in ("cars", "pedestrians", "light"):
            assert told[name] == seen[name]
        assert (told["light_distance"] is None) == (seen["light_distance"] is None)
        assert told["light_distance"] is None or abs(told["light_distance"] - seen["light_distance"]) <= 0.5001


def degrees(x, y):
    return abs(np.degrees(np.arctan2(y, x)))


def expert(scene):
    """Pedals and steering from the vectors alone, one object after the other."""
    v, gaps = 5 * scene["ego_vehicle_descriptor"][1], [np.inf]
    for row in scene["vehicle_descriptors"]:
        if row[0] and degrees(row[3], row[4]) < 10:
            gaps.append(10 * np.hypot(row[3], row[4]))
    for row in scene["pedestrian_descriptors"]:
        if row[0] and row[8] and degrees(row[2], row[3]) < 25:
            gaps.append(10 * np.hypot(row[2], row[3]))
    for row in scene["route_descriptors"]:
        if row[10] and not row[11]:
            gaps.append(10 * np.hypot(row[0], row[1]))
    brake = min(v**2 / (2 * min(gaps)) / 6, 1)
    x, y, dx, dy = scene["route_descriptors"][0, [0, 1, 3, 4]]
    # On an arc through the origin the angle grows with the length: theta is that at 20 m.
    heading, chord = np.arctan2(dy, dx), 10 * np.hypot(x, y)
    along = chord / np.sinc(heading / (2 * np.pi))
    return brake, (10 - v) / 10, 20 * heading / along / 0.6


def test_the_expert_is_that_of_the_rules(made):
    for scene in made:
        told = parse_caption(scene["text"])
        brake, accelerator, steering = expert(scene)
        # Rounded to tenths: half a tenth, and what float32 leaves of it.
        assert abs(told["brake"] - brake) < 0.0502
        assert abs(told["steering"] - steering) < 0.0502
        assert abs(told["accelerator"] - (0 if told["brake"] else accelerator)) < 0.0502


def test_rows_are_sorted_and_empty_ones_are_zero(made):
    for rows, x in ((made.vehicles, 3), (made.pedestrians, 2)):
        there = rows[..., 0] == 1
        assert (np.diff(there.astype(int), axis=1) <= 0).all()
        assert (rows[~there] == 0).all()
        distance = np.where(there, np.hypot(rows[..., x], rows[..., x + 1]), np.inf)
        assert (np.sort(distance, axis=1) == distance).all()
        bearing = np.arctan2(rows[..., x + 1], rows[..., x])[there]
        assert np.abs(bearing).max() <= np.radians(108) + 1e-5
    assert (made.vehicles[..., 0].sum(1) <= 6).all() and (made.pedestrians[..., 0].sum(1) <= 7).all()


def test_route_points_are_two_metres_apart(made):
    steps = 10 * np.hypot(*np.diff(made.route[..., :2], axis=1).transpose(2, 0, 1))
    # Chords of an arc of radius at least 20 m / 0.6.
    assert np.abs(steps - 2).max() < 2e-3


def test_a_seed_gives_the_same_scenes_and_another_one_others():
    a, b, c = generate(20, 1), generate(20, 1), generate(20, 2)
    assert a.texts == b.texts and np.array_equal(a.vehicles, b.vehicles)
    assert a.texts != c.texts


def test_shares_of_lights(made):
    assert (generate(50, 1, light_share=0).route[..., 10] == 0).all()
    assert (generate(50, 1, light_share=1).route[..., 10].sum(axis=1) == 1).all()
    flagged = made.route[..., 10].sum(axis=1)
    # Half of 300, give or take four standard deviations.
    assert abs(flagged.mean() - 0.5) < 4 * 0.5 / np.sqrt(COUNT)


@pytest.mark.parametrize("arguments", [(0, 1), (5, 1, 1.5)])
def test_impossible_scenes_are_refused(arguments):
    with pytest.raises(InputError, match="scenes"):
        generate(*arguments)


def test_shortened_labels_of_generated_scenes_stay(made):
    assert shortened(made).texts == made.texts


def test_places_from_above(made):
    for scene in made[:20]:
        table, seen = geometry(scene), visible_objects(scene)
        assert table[table.visible].kind.eq("car").sum() == seen["cars"]
        assert table[table.visible].kind.eq("pedestrian").sum() == seen["pedestrians"]
        lights = table[table.kind == "light"]
        assert len(lights) == int(scene["route_descriptors"][:, 10].sum())
        assert lights.visible.sum() == (seen["light_distance"] is not None)
        for _, row in lights[lights.visible].iterrows():
            assert np.hypot(row.x, row.y) == pytest.approx(seen["light_distance"], rel=1e-5)
        assert f"{seen['cars']} cars" in caption(scene)
