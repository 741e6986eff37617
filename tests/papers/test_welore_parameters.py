"""Parameters of welore: presets, and what is refused before anything heavy starts."""

import json

import pytest

from tenfold.errors import InputError
from tenfold.papers.welore import Parameters, bench
from tenfold.papers.welore.parameters import HIGH, MAIN
from tenfold.runner.parameters import SCALES, resolve


@pytest.mark.parametrize("scale", SCALES)
def test_every_preset_holds_what_claims_are_about(scale):
    p = resolve(Parameters, scale)
    assert {MAIN, HIGH} <= set(p.errs) and MAIN in p.tuned_errs
    assert p.models >= (3 if scale == "laptop" else 1)
    assert p.film_steps // p.film_every >= 4
    assert len(Parameters.specs()) <= 28


def test_the_paper_preset_is_the_published_setting():
    p = resolve(Parameters, "paper", 0, {"model": "meta-llama/Llama-2-7b-hf"})
    assert (p.rates, p.batch, p.tune_length, p.steps) == ((5e-5,), 4, 1024, 10_000)
    assert (p.galore_rank, p.galore_gap, p.length, p.test_windows) == (128, 50, 4096, 256)
    assert (p.film, p.film_steps, p.film_every) == ("130m", 25_000, 500)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"errs": (0.3, 0.5)}, "0.7"),
        ({"errs": (0.7, 0.5)}, "increase"),
        ({"errs": (0.5, 0.7, 1.0)}, "between 0 and 1"),
        ({"tuned_errs": (0.7,)}, "tuned_errs"),
        ({"rates": (0.0,)}, "positive"),
        ({"texts": ("prose", "prose")}, "different"),
        ({"tasks": ("auto", "svamp")}, "alone"),
        ({"film_steps": 25, "film_every": 10}, "multiple"),
        ({"model": "./nowhere"}, "no folder"),
        ({"film": "7b"}, "film"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(wrong, words):
    with pytest.raises(InputError, match=words):
        resolve(Parameters, "laptop", 0, wrong)


def test_a_checkpoint_is_one_model(tmp_path):
    with pytest.raises(InputError, match="models=1"):
        bench.check(resolve(Parameters, "laptop", 0, {"model": str(tmp_path)}))


@pytest.mark.parametrize(
    ("sizes", "folder", "name"),
    [
        ((4096, 32, 4096, 11008), "Llama-2-7b-hf", "llama2_7b"),
        ((4096, 32, 4096, 11008), "Llama-2-7b-chat-hf", ""),
        ((4096, 32, 2048, 11008), "llama", "llama_7b"),
        ((5120, 40, 4096, 13824), "big", "llama2_13b"),
        ((4096, 32, 32768, 14336), "mistral", "mistral_7b"),
        ((4096, 32, 4096, 14336), "other", ""),
    ],
)
def test_a_published_model_is_told_by_its_shape(tmp_path, sizes, folder, name):
    place = tmp_path / folder
    place.mkdir()
    config = dict(zip(bench.SHAPE, sizes, strict=True)) | {"model_type": "mistral" if name == "mistral_7b" else "llama"}
    (place / "config.json").write_text(json.dumps(config))
    p = resolve(Parameters, "paper", 0, {"model": str(place)})
    assert bench.known(p) == name
    assert bench.brought(p) == {"c4", name} - {""}
