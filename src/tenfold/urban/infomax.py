"""The network of hierarchical graph infomax: graph convolutions, attention pooling, discriminators, its loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag, logsigmoid, prelu


class Neighbours(NamedTuple):
    """A symmetric matrix S (nodes, nodes) as bags of neighbours: S X is one weighted sum of rows per node.

    start: (nodes,) offsets into member: (E,) neighbours and weight: (E,).
    """

    start: Tensor
    member: Tensor
    weight: Tensor

    @classmethod
    def of(cls, matrix: csr_array, device: str = "cpu") -> Neighbours:
        """Take over a symmetric sparse matrix (nodes, nodes)."""
        start, member = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr[:-1], matrix.indices))
        return cls(start.to(device), member.to(device), torch.from_numpy(matrix.data).float().to(device))

    def mix(self, rows: Tensor, kind: Tensor | None = None) -> Tensor:
        """Return S X (nodes, D) for X = rows, or X = rows[kind] without ever making that X."""
        return _Mix.apply(rows, kind, self)

    def sums(self, rows: Tensor, kind: Tensor | None = None) -> Tensor:
        """Return S X without its slope."""
        member = self.member if kind is None else kind[self.member]
        return embedding_bag(member, rows, self.start, mode="sum", per_sample_weights=self.weight.to(rows.dtype))


class _Mix(torch.autograd.Function):
    """S X with the slope S g, since S is symmetric: five times faster than that of `embedding_bag`."""

    @staticmethod
    def forward(ctx, rows: Tensor, kind: Tensor | None, graph: Neighbours) -> Tensor:
        ctx.graph, ctx.kind, ctx.size = graph, kind, len(rows)
        return graph.sums(rows, kind)

    @staticmethod
    def backward(ctx, slope: Tensor) -> tuple[Tensor, None, None]:
        by_node = ctx.graph.sums(slope.contiguous())
        if ctx.kind is None:
            return by_node, None, None
        return by_node.new_zeros(ctx.size, by_node.shape[1]).index_add_(0, ctx.kind, by_node), None, None


class Regions(NamedTuple):
    """Which region holds which POIs, POIs sorted by region: region (N,) of each POI, size (R,) of each region."""

    region: Tensor
    size: Tensor


class City(NamedTuple):
    """All that stays fixed: features (C, F) of kinds of POI, kind (N,) of each, graphs, and area (R,), sum 1."""

    features: Tensor
    kind: Tensor
    poi_graph: Neighbours
    region_graph: Neighbours
    regions: Regions
    area: Tensor


class Embeddings(NamedTuple):
    """POIs (N, D), regions (R, D), regions of the shuffled city (R, D), city (D,)."""

    poi: Tensor
    region: Tensor
    shuffled: Tensor
    city: Tensor


class Convolution(nn.Module):
    """One graph convolution, PReLU(S X W + b) with S the normalised adjacency and one slope per channel."""

    def __init__(self, inputs: int, dims: int, generator: torch.Generator):
        super().__init__()
        self.weight = _uniform((inputs, dims), (6 / (inputs + dims)) ** 0.5, generator)
        self.bias = nn.Parameter(torch.zeros(dims))
        self.slope = nn.Parameter(torch.full((dims,), 0.25))

    def forward(self, graph: Neighbours, rows: Tensor, kind: Tensor | None = None) -> Tensor:
        """Convolve rows (nodes, inputs), or those that `kind` (nodes,) names where nodes share few of them."""
        return prelu(graph.mix(rows @ self.weight, kind) + self.bias, self.slope)


class AttentionPooling(nn.Module):
    """Pool the POIs of each region by attention of one learned seed s, in several heads.

    q = Wq s + bq,  a_ih = softmax over i in r of q_h.(Wk x_i)_h/sqrt(D),  o_r = q + [sum_i a_ih (Wv x_i + bv)_h]_h,
    pooled_r = o_r + ReLU(Wo o_r + bo)
    A region without POIs keeps o_r = q. A key bias would cancel in the softmax. Source: set transformer.
    """

    def __init__(self, dims: int, heads: int, generator: torch.Generator):
        super().__init__()
        bound = dims**-0.5
        self.heads = heads
        self.seed = _uniform((dims,), (6 / (1 + dims)) ** 0.5, generator)
        self.query, self.key, self.value, self.out = (_uniform((dims, dims), bound, generator) for _ in range(4))
        self.query_bias, self.value_bias, self.out_bias = (_uniform((dims,), bound, generator) for _ in range(3))

    def forward(self, x_ND: Tensor, regions: Regions) -> Tensor:
        """Return (R, D) from POIs (N, D)."""
        dims = x_ND.shape[1]
        q_D = self.query @ self.seed + self.query_bias
        # One query for all: the scores are x times `heads` vectors, and no key is ever made.
        q_HD = (q_D[:, None] * self.key).view(self.heads, -1, dims).sum(1)
        share_NH = shares_by_region(x_ND @ q_HD.T / dims**0.5, regions)
        value_NHd = (x_ND @ self.value.T + self.value_bias).view(len(x_ND), self.heads, -1)
        o_RD = q_D + sum_by_region((share_NH[:, :, None] * value_NHd).view(x_ND.shape), regions)
        return o_RD + torch.relu(o_RD @ self.out.T + self.out_bias)


def sum_by_region(x: Tensor, regions: Regions) -> Tensor:
    """Add the rows (N, ...) of each region's POIs: (R, ...), zero where there are none."""
    return torch.segment_reduce(x, "sum", lengths=regions.size)


