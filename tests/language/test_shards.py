"""Checkpoints on disk: headers say what is there; what is damaged, missing or foreign is refused before it is read."""

import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from tenfold.errors import InputError
from tenfold.language import shards

LLAMA = json.dumps({"model_type": "llama"})
TENSORS = {"b": torch.ones(3, 2), "a": torch.zeros(4, dtype=torch.bfloat16), "empty": torch.zeros(0, 5)}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(LLAMA)
    save_file(TENSORS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


@pytest.fixture
def split(tmp_path):
    """A checkpoint in two shards."""
    (tmp_path / "config.json").write_text(LLAMA)
    places = {}
    for i, name in enumerate(["a", "b"]):
        file = f"model-{i}.safetensors"
        save_file({name: TENSORS[name]}, tmp_path / file)
        places[name] = file
    (tmp_path / shards.INDEX).write_text(json.dumps({"weight_map": places}))
    return tmp_path


def test_headers_say_what_is_there(folder):
    found = shards.tensors(folder)
    assert {name: stored.shape for name, stored in found.items()} == {n: tuple(t.shape) for n, t in TENSORS.items()}
    assert {name: stored.bytes for name, stored in found.items()} == {n: t.nbytes for n, t in TENSORS.items()}
    assert found["a"].dtype == "BF16"


def test_an_index_says_where_a_tensor_is(split):
    found = shards.tensors(split)
    assert {name: stored.path.name for name, stored in found.items()} == {
        "a": "model-0.safetensors",
        "b": "model-1.safetensors",
    }


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_a_truncated_file_is_named(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"model.safetensors"):
        shards.tensors(folder)


def with_header(path, header):
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + b"\0" * 8)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},  # too short for its shape
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},  # a gap in front
        {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
        },
        {"a": {"dtype": "F31", "shape": [2], "data_offsets": [0, 8]}},
        {"a": {"shape": [2]}},
        {"a": 3},
        [1],
    ],
)
def test_a_damaged_header_is_refused(tmp_path, header):
    with_header(tmp_path / "x.safetensors", header)
    with pytest.raises(InputError, match=r"x.safetensors has a damaged header"):
        shards.header(tmp_path / "x.safetensors")


def test_the_damaged_headers_have_a_sound_twin(tmp_path):
    with_header(tmp_path / "x.safetensors", {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
    assert shards.header(tmp_path / "x.safetensors")["a"].shape == (2,)


def test_an_index_that_does_not_fit_its_shards(split):
    index = split / shards.INDEX
    places = json.loads(index.read_text())["weight_map"]
    for wrong, message in [
        (places | {"c": "model-1.safetensors"}, "model-1.safetensors of .* lacks c"),
        (places | {"c": "model-2.safetensors"}, "model-2.safetensors is missing"),
        (places | {"c": "../model-1.safetensors"}, "names a file elsewhere"),
        ({}, "names no tensor"),
    ]:
        index.write_text(json.dumps({"weight_map": wrong}))
        with pytest.raises(InputError, match=message):
            shards.tensors(split)


def test_other_models_and_pickled_weights_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"holds no model.safetensors"):
        shards.tensors(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(InputError, match="of type 'gpt2': only llama and mistral"):
        shards.tensors(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        shards.tensors(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config.json is missing"):
        shards.tensors(folder)


def test_a_window_beyond_the_context_is_refused_from_the_configuration_alone(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 256}))
    assert shards.check(folder, 256) is None
    with pytest.raises(InputError, match=r"257 tokens does not fit the context .* 256 tokens"):
        shards.check(folder, 257)
    (folder / "model.safetensors").write_bytes(b"nonsense" * 9)
    with pytest.raises(InputError, match="no safetensors file"):
        shards.check(folder, 1)


def test_the_fingerprint_sees_every_weight(folder):
    before = shards.fingerprint(folder)
    assert shards.fingerprint(str(folder)) == before
    save_file(TENSORS | {"b": torch.ones(3, 2) * 2}, folder / "model.safetensors", metadata={"format": "pt"})
    assert shards.fingerprint(folder) != before
