"""The bench of calibration-data: what it prunes, what it leaves alone, what it measures."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from tenfold import language
from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears
from tenfold.papers.calibration_data import Parameters, runs, windows
from tenfold.papers.calibration_data import bench as benches
from tenfold.papers.calibration_data.cells import NONSENSE, Cell
from tenfold.pruning import achieved_sparsity, kept
from tenfold.runner.parameters import resolve

from .calibration_data_town import bench, fitted, plan, studied, tiny

pytestmark = pytest.mark.xdist_group("calibration-data")


def cell(method, source="prose", **changes):
    return plan(windows=6).cell(method, source, **changes)


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("method", ["random", "magnitude", "wanda", "sparsegpt"])
@pytest.mark.parametrize(("way", "share"), [({"sparsity": 0.6}, 0.6), ({"sparsity": 0.5, "nm": "2:4"}, 0.5)])
def test_models_are_pruned_as_their_cells_say(method, way, share):
    asked = cell(method, **way)
    model = bench().pruned(asked)
    sparse = achieved_sparsity(model)
    assert sparse.sparsity.to_numpy() == pytest.approx(share, abs=0.01)
    if asked.pattern:
        for mask in kept(model).values():
            assert (mask.view(-1, 4).sum(1) == 2).all()


def test_the_dense_model_is_untouched_by_all_that_is_pruned_from_it():
    before = state(bench().dense)
    for asked in (
        *(cell(method) for method in ("random", "magnitude", "wanda", "sparsegpt")),
        *(cell(method, outliers=8) for method in ("magnitude", "wanda")),
        cell("wanda", "prose&arithmetic"),
    ):
        model = bench().pruned(asked)
        assert model is not bench().dense and not same(state(model), before)
        assert same(state(bench().dense), before)
    assert bench().pruned(Cell("dense")) is bench().dense


def test_outlier_channels_change_the_weights_and_not_the_loss():
    plain, planted = (bench().row(Cell("dense", outliers=n)) for n in (0, 8))
    assert [row["loss"] for row in planted] == pytest.approx([row["loss"] for row in plain], abs=1e-4)
    model = bench().pruned(Cell("dense", outliers=8))
    first = blocks(model)[0].input_layernorm.weight / blocks(bench().dense)[0].input_layernorm.weight
    assert first.isclose(torch.tensor(20.0)).sum() == 8 and first.isclose(torch.tensor(1.0)).sum() == len(first) - 8
    wanda = [kept(bench().pruned(cell("wanda", outliers=n))) for n in (0, 8)]
    large = [kept(bench().pruned(cell("magnitude", outliers=n))) for n in (0, 8)]
    changed = [
        sum(int((a[key] != b[key]).sum()) for key in a) / sum(m.numel() for m in a.values()) for a, b in (wanda, large)
    ]
    assert changed[0] < 1e-3 < 0.02 < changed[1], "Wanda does not notice, magnitude does"


def test_what_is_planted_is_pruned_with_its_outliers():
    model = bench().pruned(cell("magnitude", outliers=8))
    ratio = blocks(model)[1].post_attention_layernorm.weight / blocks(bench().dense)[1].post_attention_layernorm.weight
    assert ratio.max().item() == pytest.approx(20)


def test_merged_models_see_half_of_the_windows_each_in_its_own_format(monkeypatch):
    seen = []

    def noted(asked, *rest):
        seen.append(asked)
        return windows.drawn(asked, *rest)

    monkeypatch.setattr(benches, "drawn", noted)
    merged = fitted().pruned(cell("wanda", "prose&arithmetic"))
    assert [(c.source, c.fmt, c.windows) for c in seen] == [("prose", "text", 3), ("arithmetic", "icl", 3)]
    parts = [kept(bench().pruned(cell("wanda", c.source, windows=3))) for c in (*seen,)]
    for key, mask in kept(merged).items():
        assert (mask | ~(parts[0][key] & parts[1][key])).all(), "what both keep stays"
        assert not (mask & ~parts[0][key] & ~parts[1][key]).any(), "what none keeps goes"
    assert achieved_sparsity(merged).sparsity.mean() == pytest.approx(0.6, abs=0.01)


def test_methods_share_windows_and_other_cells_do_not(monkeypatch):
    drawn = []
    monkeypatch.setattr(benches, "drawn", lambda *a: drawn.append(a[0]) or windows.drawn(*a))
    found = fitted()
    first = found.windows(cell("wanda"))
    same_windows = (cell("sparsegpt", sparsity=0.7), cell("wanda", nm="2:4"), cell("wanda", outliers=8))
    assert all(found.windows(other) is first for other in same_windows)
    others = [cell("wanda", draw=1), cell("wanda", windows=7), cell("wanda", "code"), cell("wanda", length=32)]
    others += [cell("wanda", "arithmetic", **some) for some in ({}, {"fmt": "zero"}, {"rationale": True})]
    others += [cell("wanda", "arithmetic", keep=4, padding=padding) for padding in ("counted", "excluded")]
    assert all(found.windows(other) is not first for other in others)
    assert len(drawn) == 1 + len(others)


def test_padding_that_is_left_out_does_not_matter_and_counted_padding_does(monkeypatch):
    """Other tokens in the place of padding leave the pruned model as it is, unless they are counted."""

    def replaced(*rest):
        found = windows.drawn(*rest)
        return replace(found, ids=torch.where(found.real, found.ids, 300))

    for padding, alike in (("excluded", True), ("masked", False), ("counted", False)):
        asked = cell("wanda", "arithmetic", fmt="zero", padding=padding)
        plain = kept(fitted().pruned(asked))
        with monkeypatch.context() as patch:
            patch.setattr(benches, "drawn", replaced)
            assert same(kept(fitted().pruned(asked)), plain) == alike, padding


def test_a_row_for_each_test_set_tells_loss_zeros_and_padding():
    asked = cell("wanda", "arithmetic", fmt="zero", length=160)
    rows = bench().row(asked)
    assert [row["test"] for row in rows] == list(bench().settings["tests"]) == ["prose", "code", "arithmetic"]
    model = bench().pruned(asked)
    for row in rows:
        ids = bench().tests[row["test"]].ids
        with torch.no_grad():
            logits = model(input_ids=ids).logits[:, :-1]
        loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        assert row["loss"] == pytest.approx(loss.item(), abs=1e-5)
        assert Cell(**{name: row[name] for name in asked.record()}) == asked and row["seed"] == 0
        weights = torch.cat([m.weight.flatten() for block in blocks(model) for m in linears(block).values()])
        assert row["zeros"] == pytest.approx((weights == 0).double().mean().item())
        assert row["pads"] == windows.drawn(asked, 0, bench().tokenizer, bench().settings).pad_share > 0.5
    assert {row["pads"] for some in (Cell("dense"), cell("magnitude")) for row in bench().row(some)} == {0}


def test_random_masks_depend_on_the_draw_and_are_the_same_again():
    masks = [kept(bench().pruned(cell("random", draw=draw))) for draw in (0, 0, 1)]
    assert same(masks[0], masks[1]) and not same(masks[0], masks[2])


def test_jobs_return_a_row_per_cell_and_test():
    table = studied().table
    counts = table.groupby([*Cell.__dataclass_fields__, "seed"]).test.agg(["size", "nunique"])
    assert (counts == 3).all(axis=None) and table.loss.between(0.5, 20).all()
    pruned = table[(table.method != "dense") & (table.nm == "")]
    assert (pruned.zeros - pruned.sparsity).abs().max() < 0.02
    # A single model: its draws are the replicates.
    assert studied().by == "draw" and studied().seeds == [0]


def test_experiments_are_taken_out_of_the_table_of_all():
    found = studied()
    for name, cells in found.plan.experiments().items():
        assert len(found.of(name)) == 3 * len(cells), name
    from tenfold.papers.calibration_data.results import together

    both = together(found.of("methods"), found.of("outliers"), found.of("methods"))
    assert len(both) == 3 * len({*found.plan.methods()} | {*found.plan.outliers()})


def test_masks_overlap_more_between_draws_than_chance_would_have_it():
    table = studied().overlaps()
    pairs = table.groupby(["first", "first_draw", "second", "second_draw"]).size()
    count = 2 * 4 + len(NONSENSE)
    assert len(pairs) == count * (count - 1) // 2 and (pairs == 14).all(), "seven maps of two blocks"
    assert ((table.jaccard >= 0) & (table.jaccard <= 1)).all()
    assert table.jaccard.mean() > table.expected.mean() == pytest.approx(0.6 / (2 - 0.6), abs=0.02)


def test_answers_are_asked_of_every_set_of_questions():
    table = studied().answers()
    assert {*zip(table.test, table.way, strict=True)} == {("arithmetic", "generated")}
    assert len(table) == len({*studied().plan.answering()}) and table.right.between(0, 1).all()
    choices = [SimpleNamespace(choices=("a", "b")), SimpleNamespace(choices=tuple("abcd")), SimpleNamespace(choices=())]
    assert runs.guess(SimpleNamespace(test=choices), 2) == pytest.approx(3 / 8)
    assert runs.guess(SimpleNamespace(test=choices), 3) == pytest.approx(1 / 4)


def test_sets_are_those_named_or_what_is_at_hand():
    assert benches.sources(tiny()) == ("prose", "code", "arithmetic") == language.at_hand()
    assert benches.sources(tiny(sources=("auto",))) == language.at_hand()
    found = benches.settings(tiny(tests=("code",)))
    assert found["tests"] == ["code"] and json.dumps(found), "plain values"


def test_a_checkpoint_gives_what_the_same_model_gives_in_memory(tmp_path):
    bench().dense.save_pretrained(tmp_path)
    bench().tokenizer.save_pretrained(tmp_path)
    settings = benches.settings(tiny(model=str(tmp_path), tests=("arithmetic",)))
    assert settings["training"] == {} and len(settings["fingerprint"]) == 64
    found = benches.Bench(0, settings)
    for asked in (
        Cell("dense"),
        cell("wanda", "arithmetic"),
        cell("wanda", "arithmetic", fmt="zero", padding="masked"),
    ):
        (row,) = found.row(asked)
        (mine,) = [row for row in bench().row(asked) if row["test"] == "arithmetic"]
        assert row["loss"] == pytest.approx(mine["loss"], abs=1e-5)
    again = runs.study(0, [Cell("dense").record()], settings)
    assert isinstance(again, pd.DataFrame) and again.loss.tolist() == [found.row(Cell("dense"))[0]["loss"]]


def test_what_only_a_reader_can_bring_is_told(tmp_path):
    """The published models by shape and name, and the corpora."""
    shape = {"hidden_size": 4096, "num_hidden_layers": 32, "max_position_embeddings": 4096, "model_type": "llama"}
    for name, changes in {"Llama-2-7b": {}, "Llama-2-7b-chat": {}, "Llama-2-13b": {"hidden_size": 5120}}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(shape | changes))
        save_file({"a": torch.zeros(1)}, tmp_path / name / "model.safetensors")

    def brought(name, **changes):
        model = str(tmp_path / name) if name else ""
        return benches.brought(resolve(Parameters, "paper", 0, {"model": model, "length": 4096, **changes}))

    corpora = {"c4", "pile", "oscar", "redpajama"}
    assert brought("Llama-2-7b") == corpora | {"llama2_7b"}
    assert brought("Llama-2-7b-chat") == corpora | {"llama2_7b_chat"}
    assert brought("Llama-2-13b") == brought("") == corpora
    assert brought("Llama-2-7b", length=2048) == corpora, "windows as in the published table"
    assert brought("Llama-2-7b-chat", length=2048) == corpora | {"llama2_7b_chat"}, "as in the paper"
    assert brought("", sources=("wikitext2", "gsm8k")) == benches.brought(tiny()) == set()


def test_a_text_that_is_nowhere_is_told():
    with pytest.raises(InputError):
        windows.read("c4", bench().settings)
