"""Graphs of places: empty circumcircles, duplicates, weights in closed form, dense matrices."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from shapely import box

from tenfold.errors import InputError
from tenfold.urban.graph import adjacency, delaunay_edges, edge_weights, normalised, region_edges


def circumcircle(a, b, c):
    """Centre and squared radius of the circle through three points, from perpendicular bisectors."""
    centre = np.linalg.solve(2 * np.array([b - a, c - a]), [b @ b - a @ a, c @ c - a @ a])
    return centre, (centre - a) @ (centre - a)


def test_edges_are_those_of_triangles_with_empty_circumcircles():
    xy = np.random.default_rng(0).uniform(0, 1000, (14, 2))
    expected = set()
    for i in range(14):
        for j in range(i):
            for k in range(j):
                centre, square = circumcircle(xy[i], xy[j], xy[k])
                if (((xy - centre) ** 2).sum(axis=1) > square * (1 - 1e-9)).all():
                    expected |= {(j, i), (k, j), (k, i)}
    assert set(map(tuple, delaunay_edges(xy).tolist())) == expected


def test_an_easting_far_from_zero_changes_nothing():
    xy = np.random.default_rng(1).uniform(0, 50, (60, 2))
    assert (delaunay_edges(xy) == delaunay_edges(xy + np.array([530_000, 180_000]))).all()


def test_points_on_one_spot_hang_on_the_first():
    xy = np.random.default_rng(2).uniform(0, 100, (30, 2))
    edges = delaunay_edges(np.concatenate([xy, xy[[4, 4, 9]]]))
    assert {(4, 30), (4, 31), (9, 32)} <= set(map(tuple, edges.tolist()))
    assert (edges[:, 0] < edges[:, 1]).all() and len(np.unique(edges, axis=0)) == len(edges)
    assert connected_components(adjacency(edges, np.ones(len(edges)), 33))[0] == 1
    assert len(edges) == len(delaunay_edges(xy)) + 3


@pytest.mark.parametrize("xy", [np.zeros((0, 2)), [[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2], [3, 3]], np.ones((9, 2))])
def test_no_triangle_is_said(xy):
    with pytest.raises(InputError, match="no triangulation"):
        delaunay_edges(xy)


def test_weights_fall_with_distance_and_across_borders():
    xy = np.array([[0, 0], [300, 400], [0, 40], [0, 0]])
    edges, diagonal = [[0, 1], [0, 2], [0, 3]], 500.0
    free = edge_weights(xy, edges)
    expected = [np.log((1 + diagonal**1.5) / (1 + d**1.5)) for d in (500, 40, 0)]
    np.testing.assert_allclose(free, expected, rtol=1e-12, atol=1e-12)
    crossing = edge_weights(xy, edges, region=[7, 7, 8, 7])
    np.testing.assert_allclose(crossing, free * [1, 0.4, 1], rtol=1e-15)


def test_normalised_adjacency_is_the_dense_product():
    rng = np.random.default_rng(3)
    edges = delaunay_edges(rng.uniform(0, 9, (12, 2)))
    weights = rng.uniform(0.5, 2, len(edges))
    dense = np.zeros((12, 12))
    for (i, j), w in zip(edges, weights, strict=True):
        dense[i, j] = dense[j, i] = w
    matrix = adjacency(edges, weights, 12)
    np.testing.assert_array_equal(matrix.toarray(), dense)
    looped = dense + np.eye(12)
    half = np.diag(looped.sum(axis=1) ** -0.5)
    np.testing.assert_allclose(normalised(matrix).toarray(), half @ looped @ half, rtol=1e-14)
    # The square root of the degrees is the eigenvector of 1: a constant signal is neither grown nor shrunk.
    root = np.sqrt(looped.sum(axis=1))
    np.testing.assert_allclose(normalised(matrix) @ root, root, rtol=1e-13)


def test_a_node_without_neighbours_keeps_itself():
    assert (normalised(adjacency(np.zeros((0, 2), int), [], 3)).toarray() == np.eye(3)).all()


def test_regions_touch_by_side_or_corner():
    squares = np.array([box(i, j, i + 1, j + 1) for j in range(3) for i in range(3)])
    pairs = set(map(tuple, region_edges(squares).tolist()))
    expected = {(a, b) for a in range(9) for b in range(a + 1, 9) if max(abs(a % 3 - b % 3), abs(a // 3 - b // 3)) == 1}
    assert pairs == expected and len(pairs) == 20
