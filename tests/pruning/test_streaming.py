"""Pruning of checkpoints block by block: the same bits as in memory, in little memory, or a clear refusal."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from tenfold.errors import InputError
from tenfold.language.llama import tiny
from tenfold.language.tokenizer import train_tokenizer
from tenfold.pruning import checkpoint
from tenfold.pruning.protocol import METHODS, prune
from tenfold.pruning.streaming import prune_checkpoint
from tests.pruning.checkpoints import SIZES, padded, same, save, seeded, stored, weights

OLD = "model.layers.0.self_attn.rotary_emb.inv_freq"  # as in checkpoints of older libraries


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = save(tmp_path_factory.mktemp("models") / "dense")
    train_tokenizer(["one two three"], 300).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def windows():
    return padded()


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("method", METHODS)
def test_the_bits_are_those_of_pruning_in_memory(source, windows, method, tmp_path):
    dense = weights(source)
    report = prune_checkpoint(source, tmp_path / "sparse", windows, method, 0.6, batch=4, seed=5)
    wanted = prune(dense, windows, method, 0.6, batch=4, seed=5)
    assert same(wanted, tmp_path / "sparse")
    assert not same(dense, tmp_path / "sparse")
    assert set(report["seconds"]) == {"check", "read", "prune", "forward", "write"}
    assert min(report["seconds"].values()) >= 0 and report["peak_bytes"] > 0
    loaded = weights(tmp_path / "sparse").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in wanted.state_dict().items())


@pytest.mark.parametrize(
    "options",
    [
        {"nm": (2, 4)},
        {"nm": [(1, 4), (2, 4), (4, 8)]},
        {"layer_ratios": [0.3, 0.0, 0.7]},
        {"layer_ratios": [0.5, 0.5, dict.fromkeys(("q_proj", "k_proj", "v_proj", "o_proj"), 0.2) | {"up_proj": 0.4}]},
    ],
)
def test_groups_and_ratios_reach_their_blocks(source, windows, options, tmp_path):
    for ratio in options.get("layer_ratios", []):
        if isinstance(ratio, dict):
            ratio |= {"gate_proj": 0.6, "down_proj": 0.8}
    prune_checkpoint(source, tmp_path / "sparse", windows, "sparsegpt", 0.5, batch=7, **options)
    assert same(prune(weights(source), windows, "sparsegpt", 0.5, batch=7, **options), tmp_path / "sparse")


def test_embedded_windows_in_another_type(source, tmp_path):
    vectors = torch.randn(5, 12, 32, generator=torch.Generator().manual_seed(1))
    prune_checkpoint(source, tmp_path / "sparse", vectors, "wanda", 0.5, dtype="bfloat16", batch=5)
    assert same(prune(weights(source, torch.bfloat16), vectors, "wanda", 0.5, batch=5), tmp_path / "sparse")
    assert weights(tmp_path / "sparse").dtype == torch.bfloat16


def test_tied_weights_and_old_tensors_are_kept(windows, tmp_path):
    from transformers import LlamaForCausalLM

    config = tiny(**SIZES).config
    config.tie_word_embeddings = True
    folder = save(tmp_path / "tied", seeded(LlamaForCausalLM, config))
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    save_file({OLD: torch.arange(8, dtype=torch.float64)}, folder / "old.safetensors")
    index["weight_map"][OLD] = "old.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "lm_head.weight" not in index["weight_map"]
    prune_checkpoint(folder, tmp_path / "sparse", windows, "wanda", 0.5, dtype="float16")
    found, wanted = stored(tmp_path / "sparse"), prune(weights(folder, torch.float16), windows, "wanda", 0.5, batch=1)
    assert torch.equal(found.pop(OLD), torch.arange(8, dtype=torch.float64))
    assert "lm_head.weight" not in found
    assert all(torch.equal(value, wanted.state_dict()[name]) for name, value in found.items())


def test_a_mistral_with_fewer_keys_and_a_sliding_window(windows, tmp_path):
    from transformers import MistralConfig, MistralForCausalLM

    sizes = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 8, "max_position_embeddings": 64}
    folder = save(tmp_path / "dense", seeded(MistralForCausalLM, MistralConfig(**sizes)))
    prune_checkpoint(folder, tmp_path / "sparse", windows, "sparsegpt", 0.5, batch=2)
    assert same(prune(weights(folder), windows, "sparsegpt", 0.5, batch=2), tmp_path / "sparse")


def test_other_files_come_along_and_the_source_stays(source, windows, tmp_path):
    before, seen = contents(source), []
    (tmp_path / "deep").mkdir()
    target = tmp_path / "deep" / "er" / "sparse"
    prune_checkpoint(source, target, windows, "magnitude", 0.5, progress=lambda *done: seen.append(done))
    assert contents(source) == before
    copied = {path.name for path in target.iterdir() if "safetensors" not in path.name}
    assert copied == {path.name for path in source.iterdir() if "safetensors" not in path.name}
    assert (target / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    assert list(target.parent.iterdir()) == [target]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_interrupted_pruning_leaves_nothing(source, windows, tmp_path):
    def stop(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune_checkpoint(source, tmp_path / "sparse", windows, "wanda", 0.5, progress=stop)
    assert list(tmp_path.iterdir()) == []


def truncated(folder):
    path = sorted(folder.glob("*.safetensors"))[1]
    path.write_bytes(path.read_bytes()[:-4])


def without_shard(folder):
    sorted(folder.glob("*.safetensors"))[1].unlink()


def damaged(folder):
    path = sorted(folder.glob("*.safetensors"))[1]
    path.write_bytes(b"\xff" * 64 + path.read_bytes()[64:])


def with_config(**entries):
    def change(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return change


def without_tensor(folder):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    del index["weight_map"]["model.layers.1.mlp.up_proj.weight"]
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncated, "truncated"),
        (without_shard, "missing"),
        (damaged, "damaged"),
        (without_tensor, r"lacks model\.layers\.1\.mlp\.up_proj"),
        (with_config(model_type="gpt2"), "type 'gpt2'"),
        (with_config(quantization_config={"bits": 4}), "quantised"),
        (with_config(intermediate_size=64), r"has shape .* its configuration says"),
        (with_config(num_attention_heads="two"), "gives no model"),
        (lambda folder: (folder / "config.json").write_text("{"), "JSON"),
    ],
)
def test_a_bad_checkpoint_is_refused_before_anything_is_written(source, windows, damage, message, tmp_path):
    shutil.copytree(source, tmp_path / "source")
    damage(tmp_path / "source")
    with pytest.raises(InputError, match=message):
        prune_checkpoint(tmp_path / "source", tmp_path / "sparse", windows, "wanda", 0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "wand"}, "did you mean 'wanda'"),
        ({"sparsity": 1.0}, r"lies in \[0, 1\)"),
        ({"nm": (4, 4)}, "4 zeros are not possible"),
        ({"nm": (2, 5)}, "groups of 5"),
        ({"nm": [(2, 4)]}, "1 pairs nm for 3 blocks"),
        ({"layer_ratios": [0.5] * 4}, "4 layer ratios for 3 blocks"),
        ({"dtype": "float8"}, "type of the weights"),
        ({"batch": 0}, "at least one window"),
        ({"device": "gpu"}, "'gpu' is no device"),
        ({"windows": torch.zeros(2, 65, dtype=torch.int64)}, "context of 64"),
        ({"windows": torch.full((2, 8), 300)}, "another tokenizer"),
        ({"windows": torch.zeros(2, 8, 16)}, "width 16"),
        ({"source": "no/where/at/all"}, "no checkpoint"),
    ],
)
def test_what_cannot_be_pruned_is_refused(source, windows, options, message, tmp_path):
    asked = {"source": source, "target": tmp_path / "new" / "sparse", "windows": windows, "method": "wanda"}
    with pytest.raises(InputError, match=message):
        prune_checkpoint(**asked | {"sparsity": 0.5} | options)
    assert list(tmp_path.iterdir()) == []


def test_targets_that_are_taken_or_too_small_are_refused(source, windows, tmp_path, monkeypatch):
    before = contents(source)
    taken, file = tmp_path / "taken", tmp_path / "file"
    taken.mkdir()
    file.write_text("x")
    for target, message in (
        (source, "outside its source"),
        (source / "sparse", "outside its source"),
        (taken, "exists already"),
        (file, "exists already"),
        (file / "sparse", "no folder"),
    ):
        with pytest.raises(InputError, match=message):
            prune_checkpoint(source, target, windows, "magnitude", 0.5)
    needed = sum(value.nbytes for value in stored(source).values())
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, needed))
    with pytest.raises(InputError, match="GB are free"):
        prune_checkpoint(source, tmp_path / "sparse", windows, "magnitude", 0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
    assert contents(source) == before


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(source, windows, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(InputError, match="sparse cannot be written: No space left"):
        prune_checkpoint(source, tmp_path / "sparse", windows, "magnitude", 0.5)
    assert list(tmp_path.iterdir()) == []
