"""The store: each matrix once, equal shapes together, ranks at every ERR, kept on disk and read in parts."""

import json
import math

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.lowrank import (
    Decomposition,
    decompose,
    decompose_scaled,
    maps,
    normalized_spectrum,
    rank_reduction,
    uniform_rank,
)
from tenfold.lowrank import decomposition as module
from tests.lowrank.matrices import ids, llama


@pytest.fixture(scope="module")
def model():
    return llama()


@pytest.fixture(scope="module")
def held(model):
    return decompose(model)


def test_every_matrix_and_its_factors(model, held):
    found = maps(model)
    assert list(held) == list(found)
    assert len(held) == 21
    for name, linear in found.items():
        factors = held[name]
        a, b = factors.pair(32)
        assert torch.allclose(a @ b, linear.weight, atol=1e-5)
        for product in (a.T @ a, b @ b.T):
            assert torch.allclose(product, torch.diag(factors.S), atol=3e-5)
        assert held.spectra[name] is factors.S
        assert (factors.S.diff() <= 0).all()


def test_each_matrix_once_and_equal_shapes_together(model, held, monkeypatch):
    stacks, real = [], module.principal
    monkeypatch.setattr(module, "principal", lambda stack, method: stacks.append(stack.shape) or real(stack, method))
    monkeypatch.setattr(module, "CHUNK", 5 * 32 * 48)
    again = decompose(model)
    assert sorted({shape[1:] for shape in stacks}) == [(32, 32), (32, 48), (48, 32)]
    assert sum(shape[0] for shape in stacks) == 21
    assert max(shape[0] for shape in stacks) == 7
    for name in held:
        assert torch.allclose(again[name].S, held[name].S, atol=1e-6)
    again.ranks(0.5)
    again.ranks(0.7, "lrc")
    assert sum(shape[0] for shape in stacks) == 21


def test_both_methods_give_the_same_ranks(model, held):
    other = decompose(model, method="svd")
    for mode in ("all", "lrc"):
        assert other.ranks(0.4, mode) == held.ranks(0.4, mode)


@pytest.mark.parametrize("mode", ["all", "lrc"])
@pytest.mark.parametrize("by", ["minmax", "max", "raw", "energy"])
def test_ranks_are_those_of_one_threshold(held, mode, by):
    k = held.threshold(0.5, mode, by)
    ranks = held.ranks(0.5, mode, by)
    for name, rank in ranks.items():
        kept = max(1, int((normalized_spectrum(held.spectra[name].double().numpy(), by) >= k).sum()))
        assert rank == (kept if mode == "all" or kept < 0.5001 * 32 else 32)
    total = 1 - sum(ranks.values()) / (21 * 32)
    assert total == pytest.approx(rank_reduction(held.spectra, k, mode, by)[0])
    assert total == pytest.approx(0.5, abs=0.05)


def test_uniform_ranks(held):
    assert set(held.ranks(0.3, by="uniform").values()) == {uniform_rank(32, 0.3)}
    assert set(held.ranks(0.3, "lrc", "uniform").values()) == {32}
    assert set(held.ranks(0.5, "lrc", "uniform").values()) == {16}
    assert sum(32 - rank for rank in held.ranks(0.3, by="uniform").values()) == 21 * math.floor(0.3 * 32)
    assert held.rates({"model.layers.1.mlp.up_proj": 0.75}) == {"model.layers.1.mlp.up_proj": 8}


def test_kept_on_disk_and_read_in_parts(held, tmp_path):
    folder = held.save(tmp_path / "store")
    again = Decomposition.load(folder)
    assert list(again) == list(held)
    assert again.ranks(0.5) == held.ranks(0.5)
    for name, factors in held.items():
        assert torch.equal(again.spectra[name], factors.S)
        assert again[name].shape == factors.shape
        for ours, theirs in zip(factors.pair(5), again[name].pair(5), strict=True):
            assert torch.equal(ours, theirs)
    assert Decomposition.load(again.save(tmp_path / "again")).ranks(0.7) == held.ranks(0.7)
    with pytest.raises(InputError, match="exists already"):
        held.save(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_scaled_decompositions_are_kept_with_their_way_back(model, tmp_path):
    scaled = decompose_scaled(model, ids(), "whitened")
    again = Decomposition.load(scaled.save(tmp_path / "scaled"))
    for name, factors in scaled.items():
        for ours, theirs in zip(factors.pair(9), again[name].pair(9), strict=True):
            assert torch.equal(ours, theirs)


def test_a_model_trained_afterwards_changes_no_decomposition():
    model = llama()
    held = decompose(model)
    before = {name: held[name].pair(6) for name in held}
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    for name, pair in before.items():
        assert all(torch.equal(a, b) for a, b in zip(held[name].pair(6), pair, strict=True))


def test_a_damaged_store_says_so(held, tmp_path):
    with pytest.raises(InputError, match="holds no decomposition"):
        Decomposition.load(tmp_path)
    folder = held.save(tmp_path / "store")
    part = folder / "factors-00001.safetensors"
    whole = part.read_bytes()
    part.write_bytes(whole[:-10])
    with pytest.raises(InputError, match="truncated or damaged"):
        Decomposition.load(folder)
    part.unlink()
    with pytest.raises(InputError, match="missing"):
        Decomposition.load(folder)
    part.write_bytes(whole)
    index = json.loads((folder / "index.json").read_text())
    for places, message in (([["x", part.name]], "lacks the factors of x"), ([["x", "../y"]], "elsewhere")):
        (folder / "index.json").write_text(json.dumps(index | {"places": places}))
        with pytest.raises(InputError, match=message):
            Decomposition.load(folder)


def test_other_networks_and_what_is_refused(model):
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 6))
    assert list(decompose(net, lambda name: True)) == ["0", "2"]
    assert list(decompose(net, ["2"])) == ["2"]
    with pytest.raises(InputError, match="no linear map"):
        decompose(net)
    with torch.no_grad():
        net[2].weight[1, 1] = math.nan
    with pytest.raises(InputError, match="2 holds NaN"):
        decompose(net, lambda name: True)
    with pytest.raises(InputError, match="decomposition"):
        decompose(model, method="lanczos")
    with pytest.raises(InputError, match="did you mean 'lrc'"):
        decompose(model).ranks(0.5, "lrcs")
