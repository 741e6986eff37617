"""Embeddings for programs of one's own: London's hexagons, and the cells of Great Britain in chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from tenfold.datasets import label, london
from tenfold.papers.calliper.city import City
from tenfold.papers.calliper.clustering import CENTRE
from tenfold.urban import Pretrained
from tenfold.urban.clusters import principal_colours
from tenfold.urban.grids import embed_grid, export_embeddings, h3_centres, simplified

# A thirtieth of the edge of a cell, in metres: coarser outlines would find other cells.
TOLERANCE = {3: 2000.0, 4: 750.0, 5: 280.0, 6: 105.0, 7: 40.0, 8: 15.0, 9: 6.0}
DRAWN = 500.0  # metres; half a pixel of the map


def hexagons(folder: Path, city: City, embedded: np.ndarray) -> None:
    """Write the hexagons with their embeddings as GeoParquet, hexagons.parquet in `folder`."""
    # Titles, not names: the name of a reader's own file is a path of their machine.
    told = {"paper": "calliper", "data": label(city.data("places", "hexagons"))}
    export_embeddings(folder / "hexagons.parquet", city.hexagons, embedded, told)


def country(folder: Path, city: City, model: Pretrained, resolution: int) -> dict[str, Any] | None:
    """Embed the H3 cells of Great Britain, written in chunks as GeoParquet; None for a simulated London.

    Returns centres `xy` and colours `rgb` of the cells, simplified `districts`, and `numbers`, a row per cell.
    """
    districts = london.districts() if city.real else None
    if districts is None:
        return None
    path = folder / "britain.parquet"
    centres = h3_centres(simplified(districts, TOLERANCE[resolution]), resolution)
    embed_grid(model.embed, centres, path, {"paper": "calliper", "resolution": resolution})
    table = pq.read_table(path)
    xy = shapely.get_coordinates(shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False)))
    vectors = table.select([name for name in table.column_names if name.startswith("e")])
    rgb = principal_colours(np.column_stack(vectors.columns), np.linalg.norm(xy - CENTRE, axis=1))
    numbers = pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], **dict(zip("rgb", rgb.T, strict=True))})
    return {"xy": xy, "rgb": rgb, "districts": simplified(districts, DRAWN), "numbers": numbers}
