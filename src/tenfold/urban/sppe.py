"""SPPE, semantics-preserved POI embedding: class vectors from walks among neighbouring POIs and a hierarchy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from tenfold.errors import InputError
from tenfold.urban.graph import adjacency, delaunay_edges, edge_weights
from tenfold.urban.skipgram import skip_gram
from tenfold.urban.surroundings import indices, points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def sppe(
    poi_xy: ArrayLike,
    poi_class: ArrayLike,
    classes: int,
    category: ArrayLike,
    dims: int = 64,
    seed: int = 0,
    *,
    region: ArrayLike | None = None,
    hierarchy: float = 1e-4,
    walks: int = 5,
    length: int = 10,
    steps: int = 200,
) -> Array:
    """Return class vectors (classes, dims) that keep who stands near whom and who belongs to one category.

    L = skip-gram(first class of a walk -> classes it passes) + hierarchy/2 * sum_(c,c' of one category) |e_c - e_c'|^2
    Walks: `walks` from every POI, `length` POIs each, over the Delaunay graph with `edge_weights` (halved and
    more across `region` (N,)), p = q = 1/2. category: (classes,) parents. Area vectors are `pooled`.
    Differs from the authors' code: negatives come from all classes by frequency (theirs never share a walk;
    with few classes all do), and `hierarchy` is ours (their sum is squared as a whole, times 1e-8).
    Raises InputError for shapes that do not fit. Source: a baseline of arXiv 2411.06229; Huang et al. 2022, doi
    10.1080/13658816.2022.2040510, settings from the authors' code; CaLLiPer's own settings are unpublished.
    """
    xy, labels = points(poi_xy, poi_class, classes)
    siblings = laplacian(category, classes)
    edges = delaunay_edges(xy)
    graph = adjacency(edges, edge_weights(xy, edges, region), len(xy))
    passed = random_walks(graph, walks, length, seed)
    pairs = co_occurrence(labels[passed], classes)
    return skip_gram(pairs, dims, seed, laplacian=hierarchy / 2 * siblings, steps=steps).centres


def laplacian(category: ArrayLike, classes: int) -> Array:
    """Return the graph Laplacian (classes, classes) that joins classes of one category.

    tr(U^T L U) = sum over pairs c < c' of one category of |u_c - u_c'|^2
    """
    parent = indices(category, classes, np.iinfo(np.int64).max, "category")
    same = (parent[:, None] == parent[None, :]).astype(float)
    return np.diag(same.sum(axis=1)) - same


def co_occurrence(walk_classes: Indices, classes: int) -> Indices:
    """Count (first class, later class) over walks (W, length): (classes, classes), rows the first."""
    cell = walk_classes[:, :1] * classes + walk_classes[:, 1:]
    return np.bincount(cell.reshape(-1), minlength=classes**2).reshape(classes, classes)


def random_walks(
    graph: csr_array, walks: int = 5, length: int = 10, seed: int = 0, *, p: float = 0.5, q: float = 0.5
) -> Indices:
    """Walk from every node, `walks` times, to `length` nodes: (nodes * walks, length) indices.

    P(v -> x | came from t) in proportion to w_vx * (1/p if x = t, 1 if x touches t, else 1/q)
    All walks step together: draw x by w_vx, accept it by its bias. graph: symmetric adjacency with positive
    weights and no lonely node, else InputError. Deterministic in `seed`. Source: node2vec (Grover and
    Leskovec 2016), as SPPE uses it.
    """
    if walks < 1 or length < 2 or not min(p, q) > 0:
        raise InputError(f"walks >= 1, length >= 2, p > 0 and q > 0, not {walks}, {length}, {p} and {q}")
    steps = _Steps(graph, 1 / p, 1 / q, np.random.default_rng(seed))
    path = np.empty((length, graph.shape[0] * walks), dtype=np.int64)
    path[0] = np.repeat(np.arange(graph.shape[0]), walks)
    path[1] = steps.draw(path[0])
    for i in range(2, length):
        path[i] = steps.draw_biased(path[i - 2], path[i - 1])
    return path.T


class _Steps:
    """Draws of the next node for many walkers at once."""

    def __init__(self, graph: csr_array, home: float, away: float, rng: np.random.Generator):
        degree = np.diff(graph.indptr)
        if not (degree.all() and (graph.data > 0).all()):
            raise InputError("walks need a neighbour of every node and positive weights")
        self.start, self.neighbour, self.rng = graph.indptr, graph.indices, rng
        self.reach = np.concatenate([[0.0], np.cumsum(graph.data)])
        # Sorted, since the rows are and so are the columns in each.
        self.keys = np.repeat(np.arange(len(degree)), degree) * len(degree) + graph.indices
        self.home, self.away, self.bound = home, away, max(home, away, 1.0)

    def draw(self, node: Indices) -> Indices:
        first, last = self.start[node], self.start[node + 1]
        low, high = self.reach[first], self.reach[last]
        slot = np.searchsorted(self.reach, low + self.rng.random(len(node)) * (high - low), side="right") - 1
        return self.neighbour[np.clip(slot, first, last - 1)]

    def draw_biased(self, before: Indices, node: Indices) -> Indices:
        chosen, open_ = np.empty_like(node), np.arange(len(node))
        while len(open_):
            drawn = self.draw(node[open_])
            accepted = self.rng.random(len(drawn)) * self.bound < self.bias(before[open_], drawn)
            chosen[open_[accepted]] = drawn[accepted]
            open_ = open_[~accepted]
        return chosen

    def bias(self, before: Indices, node: Indices) -> Array:
        key = before * (len(self.start) - 1) + node
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        bias = np.where(self.keys[place] == key, 1.0, self.away)
        bias[before == node] = self.home
        return bias
