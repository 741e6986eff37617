"""HGI, hierarchical graph infomax: region vectors by mutual information between POIs, regions and the city."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from tenfold.errors import InputError
from tenfold.urban.graph import adjacency, delaunay_edges, distinct_pairs, edge_weights, normalised
from tenfold.urban.infomax import City, Infomax, Neighbours, Regions
from tenfold.urban.surroundings import counts_of, indices, points, region_counts

Indices = NDArray[np.int64]

LEARNING_RATE, CLIP, WARMUP = 0.006, 0.9, 40
HARD_SHARE, HARD_RANGE = 0.25, (0.6, 0.8)
_ROWS_AT_ONCE = 1024


def hgi(
    poi_xy: ArrayLike,
    poi_class: ArrayLike,
    classes: int,
    region: ArrayLike,
    region_edges: ArrayLike,
    region_area: ArrayLike,
    dims: int = 128,
    epochs: int = 500,
    seed: int = 0,
    *,
    class_features: ArrayLike | None = None,
    heads: int = 4,
    alpha: float = 0.5,
    device: str = "cpu",
    progress: Callable[[int, float], None] | None = None,
) -> NDArray[np.float32]:
    """Return region vectors (R, dims), those of the epoch with the lowest loss.

    alpha (POI-region) + (1 - alpha) (region-city), each -E ln s(p) - E ln(1 - s(n)): see `Infomax`, `Negatives`
    poi_xy: (N, 2) in m; poi_class, region: (N,) indices; region_edges: (E, 2) pairs of neighbours, as
    `graph.region_edges` makes them; region_area: (R,) in any unit; class_features: (classes, F), one-hot when
    None. Adam at 0.006 after a linear warm-up of 40 epochs, gradients clipped at 0.9; `progress` gets epoch and
    loss. Deterministic in `seed`. Raises InputError for shapes that do not fit, POIs in fewer than two regions,
    and dims that `heads` does not divide. Source: a baseline of arXiv 2411.06229, after RightBank/HGI, where edge
    weights and coarse similarity come ready-made: `edge_weights` and the cosine of class counts are reconstructions.
    """
    xy, labels = points(poi_xy, poi_class, classes)
    region = indices(region, len(xy), np.size(region_area), "region")
    if min(dims, heads, epochs) < 1 or dims % heads:
        raise InputError(f"hgi needs epochs >= 1 and dims that heads divides, not {epochs}, {dims} and {heads}")
    order = np.argsort(region, kind="stable")
    xy, labels, region = xy[order], labels[order], region[order]
    features = np.eye(classes) if class_features is None else _features(class_features, classes)
    negatives = Negatives(region_counts(labels, classes, region, np.size(region_area)))
    city = _city(xy, labels, features, region, region_edges, region_area, device)
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    model = Infomax(features.shape[1], dims, heads, generator).to(device)
    return _train(model, city, negatives, rng, epochs, alpha, progress)


def _features(class_features: ArrayLike, classes: int) -> NDArray:
    features = np.asarray(class_features, dtype=float)
    if features.ndim != 2 or len(features) != classes or not np.isfinite(features).all():
        raise InputError(f"class_features must be finite, ({classes}, F), not {features.shape}")
    return features


def _city(
    xy: NDArray,
    labels: Indices,
    features: NDArray,
    region: Indices,
    region_edges: ArrayLike,
    region_area: ArrayLike,
    device: str,
) -> City:
    """Put what training needs on the device; POIs are sorted by region."""
    area = np.asarray(region_area, dtype=float)
    if area.ndim != 1 or not (np.isfinite(area) & (area > 0)).all():
        raise InputError(f"region_area must be positive numbers of shape (R,), not {area.shape}")
    ends = np.asarray(region_edges).reshape(-1)
    pairs = distinct_pairs(indices(ends, ends.size, len(area), "region_edges").reshape(-1, 2))
    edges = delaunay_edges(xy)
    pois = normalised(adjacency(edges, edge_weights(xy, edges, region), len(xy)))
    regions = normalised(adjacency(pairs, np.ones(len(pairs)), len(area)))
    size = np.bincount(region, minlength=len(area))
    return City(
        torch.from_numpy(features).float().to(device),
        torch.from_numpy(labels).to(device),
        Neighbours.of(pois, device),
        Neighbours.of(regions, device),
        Regions(*(torch.from_numpy(part).to(device) for part in (region, size))),
        torch.from_numpy(area / area.sum()).float().to(device),
    )


class Negatives:
    """POIs of another region for each region: any other that has POIs or, in a quarter of draws, a hard one.

    Hard: the cosine between the class counts of both regions lies between 0.6 and 0.8. counts: (R, C) of POIs
    sorted by region. Raises InputError where fewer than two regions have POIs.
    """

    def __init__(self, counts: ArrayLike):
        counts = counts_of(counts)
        self.size = counts.sum(axis=1)
        self.first = np.cumsum(self.size) - self.size
        self.filled = np.flatnonzero(self.size)
        if len(self.filled) < 2:
            raise InputError("hgi needs POIs in at least two regions")
        self.hard, self.hard_size = _alike(counts)
        self.hard_first = np.cumsum(self.hard_size) - self.hard_size

    def draw_regions(self, rng: np.random.Generator) -> Indices:
        """Return for each region (R,) another one with POIs."""
        owner = self.size > 0
        rank = rng.integers(len(self.filled) - owner)
        # A region with POIs skips itself: ranks from its own on move up by one.
        own = np.searchsorted(self.filled, np.arange(len(owner)))
        other = self.filled[rank + (owner & (rank >= own))]
        hard = (rng.random(len(owner)) < HARD_SHARE) & (self.hard_size > 0)
        other[hard] = self.hard[self.hard_first[hard] + rng.integers(self.hard_size[hard])]
        return other

    def draw(self, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """Return (M,) POIs and the (M,) regions they stand against: all POIs of each region's other one."""
        other = self.draw_regions(rng)
        size = self.size[other]
        # Runs of consecutive POIs, one after the other: each run starts where its region does.
        run = np.cumsum(size) - size
        poi = np.arange(size.sum()) + np.repeat(self.first[other] - run, size)
        return poi, np.repeat(np.arange(len(other)), size)


