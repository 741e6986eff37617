"""Scores of weights before training (SNIP, GraSP, SynFlow), and masks that keep the largest.

All work on a copy of the model, so that its weights, gradients, statistics and mode stay as they are. On a stack each
replica is scored for itself: the losses are separable, and the scores lie stacked as the weights do.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.nets.dyrelu import set_beta
from tenfold.nets.stack import Standardise, prunable
from tenfold.training.data import scaled

Scores = dict[str, Tensor]
Container = TypeVar("Container", Tensor, Sequence[Tensor], Mapping[str, Tensor])


def snip_scores(model: nn.Module, x: Tensor, y: Tensor) -> Scores:
    """Return the SNIP score |w dL/dw| of each prunable weight, divided by their sum.

    L is the mean cross entropy of log-softmax outputs on the batch x (B, ...), y (B,), with the network in the mode
    it is in; a stack takes one batch for all, or x (S, B, ...), y (S, B), and each replica's scores sum to 1.
    Raises InputError for batches that do not fit and where every score is zero. arXiv 1810.02340, as used in
    arXiv 2409.09196 (whose code leaves the log-softmax out).
    """
    twin = copy.deepcopy(model).requires_grad_(True)
    weights = prunable(twin)
    scores = {name: part.abs() for name, part in _products(weights, _loss(twin, x, y)).items()}
    totals = _totals(scores, replicas(model))
    if not (totals > 0).all() or not totals.isfinite().all():
        raise InputError("SNIP: the scores of this batch are all zero, or not finite")
    return _divided(scores, totals)


def grasp_scores(model: nn.Module, x: Tensor, y: Tensor, temperature: float = 200.0) -> Scores:
    """Return the GraSP score w (H g) of each prunable weight, divided by |sum of scores| + 1e-10.

    g = dL/dw and H g = d(g . stop(g))/dw, with L as in `snip_scores` on logits / T; the largest are kept. Raises
    InputError for batches that do not fit and T <= 0. arXiv 2002.07376, as used in arXiv 2411.13545.
    """
    if not temperature > 0:
        raise InputError(f"GraSP: the temperature must be positive, not {temperature}")
    twin = copy.deepcopy(model).requires_grad_(True)
    weights = prunable(twin)
    loss = _loss(twin, x, y, temperature)
    gradients = torch.autograd.grad(
        loss, list(weights.values()), create_graph=True, allow_unused=True, materialize_grads=True
    )
    z = sum((g * g.detach()).sum() for g in gradients)
    scores = _products(weights, z)
    return _divided(scores, _totals(scores, replicas(model)).abs() + 1e-10)


def synflow_scores(model: nn.Module, shape: Sequence[int] | Tensor) -> Scores:
    """Return the SynFlow score |w dR/dw| of each prunable weight, R the sum of the outputs for an input of ones.

    All parameters count by absolute value, batch normalisation evaluates with its mean taken as 0, a dynamic
    activation is ReLU and inputs are not standardised: the network is linear and no path cancels another. Without
    biases the scores of each layer of a chain sum to R. float64: R of a ResNet-34 exceeds the range of float32.

    shape: of one sample, (C, H, W) or (F,), or a batch of them. arXiv 2006.05467, as used in arXiv 2411.13545.
    """
    return flow(positive(model), shape)


def synflow_masks(
    model: nn.Module, shape: Sequence[int] | Tensor, density: float | Sequence[float], rounds: int = 100
) -> dict[str, Tensor]:
    """Return the masks of iterative SynFlow: in round k of n the best share d^(k/n) of all weights is kept.

    Each round scores the network left by the one before, and what has gone never returns. The layers of a chain keep
    at least one weight each where the budget allows it; a residual branch may go as a whole, for the shortcut carries
    the flow around it. density: one number, or one per replica. Raises InputError as `prune_by_score`, and for rounds
    below 1. arXiv 2006.05467.
    """
    if rounds < 1:
        raise InputError(f"SynFlow needs at least one round, not {rounds}")
    twin, count = positive(model), replicas(model)
    targets = _densities(density, count)
    weights = prunable(twin)
    initial = {name: weight.detach().clone() for name, weight in weights.items()}
    masks = {name: torch.ones_like(weight) for name, weight in initial.items()}
    for k in range(1, rounds + 1):
        scores = flow(twin, shape)
        left = {name: torch.where(masks[name] > 0, score, -1.0) for name, score in scores.items()}
        masks = prune_by_score(left, [d ** (k / rounds) for d in targets], count)
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(initial[name] * masks[name])
    return masks


def prune_by_score(scores: Container, density: float | Sequence[float], replicas: int = 1) -> Container:
    """Return float masks, in the container of the scores, of the K = int(N density) largest of all N scores.

    Equal scores are kept by position. With S `replicas` the tensors are stacked, and each replica keeps its own K, of
    one density or a sequence of S. Raises InputError for a density outside (0, 1] or one that keeps nothing, for
    scores that are NaN and tensors that are no stack of S. arXiv 2409.09196.
    """
    if isinstance(scores, Tensor):
        return prune_by_score([scores], density, replicas)[0]
    tensors = list(scores.values()) if isinstance(scores, Mapping) else list(scores)
    if not tensors or any(tensor.numel() == 0 or tensor.numel() % replicas for tensor in tensors):
        raise InputError(f"no scores to prune by, or not those of {replicas} networks")
    rows = torch.cat([tensor.detach().reshape(replicas, -1) for tensor in tensors], dim=1)
    if rows.isnan().any():
        raise InputError("a score is NaN")
    counts = [int(rows.shape[1] * d) for d in _densities(density, replicas)]
    if min(counts) == 0:
        raise InputError(f"a density of {density} keeps none of {rows.shape[1]} weights")
    kept = torch.stack([_largest(row, count) for row, count in zip(rows, counts, strict=True)]).float()
    parts = kept.split([tensor.numel() // replicas for tensor in tensors], dim=1)
    masks = [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
    return dict(zip(scores, masks, strict=True)) if isinstance(scores, Mapping) else masks


def replicas(model: nn.Module) -> int:
    """Return the number of networks in a model: 1 unless it is a stack."""
    return getattr(model, "replicas", 1)


def positive(model: nn.Module) -> nn.Module:
    """Return a copy in float64 and evaluation mode that is linear and increasing in inputs above 0.

    Every parameter is its absolute value; batch normalisation subtracts nothing; dynamic activations are ReLU
    (beta = 0); inputs are not standardised.
    """
    twin = copy.deepcopy(model).double().eval().requires_grad_(True)
    set_beta(twin, 0.0)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.abs_()
    for module in list(twin.modules()):
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.zero_()
        for name, child in module.named_children():
            if isinstance(child, Standardise):
                setattr(module, name, nn.Identity())
    return twin


def flow(model: nn.Module, shape: Sequence[int] | Tensor) -> Scores:
    """Return w dR/dw of each prunable weight, R the sum of a model's outputs for an input of ones."""
    return _products(prunable(model), model(ones(model, shape)).sum())


