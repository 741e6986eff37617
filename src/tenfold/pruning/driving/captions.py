"""What an instructor says of a scene: its rules, its sentences, and how they are read back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tenfold.errors import InputError
from tenfold.pruning.driving.layout import (
    METRES,
    MPH,
    SPEED,
    Ego,
    Pedestrian,
    Route,
    Vehicle,
    angles,
    arrays,
    visible_pedestrians,
    visible_vehicles,
)

NO_LIGHT = "no traffic lights"
# In the order of the one-hot columns, and in the order in which a text is searched: "red" is part of "red+yellow".
STATES = ("green", "yellow", "red", "red+yellow")
SEARCHED = (NO_LIGHT, "red+yellow", "red", "green", "yellow")
LIGHT_REACH = 30.0  # metres within which a light is told

_NUMBER = r"(\d+(?:\.\d+)?)"
_PATTERNS = {
    "cars": rf"observing {_NUMBER} cars",
    "pedestrians": rf"and {_NUMBER} pedestrians",
    "light_distance": rf"It is {_NUMBER}m ahead",
    "accelerator": r"Accelerator pedal (\d+)%",
    "brake": r"Brake pedal (\d+)%",
}
_STEERING = re.compile(r"(\d+)% to the (left|right)", re.IGNORECASE)
_COMPILED = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}


def visible_objects(scene: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an instructor sees in one scene: counts of cars and pedestrians, the light and its distance in m.

    A car counts where active = dynamic = 1, x > 0, |angle| < 60 degrees, distance <= 40 m; a pedestrian likewise
    within 30 m. The light is that of the first route row with the flag, told within 30 m: "green", "yellow", "red",
    "red+yellow", else "no traffic lights" and distance None. Angle = atan2(-y, x). The scene is a mapping with
    route_descriptors (30, 17), vehicle_descriptors (30, 33), pedestrian_descriptors (20, 9) and
    ego_vehicle_descriptor (31,), such as `Scenes[i]`. Raises InputError. Source: arXiv 2310.01957.
    """
    route, vehicles, pedestrians, _ = arrays(scene)
    state, distance = light(route)
    return {
        "cars": int(visible_vehicles(vehicles).sum()),
        "pedestrians": int(visible_pedestrians(pedestrians).sum()),
        "light": state,
        "light_distance": distance,
    }


def light(route: np.ndarray) -> tuple[str, float | None]:
    """Return the light that is told of a route (30, 17), and its distance in m."""
    rows = np.flatnonzero(route[:, Route.LIGHT] > 0)
    if not rows.size:
        return NO_LIGHT, None
    row = route[rows[0]]
    distance = METRES * float(np.hypot(row[Route.X], row[Route.Y]))
    on = np.flatnonzero(row[Route.GREEN : Route.RED_YELLOW + 1] > 0)
    if distance > LIGHT_REACH or not on.size:
        return NO_LIGHT, None
    return STATES[on[0]], distance


def parse_caption(text: str) -> dict[str, Any]:
    """Return what a text says: cars, pedestrians, light, light_distance (m), accelerator, brake, steering.

    Each is None where the text does not say it. Pedals lie in [0, 1]; steering is a signed share, left positive, None
    for "straight". The light is the first found of "no traffic lights", "red+yellow", "red", "green", "yellow".
    """
    found: dict[str, Any] = {}
    for name, pattern in _COMPILED.items():
        hit = pattern.search(text)
        found[name] = float(hit[1]) if hit else None
    for name in ("accelerator", "brake"):
        found[name] = None if found[name] is None else found[name] / 100
    for name in ("cars", "pedestrians"):
        if found[name] is not None and found[name].is_integer():
            found[name] = int(found[name])
    found["light"] = next((state for state in SEARCHED if state in text), None)
    hit = _STEERING.search(text)
    found["steering"] = None if hit is None else int(hit[1]) / 100 * (1 if hit[2].lower() == "left" else -1)
    return found


def control_to_pedals(c: float | np.ndarray) -> tuple[Any, Any]:
    """Return accelerator = clip(2c - 1, 0, 1) and brake = clip(1 - 2c, 0, 1) of a control c in [0, 1].

    A number gives numbers, an array arrays. Raises InputError outside [0, 1]. Source: arXiv 2310.01957.
    """
    value = np.asarray(c, dtype=np.float64)
    if not ((value >= 0) & (value <= 1)).all():
        raise InputError(f"a longitudinal control lies in [0, 1], not {c}")
    pedals = np.clip(2 * value - 1, 0, 1), np.clip(1 - 2 * value, 0, 1)
    return pedals if value.ndim else tuple(map(float, pedals))


def pedals_to_control(accelerator: Any, brake: Any) -> Any:
    """Return the longitudinal control ((accelerator - brake) + 1) / 2 of pedals in [0, 1]."""
    return (accelerator - brake + 1) / 2


def counts_line(cars: int, pedestrians: int) -> str:
    """Return the sentence of the counts."""
    return f"I'm observing {cars} cars and {pedestrians} pedestrians."


def light_line(state: str, distance: float | None, digits: int = 2) -> str:
    """Return the sentence of the light, its distance in m with so many decimals."""
    if distance is None or state == NO_LIGHT:
        return "There is no traffic lights."
    return f"There is a traffic light and it is {state}. It is {distance:.{digits}f}m ahead."


