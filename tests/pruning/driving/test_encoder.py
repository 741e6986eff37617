"""The vector encoder: sizes of the paper, rows that do not exist, and attention against a plain loop."""

import math

import pytest
import torch

from tenfold.errors import InputError
from tenfold.pruning.driving import Block, VectorEncoder, generate, input_layers, linears, tensors
from tenfold.pruning.driving.encoder import FEATURES


@pytest.fixture
def small():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VectorEncoder(32, 6, 2, 5, 24, heads=4).eval()


def test_the_paper_has_9053440_weights():
    """25,830,656 trainable ones of the published log, less 16 x 2 x 4096 of LoRA in each of 4 maps of 32 layers."""
    with torch.device("meta"):
        encoder = VectorEncoder()
    total = sum(p.numel() for p in encoder.parameters())
    assert total == 25_830_656 - 2 * 16 * 4096 * 4 * 32
    assert sum(p.numel() for p in encoder.project.parameters()) == 256 * 4096 + 4096


def test_rows_that_do_not_exist_change_nothing(small):
    route, vehicles, pedestrians, ego = tensors(generate(4, 1))
    wanted = small(route, vehicles, pedestrians, ego)
    assert wanted.shape == (4, 5, 24)
    noisy = vehicles.clone()
    noisy[..., 1:] += 7 * (vehicles[..., :1] == 0)
    longer = torch.cat([noisy, torch.zeros(4, 9, 33)], dim=1)
    assert torch.allclose(small(route, longer, pedestrians, ego), wanted, atol=1e-5)


def test_order_of_objects_does_not_matter(small):
    route, vehicles, pedestrians, ego = tensors(generate(4, 1))
    wanted = small(route, vehicles, pedestrians, ego)
    assert torch.allclose(small(route, vehicles.flip(1), pedestrians.roll(2, 1), ego), wanted, atol=1e-5)
    assert not torch.allclose(small(route.flip(1), vehicles, pedestrians, ego), wanted, atol=1e-3)


def test_an_empty_scene_gives_finite_tokens(small):
    empty = [torch.zeros(2, k, f) for k, f in ((30, 17), (30, 33), (20, 9))]
    assert small(*empty, torch.zeros(2, 31)).isfinite().all()


def test_crossing_attention_written_out():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        block = Block(8, 2, crossing=True).double().eval()
        x, context = torch.randn(1, 3, 8).double(), torch.randn(1, 5, 8).double()
    active = torch.tensor([[True, False, True, True, False]])
    q = block.q(block.norm(x))[0].detach()
    k, v = block.kv(block.context_norm(context))[0].detach().chunk(2, dim=-1)
    rows = []
    for i in range(3):
        heads = []
        for part in (slice(0, 4), slice(4, 8)):
            there = [j for j in range(5) if active[0, j]]
            weight = torch.tensor([math.exp(float(q[i, part] @ k[j, part]) / 2) for j in there]).double()
            heads.append(sum(w * v[j, part] for w, j in zip(weight / weight.sum(), there, strict=True)))
        rows.append(torch.cat(heads))
    h = x + block.out(torch.stack(rows)[None])
    wanted = h + block.ffn(block.ffn_norm(h))
    assert torch.allclose(block(x, context, active), wanted, atol=1e-12)


def test_maps_to_prune(small):
    every = linears(small)
    assert all(isinstance(module, torch.nn.Linear) for module in every.values()) and "project" in every
    assert set(every) - set(linears(small, project=False)) == {"project"}
    raw = input_layers(small)
    assert {name: module.in_features for name, module in raw.items()} == {
        f"rows.{name}.0": features for name, features in FEATURES.items()
    }
    assert set(every) - set(linears(small, keep_input_layers=True)) == set(raw)


@pytest.mark.parametrize("sizes", [(30, 4, 1, 4, 8, 4), (32, 0, 1, 4, 8, 4)])
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(InputError, match="encoder"):
        VectorEncoder(*sizes)
