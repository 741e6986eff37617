"""Compression: ERR and parameters against counting, both modes, limits, and what is left alone."""

import math

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.language import attach, perplexity
from tenfold.lowrank import (
    LowRankLinear,
    accounting,
    break_even,
    compress,
    decompose,
    factorize,
    maps,
    totals,
    truncate,
)
from tests.lowrank.matrices import ids, llama, logits, matrix


@pytest.fixture(scope="module")
def model():
    return llama()


@pytest.fixture(scope="module")
def held(model):
    return decompose(model)


def counted(model):
    return sum(p.numel() for module in maps(model).values() for p in module.parameters())


@pytest.mark.parametrize("mode", ["all", "lrc"])
@pytest.mark.parametrize("err", [0.3, 0.6, 0.9])
def test_err_and_parameters_are_those_counted(model, held, mode, err):
    small = compress(model, err, mode, decomposition=held)
    table, sums = accounting(small), totals(small)
    assert sums["err"] == pytest.approx(err, abs=0.05)
    assert sums["err"] == pytest.approx(1 - table["rank"].sum() / table["full_rank"].sum())
    assert sums["parameters"] == table["parameters"].sum() == counted(small)
    assert sums["share"] == pytest.approx(counted(small) / counted(model))
    whole = [sum(p.numel() for p in network.parameters()) for network in (small, model)]
    assert sums["model_share"] == pytest.approx(whole[0] / whole[1])
    assert sums["low_rank"] + sums["dense"] == len(table) == 21
    for row in table.itertuples():
        module = small.get_submodule(row.name)
        assert isinstance(module, LowRankLinear) == row.low_rank
        assert row.macs == (row.rank * (row.m + row.n) if row.low_rank else row.m * row.n)
        assert (row.share < 1) == (row.rank < row.break_even and row.low_rank)
        if mode == "lrc":
            assert row.low_rank == (row.err > 0.4999)
            assert row.rank == row.full_rank or row.low_rank
    assert set(table["block"]) == {0, 1, 2}


def test_rank_reduction_is_not_parameter_reduction(model, held):
    """Above break-even factors are larger than the matrix: in mode "all" a network can grow."""
    grown = totals(compress(model, 0.12, "all", decomposition=held))
    assert grown["err"] > 0.05
    assert grown["share"] > 1
    assert totals(compress(model, 0.12, "lrc", decomposition=held))["share"] < 1
    half = totals(truncate(model, held, held.ranks(0.5, by="uniform")))
    attention = 16 * 64 * 4
    mlp = 16 * 80 * 3
    assert half["parameters"] == 3 * (attention + mlp)
    assert break_even(32, 32) == 16


@pytest.mark.parametrize("mode", ["all", "lrc"])
def test_nothing_removed_is_nothing_changed(model, held, mode):
    same = compress(model, 0.0, mode, decomposition=held)
    assert torch.equal(logits(same), logits(model))
    assert perplexity(same, ids(), 16) == perplexity(model, ids(), 16)
    assert totals(same)["err"] == 0
    assert totals(same)["share"] == 1


def test_the_factors_are_the_truncated_decomposition(model, held):
    small = compress(model, 0.6, "all", decomposition=held)
    for name, module in maps(small).items():
        if isinstance(module, LowRankLinear):
            a, b = factorize(model.get_submodule(name).weight, module.rank)
            assert torch.allclose(module.product(), a @ b, atol=1e-5)


def test_more_is_lost_where_more_is_removed(model, held):
    wanted = logits(model)
    gaps = [(logits(compress(model, err, "all", decomposition=held)) - wanted).norm() for err in (0.2, 0.5, 0.8, 0.95)]
    assert gaps == sorted(gaps)
    assert gaps[0] < 0.3 * gaps[-1]


