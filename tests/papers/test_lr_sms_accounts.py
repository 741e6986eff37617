"""Accounts of lr-sms: the published model's size, operations against closed forms, identities that can fail."""

import pytest
import torch

from tenfold.papers.lr_sms import accounts, checks, clocks, explore
from tenfold.papers.lr_sms.cells import Cell
from tenfold.papers.lr_sms.training import parameters
from tenfold.speech import base_recognizer

from .test_lr_sms_cells import BOTH, LAPTOP

# Millions, counted from the layer sizes of the public code.
COUNTED = {
    "encoder attention": (243.0, 228.9, 226.1, 221.5, 220.4, 218.1),
    "encoder feed-forward": (200.6, 165.2, 158.2, 146.8, 144.0, 138.3),
    "encoder both": (200.6, 151.0, 141.2, 125.2, 121.4, 113.4),
    "attention": (243.0, 214.7, 209.1, 200.0, 197.8, 193.2),
    "feed-forward": (190.0, 145.7, 137.0, 122.7, 119.2, 112.1),
    "both": (190.0, 117.4, 103.1, 79.6, 74.0, 62.2),
}


@pytest.mark.parametrize("part", COUNTED)
def test_sizes_of_the_published_model(part):
    rows = accounts.sizes()
    assert (rows[rows.part == part].parameters / 1e6).round(1).tolist() == list(COUNTED[part])


def test_a_formula_counts_what_is_built():
    from tenfold.papers.lr_sms.training import hollow

    with torch.device("meta"):
        model = base_recognizer(linear=hollow(BOTH, (12, 6)))
    assert accounts.base().held(0.12, 0.25) == sum(parameter.numel() for parameter in model.parameters())
    assert accounts.base().held(1.0, 1.0) == accounts.base().parameters == checks.PUBLISHED


def test_operations_differ_by_those_of_the_maps_alone():
    """2 m n against 2 r (m + n) a frame; PyTorch counts the rest of the network alike."""
    cells = [Cell(), BOTH, Cell(attention=0.5)]
    table = accounts.account(0, [cell.record() for cell in cells], LAPTOP, 11)
    dense, both, half = table.to_dict("records")
    frames = 13  # 100 halved three times, upwards
    maps = 3 * (4 * 64 * 64 + 4 * 64 * 256)
    assert dense["map_flops"] == 2 * frames * maps
    assert both["map_flops"] == 2 * frames * 3 * (4 * 8 * 128 + 4 * 16 * 320)
    assert dense["flops"] - both["flops"] == dense["map_flops"] - both["map_flops"] > 0
    assert half["flops"] == dense["flops"], "half of the rank of a square map saves nothing"
    assert [row["parameters"] for row in (dense, both)] == [parameters(cell, LAPTOP, 11) for cell in cells[:2]]


def test_every_identity_holds_within_its_tolerance():
    table = checks.identities(1)
    assert len(table) >= 19 and (table.residual.abs() <= 1).all(), table[["quantity", "residual"]]


def test_an_identity_that_is_broken_is_seen(monkeypatch):
    monkeypatch.setattr(checks, "shift", lambda scores: scores[..., : scores.shape[2]])
    table = checks.identities(0).set_index("quantity").residual
    assert abs(table["shift: largest difference from the score at offset i - j"]) > 100
    monkeypatch.setattr(checks, "rank_mapping", lambda rho, layers, shape, full: accounts.torch.arange(layers).numpy())
    table = checks.identities(0).set_index("quantity").residual
    assert abs(table["mappings of 12 layers: sum of ranks beyond the uniform budget"]) > 100


def test_what_is_timed_is_what_is_said():
    layers = clocks.layers(0, 4, 1, "cpu")
    assert len(layers) == 2 * len(clocks.LAYERS) and (layers.seconds > 0).all()
    square = layers[(layers.m == 768) & (layers.rho == 0.5)].iloc[0]
    assert (square["rank"], square.counted) == (384, 1.0)
    block = clocks.block(0, 4, 1, [Cell().record(), BOTH.record()], "cpu")
    saved = 4 * (768**2 - 92 * 2 * 768) + 4 * (768 * 3072 - 192 * (768 + 3072))
    assert block.parameters[0] - block.parameters[1] == saved


def test_all_take_turns():
    order = []
    steps = {name: lambda name=name: order.append(name) for name in "ab"}
    found = clocks.timed(steps, 3, torch.device("cpu"))
    assert order == ["a", "b"] * 4, "once to warm up, then three rounds"
    assert {name: len(times) for name, times in found.items()} == {"a": 3, "b": 3}


def test_sliders_of_full_shares_leave_the_model_dense():
    table = explore.left(accounts.base(), 1.0, 1.0, False).set_index("module")
    assert (table.of_dense == 1).all() and table.weights["all"] == checks.PUBLISHED
    half = explore.left(accounts.base(), 0.12, 0.25, False).set_index("module")
    assert half.of_dense["all"] < 0.5 and half.break_even_rho["attention"] == 0.5
    assert half.break_even_rho["feed-forward"] == pytest.approx(0.8)
    encoder = explore.left(accounts.base(), 0.12, 0.25, True).set_index("module")
    assert encoder.weights["all"] > half.weights["all"]
