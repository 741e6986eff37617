"""Baselines: optimal errors in the norm of the inputs, scalings by hand, ranks by outliers and by a budget."""

import math

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.language import Windows
from tenfold.lowrank import (
    asvd,
    budget_ranks,
    decompose,
    decompose_scaled,
    map_scalings,
    maps,
    owl_ranks,
    totals,
    truncate,
    whitened,
)
from tenfold.lowrank.decomposition import decompose_weights
from tenfold.lowrank.factors import Factors
from tenfold.pruning import outlier_distribution
from tests.lowrank.matrices import ids, llama, logits, matrix


def inputs(tokens=200, n=24, seed=3):
    """Inputs that depend on each other and differ in size."""
    return matrix(tokens, n, seed) @ matrix(n, n, seed + 1) * torch.linspace(0.05, 3, n)


@pytest.mark.parametrize("rows", [18, 30])
@pytest.mark.parametrize("rank", [2, 8, 15])
def test_whitening_is_the_best_in_the_norm_of_the_inputs(rank, rows):
    w, x = matrix(rows, 24), inputs()
    found = {
        "plain": decompose_weights({"w": w})["w"],
        "asvd": decompose_weights({"w": w}, scalings={"w": asvd(x.abs().mean(0))})["w"],
        "whitened": decompose_weights({"w": w}, scalings={"w": whitened(x.T @ x)})["w"],
    }
    error = {}
    for kind, factors in found.items():
        a, b = factors.pair(rank)
        error[kind] = ((w - a @ b) @ x.T).norm().item()
    assert error["whitened"] < error["asvd"] < error["plain"]
    # The bound of Eckart and Young for W L, which no matrix of this rank can beat.
    assert error["whitened"] ** 2 == pytest.approx(found["whitened"].lost(rank), rel=1e-3)


@pytest.mark.parametrize("rows", [18, 30])
def test_at_full_rank_every_scaling_gives_the_matrix_back(rows):
    w, x = matrix(rows, 24), inputs()
    for scaling in (asvd(x.abs().mean(0)), whitened(x.T @ x)):
        a, b = decompose_weights({"w": w}, scalings={"w": scaling})["w"].pair(min(rows, 24))
        assert torch.allclose(a @ b, w, atol=1e-3)


def test_scalings_by_hand():
    assert torch.allclose(asvd(torch.tensor([4.0, 9.0, 1.0])).T, torch.tensor([2.0, 3.0, 1.0]).double())
    assert torch.allclose(asvd(torch.tensor([4.0, 9.0]), alpha=1.0).T, torch.tensor([4.0, 9.0]).double())
    x = inputs(60, 5)
    factor = whitened(x.T @ x, damping=0.0).T
    assert torch.allclose(factor @ factor.T, (x.T @ x).double(), rtol=1e-6)
    assert torch.equal(factor, factor.tril())
    w = matrix(4, 5).double()
    assert torch.allclose(whitened(x.T @ x).undone(whitened(x.T @ x).times(w)).double(), w, atol=1e-5)


def test_inputs_alike_in_every_direction_change_nothing():
    w, eye = matrix(10, 12), torch.eye(12)
    plain = decompose_weights({"w": w})["w"].pair(4)
    for scaling in (asvd(torch.full((12,), 3.0)), whitened(eye)):
        a, b = decompose_weights({"w": w}, scalings={"w": scaling})["w"].pair(4)
        assert torch.allclose(a @ b, plain[0] @ plain[1], atol=1e-4)


def test_scalings_of_plain_maps_come_from_their_own_inputs():
    net, x = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)), matrix(30, 6)[:, None]
    linears = {"0": net[0], "2": net[2]}
    hidden = torch.relu(net[0](x)).detach()
    found = map_scalings(linears, lambda: net(x), "asvd", alpha=1.0)
    assert torch.allclose(found["0"].T, x.abs().double().mean((0, 1)))
    assert torch.allclose(found["2"].T, hidden.abs().double().mean((0, 1)).clamp(min=1e-12), rtol=1e-5)
    found = map_scalings(linears, lambda: [net(part) for part in x.split(7)], "whitened", damping=0.0)
    flat = x.flatten(0, 1).double()
    assert torch.allclose(found["0"].T @ found["0"].T.T, flat.T @ flat, rtol=1e-4, atol=1e-5)
    marks = torch.ones(30, 1, dtype=torch.bool)
    marks[10:] = False
    some = map_scalings(linears, lambda: net(x), "asvd", marks, alpha=1.0)
    assert torch.allclose(some["0"].T, x[:10].abs().double().mean((0, 1)))


