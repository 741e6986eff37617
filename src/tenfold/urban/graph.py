"""Graphs of places: the Delaunay triangulation of POIs, touching regions, and their weighted adjacency."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array, eye_array
from scipy.spatial import Delaunay, QhullError

from tenfold.errors import InputError
from tenfold.urban.surroundings import coordinates, indices

Array = NDArray[np.float64]
Edges = NDArray[np.int64]


def delaunay_edges(xy: ArrayLike) -> Edges:
    """Return the edges (E, 2) of the Delaunay triangulation of points (N, 2), each once, smaller index first.

    Points on one spot are joined to the first of them, so that the graph is connected. Raises InputError
    where there is no triangle: fewer than three places, or all on one line.
    """
    xy = coordinates(xy, "xy")
    places, first, place = np.unique(xy, axis=0, return_index=True, return_inverse=True)
    try:
        # From the corner: the leading digits of a British easting say nothing about shape.
        triangulation = Delaunay(places - places[:1])
    except (QhullError, ValueError):
        raise InputError(f"no triangulation: {len(places)} places, or all of them on one line") from None
    corners = triangulation.simplices
    sides = [corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]
    # Qhull leaves out points that nearly coincide and names the vertex next to them.
    joined = first[np.concatenate([*sides, triangulation.coplanar[:, [0, 2]]])]
    twins = np.column_stack([first[place.reshape(-1)], np.arange(len(xy))])
    return distinct_pairs(np.concatenate([joined, twins]))


def region_edges(polygons: ArrayLike) -> Edges:
    """Return the pairs (E, 2) of polygons that touch or overlap, each once, smaller index first."""
    from shapely import STRtree

    return distinct_pairs(STRtree(polygons).query(polygons, predicate="intersects").T)


def distinct_pairs(pairs: NDArray) -> Edges:
    """Return pairs (E, 2) of different nodes, each once, smaller index first, in order."""
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]].astype(np.int64), axis=1)
    return np.unique(pairs, axis=0)


def edge_weights(xy: ArrayLike, edges: ArrayLike, region: ArrayLike | None = None, crossing: float = 0.4) -> Array:
    """Weigh edges by distance, and less where they cross from one region into another.

    w_ij = ln((1 + D^1.5)/(1 + d_ij^1.5)) * (crossing if region_i != region_j else 1)
    xy: (N, 2) in m; edges: (E, 2); D: diagonal of the bounding box; region: (N,) indices. Returns (E,).
    Source: the factor 0.4 from SPPE's settings; the logarithm is a reconstruction from memory.
    """
    xy, edges = coordinates(xy, "xy"), np.asarray(edges)
    distance = np.linalg.norm(xy[edges[:, 0]] - xy[edges[:, 1]], axis=1)
    weights = np.log1p(np.linalg.norm(np.ptp(xy, axis=0)) ** 1.5) - np.log1p(distance**1.5)
    if region is not None:
        region = indices(region, len(xy), np.iinfo(np.int64).max, "region")
        weights = weights * np.where(region[edges[:, 0]] == region[edges[:, 1]], 1.0, crossing)
    return weights


def adjacency(edges: ArrayLike, weights: ArrayLike, nodes: int) -> csr_array:
    """Return the symmetric adjacency (nodes, nodes) of weighted edges, column indices sorted in each row."""
    start, stop = np.asarray(edges).reshape(-1, 2).T
    both = np.concatenate([start, stop]), np.concatenate([stop, start])
    matrix = csr_array((np.tile(weights, 2), both), shape=(nodes, nodes))
    matrix.sort_indices()
    return matrix


def normalised(matrix: csr_array) -> csr_array:
    """Return D^(-1/2) (A + I) D^(-1/2), D = row sums of A + I: what a graph convolution multiplies by."""
    looped = matrix + eye_array(matrix.shape[0])
    scale = diags_array(1 / np.sqrt(np.asarray(looped.sum(axis=1)).reshape(-1)))
    return (scale @ looped @ scale).tocsr()
