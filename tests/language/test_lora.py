"""Low-rank adapters: nothing changes at the start, the merged map is the sum, adapters of peft are read as written."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears, tiny
from tenfold.language.lora import LoRALinear, attach, load_adapter, merge

IDS = torch.arange(4, 28).view(2, 12)


def llama():
    return tiny(60, 32, 48, 2, 2, 32, seed=2)


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


def adapters(model):
    return [module for module in model.modules() if isinstance(module, LoRALinear)]


def trained(model, seed=0):
    """The model with adapters that do something, as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for adapter in adapters(model):
        adapter.B.data = torch.randn(adapter.B.shape, generator=numbers) * 0.1
    return model


def test_the_sum_written_out():
    base = nn.Linear(5, 4)
    adapter = LoRALinear(base, 2, 3.0, generator=torch.Generator().manual_seed(1))
    adapter.B.data.copy_(torch.arange(8.0).view(4, 2))
    x = torch.arange(10.0).view(2, 5)
    wanted = x @ (base.weight + 1.5 * adapter.B @ adapter.A).T + base.bias
    assert torch.allclose(adapter(x), wanted, atol=1e-4)
    assert adapter.A.abs().max() <= 5**-0.5


def test_nothing_changes_at_the_start_and_only_adapters_learn():
    model = llama()
    before = logits(model)
    attach(model, 4, 8)
    assert len(adapters(model)) == 8
    assert torch.equal(logits(model), before)
    learning = {name.rpartition(".")[2] for name, p in model.named_parameters() if p.requires_grad}
    assert learning == {"A", "B"}
    model(IDS).logits.square().mean().backward()
    assert all(adapter.B.grad.abs().sum() > 0 and adapter.base.weight.grad is None for adapter in adapters(model))


def test_merged_logits_are_the_unmerged_ones():
    model = trained(attach(llama(), 4, 8, names=("q_proj", "v_proj", "down_proj")))
    before, dense = logits(model), logits(llama())
    merge(model)
    assert adapters(model) == []
    assert all(type(linear) is nn.Linear for block in blocks(model) for linear in linears(block).values())
    assert all(p.requires_grad for p in model.parameters())
    assert (logits(model) - before).abs().max() < 1e-5
    assert (before - dense).abs().max() > 1e-2


def test_a_merged_map_in_half_precision_is_rounded_once():
    base = nn.Linear(8, 8, bias=False).bfloat16()
    adapter = LoRALinear(base, 2, 2.0)
    adapter.B.data.fill_(0.3)
    wanted = (base.weight.float() + adapter.B.float() @ adapter.A.float()).bfloat16()
    assert torch.equal(adapter.merged().weight, wanted)


def test_zeros_stay_after_merging_and_not_before():
    """Merged first, a pruned weight is zero; pruned first, the adapter fills it again."""
    early, late = (trained(attach(llama(), 2, 2)) for _ in range(2))
    late = merge(late)
    early_map, late_map = blocks(early)[0].self_attn.q_proj.base, blocks(late)[0].self_attn.q_proj
    mask = torch.rand(32, 32, generator=torch.Generator().manual_seed(3)) < 0.5
    for linear in (early_map, late_map):
        linear.weight.data[mask] = 0
    merge(early)
    assert bool((late_map.weight[mask] == 0).all())
    assert blocks(early)[0].self_attn.q_proj.weight[mask].abs().min() > 0


def test_dropout_acts_in_training_alone():
    adapter = LoRALinear(nn.Linear(64, 4), 2, 2, dropout=0.5)
    adapter.B.data.fill_(1)
    x = torch.ones(3, 64)
    assert not torch.equal(adapter.train()(x), adapter.eval()(x))
    assert torch.equal(adapter(x), adapter(x))