@pytest.mark.parametrize("kind", ["asvd", "whitened"])
def test_a_whole_model_keeps_its_outputs_better_than_plainly(kind):
    model, windows = llama(), ids(8, 32)
    with torch.no_grad():
        # Channels of different sizes enter every block, as in a trained model.
        for block in model.model.layers:
            for norm in (block.input_layernorm, block.post_attention_layernorm):
                norm.weight.copy_(torch.linspace(0.1, 6, 32))
    plain, scaled = decompose(model), decompose_scaled(model, windows, kind)
    ranks = plain.ranks(0.7, by="uniform")
    wanted = logits(model, windows)
    gaps = [(logits(truncate(model, held, ranks), windows) - wanted).norm() for held in (plain, scaled)]
    assert gaps[1] < 0.9 * gaps[0]
    assert list(scaled) != []
    assert set(scaled) == set(plain)
    assert totals(truncate(model, scaled, scaled.ranks(0.5)))["err"] == pytest.approx(0.5, abs=0.05)


def test_padding_does_not_count():
    model, rows = llama(), ids(4, 16)
    real = torch.ones(4, 16, dtype=torch.bool)
    real[:, :4] = False
    scaled = [
        decompose_scaled(model, Windows(ids=changed, attend=real, count=real, real=real), "asvd")
        for changed in (rows, torch.where(real, rows, 7))
    ]
    for name in scaled[0]:
        assert torch.allclose(scaled[0].spectra[name], scaled[1].spectra[name], rtol=1e-4, atol=1e-5)


def test_outliers_keep_their_rank():
    model, windows = llama(), ids(6, 24)
    held = decompose(model)
    ranks = owl_ranks(model, windows, held, 0.5)
    outliers = outlier_distribution(model, windows, [5.0])["D"].to_numpy()
    per_block = [{rank for name, rank in ranks.items() if f"layers.{i}." in name} for i in range(3)]
    assert all(len(found) == 1 for found in per_block)
    kept = [found.pop() for found in per_block]
    assert kept[int(outliers.argmax())] == max(kept)
    assert kept[int(outliers.argmin())] == min(kept)
    assert max(kept) - min(kept) == pytest.approx(2 * 0.08 * 32, abs=2)
    assert set(owl_ranks(model, windows, held, 0.5, lam=0.0).values()) == {16}


def test_a_budget_of_errors():
    model = llama()
    held = decompose(model)
    ranks = budget_ranks(model, held, 5e-3)
    rest = {}
    for name, linear in maps(model).items():
        a, b = held[name].pair(ranks[name])
        rest[name] = (linear.weight - a @ b).abs().mean().item()
    assert all(gap <= 5e-3 for gap in rest.values())
    assert len(set(ranks.values())) > 2
    assert set(budget_ranks(model, held, 1e-9).values()) == {32}
    assert set(budget_ranks(model, held, 1e9).values()) == {3}
    for budget, shares in ((0, [0.5]), (1e-3, [0.5, 0.7]), (1e-3, [1.0])):
        with pytest.raises(InputError, match="budget"):
            budget_ranks(model, held, budget, shares)


def test_what_is_refused():
    with pytest.raises(InputError, match="did you mean 'whitened'"):
        decompose_scaled(llama(), ids(), "whitening")
    with pytest.raises(InputError, match="mean sizes"):
        asvd(torch.zeros(4))
    with pytest.raises(InputError, match="finite products"):
        whitened(torch.full((4, 4), math.nan))
    with pytest.raises(InputError, match="not positive definite"):
        whitened(torch.ones(4, 4), damping=0.0)
    with pytest.raises(InputError, match="no data reached 0"):
        map_scalings({"0": nn.Linear(3, 3)}, lambda: None, "asvd")


def test_a_scaled_decomposition_says_its_shape():
    factors = Factors(torch.ones(4, 6), torch.ones(4), torch.ones(4, 4))
    assert factors.shape == (4, 6)