def ones(model: nn.Module, shape: Sequence[int] | Tensor) -> Tensor:
    """Return one sample of ones as a model takes it: (1, *shape), or (S, 1, *shape) for a stack.

    shape: of one sample, or a batch (B, ...) or (S, B, ...) for a stack of samples of that shape.
    """
    count = replicas(model)
    if isinstance(shape, Tensor):
        shape = shape.shape[1 + (count > 1) :]
    weight = next(model.parameters())
    return weight.new_ones(*[count] * (count > 1), 1, *shape)


def _loss(model: nn.Module, x: Tensor, y: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the sum over replicas of the mean cross entropy of logits / T on a batch."""
    count = replicas(model)
    if count > 1 and y.ndim == 1:
        x, y = x.expand(count, *x.shape), y.expand(count, *y.shape)
    if x.shape[: y.ndim] != y.shape or y.numel() == 0:
        raise InputError(f"a batch x {(*x.shape,)} does not fit y {(*y.shape,)}")
    log_p = torch.log_softmax(model(scaled(x)) / temperature, -1)
    return -log_p.gather(-1, y.long().unsqueeze(-1)).squeeze(-1).mean(-1).sum()


def _products(weights: Mapping[str, nn.Parameter], value: Tensor) -> Scores:
    """Return w dvalue/dw of each weight."""
    gradients = torch.autograd.grad(value, list(weights.values()), allow_unused=True, materialize_grads=True)
    return {name: weight.detach() * g for (name, weight), g in zip(weights.items(), gradients, strict=True)}


def _totals(scores: Scores, count: int) -> Tensor:
    """Return the sum (S,) of each replica's scores."""
    return sum(score.view(count, -1).sum(1) for score in scores.values())


def _divided(scores: Scores, totals: Tensor) -> Scores:
    return {name: (part.view(len(totals), -1) / totals[:, None]).view_as(part) for name, part in scores.items()}


def _densities(density: float | Sequence[float], count: int) -> list[float]:
    """Return one density in (0, 1] per replica."""
    each = [density] * count if isinstance(density, int | float) else list(density)
    if len(each) != count or not all(0 < d <= 1 for d in each):
        raise InputError(f"densities must be in (0, 1], one or one for each of {count} networks, not {density}")
    return each


def _largest(row: Tensor, count: int) -> Tensor:
    """Return which `count` entries of a row are largest; among equals the first ones."""
    threshold = row.kthvalue(len(row) - count + 1).values
    kept = row > threshold
    kept[(row == threshold).nonzero().flatten()[: count - int(kept.sum())]] = True
    return kept
