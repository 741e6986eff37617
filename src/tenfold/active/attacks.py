"""Projected gradient descent on the input: small changes of an image that cost a network the most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from tenfold.errors import InputError


def pgd(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    eps: float,
    step: float,
    steps: int,
    generator: Generator | Sequence[Generator] | None = None,
) -> Tensor:
    """Return x + delta, |delta| <= eps in every pixel, after `steps` ascents of the cross entropy L, in [0, 1].

    delta <- clip(delta + step sign(grad_x L(f(x + delta), y)), -eps, eps), then x + delta is clipped to [0, 1].
    x (B, ...) floating point in [0, 1] and y (B,) whole numbers, or x (S, B, ...) and y (S, B) for a stack of S
    networks, whose images do not influence each other. Without a `generator` delta starts at 0; with one it starts
    uniform in [-eps, eps], and a list of S gives each network of a stack the start that it has alone.

    The network stays in the mode it is in, as in training, where batch normalisation therefore also counts the
    attacked batches; its parameters get no gradient. Raises InputError for values that are out of range and
    shapes that do not fit. Source: arXiv 2409.09196 (after arXiv 1706.06083).
    """
    _check(x, y, eps, step, steps)
    x = x.detach()
    low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=1)
    attacked = x if generator is None else (x + eps * _start(x, y, generator)).clamp(low, high)
    for _ in range(steps):
        attacked = (attacked + step * _gradient(model, attacked, y).sign()).clamp(low, high)
    return attacked.clone() if attacked is x else attacked


def _gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of the summed cross entropy with respect to the images alone."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        logits = model(x)
        if logits.shape[:-1] != y.shape:
            raise InputError(f"logits {tuple(logits.shape)} do not go with labels {tuple(y.shape)}")
        # A sum, so that the gradient of an image does not shrink with the batch it stands in.
        loss = cross_entropy(logits.flatten(0, -2).float(), y.flatten().long(), reduction="sum")
        return torch.autograd.grad(loss, x)[0]


def _start(x: Tensor, y: Tensor, generator: Generator | Sequence[Generator]) -> Tensor:
    """Return uniform numbers in [-1, 1] of the shape of x, network by network where each has its generator."""
    if isinstance(generator, Generator):
        return _uniform(x, generator)
    if y.ndim != 2 or len(generator) != len(y):
        raise InputError(f"{len(generator)} generators for images {tuple(x.shape)} with labels {tuple(y.shape)}")
    return torch.stack([_uniform(part, each) for part, each in zip(x, generator, strict=True)])


def _uniform(x: Tensor, generator: Generator) -> Tensor:
    return 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device) - 1


def _check(x: Tensor, y: Tensor, eps: float, step: float, steps: int) -> None:
    if not (math.isfinite(eps) and eps >= 0 and math.isfinite(step) and step >= 0):
        raise InputError(f"an attack needs eps and step of at least 0, not {eps} and {step}")
    if not isinstance(steps, Integral) or steps < 0:
        raise InputError(f"an attack takes a whole number of steps from 0, not {steps}")
    if y.ndim not in (1, 2) or x.shape[: y.ndim] != y.shape or x.ndim == y.ndim:
        raise InputError(f"images {tuple(x.shape)} do not go with labels {tuple(y.shape)}")
    if not x.is_floating_point() or y.is_floating_point():
        raise InputError(f"an attack needs images in floating point and whole labels, not {x.dtype} and {y.dtype}")
    if x.numel() == 0 or not (x.min() >= 0 and x.max() <= 1):
        raise InputError("an attack needs images with values in [0, 1]")