def _alike(counts: NDArray) -> tuple[Indices, Indices]:
    """Return the regions hard to tell from each region, one list after the other, and how many each has."""
    unit = counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-300)
    low, high = HARD_RANGE
    lists, sizes = [], []
    for start in range(0, len(unit), _ROWS_AT_ONCE):
        cosine = unit[start : start + _ROWS_AT_ONCE] @ unit.T
        alike = (cosine > low) & (cosine < high)
        lists.append(np.nonzero(alike)[1])
        sizes.append(alike.sum(axis=1))
    return np.concatenate(lists), np.concatenate(sizes)


def _train(
    model: Infomax,
    city: City,
    negatives: Negatives,
    rng: np.random.Generator,
    epochs: int,
    alpha: float,
    progress: Callable[[int, float], None] | None,
) -> NDArray[np.float32]:
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda epoch: min(1.0, (epoch + 1) / WARMUP))
    lowest, best = np.inf, None
    device = city.kind.device
    for epoch in range(epochs):
        shuffled = city.kind[torch.from_numpy(rng.permutation(len(city.kind))).to(device)]
        drawn = tuple(torch.from_numpy(part).to(device) for part in negatives.draw(rng))
        found = model(city, shuffled)
        loss = model.loss(found, city.regions, drawn, alpha)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        warmup.step()
        if (value := loss.item()) < lowest:
            lowest, best = value, found.region.detach()
        if progress:
            progress(epoch, value)
    if best is None:
        raise InputError("hgi did not train: its loss was never finite")
    return best.cpu().numpy()
