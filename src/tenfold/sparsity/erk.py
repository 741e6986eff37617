"""Budgets: how many weights each layer keeps, and masks that keep exactly so many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tenfold.errors import InputError, unknown

Shapes = Sequence[Sequence[int]]
ALLOCATIONS = ("erk", "east-floor", "uniform")


def erk_densities(shapes: Shapes, density: float) -> list[float]:
    """Return the Erdos-Renyi-Kernel density of each layer.

    raw_l = (sum of the dimensions of s_l) / N_l, and with D the layers that stay dense

        density_l = 1 in D, else eps raw_l,
        eps = (sum_{l not in D} d N_l - sum_{l in D} (1 - d) N_l) / sum_{l not in D} raw_l N_l.

    D starts empty and takes in the layers of the largest raw_l for as long as eps max raw > 1, so that
    sum density_l N_l = d sum N_l. `shapes` are those of kernels (o, i, kh, kw) and matrices (o, i).
    Raises InputError for a density outside (0, 1] and for no, or empty, shapes. Source: arXiv 1911.11134,
    as used in arXiv 2411.13545 and arXiv 2409.09196.
    """
    sizes, raw = _sizes(shapes, density)
    dense: set[int] = set()
    while len(dense) < len(sizes):
        eps = _epsilon(sizes, raw, density, dense)
        largest = max(r for layer, r in enumerate(raw) if layer not in dense)
        if eps * largest <= 1:
            return [1.0 if layer in dense else eps * r for layer, r in enumerate(raw)]
        dense |= {layer for layer, r in enumerate(raw) if r == largest}
    return [1.0] * len(sizes)


def erk_counts(shapes: Shapes, density: float) -> list[int]:
    """Return the number of weights of each layer by ERK: n_l >= 1 and sum n_l = round(d sum N_l) exactly.

    n_l is density_l N_l rounded by largest remainders; layers that would keep less than one weight keep one, and
    the others give it up in proportion. Raises InputError as `erk_densities`, and where the budget holds fewer
    weights than there are layers. Source: arXiv 2411.13545, with exact counts in place of random ones.
    """
    sizes, _ = _sizes(shapes, density)
    quotas = [share * size for share, size in zip(erk_densities(shapes, density), sizes, strict=True)]
    return _rounded(quotas, sizes, round(density * sum(sizes)))


def uniform_counts(shapes: Shapes, density: float) -> list[int]:
    """Return the number of weights of each layer at one density: n_l ~ d N_l, n_l >= 1, sum n_l = round(d sum N_l).

    Raises InputError as `erk_counts`. Source: arXiv 2409.09196, with exact counts in place of random ones.
    """
    sizes, _ = _sizes(shapes, density)
    return _rounded([density * size for size in sizes], sizes, round(density * sum(sizes)))


def east_floor_counts(shapes: Shapes, density: float, floor: float) -> list[int]:
    """Return the counts of the one-pass variant n_l = round(N_l min(1, max(eps raw_l, floor))).

    eps is that of ERK with D empty and the budget floor(d sum N_l). The counts miss it: a high floor overshoots, and
    what clipped layers cannot hold is lost. An ablation.
    Raises InputError as `erk_densities`, and for a floor outside [0, 1]. Source: code of arXiv 2411.13545.
    """
    sizes, raw = _sizes(shapes, density)
    if not 0 <= floor <= 1:
        raise InputError(f"the floor of a layer's density is in [0, 1], not {floor}")
    eps = _epsilon(sizes, raw, int(density * sum(sizes)) / sum(sizes), set())
    return [round(size * min(1.0, max(eps * r, floor))) for size, r in zip(sizes, raw, strict=True)]


def allocate(shapes: Shapes, density: float, allocation: str = "erk", floor: float = 0.0) -> list[int]:
    """Return the counts by the named rule: "erk", "uniform", or "east-floor", which alone reads `floor`."""
    if allocation == "erk":
        return erk_counts(shapes, density)
    if allocation == "uniform":
        return uniform_counts(shapes, density)
    if allocation == "east-floor":
        return east_floor_counts(shapes, density, floor)
    raise unknown("allocation", allocation, ALLOCATIONS)


def random_mask(shape: Sequence[int], count: int, generator: torch.Generator) -> Tensor:
    """Return a mask of zeros with exactly `count` ones at positions drawn without replacement.

    Raises InputError for a count below 0 or above the number of positions.
    """
    size = math.prod(shape)
    if not 0 <= count <= size:
        raise InputError(f"a mask of {size} positions cannot have {count} ones")
    if count == size:
        return torch.ones(*shape, device=generator.device)
    mask = torch.zeros(size, device=generator.device)
    mask[torch.randperm(size, generator=generator, device=generator.device)[:count]] = 1
    return mask.view(*shape)


def check_density(density: float) -> None:
    """Raise InputError for a density outside (0, 1]."""
    if not 0 < density <= 1:
        raise InputError(f"a density is in (0, 1], not {density}")


def _sizes(shapes: Shapes, density: float) -> tuple[list[int], list[float]]:
    """Return N_l and raw_l of each layer, having looked at the input."""
    check_density(density)
    sizes = [math.prod(shape) for shape in shapes]
    if not sizes or min(sizes) < 1:
        raise InputError("a budget needs at least one layer, and no empty layer")
    return sizes, [sum(shape) / size for shape, size in zip(shapes, sizes, strict=True)]


def _epsilon(sizes: list[int], raw: list[float], density: float, dense: set[int]) -> float:
    budget = sum(density * n if layer not in dense else (density - 1) * n for layer, n in enumerate(sizes))
    return budget / sum(raw[layer] * n for layer, n in enumerate(sizes) if layer not in dense)


def _rounded(quotas: list[float], sizes: list[int], budget: int) -> list[int]:
    """Round quotas to integers in [1, N_l] that sum to the budget, by largest remainders."""
    layers = range(len(sizes))
    if budget < len(sizes):
        raise InputError(f"a budget of {budget} weights cannot give one to each of {len(sizes)} layers")
    lifted: set[int] = set()
    while low := {layer for layer in layers if layer not in lifted and quotas[layer] < 1}:
        lifted |= low
        others = [layer for layer in layers if layer not in lifted]
        scale = (budget - len(lifted)) / (sum(quotas[layer] for layer in others) or 1)
        quotas = [1.0 if layer in lifted else scale * quotas[layer] for layer in layers]
    counts = [min(int(quota), size) for quota, size in zip(quotas, sizes, strict=True)]
    order = sorted((layer for layer in layers if counts[layer] < sizes[layer]), key=lambda k: counts[k] - quotas[k])
    for layer in order[: budget - sum(counts)]:
        counts[layer] += 1
    return counts
