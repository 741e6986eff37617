"""Place2Vec: vectors of POI classes from the classes that stand near them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from tenfold.errors import InputError
from tenfold.urban.skipgram import skip_gram
from tenfold.urban.surroundings import points

Array = NDArray[np.float64]


def place2vec(
    poi_xy: ArrayLike,
    poi_class: ArrayLike,
    classes: int,
    dims: int = 64,
    seed: int = 0,
    *,
    k: int = 10,
    scale: float = 100.0,
    steps: int = 200,
) -> Array:
    """Return class vectors (classes, dims) of a skip-gram over spatial contexts: see `contexts`, `skip_gram`.

    A reconstruction: CaLLiPer's own Place2Vec is unpublished, and Yan et al. count check-ins in distance bins,
    which open data lacks. Area vectors are `pooled(counts, vectors)`. Errors as in `contexts`.
    Source: a baseline of arXiv 2411.06229, from memory, after Yan et al. 2017, doi 10.1145/3139958.3140054.
    """
    return skip_gram(contexts(poi_xy, poi_class, classes, k, scale), dims, seed, steps=steps).centres


def contexts(poi_xy: ArrayLike, poi_class: ArrayLike, classes: int, k: int = 10, scale: float = 100.0) -> Array:
    """Weigh how often class c' stands among the k nearest neighbours of class c: (classes, classes).

    n[c, c'] = sum over i of class c, its k nearest j of class c', of -ln p_c' / (1 + d_ij/scale)
    with p the share of a class among all POIs: near and rare neighbours say more. poi_xy: (N, 2) in m,
    poi_class: (N,); scale in m. Raises InputError unless 1 <= k < N and scale > 0, or when all POIs are of one
    class. Source: a reconstruction, see `place2vec`.
    """
    xy, labels = points(poi_xy, poi_class, classes)
    if not (1 <= k < len(xy) and scale > 0):
        raise InputError(f"place2vec needs 1 <= k < {len(xy)} POIs and scale > 0, not k = {k}, scale = {scale}")
    share = np.bincount(labels, minlength=classes) / len(labels)
    if share.max() == 1:
        raise InputError("place2vec needs POIs of at least two classes")
    distance, other = _others(xy, k)
    weight = -np.log(share[labels[other]]) / (1 + distance / scale)
    cell = np.repeat(labels, k) * classes + labels[other]
    return np.bincount(cell, weights=weight, minlength=classes**2).reshape(classes, classes)


def _others(xy: Array, k: int) -> tuple[Array, NDArray]:
    """Return distances and indices, (N k,), of the k nearest POIs other than the POI itself."""
    distance, other = cKDTree(xy).query(xy, k=k + 1)
    kept = other != np.arange(len(xy))[:, None]
    # Where more than k others share the spot, the POI itself may be missing: then the last one goes.
    kept[kept.all(axis=1), -1] = False
    return distance[kept], other[kept]
