"""A scene seen from above, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tenfold.pruning.driving.captions import light
from tenfold.pruning.driving.layout import (
    METRES,
    Ego,
    Pedestrian,
    Route,
    Vehicle,
    angles,
    arrays,
    visible_pedestrians,
    visible_vehicles,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("kind", "x", "y", "angle", "length", "width", "visible")
STEP = 0.5  # metres across that a pedestrian is drawn with


def geometry(scene: Mapping[str, Any]) -> pd.DataFrame:
    """Return what stands where in one scene: kind, x, y, angle, length, width, visible.

    kind: ego, route, light (the first route point with one), car, parked (not dynamic) or pedestrian. x is ahead and y
    to the left, in m; angle is the heading in degrees from straight ahead, right positive; length and width in m;
    visible says what the caption tells. The scene is as in `visible_objects`. Raises InputError.
    """
    import pandas as pd

    route, vehicles, pedestrians, ego = arrays(scene)
    size = 2 * ego[[Ego.HALF_LENGTH, Ego.HALF_WIDTH]]
    rows = [("ego", 0.0, 0.0, 0.0, *size.tolist(), True)]
    rows += _rows(route, Route, np.full(len(route), "route"), np.ones(len(route), bool))
    flagged = np.flatnonzero(route[:, Route.LIGHT] > 0)[:1]
    told = light(route)[1] is not None
    rows += _rows(route[flagged], Route, np.full(len(flagged), "light"), np.full(len(flagged), told))
    kinds = np.where(vehicles[:, Vehicle.DYNAMIC] == 1, "car", "parked")
    sizes = 2 * vehicles[:, [Vehicle.HALF_LENGTH, Vehicle.HALF_WIDTH]]
    there = vehicles[:, Vehicle.ACTIVE] == 1
    rows += _rows(vehicles[there], Vehicle, kinds[there], visible_vehicles(vehicles)[there], sizes[there])
    there = pedestrians[:, Pedestrian.ACTIVE] == 1
    people = pedestrians[there]
    step = np.full((len(people), 2), STEP)
    rows += _rows(people, Pedestrian, np.full(len(people), "pedestrian"), visible_pedestrians(people), step)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(
    found: np.ndarray,
    columns: type[Route] | type[Vehicle] | type[Pedestrian],
    kinds: np.ndarray,
    visible: np.ndarray,
    sizes: np.ndarray | None = None,
) -> list[tuple]:
    x, y = METRES * found[:, columns.X], METRES * found[:, columns.Y]
    turned = angles(found[:, columns.DX], found[:, columns.DY])
    sizes = np.zeros((len(found), 2)) if sizes is None else sizes
    table = (kinds, x, y, turned, sizes[:, 0], sizes[:, 1], visible)
    return list(zip(*(column.tolist() for column in table), strict=True))
