"""The infomax network against dense matrices and loops, its slopes against differences, in double precision."""

import numpy as np
import pytest
import torch

from tenfold.urban.graph import adjacency, normalised
from tenfold.urban.infomax import (
    AttentionPooling,
    City,
    Convolution,
    Infomax,
    Neighbours,
    Regions,
    shares_by_region,
)

EDGES = np.array([[0, 1], [1, 2], [2, 3], [0, 3], [0, 2], [2, 4], [4, 5]])
DENSE = normalised(adjacency(EDGES, np.linspace(0.5, 2, 7), 6)).toarray()
REGIONS = Regions(torch.tensor([0, 0, 0, 2, 2, 3]), torch.tensor([3, 0, 2, 1]))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def graph(edges=EDGES, weights=None, nodes=6):
    weights = np.linspace(0.5, 2, len(edges)) if weights is None else weights
    found = Neighbours.of(normalised(adjacency(edges, weights, nodes)))
    # In double precision from the start: the layer keeps float32 weights.
    return found._replace(weight=torch.from_numpy(normalised(adjacency(edges, weights, nodes)).data))


def test_convolution_is_a_dense_product():
    layer, x = Convolution(3, 4, generator()).double(), noise(6, 3)
    with torch.no_grad():
        layer.bias.copy_(noise(4, seed=1))
        layer.slope.copy_(torch.tensor([0.25, -0.5, 1.0, 0.0]))
    plain = torch.from_numpy(DENSE) @ x @ layer.weight + layer.bias
    expected = torch.where(plain > 0, plain, plain * layer.slope)
    torch.testing.assert_close(layer(graph(), x), expected, rtol=1e-12, atol=1e-12)


def test_kinds_stand_for_rows_that_repeat():
    layer, rows, kind = Convolution(3, 4, generator()).double(), noise(2, 3), torch.tensor([0, 1, 1, 0, 1, 0])
    torch.testing.assert_close(layer(graph(), rows, kind), layer(graph(), rows[kind]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [None, torch.tensor([0, 1, 1, 0, 2, 0])])
def test_slope_of_mixing_equals_differences(kind):
    rows = noise(6 if kind is None else 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: graph().mix(x, kind), rows)


def test_shares_are_a_softmax_in_each_region():
    score = 50 * noise(6, 2)
    found = shares_by_region(score, REGIONS)
    for first, last in ((0, 3), (3, 5), (5, 6)):
        torch.testing.assert_close(found[first:last], torch.softmax(score[first:last], 0), rtol=1e-12, atol=1e-14)


def pooled_by_loop(pool, x):
    """Attention in each region by torch's own function; keys with a bias, which must not matter."""
    query = pool.query @ pool.seed + pool.query_bias
    rows = []
    for region in range(4):
        inside = x[REGIONS.region == region]
        keys, values = inside @ pool.key.T + 3.0, inside @ pool.value.T + pool.value_bias
        heads = [part.view(-1, pool.heads, 2).transpose(0, 1) for part in (query[None], keys, values)]
        # torch scales by the head's size, the set transformer by all dimensions.
        attended = torch.nn.functional.scaled_dot_product_attention(*heads, scale=x.shape[1] ** -0.5)
        o = query + (attended.transpose(0, 1).reshape(-1) if len(inside) else 0)
        rows.append(o + torch.relu(pool.out @ o + pool.out_bias))
    return torch.stack(rows)


def test_attention_pooling_equals_a_loop_over_regions():
    pool, x = AttentionPooling(4, 2, generator()).double(), 3 * noise(6, 4)
    torch.testing.assert_close(pool(x, REGIONS), pooled_by_loop(pool, x), rtol=1e-12, atol=1e-12)
    order = torch.tensor([2, 0, 1, 4, 3, 5])
    torch.testing.assert_close(pool(x[order], REGIONS), pool(x, REGIONS), rtol=1e-12, atol=1e-12)


def tiny_city():
    edges = np.array([[0, 1], [1, 2], [2, 3]])
    area = torch.tensor([0.4, 0.1, 0.2, 0.3], dtype=torch.float64)
    kind = torch.tensor([0, 1, 2, 0, 1, 1])
    return City(torch.eye(3, dtype=torch.float64), kind, graph(), graph(edges, np.ones(3), 4), REGIONS, area)


def test_loss_equals_a_loop_over_regions():
    city, shuffled = tiny_city(), torch.tensor([1, 0, 1, 2, 1, 0])
    model = Infomax(3, 4, 2, generator()).double()
    found = model(city, shuffled)
    other = [3, 0, 0, 2]  # against each region, the POIs of this one
    pairs = [(i, r) for r, o in enumerate(other) for i in range(6) if REGIONS.region[i] == o]
    negatives = tuple(torch.tensor(part) for part in zip(*pairs, strict=True))

    regions_S = normalised(adjacency(np.array([[0, 1], [1, 2], [2, 3]]), np.ones(3), 4)).toarray()

    def convolve(layer, S, x):
        plain = torch.from_numpy(S) @ x @ layer.weight + layer.bias
        return torch.where(plain > 0, plain, plain * layer.slope)

    poi, noisy = (convolve(model.poi, DENSE, city.features[kind]) for kind in (city.kind, shuffled))
    region, noisy = (convolve(model.region, regions_S, pooled_by_loop(model.pooling, x)) for x in (poi, noisy))
    whole = torch.sigmoid(sum(city.area[r] * region[r] for r in range(4)))

    def mean(values):
        return sum(values) / len(values)

    def s(x, W, y):
        return 1 / (1 + torch.exp(-(x @ W @ y)))

    W = model.poi_region
    near = mean([-torch.log(s(poi[i], W, region[REGIONS.region[i]])) for i in range(6)])
    far = mean([-torch.log(1 - s(poi[i], W, region[r])) for i, r in pairs])
    real = mean([-torch.log(s(region[r], model.region_city, whole)) for r in range(4)])
    fake = mean([-torch.log(1 - s(noisy[r], model.region_city, whole)) for r in range(4)])
    expected = 0.3 * (near + far) + 0.7 * (real + fake)
    assert model.loss(found, REGIONS, negatives, 0.3).item() == pytest.approx(expected.item(), rel=1e-10)
    assert abs((near + far - real - fake).item()) > 1e-3


def test_discriminators_at_zero_know_nothing():
    model, city = Infomax(3, 4, 2, generator()).double(), tiny_city()
    with torch.no_grad():
        model.poi_region.zero_()
        model.region_city.zero_()
    negatives = (torch.tensor([0, 3]), torch.tensor([2, 0]))
    loss = model.loss(model(city, city.kind), REGIONS, negatives, 0.5)
    assert loss.item() == pytest.approx(2 * np.log(2))


def test_every_parameter_learns():
    model, city = Infomax(3, 4, 2, generator()).double(), tiny_city()
    found = model(city, city.kind.flip(0))
    model.loss(found, REGIONS, (torch.tensor([5, 3]), torch.tensor([0, 3])), 0.5).backward()
    assert {name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0} == set()
