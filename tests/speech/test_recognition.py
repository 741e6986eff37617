"""Training a recogniser: what comes back, what is stored, the factory of its maps, resuming, errors."""

import inspect

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from torch import nn

from tenfold.datasets.speech import write_manifest
from tenfold.errors import InputError
from tenfold.runner import codec
from tenfold.speech import (
    SIZES,
    build,
    corpus,
    material,
    measured,
    rates,
    restore_recognizer,
    sizes,
    train_recognizer,
    transcribe,
    word_error_rate,
)

SMALL = {"data": "formant-digits", "utterances": 48, "tests": 8, "snr": None, "d": 16, "heads": 2, "ff": 32}
SMALL |= {"blocks": 1, "kernel": 3, "epochs": 2, "batch": 8, "lr": 1e-2}


@pytest.fixture(scope="module")
def stored():
    return train_recognizer(1, **SMALL)


def test_it_learns(stored):
    history = stored["history"]
    assert list(history["epoch"]) == [1, 2]
    assert history["loss"].iloc[1] < 0.8 * history["loss"].iloc[0]
    assert history["lr"].iloc[-1] < 1e-2 / 4
    assert {"test_loss", "test_wer", "seconds"} <= set(history)
    assert history["test_loss"].iloc[1] < history["test_loss"].iloc[0]


def test_rates_are_those_of_the_errors(stored):
    heard, known = material("formant-digits", 48, 8, None, "words")
    model, _ = restore_recognizer(stored)
    said = transcribe(model, heard["unseen"], known)
    assert stored["rates"]["unseen_wer"] == word_error_rate(heard["unseen"].texts, said)
    assert set(stored["rates"]) == {f"{part}_{kind}" for part in ("test", "unseen") for kind in ("wer", "cer")}
    assert rates(stored["errors"]) == stored["rates"]
    assert stored["errors"]["test"]["words"].shape == (8, 2)
    assert measured(model, heard["test"], known)["wer"] == stored["history"]["test_wer"].iloc[-1]


def test_what_was_stored_gives_the_model_back(stored, tmp_path):
    codec.write_value(tmp_path / "value", stored)
    back = codec.read_value(tmp_path / "value")
    model, known = restore_recognizer(back)
    first, _ = restore_recognizer(stored)
    x, lengths = torch.randn(1, 40, 40, generator=torch.Generator().manual_seed(0)), torch.tensor([40])
    assert torch.equal(model(x, lengths)[0], first(x, lengths)[0])
    assert known.decode(known.encode("four one")) == "four one"
    assert back["config"] == stored["config"]
    assert not model.training


def test_training_what_was_restored_leaves_the_stored_alone(stored):
    before = {name: value.copy() for name, value in stored["weights"].items()}
    model, _ = restore_recognizer(stored)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert all(np.array_equal(before[name], value) for name, value in stored["weights"].items())


def test_same_seed_same_bits(stored):
    again, other = train_recognizer(1, **SMALL), train_recognizer(2, **SMALL)
    assert all(np.array_equal(stored["weights"][name], again["weights"][name]) for name in again["weights"])
    name = "encoder.encoders.0.self_attn.linear_q.weight"
    assert not np.array_equal(stored["weights"][name], other["weights"][name])


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build({**SMALL, "seed": 0, "strides": [2, 2]}, 11)
    assert torch.equal(torch.rand(3), expected)


def test_weights_follow_from_the_seed_alone():
    config = {**SMALL, "strides": [2, 2]}
    first, again, other = (build(config | {"seed": seed}, 11) for seed in (0, 0, 1))
    torch.rand(5)
    later = build(config | {"seed": 0}, 11)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert torch.equal(value, later.state_dict()[name])
    weight = "encoder.encoders.0.feed_forward.w_1.weight"
    assert not torch.equal(first.state_dict()[weight], other.state_dict()[weight])


class Thin(nn.Module):
    """A stand-in for a map of low rank."""

    def __init__(self, n, m):
        super().__init__()
        full = nn.Linear(n, m)
        u, s, v = torch.linalg.svd(full.weight.detach(), full_matrices=False)
        self.U, self.V = nn.Parameter(u * s.sqrt()), nn.Parameter(s.sqrt()[:, None] * v)
        self.bias = nn.Parameter(full.bias.detach())

    def forward(self, x):
        return x @ self.V.T @ self.U.T + self.bias