def test_the_model_given_is_left_alone_unless_asked(held):
    model = llama()
    before = logits(model)
    small = compress(model, 0.7)
    assert torch.equal(logits(model), before)
    kept = {id(p) for p in model.parameters()}
    assert not kept & {id(p) for p in small.parameters()}
    with torch.no_grad():
        for p in small.parameters():
            p.zero_()
    assert torch.equal(logits(model), before)
    assert compress(model, 0.7, inplace=True) is model
    assert totals(model)["low_rank"] > 0


def test_chosen_maps_and_chosen_ranks(model, held):
    small = compress(model, 0.8, "all", names=["q_proj", "k_proj"])
    low = [name for name, module in maps(small).items() if isinstance(module, LowRankLinear)]
    assert {name.rpartition(".")[2] for name in low} <= {"q_proj", "k_proj"}
    assert totals(small, ["q_proj", "k_proj"])["err"] == pytest.approx(0.8, abs=0.05)
    one = truncate(model, held, {"model.layers.1.mlp.up_proj": 7})
    assert totals(one)["low_rank"] == 1
    assert one.model.layers[1].mlp.up_proj.rank == 7


def test_a_plain_network_keeps_its_biases_and_its_mode():
    net, x = nn.Sequential(nn.Linear(20, 12), nn.Dropout(0.5), nn.Linear(12, 20)), matrix(5, 20)
    net.eval()
    before = net(x)
    small = compress(net, 0.5, "all", names=lambda name: True)
    assert not any(module.training for module in small.modules())
    assert torch.equal(small[0].bias, net[0].bias)
    wanted = (x @ small[0].product().T + net[0].bias) @ small[2].product().T + net[2].bias
    assert torch.allclose(small(x), wanted, atol=1e-5)
    table = accounting(small, lambda name: True)
    assert table["parameters"].sum() == sum(p.numel() for p in small.parameters())
    assert table["block"].tolist() == [0, 2]
    with torch.no_grad():
        for p in small.parameters():
            p.zero_()
    assert torch.equal(net(x), before)


def test_a_mistral_with_shared_keys():
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=120, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, sliding_window=8, attn_implementation="sdpa",
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MistralForCausalLM(config).eval()
    table = accounting(compress(model, 0.6, "all")).set_index("name")
    assert table.loc["model.layers.1.self_attn.k_proj", ["m", "n", "full_rank"]].tolist() == [16, 32, 16]
    assert 1 - table["rank"].sum() / table["full_rank"].sum() == pytest.approx(0.6, abs=0.05)
    near, wanted = logits(compress(model, 0.02, "all")), logits(model)
    assert 0 < (near - wanted).norm() < 0.05 * wanted.norm()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_half_precision(dtype):
    model = llama().to(dtype)
    small = compress(model, 0.6)
    assert {p.dtype for p in small.parameters()} == {dtype}
    assert logits(small).isfinite().all()


def test_what_is_refused(model, held):
    for err in (-0.1, 1.0, 50):
        with pytest.raises(InputError, match=r"share in \[0, 1\)"):
            compress(model, err)
    with pytest.raises(InputError, match="unknown mode"):
        compress(model, 0.5, "some")
    with pytest.raises(InputError, match="low rank already"):
        compress(compress(model, 0.6, decomposition=held), 0.6)
    with pytest.raises(InputError, match="rule of ranks"):
        compress(model, 0.5, by="mean", decomposition=held)
    with pytest.raises(InputError, match=r"rank of a matrix \(48, 32\) lies in 1 \.\.\. 32, not 33"):
        truncate(model, held, {"model.layers.0.mlp.up_proj": 33})
    with pytest.raises(InputError, match="no matrix of this model"):
        compress(llama(layers=2), 0.5, decomposition=held)
    with pytest.raises(InputError, match="no matrix of this model"):
        compress(llama(intermediate=64), 0.5, decomposition=held)
    with pytest.raises(InputError, match="merge them first"):
        compress(attach(llama(), 2, 4), 0.5)
    broken = llama()
    with torch.no_grad():
        broken.model.layers[1].mlp.down_proj.weight[3, 3] = math.nan
    with pytest.raises(InputError, match="down_proj holds NaN"):
        compress(broken, 0.5)
