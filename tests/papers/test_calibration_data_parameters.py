"""Parameters of calibration-data: presets, and what is refused before anything heavy starts."""

import pytest
import torch
from safetensors.torch import save_file

from tenfold.errors import InputError
from tenfold.language import SIZES
from tenfold.papers.calibration_data import Parameters
from tenfold.papers.calibration_data.parameters import AUTO, CONTEXT, FAMILIES, PUBLISHED, SETS, SPARSITIES
from tenfold.runner.parameters import SCALES, resolve


@pytest.mark.parametrize("scale", SCALES)
def test_every_preset_is_sound(scale):
    p = resolve(Parameters, scale)
    assert len(Parameters.specs()) <= 28
    assert p.models * p.draws >= (1 if scale == "smoke" else 3) and p.draws >= 2, "draws are the noise of C5"
    assert max(p.models, p.draws if p.models == 1 else 1) >= (1 if scale == "smoke" else 3), "replicates"
    assert p.sparsity in SPARSITIES and p.high_sparsity in SPARSITIES, "cells that experiments share are pruned once"
    assert p.lengths[-1] == p.length
    assert p.sources == (AUTO,) or {*p.sources} <= {*SETS}
    assert Parameters.budget[scale].minutes > 0


def test_paper_scale_is_the_grid_of_the_official_code():
    p = resolve(Parameters, "paper")
    assert (p.windows, p.length, p.sparsity, p.high_sparsity, p.draws) == (128, 2048, 0.5, 0.7, 3)
    assert p.counts == (64, 128, 256, 512, 1024) and p.lengths == (128, 256, 512, 1024, 2048)
    assert p.pairs == (5, 10, 15, 20, 25) and p.steps == (3, 4, 5)
    assert p.sweep == pytest.approx([s / 10 for s in range(1, 10)])
    assert {"c4", "pile", "oscar", "redpajama"} <= {*p.sources} == {*PUBLISHED} and "wikitext2" in p.tests
    assert (p.shots, p.decoding, p.characters, p.test_windows) == (3, "greedy", 0, 0)


def test_every_set_is_of_one_family():
    assert sorted(name for names in FAMILIES.values() for name in names) == sorted(SETS)
    assert len({*SETS}) == len(SETS)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sources": ("prose",)}, "sources .* prose alone"),
        ({"sources": ("prose", "prose", "arithmetic")}, "sources must be different"),
        ({"sources": ("auto", "prose")}, "sources .* auto alone"),
        ({"sources": ("prose", "code")}, "sources .* one of questions"),
        ({"sources": ("gsm8k", "arithmetic")}, "sources .* running text"),
        ({"sources": ("prose", "novels")}, "novels"),
        ({"tests": ("prose", "prose")}, "tests must be different"),
        ({"counts": (8, 1)}, "counts must increase"),
        ({"counts": (0, 1)}, "counts"),
        ({"lengths": (16, 16)}, "lengths must increase"),
        ({"lengths": (16, 256)}, "lengths must fit"),
        ({"length": 32}, "must fit into windows of 32"),
        ({"kept": (4, 128)}, "kept and lengths"),
        ({"pairs": (2, 1)}, "pairs must increase"),
        ({"steps": (3, 3)}, "steps must increase"),
        ({"sweep": (0.5, 1.0)}, "sweep must hold"),
        ({"sweep": (0.5, 0.4)}, "sweep must increase"),
        ({"high_sparsity": 0.6}, "high_sparsity must exceed"),
        ({"sparsity": 0.99}, "sparsity"),
        ({"windows": 1}, "windows"),  # merged models have half of them each
        ({"draws": 1}, "draws"),
        ({"models": 0}, "models"),
        ({"decoding": "beam"}, "decoding"),
        ({"dtype": "int8"}, "dtype"),
        ({"folder": "nowhere"}, "folder: there is no folder"),
        ({"model": "./nowhere"}, "model: there is no folder"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(wrong, words):
    with pytest.raises(InputError, match=words):
        resolve(Parameters, "laptop", 0, wrong)


def test_places_are_kept_as_absolute_paths_and_hub_names_as_they_are(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "llama", "max_position_embeddings": 100}')
    save_file({"a": torch.zeros(1)}, tmp_path / "mine" / "model.safetensors")
    p = resolve(Parameters, "smoke", 0, {"folder": "mine", "model": "mine"})
    assert p.folder == p.model == str((tmp_path / "mine").resolve())
    assert resolve(Parameters, "paper").model == "meta-llama/Llama-2-7b-chat-hf"
    with pytest.raises(InputError, match="128 tokens does not fit the context of mine: 100"):
        resolve(Parameters, "laptop", 0, {"model": "mine"})


def test_windows_that_no_small_model_can_hold_are_refused_at_once():
    assert {size["context"] for size in SIZES.values()} == {CONTEXT}
    with pytest.raises(InputError, match="513 tokens does not fit"):
        resolve(Parameters, "laptop", 0, {"length": CONTEXT + 1})


@pytest.mark.parametrize(
    ("scale", "changes", "words"),
    [("paper", {"model": ""}, "model=FOLDER"), ("laptop", {"model": "some/where", "models": 3}, "models=1")],
)
def test_a_run_that_cannot_be_stops_before_anything_starts(scale, changes, words):
    from tenfold.papers.calibration_data import results

    class Nothing:
        parameters = resolve(Parameters, scale, 0, changes)

        def start(self, *_, **__):
            raise AssertionError("work has begun")

    with pytest.raises(InputError, match=words):
        results.Results(Nothing())


def test_a_checkpoint_that_is_not_at_hand_stops_too():
    from tenfold.papers.calibration_data import bench

    p = resolve(Parameters, "paper")
    bench.check(p)
    with pytest.raises(InputError, match="meta-llama"):
        bench.settings(p)
