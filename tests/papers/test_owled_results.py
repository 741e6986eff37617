"""Results of owled at its smallest: every cell measured, allocations fair, traps as algebra says, identities hold."""

import copy

import numpy as np
import pytest
import torch

from tenfold.language import blocks, linears
from tenfold.papers.owled import cells, checks, contrasts, proxies, runs, subjects, traps, voice
from tenfold.papers.owled.cells import Cell
from tenfold.papers.owled.parameters import ALLOCATIONS, HALF, HIGH, METHODS
from tenfold.pruning import driving

from .owled_town import studied, tiny

pytestmark = pytest.mark.xdist_group("owled")


def test_every_cell_is_measured_once_for_each_seed():
    found = studied()
    keys = ["part", "method", "sparsity", "allocation", "inputs", "calibration"]
    assert len(found.scores) == len(cells.grid(found.p)) and not found.scores.duplicated([*keys, "seed"]).any()
    assert found.scores.token_loss.notna().all()
    heard = found.scores[found.scores.heard]
    assert heard.E_car.notna().all() and len(found.said) == len(heard) * found.p.test_scenes
    assert found.scores[~found.scores.heard].E_car.isna().all()


def test_zeros_are_as_many_as_asked_for():
    table = studied().scores
    llm = table[(table.part == "llm") & (table.allocation == "uniform")]
    assert (llm.zeros - llm.sparsity).abs().max() < 0.02
    owl = table[(table.part == "llm") & (table.allocation == "owl")]
    assert (owl.zeros - owl.sparsity).abs().max() < 0.02, "OWL moves zeros between blocks, and makes none"
    assert (table[table.part == "dense"].zeros == 0).all()
    kept = table[(table.part == "encoder") & (table.inputs == "kept")]
    assert (kept.zeros - kept.sparsity).abs().max() < 0.03


def test_shares_of_the_work_are_even_and_complete():
    grid = cells.grid(tiny())
    parts = cells.shares(grid, 4)
    assert sorted(map(str, grid)) == sorted(str(cell) for part in parts for cell in part)
    loads = [sum(cells.HEARD if cell.heard else 1 for cell in part) for part in parts]
    assert max(loads) - min(loads) <= cells.HEARD


def test_with_nothing_to_share_out_owl_is_the_uniform_method(monkeypatch):
    """lambda = 0: bit for bit the same driver."""
    bench = runs.Bench(0, studied().fixed | {"strength": 0.0})
    for method in METHODS:
        owl, even = (bench.pruned(Cell("llm", method, HALF, kind)).llm.state_dict() for kind in ("owl", "uniform"))
        assert all(torch.equal(owl[name], even[name]) for name in even)


def test_every_allocation_has_the_same_mean_and_the_ratios_of_owl():
    found = studied()
    table = found.proxies("ratios")
    means = table.groupby(["subject", "seed", "allocation", "number"]).ratio.mean()
    assert np.allclose(means, HIGH)
    rng = np.random.default_rng(0)
    d, sensitivity = rng.uniform(size=4), rng.uniform(size=4)
    plans = proxies.allocations(d, sensitivity, found.fixed | {"permutations": 8}, 0)
    owl = plans["owl", 0]
    shuffled = [plan for (kind, _), plan in plans.items() if kind == "permuted"]
    assert len(shuffled) == 8 and all(np.array_equal(np.sort(plan), np.sort(owl)) for plan in shuffled)
    assert not any(np.array_equal(plan, owl) for plan in shuffled)
    assert owl.argsort().tolist() == (-d).argsort().tolist() == plans["reversed", 0].argsort()[::-1].tolist()
    assert plans["sensitivity", 0].argmin() == sensitivity.argmax()


def test_losses_of_every_allocation_are_there():
    wide = studied().proxy()
    assert {"uniform", "owl", "reversed", "sensitivity", "permuted", "per_linear"} <= set(wide.columns)
    tested = wide[wide.method.isin(proxies.TESTED)]
    assert tested.drop(columns="better_than_owl").notna().all().all() and set(tested.subject) == {"driver", "text"}
    perplexity = contrasts.perplexities(studied().proxies("losses"))
    assert set(perplexity.method) == {"dense", *METHODS} and (perplexity.perplexity > 1).all()
    assert set(perplexity.allocation) == set(ALLOCATIONS)


