"""The published driver's way: a checkpoint, an adapter and an encoder from disk, all of them tiny and random."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from tenfold import datasets
from tenfold.errors import InputError
from tenfold.language import lora, tiny, train_tokenizer
from tenfold.papers.owled import proxies, real, results, runs, subjects, voice
from tenfold.papers.owled.cells import DENSE, Cell
from tenfold.pruning import driving
from tenfold.pruning.driving.encoder import VectorEncoder

from .owled_town import tiny as parameters

pytestmark = pytest.mark.xdist_group("owled")

PROMPTS = {
    "caption": "Tell what you see.\n### Input:\n\n### Answer:\n",
    "action": "Tell what you do.\n### Input:\n\n### Answer:",
}
THEIRS = [
    (r"rows.ego.", "ego_vehicle_encoder."),
    ("rows.vehicles.", "vehicle_encoder."),
    ("rows.pedestrians.", "pedestrian_encoder."),
    ("rows.route.", "route_encoder."),
    ("route_position", "route_embedding"),
    ("latents", "perceiver.input_embedding"),
    ("queries", "perceiver.output_embedding"),
    ("from_ego.", "perceiver.input_proj."),
    ("mix.", "perceiver.input_ff."),
    ("read.", "perceiver.input_block."),
    ("write.", "perceiver.output_block."),
    ("blocks.", "perceiver.blocks."),
    ("norm.", "perceiver.output_norm."),
]
INSIDE = [(".context_norm.", ".pre_norm2."), (".ffn_norm.", ".pre_norm3."), (".norm.", ".pre_norm1.")]
INSIDE += [(".ffn.", ".ff.")] + [(f".{part}.", f".attention.to_{part}.") for part in ("q", "kv", "out")]


def theirs(name):
    """Return the publisher's name of a weight, written down independently of the module."""
    if name.startswith("project."):
        return name.replace("project.", "llm_proj.")
    if name.startswith(("read.", "write.", "blocks.")):
        for mine, other in INSIDE:
            name = name.replace(mine, other)
    for mine, other in THEIRS:
        if name.startswith(mine):
            return "vector_encoder." + name.replace(mine, other, 1)
    raise AssertionError(name)


def drawn_encoder():
    """Return an encoder no two of whose weights are equal: norms that start as ones could be exchanged unseen."""
    encoder, generator = VectorEncoder(32, 4, 2, 6, 32), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A Llama of two blocks with its tokenizer, an adapter, and an encoder under the publisher's names."""
    place = tmp_path_factory.mktemp("published")
    text = [*real.prompts("").values(), *PROMPTS.values()] * 3 + list(driving.generate(40, 0).texts)
    tokenizer = train_tokenizer(text, 400)
    model = tiny(len(tokenizer), 32, 64, 2, 2, 1024, 0)
    model.save_pretrained(place / "llama", safe_serialization=True)
    tokenizer.save_pretrained(place / "llama")
    taken = lora.attach(tiny(len(tokenizer), 32, 64, 2, 2, 1024, 0), 2, 4)
    parts = {}
    for name, part in taken.named_modules():
        if isinstance(part, lora.LoRALinear):
            parts[f"base_model.model.{name}.lora_A.weight"] = part.A.detach()
            parts[f"base_model.model.{name}.lora_B.weight"] = 0.1 * torch.ones_like(part.B)
    adapter = place / "adapter"
    adapter.mkdir()
    save_file(parts, adapter / "adapter_model.safetensors")
    settings = {"r": 2, "lora_alpha": 4, "target_modules": [*lora.ATTENTION], "peft_type": "LORA"}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    for item, told in PROMPTS.items():
        (adapter / f"prompt_{item}.txt").write_text(told)
    encoder = drawn_encoder()
    torch.save({theirs(name): value for name, value in encoder.state_dict().items()}, adapter / "vector_encoder.pt")
    return place


@pytest.fixture
def settings(folder, monkeypatch):
    scenes = driving.generate(24, 3)
    for module in (subjects, runs):
        monkeypatch.setattr(module, "published_scenes", lambda: scenes)
    monkeypatch.setattr(real, "LONGEST", 12)
    given = {"checkpoint": str(folder / "llama"), "adapter": str(folder / "adapter"), "test_scenes": 8}
    return subjects.settings(parameters(**given))


def test_the_encoder_under_the_publishers_names_is_ours(folder, settings):
    wanted = drawn_encoder().eval()
    found = real.encoder_of(settings, 32).eval()
    inputs = driving.tensors(driving.generate(3, 5))
    with torch.no_grad():
        assert torch.equal(found(*inputs), wanted(*inputs))


