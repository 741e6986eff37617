"""Several processes that train one network together, as torchrun starts them; alone, none of this does anything."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Group:
    """The processes of one training: this one's rank and how many there are."""

    rank: int = 0
    size: int = 1

    def average_gradients(self, parameters: Iterable[nn.Parameter], rows: int) -> None:
        """Replace gradients of means over this process's rows by those over the rows of all, in place.

        g = sum_r n_r g_r / sum_r n_r, in one message. Summing after the backward pass rather than during it lets
        parts of a network fall out of use, and objectives run it several times in one step.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.size == 1 or not gradients:
            return
        count = torch.tensor(float(rows), device=gradients[0].device)
        torch._foreach_mul_(gradients, rows)
        self._reduce([*gradients, count])
        torch._foreach_div_(gradients, count)

    def average_buffers(self, model: nn.Module) -> None:
        """Give every process the mean of the buffers, such as running statistics of its own batches."""
        buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        self._reduce(buffers)
        if self.size > 1 and buffers:
            torch._foreach_div_(buffers, self.size)

    def summed(self, values: list[Tensor]) -> list[Tensor]:
        """Return the sums of values over the processes."""
        if self.size > 1:
            values = [value.clone() for value in values]
            self._reduce(values)
        return values

    def broadcast(self, model: nn.Module) -> None:
        """Give every process the parameters and buffers of the first."""
        if self.size > 1:
            for tensor in (*model.parameters(), *model.buffers()):
                distributed.broadcast(tensor.detach(), 0)

    def _reduce(self, tensors: list[Tensor]) -> None:
        """Sum tensors over the processes, in place, all of one type in one message."""
        if self.size == 1:
            return
        for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
            same = [tensor for tensor in tensors if tensor.dtype == kind]
            flat = torch.cat([tensor.reshape(-1) for tensor in same])
            distributed.all_reduce(flat)
            parts = flat.split([tensor.numel() for tensor in same])
            torch._foreach_copy_(same, [part.view(tensor.shape) for part, tensor in zip(parts, same, strict=True)])


def join(device: torch.device) -> Group:
    """Return the group that torchrun (RANK, WORLD_SIZE) put this process into, or the group of this one alone.

    Messages go through nccl on GPUs and gloo on CPUs.
    """
    if distributed.is_available() and distributed.is_initialized():
        return Group(distributed.get_rank(), distributed.get_world_size())
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        return Group()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    atexit.register(_leave)
    return Group(distributed.get_rank(), distributed.get_world_size())


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