def test_where_nothing_changes_the_grid_says_so():
    table = proxies.grid("driver", 0, studied().fixed | {"strengths": [0.0], "thresholds": [5.0]})
    assert table.difference.tolist() == [0]


def test_an_adapter_taken_apart_is_the_same_driver():
    found = subjects.speaking(0, studied().fixed)
    taken = traps.apart(found.model, 0)
    assert found.loss(taken) == pytest.approx(found.loss(found.model), abs=1e-5)
    assert not torch.equal(
        taken.model.layers[0].self_attn.q_proj.base.weight, found.model.model.layers[0].self_attn.q_proj.weight
    )


def test_zeros_go_where_the_adapter_is_merged_last():
    table = studied().trap("adapter").set_index(["seed", "order"])
    for seed in studied().seeds:
        first, last = table.loc[seed, "merge, then prune"], table.loc[seed, "prune, then merge"]
        assert first.zeros_adapted == pytest.approx(HALF, abs=0.02) and last.zeros_adapted < 0.01
        assert last.zeros < first.zeros


def test_planted_channels_move_magnitude_alone():
    table = studied().trap("planted")
    assert table.wanda_changed.max() == 0 and table.outliers_moved.max() < 0.01
    large = table[table.factor == 64]
    assert (large.magnitude_changed > 0.005).all() and (table[table.factor == 1].magnitude_changed == 0).all()
    assert table.groupby("seed").dense_loss.agg(np.ptp).max() < 1e-4


def test_a_decoy_changes_outliers_and_no_output():
    found = subjects.speaking(0, studied().fixed)
    model = traps.decoy(found.model, 1)
    assert found.loss(model) == pytest.approx(found.loss(found.model), abs=1e-5)
    table = studied().trap("fooled").set_index(["seed", "model"])
    for seed in studied().seeds:
        before, after = table.loc[seed, "as trained"], table.loc[seed, "with a decoy"]
        assert after.D > before.D + 0.5 and before["uniform"] == pytest.approx(after["uniform"], abs=1e-4)
        assert after.ratio == pytest.approx(HIGH - 0.08), "of two blocks the spared one gets lambda less"


def test_words_in_another_order_are_the_same_words():
    found, scenes = subjects.driver(0, studied().fixed), driving.generate(6, 2)
    plain, words, tokens = (
        voice.silent(found, scenes, kind, 0, studied().fixed) for kind in ("captions", "words", "tokens")
    )
    assert plain.ids.sort(1).values.equal(words.ids.sort(1).values) and not plain.ids.equal(words.ids)
    assert plain.count.equal(words.count) and plain.count.equal(tokens.count)
    assert (tokens.ids[~tokens.count] == found.words.pad).all() and not tokens.ids.equal(plain.ids)
    assert (words.ids[:, 0] == found.words.bos).all()


def test_a_driver_gets_its_own_language_model_back():
    found = subjects.driver(0, studied().fixed)
    other, own = copy.deepcopy(found.llm), found.llm
    for each in linears(blocks(other)[0]).values():
        torch.nn.init.zeros_(each.weight)
    measured = voice.listener(found, studied().test)
    before = measured(own)
    assert measured(other) != before and found.llm is own and measured(own) == before


def test_identities_hold_and_a_wrong_one_would_not():
    table = checks.identities(studied())
    assert table.residual.abs().max() < 1, table.loc[table.residual.abs().idxmax()].to_dict()
    assert len(table) >= 17 and table.quantity.is_unique


def test_bootstrap_intervals_hold_their_mean():
    table = studied().dense()
    assert ((table.low <= table.dense) & (table.dense <= table.high)).all() and set(table.replicate) == {0}


def test_the_comparison_begins_with_constant_answers_and_the_dense_driver():
    table = studied().comparison()
    assert table.method.tolist()[:2] == ["constant answer", "dense"] and len(table) == 2 + 2 * 6
    assert (table.n_actions.dropna() <= studied().p.test_scenes).all()
