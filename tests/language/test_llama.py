"""Llama models: weights from a seed alone, causal attention, the seven maps, checkpoints that are whole."""

import json
import shutil

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.language.llama import LINEARS, blocks, context_of, linears, load, shape, skeleton, tiny
from tenfold.language.tokenizer import train_tokenizer

SMALL = {"vocabulary": 300, "hidden": 32, "intermediate": 48, "layers": 2, "heads": 2, "context": 64}
IDS = torch.arange(4, 28).view(2, 12)


def logits(model, ids=IDS):
    with torch.no_grad():
        return model(ids).logits


def test_weights_follow_from_the_seed_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = tiny(**SMALL, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(logits(tiny(**SMALL, seed=3)), logits(first))
    assert not torch.equal(logits(tiny(**SMALL, seed=4)), logits(first))


def test_the_sizes_are_those_asked_for():
    """Parameters: two tables V d, per block 4 d^2 + 3 d f + 2 d, one last norm."""
    model = tiny(**SMALL)
    v, d, f, n = (SMALL[name] for name in ("vocabulary", "hidden", "intermediate", "layers"))
    assert sum(p.numel() for p in model.parameters()) == 2 * v * d + n * (4 * d * d + 3 * d * f + 2 * d) + d
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    assert model.model.embed_tokens.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert bool((model.model.embed_tokens.weight != 0).any(dim=1).all())  # the padding token's too
    assert context_of(model) == 64


def test_no_position_sees_a_later_one():
    model, changed = tiny(**SMALL), IDS.clone()
    changed[:, 7:] += 30
    before, after = logits(model), logits(model, changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert (before[:, 7:] - after[:, 7:]).abs().amax() > 1e-3


def test_known_shapes():
    """LLaMA-7B: 32 blocks of 202,375,168 weights in seven maps."""
    known = shape("llama-7b")
    assert (
        known["layers"] * (4 * known["hidden"] ** 2 + 3 * known["hidden"] * known["intermediate"]) == 32 * 202_375_168
    )
    assert set(known) == set(SMALL)
    with pytest.raises(InputError, match="did you mean 'llama-7b'"):
        shape("llama-7B")


def test_the_seven_maps_of_a_block():
    model = tiny(**SMALL)
    assert len(blocks(model)) == 2
    found = linears(blocks(model)[1])
    assert tuple(found) == LINEARS
    assert found["v_proj"] is model.model.layers[1].self_attn.v_proj
    assert found["down_proj"] is model.model.layers[1].mlp.down_proj
    model.model.layers[0].mlp.up_proj = nn.Identity()
    with pytest.raises(InputError, match="up_proj of a LlamaDecoderLayer is no plain linear map but a Identity"):
        linears(blocks(model)[0])
    with pytest.raises(InputError, match="not Linear"):
        blocks(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "does not fit 3 heads"),
        ({"hidden": 6, "heads": 2}, "even width"),
        ({"layers": 0}, "layers of at least 1"),
    ],
)
def test_impossible_sizes(change, message):
    with pytest.raises(InputError, match=message):
        tiny(**SMALL | change)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("checkpoint")
    tiny(**SMALL, seed=1).save_pretrained(found)
    train_tokenizer(["some words to train on"], 300).save_pretrained(found)
    return found


def test_a_checkpoint_comes_back(folder):
    model, tokenizer = load(folder)
    assert torch.equal(logits(model), logits(tiny(**SMALL, seed=1)))
    assert model.config._attn_implementation == "sdpa"
    assert not model.training
    assert tokenizer.decode(tokenizer("some words")["input_ids"][1:]) == "some words"
    half, _ = load(str(folder), dtype="bfloat16")
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("shown", [True, False])
def test_loading_draws_no_bars_and_leaves_the_setting(folder, capsys, shown):
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    try:
        (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
        load(folder)
        assert capsys.readouterr() == ("", "")
        assert logging.is_progress_bar_enabled() == shown
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()


def test_a_skeleton_has_no_weight_and_a_rotary_table(folder):
    model = skeleton(folder)
    assert {value.device.type for value in model.parameters()} == {"meta"} and not model.training
    expected = 10_000 ** -(torch.arange(0, 16, 2) / 16)
    assert torch.allclose(model.model.rotary_emb.inv_freq, expected)


@pytest.mark.parametrize("change", [{"hidden_size": "wide"}, {"num_attention_heads": 3}])
def test_a_configuration_that_gives_no_model_is_refused(folder, tmp_path, change):
    config = json.loads((folder / "config.json").read_text())
    shutil.copytree(folder, tmp_path / "changed")
    (tmp_path / "changed" / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError):
        load(tmp_path / "changed")


def test_what_cannot_be_loaded(folder, monkeypatch):
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    with pytest.raises(InputError, match="downloads are forbidden"):
        load("nobody/no-model")
    with pytest.raises(InputError, match="neither a folder nor a name"):
        load("no-such-folder")
    with pytest.raises(InputError, match="did you mean 'float16'"):
        load(folder, dtype="float15")


def test_a_checkpoint_without_a_tensor_or_of_other_shapes_is_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(InputError, match=r"has shape .* its configuration says"):
        load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"lacks model.layers.2"):
        load(tmp_path)
