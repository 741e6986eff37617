"""Gradients of a stack, replica by replica."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

EPSILON = 1e-6  # as in torch.nn.utils.clip_grad_norm_


def norms(parameters: Iterable[nn.Parameter], replicas: int) -> Tensor:
    """Return the Euclidean norm (S,) of each replica's whole gradient.

    A parameter's leading dimension holds the replicas one after the other; parameters without gradient count as 0.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(replicas)
    if replicas == 1:
        return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))).view(1)
    # One copy of all takes half the time of a norm for each parameter, for 64 small ones of 3 replicas.
    return torch.linalg.vector_norm(torch.cat([g.reshape(replicas, -1) for g in gradients], dim=1), dim=1)


def clip(parameters: Iterable[nn.Parameter], found: Tensor, limits: Tensor) -> None:
    """Scale each replica's gradient by min(1, limit / (norm + 1e-6)), in place; norms and limits (S,).

    A limit of inf leaves the gradient as it is, whatever its norm. Source: arXiv 2411.13545 (limit 1).
    """
    factors = torch.where(limits.isinf(), 1.0, (limits / (found + EPSILON)).clamp_(max=1.0))
    gradients = [p.grad for p in parameters if p.grad is not None]
    if len(limits) == 1:
        torch._foreach_mul_(gradients, factors[0])
        return
    parts = [gradient.unflatten(0, (len(limits), -1)) for gradient in gradients]
    shaped = {ndim: factors.view(-1, *[1] * (ndim - 1)) for ndim in {part.ndim for part in parts}}
    torch._foreach_mul_(parts, [shaped[part.ndim] for part in parts])
