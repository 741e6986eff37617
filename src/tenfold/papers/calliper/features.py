"""Features of places: what each method knows of the points that a probe is trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from tenfold.papers.calliper.city import City
from tenfold.urban import (
    class_counts,
    doc2vec,
    encoding,
    hgi,
    lda,
    place2vec,
    pooled,
    sppe,
    tf_idf,
)
from tenfold.urban.graph import region_edges

RADIUS = 800.0
"""Metres around a place within which POIs count as its surroundings (ten minutes on foot)."""

DIMS = 64
"""Columns of class vectors where classes are few; the 578 of the paper's POIs get as many as the embedding has."""
TOPICS = 16

Features = Callable[[np.ndarray], np.ndarray]


def features(method: str, city: City, settings: dict[str, Any], seed: int) -> Features | None:
    """Return the function from points (N, 2) in metres to the features (N, D) of a method; None where it has none."""
    if method in ("mean", "neighbours"):
        return None
    if method == "encoding":
        return positional(settings)
    if method == "random":
        # A vector for each row, whatever its place: what a probe can learn without any information.
        return lambda xy: np.random.default_rng(seed).standard_normal((len(xy), settings["out"])).astype(np.float32)
    if method == "hgi":
        return _hgi(city, settings, seed)
    return _surroundings(method, city, settings, seed)


def positional(settings: dict[str, Any]) -> Features:
    """Return the positional encoding of the settings as features."""
    names = ("frequencies", "lambda_min", "lambda_max")
    made = encoding(settings["encoding"], **{name: settings[name] for name in names})
    return lambda xy: made(xy).astype(np.float32)


def _surroundings(method: str, city: City, settings: dict[str, Any], seed: int) -> Features:
    """Return features that follow from the classes of the POIs within `RADIUS` of a place."""
    number = len(city.classes)
    dims = min(settings["out"], max(DIMS, number))
    if method == "place2vec":
        vectors = place2vec(city.poi_xy, city.poi_class, number, dims, seed)
    elif method == "sppe":
        vectors = sppe(city.poi_xy, city.poi_class, number, city.category, dims, seed)
    profile: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "counts": np.log1p,
        "tf_idf": tf_idf,
        "lda": lambda counts: lda(counts, min(TOPICS, number), seed),
        "doc2vec": lambda counts: doc2vec(counts, dims, seed),
        "place2vec": lambda counts: pooled(counts, vectors),
        "sppe": lambda counts: pooled(counts, vectors),
    }
    made = profile[method]
    return lambda xy: made(class_counts(city.poi_xy, city.poi_class, number, xy, RADIUS)).astype(np.float32)


def _hgi(city: City, settings: dict[str, Any], seed: int) -> Features:
    """Return the vector of the area whose centre is nearest, which is how HGI speaks of points."""
    centres, polygons = city.regions
    tree = cKDTree(centres)
    region = tree.query(city.poi_xy)[1]
    vectors = hgi(
        city.poi_xy,
        city.poi_class,
        len(city.classes),
        region,
        region_edges(polygons),
        polygons.area / 1e6,
        settings["out"],
        settings["hgi_epochs"],
        seed,
    )
    return lambda xy: vectors[tree.query(xy)[1]]
