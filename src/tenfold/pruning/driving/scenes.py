"""Synthetic driving scenes with exact truth: objects around a car, a light on its route, and an expert's controls."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from tenfold.datasets.driving import SHAPES, Scenes
from tenfold.datasets.provenance import synthetic
from tenfold.errors import InputError
from tenfold.pruning.driving.captions import LIGHT_REACH, NO_LIGHT, STATES, parse_caption, short_text
from tenfold.pruning.driving.layout import (
    METRES,
    SPEED,
    Ego,
    Pedestrian,
    Route,
    Vehicle,
    visible_pedestrians,
    visible_vehicles,
)

NAME = "synthetic_scenes"
TITLE = "generated driving scenes"
BEARING = np.radians(108)  # objects lie within so much to either side
TURN = 0.6  # the largest route angle in radians, reached 20 m ahead
TOP_SPEED = 10.0  # m/s
BRAKING = 6.0  # m/s^2 of the fully pressed pedal
# Half length, half width and half height of every generated car, in m: a middle-sized one.
HALF_SIZES = (2.3, 0.93, 0.80)


@dataclass(frozen=True)
class _Placed:
    """Objects of n scenes at distance r and bearing a (n, k), left positive, nearest first; absent ones far away."""

    present: np.ndarray
    distance: np.ndarray
    bearing: np.ndarray

    @property
    def xy(self) -> tuple[np.ndarray, np.ndarray]:
        return self.distance * np.cos(self.bearing), self.distance * np.sin(self.bearing)


def generate(n: int, seed: int, light_share: float = 0.5) -> Scenes:
    """Return n scenes in the real layout and units, with the label of the small driver as text.

    Up to 6 cars at 3-60 m (75 % dynamic) and 7 pedestrians at 3-45 m (30 % crossing), bearings uniform in +-108
    degrees; a light with probability `light_share` at 3-40 m in one of 4 states; own speed v in 0-10 m/s; a route of
    constant curvature whose angle 20 m ahead is theta in +-0.6 rad. The expert brakes by v^2 / (2 gap) / 6 m/s^2, the
    gap that to the nearest of a crossing pedestrian within 25 degrees, a car within 10 degrees and a light that is
    not green, else accelerates by (10 - v) / 10, and steers theta / 0.6; all rounded to 10 %. Columns that no rule
    uses stay zero. Raises InputError for n < 1 or a share outside [0, 1].
    """
    if n < 1 or not 0 <= light_share <= 1:
        raise InputError(f"scenes need n of at least 1 and a light share in [0, 1], not {n} and {light_share}")
    rng = np.random.default_rng(seed)
    arrays = {name: np.zeros((n, *shape), np.float32) for name, shape in SHAPES.values()}
    theta = rng.uniform(-TURN, TURN, n)
    light, state = _route(arrays["route"], theta, light_share, rng)
    cars = _vehicles(arrays["vehicles"], rng)
    people, crossing = _pedestrians(arrays["pedestrians"], rng)
    speed = _ego(arrays["ego"], rng)
    gaps = np.stack([_gap(people, crossing, 25), _gap(cars, cars.present, 10), np.where(state == 0, np.inf, light)])
    pedals = _pedals(speed, gaps.min(axis=0))
    texts = _texts(arrays, light, state, *pedals, theta / TURN)
    digest = hashlib.sha256(f"{n} {seed} {light_share}".encode()).hexdigest()
    return Scenes(**arrays, texts=texts, name=synthetic(NAME, digest, TITLE).name)


def shortened(scenes: Scenes) -> Scenes:
    """Return scenes with labels in the small driver's form: metres whole, controls rounded to 10 %.

    Raises InputError where a label lacks a count, the light, a pedal or the steering.
    """
    return replace(scenes, texts=tuple(short_text(parse_caption(text)) for text in scenes.texts))


def _placed(most: int, nearest: float, farthest: float, n: int, rng: Generator) -> _Placed:
    count = rng.integers(0, most + 1, n)
    present = np.arange(most) < count[:, None]
    distance = np.sort(np.where(present, rng.uniform(nearest, farthest, (n, most)), np.inf), axis=1)
    bearing = rng.uniform(-BEARING, BEARING, (n, most))
    return _Placed(present, np.where(present, distance, 0), bearing)


def _vehicles(rows: np.ndarray, rng: Generator) -> _Placed:
    cars = _placed(6, 3, 60, len(rows), rng)
    shape = cars.present.shape
    dynamic = rng.random(shape) < 0.75
    heading = rng.uniform(-np.pi, np.pi, shape)
    values = {
        Vehicle.ACTIVE: np.ones(shape),
        Vehicle.DYNAMIC: dynamic,
        Vehicle.SPEED: dynamic * rng.uniform(0, TOP_SPEED, shape) / SPEED,
        Vehicle.DX: np.cos(heading),
        Vehicle.DY: np.sin(heading),
    }
    sizes = zip((Vehicle.HALF_LENGTH, Vehicle.HALF_WIDTH, Vehicle.HALF_HEIGHT), HALF_SIZES, strict=True)
    _fill(rows, cars, values | {column: np.full(shape, size) for column, size in sizes}, Vehicle)
    return cars


def _pedestrians(rows: np.ndarray, rng: Generator) -> tuple[_Placed, np.ndarray]:
    people = _placed(7, 3, 45, len(rows), rng)
    shape = people.present.shape
    crossing = people.present & (rng.random(shape) < 0.3)
    heading = rng.uniform(-np.pi, np.pi, shape)
    values = {
        Pedestrian.ACTIVE: np.ones(shape),
        Pedestrian.SPEED: rng.uniform(1.2, 1.7, shape),
        Pedestrian.DX: np.cos(heading),
        Pedestrian.DY: np.sin(heading),
        Pedestrian.CROSSING: crossing,
    }
    _fill(rows, people, values, Pedestrian)
    return people, crossing


def _fill(rows: np.ndarray, placed: _Placed, values: dict, columns: type[Vehicle] | type[Pedestrian]) -> None:
    x, y = placed.xy
    for column, value in {**values, columns.X: x / METRES, columns.Y: y / METRES}.items():
        rows[:, : placed.present.shape[1], column] = value * placed.present


def _route(rows: np.ndarray, theta: np.ndarray, share: float, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Fill route rows; return the distance of the light in m, inf for none, and its state."""
    n, points, _ = rows.shape
    along = rng.uniform(0.5, 2.5, (n, 1)) + 2 * np.arange(points)
    heading = theta[:, None] / 20 * along
    # An arc: its chord has the length along * sinc(heading / 2) and half its heading.
    chord = along * np.sinc(heading / (2 * np.pi))
    rows[..., Route.X], rows[..., Route.Y] = chord * np.cos(heading / 2) / METRES, chord * np.sin(heading / 2) / METRES
    rows[..., Route.DX], rows[..., Route.DY] = np.cos(heading), np.sin(heading)
    rows[..., Route.SPEED_LIMIT] = 13.4 / SPEED
    state = rng.integers(0, 4, n)
    lit = np.flatnonzero(rng.random(n) < share)
    row = np.floor(rng.uniform(3, 39, n) / 2).astype(int)[lit]
    rows[lit, row, Route.LIGHT] = rows[lit, row, Route.GREEN + state[lit]] = 1
    distance = np.full(n, np.inf)
    distance[lit] = METRES * np.hypot(rows[lit, row, Route.X], rows[lit, row, Route.Y])
    return distance, state


