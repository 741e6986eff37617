"""Changes of the masks of some replicas of a stack, layer by layer: one operation serves all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from tenfold.sparsity.masks import Masks
from tenfold.sparsity.updates import resize_mask, rigl_update, set_update

Generators = Mapping[int, torch.Generator]


def prune(masks: Masks, counts: Mapping[int, int]) -> None:
    """Keep the `counts` largest |w| among all active weights of each replica named, whatever their layer."""
    chosen = list(counts)
    active = torch.cat([_rows(masks, mask, chosen).flatten(1) for mask in masks.values.values()], 1)
    weight = torch.cat([_rows(masks, weight, chosen).flatten(1) for weight in masks.weights.values()], 1)
    kept = resize_mask(weight, weight, active, list(counts.values()))
    for name, part in zip(masks.names, kept.split(masks.sizes, 1), strict=True):
        _put(masks, name, chosen, part)


def resize(masks: Masks, counts: Mapping[int, Sequence[int]], generators: Generators) -> None:
    """Give each layer of each replica named its count, by magnitude downwards, by gradient upwards.

    Replicas with a generator grow at random positions instead.
    """
    for layer, name in enumerate(masks.names):
        chosen = list(counts)
        grad = masks.split(masks.weights[name].grad)
        score = torch.stack([_uniform(grad[i], generators[i]) if i in generators else grad[i] for i in chosen])
        weight, mask = (_rows(masks, tensor, chosen) for tensor in (masks.weights[name], masks.values[name]))
        _put(masks, name, chosen, resize_mask(weight, score, mask, [counts[i][layer] for i in chosen]))


def move(masks: Masks, budget: Tensor, fractions: Mapping[int, float], rule: str, generators: Generators) -> None:
    """Let that fraction of the weights of each layer go and as many come, by gradient; budget (S, L) as it is."""
    for name, chosen in _sparse(masks, budget, fractions):
        stacked = masks.weights[name], masks.weights[name].grad, masks.values[name]
        weight, grad, mask = (_rows(masks, tensor, chosen) for tensor in stacked)
        drawn = [generators[i] for i in chosen] if rule == "rigl" else None
        _put(masks, name, chosen, rigl_update(weight, grad, mask, [fractions[i] for i in chosen], rule, drawn))


def shuffle(masks: Masks, budget: Tensor, fractions: Mapping[int, float], rule: str, generators: Generators) -> None:
    """Let that fraction of the weights of each layer go and as many come, at random; budget (S, L) as it is."""
    for name, chosen in _sparse(masks, budget, fractions):
        weight, mask = (_rows(masks, tensor, chosen) for tensor in (masks.weights[name], masks.values[name]))
        drawn = [generators[i] for i in chosen]
        _put(masks, name, chosen, set_update(weight, mask, [fractions[i] for i in chosen], drawn, rule))


def _sparse(masks: Masks, budget: Tensor, chosen: Mapping[int, float]) -> Iterator[tuple[str, list[int]]]:
    """Yield each layer with those replicas in which it is not full: in a full layer nothing can move."""
    for name, size, counts in zip(masks.names, masks.sizes, budget.T.tolist(), strict=True):
        if free := [i for i in chosen if counts[i] < size]:
            yield name, free


def _rows(masks: Masks, tensor: Tensor, chosen: list[int]) -> Tensor:
    """Return the replicas named (R, O, I, ...) of a stacked tensor; a view where they are all of them."""
    stacked = masks.split(tensor.detach())
    return stacked if chosen == list(range(masks.replicas)) else stacked[chosen]


def _put(masks: Masks, name: str, chosen: list[int], rows: Tensor) -> None:
    """Set the masks of the replicas named to the rows (R, ...)."""
    target = masks.view(name)
    rows = rows.view(len(chosen), *target.shape[1:])
    if len(chosen) == masks.replicas:
        target.copy_(rows)
    else:
        target[chosen] = rows


def _uniform(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=generator).to(like)
