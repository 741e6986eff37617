"""Parameters of owled: presets, and what is refused before anything heavy starts."""

import pytest
import torch
from safetensors.torch import save_file

from tenfold.errors import InputError
from tenfold.language import SIZES
from tenfold.papers.owled import Parameters
from tenfold.papers.owled.parameters import CONTEXT, HALF, HIGH
from tenfold.runner.parameters import SCALES, resolve


@pytest.mark.parametrize("scale", SCALES)
def test_every_preset_holds_what_claims_are_about(scale):
    p = resolve(Parameters, scale)
    assert {HALF, HIGH} <= set(p.sparsities) and p.threshold in p.thresholds and p.strength in p.strengths
    assert (p.threshold, p.strength) == (5, 0.08), "OWL's setting for LLaMA-7B"
    assert p.replicates >= (1 if scale == "smoke" else 3)
    assert len(Parameters.specs()) <= 28


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sparsities": (0.5, 0.6)}, "0.7"),
        ({"sparsities": (0.7, 0.5)}, "increase"),
        ({"sparsities": (0.5, 0.7, 1.0)}, "between 0 and 1"),
        ({"thresholds": (3.0,)}, "threshold"),
        ({"strengths": (0.02,)}, "strength"),
        ({"probe": 1.0}, "probe"),
        ({"checkpoint": "nowhere"}, "nothing at"),
        ({"permutations": 1}, "permutations"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(wrong, words):
    with pytest.raises(InputError, match=words):
        resolve(Parameters, "laptop", 0, wrong)


def test_a_folder_without_a_configuration_is_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match=r"no checkpoint: config\.json is missing"):
        resolve(Parameters, "paper", 0, {"checkpoint": str(tmp_path)})


def test_an_adapter_needs_its_checkpoint(tmp_path):
    with pytest.raises(InputError, match="checkpoint"):
        resolve(Parameters, "paper", 0, {"adapter": str(tmp_path)})


def test_a_checkpoint_is_kept_as_an_absolute_path(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "llama"}')
    save_file({"a": torch.zeros(1)}, tmp_path / "mine" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    p = resolve(Parameters, "smoke", 0, {"checkpoint": "mine"})
    assert p.checkpoint == str((tmp_path / "mine").resolve())


def test_paper_scale_without_a_checkpoint_stops_before_anything_starts():
    from tenfold.papers.owled import results

    class Nothing:
        parameters = resolve(Parameters, "paper")

        def start(self, *_, **__):
            raise AssertionError("work has begun")

    with pytest.raises(InputError, match="checkpoint=FOLDER"):
        results.Results(Nothing())


def test_windows_that_no_model_can_hold_are_refused_at_once():
    assert {size["context"] for size in SIZES.values()} == {CONTEXT}
    with pytest.raises(InputError, match="513 tokens does not fit"):
        resolve(Parameters, "laptop", 0, {"text_length": CONTEXT + 1})
