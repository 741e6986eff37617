"""Devices by name, and a forward pass in lower precision."""

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.training import autocast, device
from tenfold.training.device import place


def test_devices_by_name(monkeypatch):
    assert device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="no CUDA device here"):
        device("cuda")
    with pytest.raises(InputError, match="did you mean 'cuda'"):
        device("cuda:0")


def test_each_process_of_torchrun_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert device("auto") == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device("cuda") == torch.device("cuda", 3)
    assert device("cpu") == torch.device("cpu")


def test_bfloat16_is_for_products_only_and_reaches_the_weights_after_a_look_without_gradients():
    model, x = nn.Linear(4, 4), torch.ones(2, 4)
    with autocast(torch.device("cpu"), "bf16"):
        with torch.no_grad():
            model(x)
        y = model(x)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert model.weight.grad.dtype == torch.float32
    with autocast(torch.device("cpu"), "fp32"):
        assert model(x).dtype == torch.float32
    with pytest.raises(InputError, match="unknown precision"):
        autocast(torch.device("cpu"), "fp8")


def test_compiling_keeps_the_names():
    """In place, so that rules, masks and checkpoints find what they know; nothing is compiled before it is called."""
    model = nn.Sequential(nn.Linear(2, 2))
    names = list(model.state_dict())
    place(model, torch.device("cpu"), compiled=True)
    assert list(model.state_dict()) == names
    assert model._compiled_call_impl is not None
