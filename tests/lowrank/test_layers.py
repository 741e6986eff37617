"""Maps of low rank: the dense map at full rank, starts and their variances, gradients, replacement in a network."""

import math

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.lowrank import (
    INITS,
    LowRankLinear,
    frobenius_decay,
    initial_factors,
    low_rank,
    mapped_ranks,
    maps,
    merge,
)
from tests.lowrank.matrices import llama, logits, matrix, seeded


def test_the_product_written_out():
    layer = LowRankLinear(5, 4, 2)
    x = matrix(3, 5)
    assert torch.allclose(layer(x), x @ (layer.A @ layer.B).T + layer.bias, atol=1e-6)
    assert layer(x[None]).shape == (1, 3, 4)
    assert (layer.in_features, layer.out_features, layer.rank) == (5, 4, 2)
    assert LowRankLinear(5, 4, 2, bias=False).bias is None
    assert "rank=2" in repr(layer)


def test_half_the_rank_of_a_square_map_saves_nothing():
    for rank, wanted in ((8, 16 * 16 + 16), (4, 8 * 16 + 16)):
        assert sum(p.numel() for p in LowRankLinear(16, 16, rank).parameters()) == wanted


@pytest.mark.parametrize("shape", [(12, 12), (12, 30), (30, 12)])
def test_full_rank_with_svd_start_is_the_dense_layer(shape):
    dense = nn.Linear(shape[1], shape[0])
    layer = LowRankLinear.start(dense, 12)
    x = matrix(7, shape[1])
    assert torch.allclose(layer(x), dense(x), atol=1e-5)
    assert torch.equal(layer.bias, dense.bias)
    assert layer.bias is not dense.bias


def test_svd_start_discards_the_smallest_values():
    w = matrix(20, 30)
    a, b = initial_factors(w, 6, "svd", seeded())
    sigma = torch.linalg.svdvals(w)
    assert (w - a @ b).square().sum().item() == pytest.approx(sigma[6:].square().sum().item(), rel=1e-5)
    for product in (a.T @ a, b @ b.T):
        assert torch.allclose(product, torch.diag(sigma[:6]), atol=1e-4)


def test_variances_and_norms_of_the_other_starts():
    n, m, r = 400, 300, 100
    w = (torch.rand(m, n, generator=seeded(9)) * 2 - 1) / math.sqrt(n)
    found = {init: initial_factors(w, r, init, seeded(1)) for init in INITS}
    product = {init: a @ b for init, (a, b) in found.items()}
    assert product["rand"].var().item() == pytest.approx(1 / (9 * n), rel=0.05)
    assert w.var().item() == pytest.approx(1 / (3 * n), rel=0.02)
    assert not product["zero"].any()
    assert found["zero"][1].abs().max() <= 1 / math.sqrt(n)
    assert found["rand"][0].abs().max() <= 1 / math.sqrt(r)
    assert found["xavier"][0].var().item() == pytest.approx(2 / (m + r), rel=0.05)
    assert found["xavier"][1].var().item() == pytest.approx(2 / (n + r), rel=0.05)
    a, b = found["orth"]
    assert product["orth"].norm().item() == pytest.approx(w.norm().item(), rel=1e-4)
    assert torch.allclose(a.T @ a, b @ b.T, atol=1e-5)
    assert torch.allclose(a.T @ a, torch.eye(r) * (a.T @ a)[0, 0], atol=1e-5)
    assert {tuple(part.shape) for part in found["orth"]} == {(m, r), (r, n)}


