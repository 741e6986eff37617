"""Costs of welore: counted work and bytes against closed forms, the paper's bars, its table of shares."""

import pytest

from tenfold.language.llama import tiny
from tenfold.language.lora import attach
from tenfold.lowrank import compress, train_only
from tenfold.papers.welore import costs, tables
from tenfold.papers.welore.published import DOWNSTREAM, TASKS, THRESHOLDS, TUNED

MODEL = tiny(vocabulary=32, hidden=16, intermediate=24, layers=2, heads=2)
MAPS = 2 * (4 * 16 * 16 + 3 * 16 * 24)
HEAD = 32 * 16


def test_a_step_of_full_training_costs_three_passes_less_the_head():
    model = train_only(compress(MODEL, 0.5), "both")
    maps = costs.macs(model)["all"] - HEAD
    found = costs.counted(model)
    assert found["work"] == pytest.approx(2 + maps / (maps + HEAD))
    assert found["optimizer_bytes"] == 2 * 4 * found["trainable"]
    weights = 4 * found["total"]
    assert found["bytes"] == weights + 3 * 4 * found["trainable"]


def test_dense_maps_and_head_are_all_that_multiplies():
    assert costs.macs(MODEL)["all"] == MAPS + HEAD
    every = costs.counted(train_only(tiny(32, 16, 24, 2, 2), "all"))
    assert every["work"] == pytest.approx(3), "with the head trained too, each product happens three times"


def test_frozen_maps_save_less_than_a_third_of_the_work():
    full, part = (costs.counted(train_only(compress(MODEL, 0.5), kind)) for kind in ("both", "lrc"))
    assert part["trainable"] < full["trainable"] and 1 < full["work"] / part["work"] < 1.5


def test_adapters_multiply_beside_their_base():
    model = attach(tiny(32, 16, 24, 2, 2), 2, 4.0, ("q_proj",))
    assert costs.macs(model) == {"all": MAPS + HEAD + 2 * 2 * 32, "trained": 2 * 2 * 32}
    assert costs.counted(model)["adapters"]


def test_galore_keeps_less_than_adam():
    model = train_only(compress(MODEL, 0.5), "both")
    assert costs.counted(model, 2)["optimizer_bytes"] < costs.counted(model)["optimizer_bytes"]


def test_the_bars_do_not_show_what_the_abstract_says():
    table = costs.honesty().set_index("quantity")
    assert table.figure["throughput"] == pytest.approx(1450 / 680)
    assert table.high["throughput"] < 2.5 < table.claimed["throughput"]
    assert table.high["trainable parameters"] < 0.3 < table.claimed["trainable parameters"]
    assert table.counted["throughput"] == pytest.approx(3 * 4.3 / (2 * 4.3 + 1.2))
    assert table.counted["throughput"] < 1.5


def test_a_bar_is_read_as_far_apart_as_its_ends():
    found = costs.ratio("throughput", {"throughput": 1000}, {"throughput": 500})
    assert found == {"figure": 2.0, "low": pytest.approx(950 / 550), "high": pytest.approx(1050 / 450)}


def test_uniform_ranks_at_half_the_rank_save_nothing_of_square_maps():
    row = costs.shares().set_index(["model", "err"]).loc["LLaMA-2 7B", 0.5]
    square, mlp = 4 * 4096**2, 3 * 4096 * 11008
    factors, rest = 4 * 2048 * 8192 + 3 * 2048 * (4096 + 11008), 2 * 32000 * 4096 / 32
    assert row.uniform == pytest.approx((factors + rest) / (square + mlp + rest))
    assert row.kept == pytest.approx(row.uniform), "at its break-even rank a square map costs the same either way"
    assert row.break_even_square == 0.5 and row.break_even_mlp == pytest.approx(0.7288, abs=1e-4)


def test_published_models_are_smaller_than_uniform_ones_of_their_err():
    table = costs.shares()
    assert (table.published < table.kept).all() and len(table) == len(TUNED)


def test_published_tables_are_whole():
    assert {len(row) for row in DOWNSTREAM.values()} == {len(TASKS)} and len(DOWNSTREAM) == 15
    wins = tables.wins()
    assert (wins.counted == wins.claimed).all()
    for table in THRESHOLDS.values():
        assert list(table.values()) == sorted(table.values()) and len(table) == 7