def shares_by_region(score_NH: Tensor, regions: Regions) -> Tensor:
    """Return the softmax of scores (N, H) over the POIs of each region: shares sum to 1 in each."""
    top = torch.segment_reduce(score_NH.detach(), "max", lengths=regions.size)
    weight = torch.exp(score_NH - top[regions.region])
    return weight / embedding(regions.region, sum_by_region(weight, regions))


class Infomax(nn.Module):
    """The encoders of POIs, regions and city, and two bilinear discriminators W (D, D).

    POIs: convolution on the POI graph; regions: attention pooling, then convolution on the region graph;
    city: s(sum_r area_r region_r). Initial values by one generator. Source: RightBank/HGI.
    """

    def __init__(self, inputs: int, dims: int, heads: int, generator: torch.Generator):
        super().__init__()
        self.poi = Convolution(inputs, dims, generator)
        self.pooling = AttentionPooling(dims, heads, generator)
        self.region = Convolution(dims, dims, generator)
        self.poi_region, self.region_city = (_uniform((dims, dims), dims**-0.5, generator) for _ in range(2))

    def forward(self, city: City, shuffled: Tensor) -> Embeddings:
        """Embed a city, and its regions once more with the kinds of its POIs shuffled: (N,) indices of kinds."""
        poi = self.poi(city.poi_graph, city.features, city.kind)
        noise = self.poi(city.poi_graph, city.features, shuffled)
        region, other = (self.region(city.region_graph, self.pooling(x, city.regions)) for x in (poi, noise))
        return Embeddings(poi, region, other, torch.sigmoid(city.area @ region))

    def loss(self, found: Embeddings, regions: Regions, negatives: tuple[Tensor, Tensor], alpha: float) -> Tensor:
        """Return the infomax loss.

        alpha (POI-region) + (1 - alpha) (region-city), each -E ln s(p) - E ln(1 - s(n)), with p, n = x.W y
        negatives: indices (M,) of POIs and (M,) of the regions they are not in; a shuffled region is the
        negative of the city.
        """
        key_RD = found.region @ self.poi_region.T
        others, strangers = negatives
        near = (found.poi * embedding(regions.region, key_RD)).sum(1)
        far = (embedding(others, found.poi) * embedding(strangers, key_RD)).sum(1)
        key_D = self.region_city @ found.city
        return alpha * _contrast(near, far) + (1 - alpha) * _contrast(found.region @ key_D, found.shuffled @ key_D)


def _contrast(positive: Tensor, negative: Tensor) -> Tensor:
    return -logsigmoid(positive).mean() - logsigmoid(-negative).mean()


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