def test_starts_follow_the_generator_alone():
    state = torch.random.get_rng_state()
    for init in INITS:
        first, again = (LowRankLinear(8, 6, 3, init, generator=seeded(5)) for _ in range(2))
        other = LowRankLinear(8, 6, 3, init, generator=seeded(6))
        assert torch.equal(first.A, again.A)
        assert torch.equal(first.B, again.B)
        assert torch.equal(first.bias, again.bias)
        assert not torch.equal(first.B, other.B)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_gradients_of_the_factors():
    """dL/dA = G B^T and dL/dB = A^T G with G = dL/dW of the dense map."""
    layer = LowRankLinear(9, 7, 3)
    dense, x, y = layer.dense(), matrix(20, 9), matrix(20, 7, 1)
    for module in (layer, dense):
        (module(x) - y).square().mean().backward()
    g = dense.weight.grad
    assert torch.allclose(layer.A.grad, g @ layer.B.T, atol=1e-6)
    assert torch.allclose(layer.B.grad, layer.A.T @ g, atol=1e-6)
    assert torch.allclose(layer.bias.grad, dense.bias.grad, atol=1e-6)


def test_decay_of_the_product():
    layers = nn.Sequential(LowRankLinear(9, 7, 3), LowRankLinear(7, 5, 2))
    wanted = sum((layer.A @ layer.B).square().sum() for layer in layers)
    assert torch.allclose(frobenius_decay(layers), wanted, rtol=1e-5)
    frobenius_decay(layers).backward()
    layer = layers[0]
    assert torch.allclose(layer.A.grad, 2 * layer.A @ layer.B @ layer.B.T, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="no map of low rank"):
        frobenius_decay(nn.Linear(2, 2))


def test_replaced_and_merged_in_a_network():
    model = llama()
    before, names = logits(model), list(maps(model))
    assert len(names) == 21
    assert names[0] == "model.layers.0.self_attn.q_proj"
    same = low_rank(llama(), mapped_ranks(model, 1.0))
    assert torch.equal(logits(same), before)
    ranks = mapped_ranks(model, 0.25, "decreasing", ["q_proj", "up_proj"])
    assert [ranks[f"model.layers.{i}.self_attn.q_proj"] for i in range(3)] == [12, 8, 4]
    assert len(ranks) == 6
    low_rank(model, ranks)
    found = maps(model)
    assert [found[name].rank for name in ranks] == list(ranks.values())
    assert isinstance(found["model.layers.0.mlp.gate_proj"], nn.Linear)
    after = logits(model)
    assert not torch.allclose(after, before, atol=1e-3)
    merge(model)
    assert not any(isinstance(module, LowRankLinear) for module in model.modules())
    assert torch.allclose(logits(model), after, atol=1e-4)


def test_any_network_of_plain_maps():
    """A feed-forward part may be a sequence of its own: only the first number is that of the block."""
    parts = [nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 8, bias=False)) for _ in range(3)]
    net, x = nn.Sequential(*parts), matrix(5, 8)
    ranks = mapped_ranks(net, 0.5, "increasing", lambda name: True)
    assert ranks == {"0.0": 2, "1.0": 4, "2.0": 6, "0.2": 2, "1.2": 4, "2.2": 6}
    low_rank(net, ranks, "rand", seed=3)
    assert [net[i][0].rank for i in range(3)] == [2, 4, 6]
    assert net[0][2].bias is None
    assert net(x).shape == (5, 8)
    with pytest.raises(InputError, match="several ranks"):
        mapped_ranks(nn.Sequential(nn.Linear(8, 12), nn.Linear(12, 12)), 0.5, names=["0", "1"])


def test_what_does_not_fit():
    for rank in (0, 5):
        with pytest.raises(InputError, match=r"1 \.\.\. 4"):
            LowRankLinear(6, 4, rank)
    with pytest.raises(InputError, match="did you mean 'xavier'"):
        LowRankLinear(6, 4, 2, "xavir")
    with pytest.raises(InputError, match="make no map"):
        LowRankLinear.of(torch.ones(4, 2), torch.ones(3, 6))
    with pytest.raises(InputError, match="no linear map x"):
        low_rank(llama(), {"x": 3, "model.layers.0.mlp.up_proj": 3})
    with pytest.raises(InputError, match="no linear map nothing"):
        maps(llama(), ["nothing", "q_proj"])
    with pytest.raises(InputError, match=r"1 \.\.\. 32"):
        low_rank(llama(), {"model.layers.0.mlp.up_proj": 33})
