"""Tables of contrasts: pairing by seed, the best of three, missing actions, excess over dense."""

import itertools

import numpy as np
import pandas as pd
import pytest

from tenfold.papers.owled import contrasts, proxies
from tenfold.papers.owled.parameters import METHODS


def scores(seeds=(0, 1, 2)):
    rng = np.random.default_rng(0)
    rows = [{"part": "dense", "method": "dense", "sparsity": 0.0, "seed": seed} for seed in seeds]
    for seed, method, sparsity in itertools.product(seeds, METHODS, (0.5, 0.7)):
        keys = {"method": method, "sparsity": sparsity, "seed": seed}
        rows += [{"part": "llm", "allocation": kind, **keys} for kind in ("uniform", "owl")]
        rows += [{"part": part, "inputs": kind, **keys} for part in ("encoder", "both") for kind in ("pruned", "kept")]
    rows += [
        {"part": "llm", "method": "wanda", "sparsity": 0.5, "seed": seed, "calibration": "words"} for seed in seeds
    ]
    table = pd.DataFrame(rows).fillna({"allocation": "uniform", "inputs": "pruned", "calibration": "driving"})
    for metric in contrasts.COMPARED:
        table[metric] = rng.uniform(0.1, 1, len(table))
    return table


def one(table, **where):
    (row,) = table[np.logical_and.reduce([table[key] == value for key, value in where.items()])].itertuples()
    return row


def test_methods_stand_side_by_side_with_the_best_of_three():
    table = scores()
    wide = contrasts.methods(table)
    assert len(wide) == len(contrasts.COMPARED) * 2 * 3
    row = one(wide, metric="E_lon", sparsity=0.7, seed=1)
    for method in METHODS:
        same = {"part": "llm", "method": method, "sparsity": 0.7, "seed": 1, "calibration": "driving"}
        assert getattr(row, method) == one(table, allocation="uniform", **same).E_lon
        assert getattr(row, f"owl_{method}") == one(table, allocation="owl", **same).E_lon
    assert row.uniform_best == min(row.magnitude, row.wanda, row.sparsegpt)
    assert row.owl_best == min(row.owl_magnitude, row.owl_wanda, row.owl_sparsegpt)


def test_actions_that_nobody_can_read_count_as_wrong_by_full_scale():
    table = scores()
    here = (table.part == "llm") & (table.method == "wanda") & (table.allocation == "uniform")
    table.loc[here, "E_lon"] = np.nan
    assert (contrasts.methods(table).query("metric == 'E_lon'").wanda == 1).all()


def test_excess_is_over_the_dense_driver_of_the_same_seed():
    table = scores()
    row = one(contrasts.parts(table), method="wanda", sparsity=0.5, inputs="kept", seed=2)
    dense = one(table, part="dense", seed=2).token_loss
    same = {"method": "wanda", "sparsity": 0.5, "seed": 2, "allocation": "uniform", "calibration": "driving"}
    assert row.encoder == pytest.approx(one(table, part="encoder", inputs="kept", **same).token_loss - dense)
    assert row.llm == pytest.approx(one(table, part="llm", **same).token_loss - dense)


def test_calibrations_are_compared_where_all_were_tried():
    wide = contrasts.calibrations(scores())
    assert set(wide.sparsity) == {0.5} and wide.seed.tolist() == [0, 1, 2] and wide.notna().all().all()


def test_a_proxy_is_ranked_and_set_beside_chance():
    blocks = pd.DataFrame({"subject": "driver", "seed": 0, "M": 5.0, "block": range(4), "D": [1, 2, 3, 4.0]})
    blocks["excess"] = [0.1, 0.2, 0.3, 0.9]
    kinds = [("uniform", 0, 0.5), ("owl", 0, 0.4), ("permuted", 0, 0.3), ("permuted", 1, 0.7)]
    rows = [
        {"subject": "driver", "seed": 0, "method": "wanda", "allocation": a, "number": n, "loss": loss}
        for a, n, loss in kinds
    ]
    row = contrasts.proxy(blocks, pd.DataFrame(rows), 5.0).iloc[0]
    assert row.spearman == pytest.approx(1) and row.permuted == pytest.approx(0.5) and row.better_than_owl == 0.5
    assert contrasts.differences(pd.DataFrame(rows)).difference.tolist() == pytest.approx([0, -0.1, -0.2, 0.2])


def test_a_constant_proxy_has_no_rank():
    assert proxies.rank_correlation(np.ones(4), np.arange(4)) == 0
    assert proxies.rank_correlation(np.arange(4), -np.arange(4)) == pytest.approx(-1)


def test_orders_are_never_owls_own():
    for count in (4, 9):
        for order in proxies.orders(count, 5, 0):
            assert sorted(order) == list(range(count)) and list(order) != list(range(count))
    assert len(proxies.orders(2, 8, 0)) == 1


def test_zeros_that_an_adapter_fills_are_counted():
    rows = [("merge, then prune", 0.5, 0.5, 1.0), ("prune, then merge", 0.1, 0.3, 2.0), ("dense", 0.0, 0.0, 0.5)]
    table = pd.DataFrame(rows, columns=["order", "zeros_adapted", "zeros", "token_loss"]).assign(seed=0)
    row = contrasts.trap(table).iloc[0]
    assert row.zeros_left == pytest.approx(0.2) and (row.loss_merged_first, row.loss_merged_after) == (1, 2)