def test_the_generator_says_how_adapters_start():
    first, again, other = (attach(llama(), 2, 2, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    for a, b, c in zip(*map(adapters, (first, again, other)), strict=True):
        assert torch.equal(a.A, b.A)
        assert not torch.equal(a.A, c.A)
    assert not torch.equal(adapters(first)[0].A, adapters(first)[1].A)


def written(folder, change=None, tensors=None, pickled=False):
    """An adapter of q_proj and v_proj in the layout of peft; returns its matrices by map."""
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "lora_dropout": 0.05, "bias": "none"}
    settings |= {"target_modules": ["q_proj", "v_proj"], "fan_in_fan_out": False, "modules_to_save": None}
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(settings | (change or {})))
    numbers = torch.Generator().manual_seed(5)
    parts = {}
    for layer in range(2):
        for name in ("q_proj", "v_proj"):
            key = f"base_model.model.model.layers.{layer}.self_attn.{name}.lora_"
            parts[f"{key}A.weight"] = torch.randn(4, 32, generator=numbers)
            parts[f"{key}B.weight"] = torch.randn(32, 4, generator=numbers)
    parts |= tensors or {}
    if pickled:
        torch.save(parts, folder / "adapter_model.bin")
    else:
        save_file(parts, folder / "adapter_model.safetensors")
    return parts


@pytest.mark.parametrize("pickled", [False, True])
def test_an_adapter_of_peft_is_the_sum_written_out(tmp_path, pickled):
    parts = written(tmp_path / "adapter", pickled=pickled)
    model, by_hand = merge(load_adapter(llama(), tmp_path / "adapter")), llama()
    for layer, block in enumerate(blocks(by_hand)):
        for name in ("q_proj", "v_proj"):
            key = f"base_model.model.model.layers.{layer}.self_attn.{name}.lora_"
            linears(block)[name].weight.data += 2 * parts[f"{key}B.weight"] @ parts[f"{key}A.weight"]
    assert torch.allclose(logits(model), logits(by_hand), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "tensors", "message"),
    [
        ({"r": 3}, {}, "does not fit the model"),
        ({"target_modules": ["q_proj"]}, {}, "its configuration names others"),
        ({"use_dora": True}, {}, "only plain LoRA is known, not use_dora"),
        ({"peft_type": "IA3"}, {}, "only plain LoRA"),
        ({"r": "4"}, {}, "only plain LoRA"),
        ({}, {"base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight": torch.ones(4, 32)}, "has not"),
        ({}, {"base_model.model.lm_head.weight": torch.ones(4, 32)}, "no matrix of plain LoRA"),
    ],
)
def test_adapters_that_do_not_fit_leave_the_model_alone(tmp_path, change, tensors, message):
    written(tmp_path / "adapter", change, tensors)
    model = llama()
    with pytest.raises(InputError, match=message):
        load_adapter(model, tmp_path / "adapter")
    assert adapters(model) == []
    assert torch.equal(logits(model), logits(llama()))


class Harmful:
    def __reduce__(self):
        return print, ("unpickled",)


def test_adapters_that_cannot_be_read(tmp_path, capsys):
    folder = tmp_path / "adapter"
    with pytest.raises(InputError, match=r"adapter_config.json is missing"):
        load_adapter(llama(), folder)
    written(folder)
    whole = (folder / "adapter_model.safetensors").read_bytes()
    (folder / "adapter_model.safetensors").write_bytes(whole[:-9])
    with pytest.raises(InputError, match="truncated"):
        load_adapter(llama(), folder)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match="is missing"):
        load_adapter(llama(), folder)
    torch.save({"key": Harmful()}, folder / "adapter_model.bin")
    with pytest.raises(InputError, match="holds more than tensors"):
        load_adapter(llama(), folder)
    assert capsys.readouterr().out == ""


def test_what_cannot_be_attached():
    for options in ({"rank": 0, "alpha": 1}, {"rank": 33, "alpha": 1}, {"rank": 2, "alpha": 1, "dropout": 1.0}):
        with pytest.raises(InputError):
            attach(llama(), **options)
    with pytest.raises(InputError, match="no linear map of a LlamaForCausalLM is named query"):
        attach(llama(), 2, 2, names=("q_proj", "query"))
    with pytest.raises(InputError, match="has adapters already"):
        attach(attach(llama(), 2, 2), 2, 2)