def _ego(rows: np.ndarray, rng: Generator) -> np.ndarray:
    speed = rng.uniform(0, TOP_SPEED, len(rows))
    rows[:, Ego.SPEED] = speed / SPEED
    rows[:, [Ego.HALF_LENGTH, Ego.HALF_WIDTH, Ego.HALF_HEIGHT]] = HALF_SIZES
    return speed


def _gap(placed: _Placed, counted: np.ndarray, degrees: float) -> np.ndarray:
    """Return the distance (n,) in m to the nearest counted object within so many degrees of straight ahead."""
    ahead = counted & (np.abs(placed.bearing) < np.radians(degrees))
    return np.where(ahead, placed.distance, np.inf).min(axis=1)


def _pedals(speed: np.ndarray, gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    brake = np.round(np.clip(speed**2 / (2 * gap) / BRAKING, 0, 1), 1)
    return np.where(brake > 0, 0, np.round((TOP_SPEED - speed) / TOP_SPEED, 1)), brake


def _texts(
    arrays: dict[str, np.ndarray],
    light: np.ndarray,
    state: np.ndarray,
    accelerator: np.ndarray,
    brake: np.ndarray,
    steering: np.ndarray,
) -> tuple[str, ...]:
    cars = visible_vehicles(arrays["vehicles"]).sum(axis=1)
    people = visible_pedestrians(arrays["pedestrians"]).sum(axis=1)
    columns = (column.tolist() for column in (cars, people, light, state, accelerator, brake, steering))
    texts = []
    for cars, people, distance, i, *controls in zip(*columns, strict=True):
        told = distance <= LIGHT_REACH
        seen = dict(zip(("accelerator", "brake", "steering"), controls, strict=True))
        seen |= {"cars": cars, "pedestrians": people, "light": STATES[i] if told else NO_LIGHT}
        texts.append(short_text(seen | {"light_distance": distance if told else None}))
    return tuple(texts)
