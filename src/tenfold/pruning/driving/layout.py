"""Columns and units of a driving scene's vectors."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np

from tenfold.datasets.driving import SHAPES
from tenfold.errors import InputError

METRES = 10.0  # a length of 1 in the vectors is so many metres
SPEED = 5.0  # a speed of 1 in the vectors is so many m/s
MPH = 2.23694  # miles an hour in 1 m/s


class Route(IntEnum):
    """Columns of the 30 route points, 2 m apart; the four light states are one-hot."""

    X, Y, Z, DX, DY, PITCH, SPEED_LIMIT, JUNCTION, WIDTH, OTHER_WIDTH = range(10)
    LIGHT, GREEN, YELLOW, RED, RED_YELLOW, GIVE_WAY, ROUNDABOUT = range(10, 17)


class Vehicle(IntEnum):
    """Named columns of the 30 vehicles; 12 to 32 (class, corners) have no name upstream."""

    ACTIVE, DYNAMIC, SPEED, X, Y, Z, DX, DY, PITCH, HALF_LENGTH, HALF_WIDTH, HALF_HEIGHT = range(12)


class Pedestrian(IntEnum):
    """Columns of the 20 pedestrians; 7 is unused."""

    ACTIVE, SPEED, X, Y, Z, DX, DY, UNUSED, CROSSING = range(9)


class Ego(IntEnum):
    """Named columns of the own car; steering in radians of the wheel, left positive."""

    ACCELERATION, SPEED, BRAKE, STEERING, PITCH, HALF_LENGTH, HALF_WIDTH, HALF_HEIGHT = range(8)


def arrays(scene: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return route (30, 17), vehicles (30, 33), pedestrians (20, 9) and ego (31,) of one scene as float32.

    The scene is a mapping with the publisher's names, its values numpy or torch. Raises InputError.
    """
    found = []
    for name, (_, shape) in SHAPES.items():
        try:
            value = scene[name]
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(f"a scene needs {name}") from error
        value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        if value.ndim != len(shape) or value.shape[-1] != shape[-1]:
            raise InputError(f"{name} of a scene has the shape {shape}, not {value.shape}")
        found.append(value.astype(np.float32, copy=False))
    return tuple(found)


def angles(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return atan2(-dy, dx) in degrees: 0 ahead, right positive."""
    return np.degrees(np.arctan2(-dy, dx)).astype(np.result_type(dx, np.float32))


def in_sight(active: np.ndarray, x: np.ndarray, y: np.ndarray, reach: float) -> np.ndarray:
    """Return which objects at x, y in m are seen: active, x > 0, |angle| < 60 degrees, distance <= reach in m."""
    return active & (x > 0) & (np.abs(angles(x, y)) < 60) & (np.hypot(x, y) <= reach)


def visible_vehicles(vehicles: np.ndarray) -> np.ndarray:
    """Return which of vehicles (..., 33) are cars in sight: dynamic ones within 40 m."""
    active = (vehicles[..., Vehicle.ACTIVE] == 1) & (vehicles[..., Vehicle.DYNAMIC] == 1)
    return in_sight(active, METRES * vehicles[..., Vehicle.X], METRES * vehicles[..., Vehicle.Y], 40)


def visible_pedestrians(pedestrians: np.ndarray) -> np.ndarray:
    """Return which of pedestrians (..., 9) are in sight, within 30 m."""
    active = pedestrians[..., Pedestrian.ACTIVE] == 1
    return in_sight(active, METRES * pedestrians[..., Pedestrian.X], METRES * pedestrians[..., Pedestrian.Y], 30)
