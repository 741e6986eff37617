"""Clusters and colours of the hexagons: the paper's Figure 3, named by a rule, held against what really is there."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from tenfold.datasets import london
from tenfold.papers.calliper.city import City
from tenfold.papers.calliper.methods import CLUSTERED, METHODS
from tenfold.urban import class_counts
from tenfold.urban.clusters import ROLES, agreement, cluster, elbow, principal_colours, relabel, silhouettes

CLUSTERS = 4
CENTRE = (530_034.0, 180_381.0)
"""Charing Cross, from which distances to London are measured: easting and northing in metres."""
RADIUS = 500.0
"""Metres around the centre of a cell within which POIs say what kind of cell it is."""
# Cluster sizes stored with the official code: green, industry, residential, centre.
PUBLISHED = {
    "hgi": (3843, 2495, 7431, 1272),
    "space2vec": (3870, 4481, 4215, 2475),
    "calliper": (3390, 1611, 6671, 3369),
}


def painted(embeddings: np.ndarray, city: City, seed: int, counted: bool = False) -> dict[str, Any]:
    """Return `labels` (H,) of the hexagons, numbers of `ROLES`, and the `evidence` of the rule that names them.

    `counted` adds `choices`, see there.
    """
    counts = class_counts(city.poi_xy, city.poi_class, len(city.classes), city.hexagon_xy, RADIUS)
    texts = [f"{name}, {kind}" for name, kind in city.kinds.items()]
    named = relabel(cluster(embeddings, CLUSTERS, seed), counts, texts, distance(city))
    # A column, since a stored frame keeps no index.
    found = {"labels": np.asarray(named.labels), "evidence": named.evidence.reset_index()}
    return found | {"choices": choices(embeddings, seed)} if counted else found


def distance(city: City) -> np.ndarray:
    """Return the distance (H,) of each hexagon to Charing Cross in metres."""
    return np.linalg.norm(city.hexagon_xy - CENTRE, axis=1)


def sizes(labels: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the number of hexagons of each kind by method, and the paper's where they are known."""
    rows = []
    published = {METHODS[name].label: numbers for name, numbers in PUBLISHED.items()}
    for method, found in labels.items():
        counted = np.bincount(found, minlength=len(ROLES))
        for number, role in enumerate(ROLES):
            known = published.get(method, (None,) * 4)[number]
            rows.append({"method": method, "kind": role, "hexagons": int(counted[number]), "published": known})
    return pd.DataFrame(rows).astype({"published": float})


def enrichment(found: Any, city: City) -> pd.DataFrame:
    """Return how much more of a marker lies in its cluster than in London as a whole, per method and seed.

    Markers took no part in clustering or naming: the share of a hexagon that is public park for green space, and that
    lies in the Central Activities Zone for the centre; in the simulated city the true shares of the zones. One means
    that the cluster says nothing.
    """
    rows = []
    marks = markers(city)
    for method in (*CLUSTERED, "untrained"):
        for seed in found.seeds:
            labels = found.found[method, seed]["labels"]
            ratios = {name: values[labels == role].mean() / values.mean() for name, (role, values) in marks.items()}
            rows.append({"method": method, "seed": seed, **ratios})
    table = pd.DataFrame(rows)
    # The untrained encoder of the same seed stands beside each, as what any smooth map would give.
    twin = table[table.method == "untrained"].set_index("seed")
    return table.assign(**{f"{name}_untrained": table.seed.map(twin[name]) for name in marks})


def markers(city: City) -> dict[str, tuple[int, np.ndarray]]:
    """Return, by name, the role that a marker belongs to and its share (H,) of each hexagon."""
    parks, zone = (london.greenspace(), london.central_activities_zone()) if city.real else (None, None)
    if parks is None or zone is None:
        world = london.simulation()
        shares = world.zones(city.hexagon_xy)
        return {"green": (0, shares[:, world.zone_names.index("park")]), "centre": (3, shares[:, 0])}
    return {"green": (0, covered(city.hexagons, parks)), "centre": (3, covered(city.hexagons, zone))}


def covered(cells: gpd.GeoDataFrame, areas: gpd.GeoDataFrame) -> np.ndarray:
    """Return the share (H,) of each cell that areas without overlap cover."""
    shapes, over = cells.geometry.to_numpy(), shapely.simplify(areas.geometry.to_numpy(), 5.0)
    cell, area = shapely.STRtree(over).query(shapes, predicate="intersects")
    shared = shapely.area(shapely.intersection(shapes[cell], over[area]))
    return np.bincount(cell, shared, len(cells)) / shapely.area(shapes)


def choices(embeddings: np.ndarray, seed: int) -> pd.DataFrame:
    """Return, per number of clusters k, the sum of squares within clusters (k = 1 as 1) and the cosine silhouette."""
    # A third of the cells decides as well as all of them, in a third of the time.
    kept = np.random.default_rng(seed).choice(len(embeddings), min(len(embeddings), 5000), replace=False)
    inertia = elbow(embeddings[kept], range(1, 11))
    silhouette = [np.nan, *silhouettes(embeddings[kept], range(2, 11), sample=2500)]
    return pd.DataFrame({"seed": seed, "k": range(1, 11), "inertia": inertia / inertia[0], "silhouette": silhouette})


def alike(found: Any) -> pd.DataFrame:
    """Return the adjusted Rand index of CaLLiPer's clusters with its other seeds', and with the other methods'."""
    first = found.seeds[0]
    ours = found.found["calliper", first]["labels"]
    others = [("calliper", seed) for seed in found.seeds[1:]] + [(name, first) for name in CLUSTERED[:-1]]
    rows = [
        {"method": name, "seed": seed, "adjusted_rand": agreement(ours, found.found[name, seed]["labels"])}
        for name, seed in others
    ]
    return pd.DataFrame(rows)


def colours(embeddings: np.ndarray, city: City) -> np.ndarray:
    """Return the colours (H, 3) of hexagons from the first three principal components."""
    return principal_colours(embeddings, distance(city))


def hues(rgb: np.ndarray, city: City) -> pd.DataFrame:
    """Return the colour of each hexagon with its centre."""
    return pd.DataFrame(
        {"x": city.hexagon_xy[:, 0], "y": city.hexagon_xy[:, 1], **dict(zip("rgb", rgb.T, strict=True))}
    )


def named(labels: np.ndarray) -> np.ndarray:
    """Return the words (H,) of clusters that are numbers of `ROLES`."""
    return np.array(ROLES)[labels]