def action_lines(accelerator: float, brake: float, steering: float) -> str:
    """Return the three lines of pedals in [0, 1] and the signed steering share, left positive, as whole percent."""
    side = "left" if steering > 0 else "right"
    # Half a thousandth above: 0.29 * 100 lies below 29 in floating point.
    percent = [int(100 * value + 5e-2) for value in (accelerator, brake, abs(steering))]
    return (
        f"- Accelerator pedal {percent[0]}%\n- Brake pedal {percent[1]}%\n- Going to steer {percent[2]}% to the {side}."
    )


def short_text(seen: Mapping[str, Any]) -> str:
    """Return the label of the small driver: counts, light in whole metres, pedals and steering rounded to 10 %.

    `seen` has the keys of `parse_caption`. Raises InputError where one of them, but the distance, is None.
    """
    names = ("cars", "pedestrians", "light", "accelerator", "brake", "steering")
    if lacking := [name for name in names if seen.get(name) is None]:
        raise InputError(f"a label needs {', '.join(lacking)}")
    lines = [counts_line(seen["cars"], seen["pedestrians"]), light_line(seen["light"], seen["light_distance"], 0)]
    tenths = [round(10 * seen[name]) / 10 for name in ("accelerator", "brake", "steering")]
    return "\n".join([*lines, action_lines(*tenths)])


def caption(scene: Mapping[str, Any]) -> str:
    """Return the whole caption of one scene in the sentences of arXiv 2310.01957, without attention and actions.

    Lines of cars and pedestrians in the order of their rows, junction and roundabout, light, lane offset in m, speed in
    mph, steering wheel (100 |degrees| / 455), next turn. The scene is as in `visible_objects`. Raises InputError.
    """
    route, vehicles, pedestrians, ego = arrays(scene)
    cars, people = vehicles[visible_vehicles(vehicles)], pedestrians[visible_pedestrians(pedestrians)]
    lines = [counts_line(len(cars), len(people))]
    lines += [f"A moving car; {_object(row, Vehicle)};" for row in cars]
    lines += [
        f"A pedestrian; {_object(row, Pedestrian)}; Crossing: {bool(row[Pedestrian.CROSSING])};" for row in people
    ]
    if not len(cars) and not len(people):
        lines.append("")
    turns = angles(route[:, Route.DX], route[:, Route.DY])
    lines += [*_junction(route, turns), light_line(*light(route))]
    if junction_distance(route) >= 5:
        offset = METRES * route[0, Route.Y]
        lines.append(f"My car {offset:.2f}m from the lane center and {_sided(-turns[0], ' degrees')} off center.")
    wheel = np.degrees(ego[Ego.STEERING])
    lines.append(f"My current speed is {ego[Ego.SPEED] * SPEED * MPH:.2f} mph")
    lines.append(f"Steering wheel is {_sided(-100 * wheel / 455, '%')}.")
    return "\n".join(["", *lines, _next_turn(route, turns), ""])


def junction_distance(route: np.ndarray) -> float:
    """Return the distance in m to the nearest junction point: 0 where the first is one, inf where none is."""
    flagged = route[:, Route.JUNCTION] > 0
    if flagged[0] or not flagged.any():
        return 0.0 if flagged[0] else np.inf
    return METRES * float(np.hypot(route[flagged, Route.X], route[flagged, Route.Y]).min())


def _junction(route: np.ndarray, turns: np.ndarray) -> list[str]:
    distance = junction_distance(route)
    if distance > 100:
        return ["There is no any junction ahead."]
    if distance < 5:
        return ["My car is passing an intersection."]
    steps = np.diff(turns)
    steps = steps - 360 * (steps > 180) + 360 * (steps < -180)
    winding = steps[steps > 0].sum() > 30 and -steps[steps < 0].sum() > 30
    told = f"The distance to the closest intersection is {distance:.2f}m"
    return [told, "It is a roundabout."] if winding else [told]


def _object(row: np.ndarray, columns: type[Vehicle] | type[Pedestrian]) -> str:
    x, y = METRES * row[columns.X], METRES * row[columns.Y]
    heading = _heading(float(angles(row[columns.DX], row[columns.DY])))
    return f"Angle in degrees: {angles(x, y):.2f}; Distance: {np.hypot(x, y):.2f}m; Direction of travel: {heading}"


def _heading(angle: float) -> str:
    if abs(angle) < 45:
        return "same direction as me"
    if abs(angle) > 135:
        return "opposite direction from me"
    return "from left to right" if angle > 0 else "from right to left"


def _sided(value: float, unit: str) -> str:
    return f"{abs(value):.2f}{unit} {'left' if value < 0 else 'right'}"


def _next_turn(route: np.ndarray, turns: np.ndarray) -> str:
    now, last = turns[0], turns[-1]
    distance = METRES * float(np.hypot(route[-1, Route.X], route[-1, Route.Y]))
    if abs(now) > 10:
        return f"The path is currently turning {int(now)} degrees {'left' if now < 0 else 'right'}."
    if abs(last) > 150:
        return f"The next I need to turn around in {distance:.2f}m."
    if abs(last) > 20:
        return f"The next turn is {int(last)} degrees {'left' if last < 0 else 'right'} in {distance:.2f}m."
    return f"I need to go straight for at least {distance:.2f}m."