def test_a_factory_at_full_rank_starts_as_the_dense_model():
    """The same draws in the same order, so the same function at the start: only the maps are factorised."""
    config = {**SMALL, "seed": 3, "strides": [2, 2]}
    dense, thin = (build(config, 11, **o).eval() for o in ({}, {"linear": lambda name, n, m: Thin(n, m)}))
    assert sum(isinstance(module, Thin) for module in thin.modules()) == 8
    x, lengths = torch.randn(2, 40, 40, generator=torch.Generator().manual_seed(0)), torch.tensor([40, 31])
    assert torch.allclose(dense(x, lengths)[0], thin(x, lengths)[0], atol=1e-5)


def test_a_recogniser_of_other_maps_is_restored_with_its_factory(stored):
    factory = {"linear": lambda name, n, m: Thin(n, m) if "self_attn" in name else nn.Linear(n, m)}
    thin = train_recognizer(1, **{**SMALL, "epochs": 1}, **factory)
    assert "encoder.encoders.0.self_attn.linear_q.U" in thin["weights"]
    assert "encoder.encoders.0.feed_forward.w_1.weight" in thin["weights"]
    model, _ = restore_recognizer(thin, **factory)
    assert isinstance(model.encoder.encoders[0].self_attn.linear_out, Thin)
    with pytest.raises(InputError, match="do not fit"):
        restore_recognizer(thin)


def test_a_finished_checkpoint_is_not_trained_again(tmp_path):
    short = {**SMALL, "epochs": 1}
    first = train_recognizer(1, **short, checkpoint=tmp_path)
    written = (tmp_path / "training.pt").stat().st_mtime_ns
    again = train_recognizer(1, **short, checkpoint=str(tmp_path))
    assert (tmp_path / "training.pt").stat().st_mtime_ns == written
    assert all(np.array_equal(first["weights"][name], again["weights"][name]) for name in first["weights"])
    with pytest.raises(InputError, match="another training"):
        train_recognizer(1, **{**short, "lr": 1e-3}, checkpoint=tmp_path)


def test_characters_are_units_too():
    found = train_recognizer(0, **{**SMALL, "epochs": 1, "units": "characters", "strides": (2,)})
    assert "n" in found["vocabulary"]["units"]
    assert found["config"]["units"] == "characters"


def test_with_a_decoder_and_subwords(tmp_path):
    options = {"units": "subwords", "unit_count": 20, "decoder_blocks": 1, "strides": (2,), "epochs": 1, "dropout": 0.1}
    asked = []

    def linear(name, n, m):
        asked.append(name)
        return nn.Linear(n, m)

    found = train_recognizer(0, **SMALL | options, linear=linear)
    assert "decoder.decoders.0.src_attn.linear_q" in asked
    model, known = restore_recognizer(found)
    assert model.decoder.mark == len(known) == found["weights"]["ctc.ctc_lo.weight"].shape[0] - 1
    assert found["vocabulary"]["model"]


def test_own_recordings_by_manifest(tmp_path):
    spoken = corpus("formant-digits", 48, 8, None)
    rows = []
    for split in ("train", "test", "unseen"):
        part = getattr(spoken, split)[:6]
        for i, (wave, text, speaker) in enumerate(zip(part.waves, part.texts, part.speakers, strict=True)):
            wavfile.write(tmp_path / f"{split}{i}.wav", part.rate, wave)
            rows.append({"path": f"{split}{i}.wav", "text": text, "speaker": speaker, "split": split})
    write_manifest(tmp_path / "own.csv", rows)
    options = {"data": "manifest", "folder": str(tmp_path / "own.csv"), "tests": 3, "epochs": 1}
    found = train_recognizer(0, **SMALL | options)
    assert found["errors"]["test"]["words"].shape == (3, 2)
    write_manifest(tmp_path / "own.csv", rows[:6])
    with pytest.raises(InputError, match="no split test and no unseen"):
        corpus("manifest", 5, 5, None, folder=str(tmp_path / "own.csv"), seed=1)


def test_sizes_are_arguments_of_a_training():
    parameters = inspect.signature(train_recognizer).parameters
    assert all(set(size) <= set(parameters) for size in SIZES.values())
    assert {name: parameters[name].default for name in SIZES["laptop"]} == SIZES["laptop"]
    changed = sizes("smoke")
    changed["d"] = 0
    assert sizes("smoke")["d"] > 0
    with pytest.raises(InputError, match="did you mean 'laptop'"):
        sizes("laptops")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "fsd"}, "did you mean 'fsdd'"),
        ({"units": "word"}, "did you mean 'words'"),
        ({"heads": 3}, "3 heads do not divide"),
        ({"strides": (8, 8, 8)}, "use smaller strides"),
        ({"epochs": 0}, "at least one epoch"),
    ],
)
def test_what_cannot_be_trained(change, message):
    with pytest.raises(InputError, match=message):
        train_recognizer(0, **SMALL | change)
