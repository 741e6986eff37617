"""Where and in which precision a network computes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from tenfold.errors import InputError, unknown
from tenfold.training.recipe import DEVICES, PRECISIONS


def device(name: str = "auto") -> torch.device:
    """Return the device: "cpu", "cuda", or the better one at hand for "auto".

    Of several GPUs it is the one that torchrun gave to this process (LOCAL_RANK). Raises InputError for another
    name, and for "cuda" where there is none.
    """
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("there is no CUDA device here; device 'auto' takes what there is")
    if name == "cpu" or not available:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def autocast(where: torch.device, precision: str) -> AbstractContextManager:
    """Return the context of the forward pass: bfloat16 products for "bf16", nothing for "fp32"."""
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    return torch.autocast(where.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def kernels(where: torch.device) -> AbstractContextManager:
    """Return the context of a training: on a GPU cuDNN tries its convolutions once per shape and takes the fastest."""
    if where.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=True)


def place(model: nn.Module, where: torch.device, compiled: bool = False, processes: int = 1) -> None:
    """Move a model to its device, and compile its forward pass where asked: in place, so that no name changes.

    With several processes on GPUs, batch-norm statistics are those of the whole batch; on CPUs, which torch does not
    offer that for, each process normalises by its own share.
    """
    model.to(where)
    if processes > 1 and where.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if compiled:
        model.compile()