def test_the_adapter_is_merged_and_the_prompt_holds_the_vectors(settings):
    found = subjects.driver(0, settings)
    bare = real.published_driver(settings | {"adapter": "", "encoder": settings["adapter"] + "/vector_encoder.pt"})
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(found.llm.get_parameter(name), bare.llm.get_parameter(name))
    ids = found.words.encode(["I'm observing 1 cars"])
    batch = found.embedded(torch.ones(1, 6, 32), ids)
    prompt = found.prompt()
    assert batch.embeds.shape[1] == prompt.shape[1] + ids.shape[1] - 1 + 6
    place = int((batch.embeds[0] == 1).all(-1).nonzero()[0])
    before = found.words.tokenizer.decode(prompt[0, :place], skip_special_tokens=True)
    assert before.rstrip().endswith("### Input:"), before
    asked = batch.labels[0] != -100
    assert int(asked.sum()) == ids.shape[1] - 1 and bool(asked[-1]), "nothing of the prompt is asked for"


def test_adapter_and_encoder_in_one_file_are_told_apart(folder, settings, tmp_path):
    """The publisher's file holds both."""
    from safetensors.torch import load_file

    both = load_file(folder / "adapter" / "adapter_model.safetensors")
    both |= torch.load(folder / "adapter" / "vector_encoder.pt", weights_only=True)
    torch.save(both, tmp_path / "adapter_model.bin")
    for name in ("adapter_config.json", "prompt_caption.txt", "prompt_action.txt"):
        (tmp_path / name).write_text((folder / "adapter" / name).read_text())
    one, two = (real.published_driver(settings | {"adapter": place}) for place in (settings["adapter"], str(tmp_path)))
    assert one.state_dict().keys() == two.state_dict().keys()
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def test_an_adapter_brings_its_prompts_along(folder, settings, tmp_path):
    found, said = subjects.driver(0, settings), {}
    for found.item in real.ITEMS:
        said[found.item] = found.words.tokenizer.decode(found.prompt()[0], skip_special_tokens=True)
    assert said == PROMPTS
    bare = real.published_driver(settings | {"adapter": ""})
    told = bare.words.tokenizer.decode(bare.prompt()[0], skip_special_tokens=True)
    assert told == real.prompts("")["caption"] and told not in PROMPTS.values()
    assert str(folder / "adapter") in {item.name for item in datasets.used()}, "another prompt is another result"
    with pytest.raises(InputError, match=r"lacks prompt_caption\.txt and prompt_action\.txt: .* whole prompt"):
        subjects.check(parameters(checkpoint=settings["checkpoint"], adapter=str(tmp_path)))
    for item in real.ITEMS:
        (tmp_path / f"prompt_{item}.txt").write_text("Tell.")
    with pytest.raises(InputError, match=r"prompt_caption\.txt says nowhere '### Input:'"):
        real.prompts(str(tmp_path))


def test_both_items_are_asked_and_heard(settings):
    found, scenes = subjects.driver(0, settings), subjects.scenes(settings)
    captions, actions = voice.items(found, scenes)
    assert captions.texts[0] == driving.caption(scenes[0])
    assert actions.texts[0] == "\n".join(scenes.texts[0].split("\n")[-4:])
    windows = voice.windows(found, scenes)
    assert len(windows) == len(scenes) and not bool(windows.count.all()), "unequal texts are filled up"
    assert len(voice.texts(found, scenes[:3], settings)) == 3


def test_the_same_experiments_run_on_it(settings):
    cells = [DENSE.record(), Cell("llm", "wanda", 0.5, "owl").record(), Cell("both", "sparsegpt", 0.5).record()]
    cells.append(Cell("llm", "wanda", 0.5, calibration="tokens").record())
    found = runs.score(0, cells, settings)
    assert found["scores"].token_loss.notna().all() and len(found["said"]) == 8
    assert found["scores"].zeros[1:].between(0.45, 0.55).all()
    text = proxies.proxy("text", 0, settings)
    assert text["losses"].loss.notna().all() and set(text["blocks"].block) == {0, 1}


def test_a_checkpoint_is_read_before_anything_starts(folder, settings, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))

    with pytest.raises(InputError, match="gpt2"):
        parameters(checkpoint=str(tmp_path))


def test_with_a_checkpoint_nothing_is_trained(folder, settings, monkeypatch):
    started = []

    class Book:
        parameters = parameters(checkpoint=str(folder / "llama"))

        def start(self, job, points, **_):
            started.append(job.__name__)
            return SimpleNamespace(results=list)

    monkeypatch.setattr(results.published, "scenes", lambda missing_ok=False: driving.generate(4, 0))
    found = results.Results(Book())
    assert set(started) == {"score", "proxy", "grid", "adapter", "planted", "fooled"}
    assert found.history().empty and found.transfer().empty and found.spoken() is None
    assert found.own == set(), "a model of 32 channels is no LLaMA-7B"


def test_files_that_do_not_fit_are_named(folder, settings, tmp_path):
    torch.save({"vector_encoder.route_embedding": torch.zeros(30, 32)}, tmp_path / "half.pt")
    with pytest.raises(InputError, match=r"half\.pt"):
        real.encoder_of(settings | {"encoder": str(tmp_path / "half.pt")}, 32)
    (tmp_path / "bad.pt").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"bad\.pt"):
        real.encoder_of(settings | {"encoder": str(tmp_path / "bad.pt")}, 32)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="encoder=FILE"):
        real.encoder_of(settings | {"adapter": str(tmp_path / "empty")}, 32)
