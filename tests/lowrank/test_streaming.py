"""Checkpoints in parts: the same numbers as in memory, whole folders or none, what is damaged or of another kind."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tenfold.errors import InputError
from tenfold.lowrank import (
    Decomposition,
    compress,
    compress_checkpoint,
    decompose,
    decompose_checkpoint,
    load_compressed,
    maps,
    totals,
)
from tenfold.pruning.checkpoint import Source
from tests.lowrank.matrices import llama, logits


@pytest.fixture(scope="module")
def model():
    return llama()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("checkpoints") / "dense"
    model.save_pretrained(place, max_shard_size="40KB")
    return place


@pytest.fixture(scope="module")
def store(folder):
    decompose_checkpoint(folder, folder.parent / "store")
    return folder.parent / "store"


def test_the_store_is_that_of_the_model(model, folder, store):
    held, streamed = decompose(model), Decomposition.load(store)
    assert set(streamed) == set(held)
    for name in held:
        assert torch.allclose(streamed.spectra[name], held.spectra[name], atol=1e-6)
    for mode in ("all", "lrc"):
        assert streamed.ranks(0.5, mode) == held.ranks(0.5, mode)


def test_one_block_is_in_memory_at_a_time(folder, tmp_path, monkeypatch):
    read, done = [], []
    real = Source.read
    monkeypatch.setattr(Source, "read", lambda self, name, *rest: read.append(name) or real(self, name, *rest))
    decompose_checkpoint(folder, tmp_path / "s", progress=lambda i, n: done.append((i, n, len(read))))
    assert done == [(1, 3, 7), (2, 3, 14), (3, 3, 21)]
    assert sorted(path.name for path in (tmp_path / "s").glob("factors*")) == [
        f"factors-0000{i}.safetensors" for i in (1, 2, 3)
    ]


@pytest.mark.parametrize("mode", ["all", "lrc"])
def test_a_compressed_checkpoint_is_the_compressed_model(model, folder, store, tmp_path, mode):
    held = Decomposition.load(store)
    ranks = compress_checkpoint(folder, tmp_path / "small", held, 0.5, mode)
    wanted = compress(model, 0.5, mode)
    found = load_compressed(tmp_path / "small")
    assert ranks == held.ranks(0.5, mode)
    assert totals(found) == totals(wanted)
    assert torch.allclose(logits(found), logits(wanted), atol=1e-4)
    assert not found.training
    shards = [load_file(path) for path in (tmp_path / "small").glob("*.safetensors")]
    assert sum(value.numel() for shard in shards for value in shard.values()) == sum(
        p.numel() for p in wanted.parameters()
    )


def test_a_merged_checkpoint_is_read_by_anyone(model, folder, store, tmp_path):
    from transformers import AutoModelForCausalLM

    compress_checkpoint(folder, tmp_path / "merged", Decomposition.load(store), 0.6, "all", merged=True)
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", local_files_only=True).eval()
    assert torch.allclose(logits(found), logits(compress(model, 0.6, "all")), atol=1e-4)


def test_a_model_saved_by_itself_comes_back(model, tmp_path):
    small = compress(model, 0.6)
    small.save_pretrained(tmp_path / "own")
    found = load_compressed(tmp_path / "own")
    assert torch.equal(logits(found), logits(small))
    half = load_compressed(tmp_path / "own", dtype="bfloat16")
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    assert list(maps(found)) == list(maps(model))


def test_half_precision_factors_keep_the_spectra(folder, store, tmp_path):
    half = decompose_checkpoint(folder, tmp_path / "half", dtype="float16")
    whole = Decomposition.load(store)
    assert half.ranks(0.5) == whole.ranks(0.5)
    name = next(iter(whole))
    pairs = [held[name].pair(8) for held in (half, whole)]
    assert torch.allclose(pairs[0][0], pairs[1][0], atol=5e-3)
    sizes = [sum(path.stat().st_size for path in place.glob("factors*")) for place in (tmp_path / "half", store)]
    numbers = 3 * 7 * 32 * 32
    assert sizes[1] - sizes[0] == pytest.approx(2 * numbers, rel=0.05)


def test_nothing_half_written(folder, store, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(InputError, match="No space left"):
        decompose_checkpoint(folder, tmp_path / "s")
    with pytest.raises(InputError, match="No space left"):
        compress_checkpoint(folder, tmp_path / "c", Decomposition.load(store), 0.5)
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused(folder, store, tmp_path):
    held = Decomposition.load(store)
    with pytest.raises(InputError, match="exists already"):
        decompose_checkpoint(folder, store)
    with pytest.raises(InputError, match="outside its source"):
        compress_checkpoint(folder, folder / "inner", held, 0.5)
    with pytest.raises(InputError, match="not that of dense"):
        compress_checkpoint(folder, tmp_path / "x", decompose(llama(layers=2)), 0.5)
    with pytest.raises(InputError, match="type of the factors"):
        decompose_checkpoint(folder, tmp_path / "x", dtype="int8")
    with pytest.raises(InputError, match="neither a folder"):
        load_compressed(tmp_path / "nothing")
    broken = llama()
    with torch.no_grad():
        broken.model.layers[2].mlp.up_proj.weight[0, 0] = float("nan")
    broken.save_pretrained(tmp_path / "nan")
    with pytest.raises(InputError, match=r"layers\.2\.mlp\.up_proj holds NaN"):
        decompose_checkpoint(tmp_path / "nan", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_factors_that_do_not_fit_their_model(model, tmp_path):
    compress(model, 0.6).save_pretrained(tmp_path / "own")
    file = tmp_path / "own" / "model.safetensors"
    whole = load_file(file)
    name = next(key for key in whole if key.endswith(".A"))
    for change, message in (
        ({name.removesuffix("A") + "B": None}, "lacks"),
        ({name: whole[name][:-1]}, "not of this size"),
        ({"x.A": torch.ones(2, 1), "x.B": torch.ones(1, 2)}, "which the model has not"),
        ({"lm_head.weight": None}, "lm_head.weight"),
    ):
        save_file({key: value for key, value in (whole | change).items() if value is not None}, file, {"format": "pt"})
        with pytest.raises(InputError, match=message):
            load_compressed(tmp_path / "own")
    config = json.loads((tmp_path / "own" / "config.json").read_text())
    (tmp_path / "own" / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    with pytest.raises(InputError, match="gpt2"):
        load_compressed(tmp_path / "own")
