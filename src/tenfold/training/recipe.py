"""How a network is trained: optimiser, learning rate, batches, precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import torch
from torch import nn

from tenfold.errors import InputError, unknown

OPTIMIZERS = ("sgd", "adamw", "adam")
SCHEDULES = ("step", "cosine", "constant")
PRECISIONS = ("fp32", "bf16")
DEVICES = ("cpu", "cuda", "auto")
DECAYS = ("all", "matrices")
CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "device": DEVICES,
    "decay": DECAYS,
}
# What each number must be: in words, and as a condition on the recipe.
LIMITS: dict[str, tuple[str, Callable[[Recipe], bool]]] = {
    "epochs": ("at least one epoch", lambda r: _whole(r.epochs)),
    "batch": ("at least one row in a batch", lambda r: _whole(r.batch)),
    "lr": ("a positive learning rate", lambda r: 0 < r.lr < math.inf),
    "momentum": ("momentum in [0, 1)", lambda r: 0 <= r.momentum < 1),
    "weight_decay": ("weight decay of at least 0", lambda r: 0 <= r.weight_decay < math.inf),
    "milestones": ("milestones that increase from above 0", lambda r: _increasing((0, *r.milestones, math.inf))),
    "gamma": ("gamma in (0, 1]", lambda r: 0 < r.gamma <= 1),
    "warmup": ("a warm-up within its epochs", lambda r: 0 <= r.warmup <= r.epochs),
    "clip": ("positive limits of the norm", lambda r: all(c is None or c > 0 for c in _tuple(r.clip))),
    "betas": ("two betas in [0, 1)", lambda r: len(r.betas) == 2 and all(0 <= beta < 1 for beta in r.betas)),
    "lr_end": ("a last rate that is a share of lr", lambda r: 0 <= r.lr_end <= 1),
}


@dataclass(frozen=True)
class Recipe:
    """Settings of `fit`; the defaults are the image classification recipe of arXiv 2411.13545 and arXiv 2409.09196.

    epochs; batch: rows of one step, of each replica and over all processes; lr: peak rate; optimizer: "sgd",
    "adamw" or "adam"; momentum, nesterov: of sgd; betas: of adamw and adam; weight_decay: coupled (sgd, adam) or
    decoupled (adamw); decay: "all" parameters or "matrices", those of two or more dimensions.
    schedule: see `rate`; milestones: fractions of the epochs; gamma: factor at a milestone; warmup: epochs, a
    fraction too; lr_end: last rate of "cosine" as a share of lr. clip: greatest norm of a replica's gradient, None for
    no limit, or one entry per replica. drop_last: leave out the short batch of an epoch. device: "cpu", "cuda" or
    "auto"; precision: "fp32" or "bf16" (autocast, weights stay float32); compile: torch.compile; channels_last: layout
    of images (weights keep theirs, as stacks view them replica by replica). Raises InputError for an impossible value.
    """

    epochs: int
    batch: int
    lr: float = 0.1
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    schedule: str = "step"
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1
    warmup: float = 0
    clip: float | tuple[float | None, ...] | None = None
    drop_last: bool = False
    device: str = "cpu"
    precision: str = "fp32"
    compile: bool = False
    channels_last: bool = True
    betas: tuple[float, float] = (0.9, 0.999)
    decay: str = "all"
    lr_end: float = 0.0

    def __post_init__(self):
        for field in fields(self):
            object.__setattr__(self, field.name, _plain(getattr(self, field.name)))
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown(name, str(getattr(self, name)), known)
        for name, (wanted, fine) in LIMITS.items():
            try:
                right = fine(self)
            except TypeError:
                right = False
            if not right:
                raise InputError(f"a recipe needs {wanted}, not {name} = {getattr(self, name)!r}")

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Return the learning rate of a step (from 0).

        Warm-up over the first w steps: lr (t+1)/w. Then "step": lr gamma^m in epoch e (from 1), m the number of
        milestones f with e > f epochs; "cosine": lr (q + (1-q) (1 + cos(pi (t-w)/(T-w)))/2) with q = lr_end, T all
        steps; "constant": lr. Sources: arXiv 2411.13545, arXiv 2409.09196 (step).
        """
        total, warm = self.epochs * steps_per_epoch, round(self.warmup * steps_per_epoch)
        if step < warm:
            return self.lr * (step + 1) / warm
        if self.schedule == "cosine":
            progress = (step - warm) / max(total - warm, 1)
            return self.lr * (self.lr_end + (1 - self.lr_end) * (1 + math.cos(math.pi * progress)) / 2)
        if self.schedule == "step":
            epoch = step // steps_per_epoch + 1
            # 0.57 * 100 lies below 57 in floating point.
            passed = sum(epoch > fraction * self.epochs + 1e-9 for fraction in self.milestones)
            return self.lr * self.gamma**passed
        return self.lr

    def limits(self, replicas: int) -> list[float] | None:
        """Return the greatest gradient norm of each replica, inf for none; None where no replica has one."""
        limits = self.clip if isinstance(self.clip, tuple) else (self.clip,) * replicas
        if len(limits) != replicas:
            raise InputError(f"clip has {len(limits)} entries for {replicas} replicas")
        return None if set(limits) == {None} else [math.inf if limit is None else float(limit) for limit in limits]

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the fused optimiser of all parameters that are to be trained."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        if not parameters:
            raise InputError("the model has no parameter to train")
        decayed = [p for p in parameters if self.decay == "all" or p.ndim >= 2]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}]
        if len(decayed) < len(parameters):
            groups.append({"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0})
        if self.optimizer != "sgd":
            kind = torch.optim.AdamW if self.optimizer == "adamw" else torch.optim.Adam
            return kind(groups, lr=self.lr, betas=self.betas, fused=True)
        nesterov = self.nesterov and self.momentum > 0
        optimizer = torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=nesterov, fused=True)
        if self.momentum:
            # The fused step cannot mix first and later gradients, as where a part of the network joins late; from
            # zeros, the first step is the same.
            for p in parameters:
                optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
        return optimizer


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _increasing(values: tuple[float, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _tuple(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _plain(value: Any) -> Any:
    """Return a list as a tuple and numpy's numbers as Python's: what a checkpoint can hold."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)
