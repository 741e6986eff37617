"""Cells of lr-sms: ranks, budgets, what networks of one seed share, and how many parameters they have."""

import numpy as np
import pytest
import torch

from tenfold.lowrank import LowRankLinear, maps
from tenfold.papers.lr_sms import training
from tenfold.papers.lr_sms.cells import Cell, Plan, factorised, factory, rank_of
from tenfold.papers.lr_sms.training import arguments, fresh, hollow, narrowed, parameters
from tenfold.speech import base_recognizer, build

from .lr_sms_town import tiny

LAPTOP = {"d": 64, "heads": 4, "ff": 256, "blocks": 3, "kernel": 15, "strides": [2, 2, 2], "decoder_blocks": 0}
LAPTOP |= {"lr": 6e-3, "epochs": 4, "dropout": 0.0}
BOTH = Cell(0.12, 0.25)
MAPPED = Cell(0.12, 0.25, mapping="increasing")


def ranks(cell, settings=LAPTOP):
    model = fresh(0, cell, settings, 11)
    return {name: getattr(part, "rank", None) for name, part in maps(model, factorised).items()}


def test_only_attention_and_feed_forwards_are_factorised():
    with torch.device("meta"):
        names = list(maps(base_recognizer(linear=hollow(BOTH, (12, 6))), factorised))
    assert len(names) == 12 * (4 + 4) + 6 * (8 + 2)
    assert not [name for name in names if "linear_pos" in name or "conv" in name or "ctc" in name or "output" in name]


def test_ranks_are_the_kept_shares():
    found = ranks(BOTH)
    assert {r for name, r in found.items() if "attn" in name} == {8}
    assert {r for name, r in found.items() if "feed" in name} == {16}
    assert set(ranks(Cell(attention=0.12)).values()) == {8, None}, "what is not named stays dense"


def test_a_mapping_keeps_the_budget_and_turns_over():
    up, down, even = (ranks(Cell(0.12, 0.25, mapping=name)) for name in ("increasing", "decreasing", "uniform"))
    assert sum(up.values()) == sum(down.values()) == sum(even.values())
    query = "encoders.{}.self_attn.linear_q"
    found = [next(r for name, r in up.items() if name.endswith(query.format(i))) for i in range(3)]
    assert found == [4, 8, 12]
    assert [down[name] for name in down if name.endswith("linear_q")] == [12, 8, 4]


def test_encoder_and_decoder_have_mappings_of_their_own():
    def found(*names):
        return [rank_of(f"{name}.feed_forward.w_1", 768, MAPPED, (12, 6)) for name in names]

    assert found("encoders.11", "decoder.decoders.5") == [288, 288]
    assert found("encoders.0", "decoder.decoders.0") == [96, 96]


def test_full_shares_are_the_dense_network_bit_for_bit():
    """Acceptance: rho = 1 for all modules, same seed, same state."""
    plain = build(arguments(Cell(), LAPTOP) | {"seed": 3}, 11).state_dict()
    full = fresh(3, Cell(), LAPTOP, 11).state_dict()
    assert plain.keys() == full.keys() and all(torch.equal(plain[name], full[name]) for name in plain)


@pytest.mark.parametrize("init", ["svd", "rand", "zero"])
def test_networks_of_a_seed_share_what_is_not_factorised(init):
    dense, low = (fresh(5, cell, LAPTOP, 11).state_dict() for cell in (Cell(), Cell(0.12, 0.25, init)))
    shared = dense.keys() & low.keys()
    assert all(torch.equal(dense[name], low[name]) for name in shared)
    assert {name for name in dense if name not in low} == {
        f"encoder.{name}.weight" for name in (n.removeprefix("encoder.") for n in ranks(BOTH))
    }


def test_maps_of_one_shape_do_not_start_alike_and_seeds_differ():
    def factors(seed, name):
        return factory(Cell(0.12, 0.12, "rand"), seed, (3, 0))(f"encoders.{name}", 64, 64).A

    torch.manual_seed(0)
    one = factors(0, "0.self_attn.linear_q")
    assert torch.equal(one, factors(0, "0.self_attn.linear_q"))
    assert not torch.equal(one, factors(0, "0.self_attn.linear_k"))
    assert not torch.equal(one, factors(1, "0.self_attn.linear_q"))


@pytest.mark.parametrize("cell", [Cell(), BOTH, MAPPED, Cell(width=44, inside=160), Cell(attention=0.02)])
def test_counting_without_numbers_counts_what_is_built(cell):
    settings = LAPTOP | {"decoder_blocks": 2}
    built = sum(parameter.numel() for parameter in fresh(0, cell, settings, 11).parameters())
    assert parameters(cell, settings, 11) == built


def test_the_laptops_low_rank_network_has_half_of_the_parameters():
    dense, low = (parameters(cell, LAPTOP, 11) for cell in (Cell(), BOTH))
    assert dense == 337_227 and dense - low == 3 * (4 * (64**2 - 8 * 128) + 4 * (64 * 256 - 16 * 320))
    assert dense / low > 2 and parameters(MAPPED, LAPTOP, 11) == low


def test_a_cell_has_rate_epochs_and_widths_of_its_own():
    own = arguments(Cell(width=44, inside=100, rate=0.5, epochs=2), LAPTOP)
    assert (own["d"], own["ff"], own["lr"], own["epochs"]) == (44, 100, 3e-3, 8)
    assert arguments(BOTH, LAPTOP) == LAPTOP


@pytest.mark.parametrize("budget", [60_000, 165_195, 300_000])
def test_the_narrower_network_has_as_many_parameters(budget):
    cell = narrowed(budget, LAPTOP, 11)
    assert abs(parameters(cell, LAPTOP, 11) - budget) <= (2 * cell.width + 1) * 3
    assert cell.width % 4 == 0 and cell.width < 64 and 2 < cell.inside / cell.width < 6


def test_a_plan_trains_no_network_twice_the_longest_and_the_dense_ones_first():
    p = tiny(replicates=3)
    plan = Plan(p, Cell(width=12, inside=16))
    points = plan.points()
    assert len(set(points)) == len(points)
    assert [cell.epochs for cell, _ in points[:3]] == [2, 2, 1]
    assert points[2:5] == [(Cell(), 0), (Cell(), 1), (Cell(), 2)]
    for name, cell in plan.main.items():
        assert {k for one, k in points if one == cell} == {0, 1, 2}, name
    assert {*plan.sweep, *plan.inits, *plan.mappings, *plan.rates, *plan.longer} <= {cell for cell, _ in points}


def test_without_the_mirror_digits_are_synthesised():
    assert training.settings(tiny(data="auto"))["data"] == "formant-digits"
    assert training.settings(tiny(data="formant-grid"))["data"] == "formant-grid"


def test_noise_is_added_or_not():
    assert training.settings(tiny(noise=False))["snr"] is None
    assert training.settings(tiny(snr=(5.0, 9.0)))["snr"] == [5.0, 9.0]


def test_a_low_rank_map_stands_where_its_dense_one_did():
    model = fresh(0, BOTH, LAPTOP, 11)
    dense = fresh(0, Cell(), LAPTOP, 11)
    for name, part in maps(model, factorised).items():
        assert isinstance(part, LowRankLinear)
        one = dict(maps(dense, factorised))[name]
        values = np.linalg.svd(one.weight.detach().numpy(), compute_uv=False)
        lost = (one.weight - part.product()).square().sum().item()
        assert lost == pytest.approx((values[part.rank :] ** 2).sum(), rel=1e-4)
