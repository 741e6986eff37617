"""The linear maps of a network that are decomposed: which they are, and what takes their place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.language.llama import LINEARS
from tenfold.language.lora import LoRALinear
from tenfold.lowrank.layers import LowRankLinear
from tenfold.lowrank.mapping import rank_mapping
from tenfold.lowrank.spectra import check_rank

Names = Sequence[str] | Callable[[str], bool]
Map = nn.Linear | LowRankLinear


def maps(model: nn.Module, names: Names = LINEARS) -> dict[str, Map]:
    """Return the linear maps of a network by their full names, dense ones and those of low rank, in its own order.

    names: last names, by default the seven of a Llama or Mistral block (no embedding, head or norm), or a function
    that says of a full name whether it is meant. Raises InputError where a name is not found, and for adapters that
    are not merged.
    """
    if any(isinstance(module, LoRALinear) for module in model.modules()):
        raise InputError("the model has adapters: merge them first")
    chosen = names if callable(names) else lambda name: name.rpartition(".")[2] in names
    found = {name: module for name, module in model.named_modules() if isinstance(module, Map) and chosen(name)}
    missing = [] if callable(names) else sorted(set(names) - {name.rpartition(".")[2] for name in found})
    if not found or missing:
        raise InputError(f"a {type(model).__name__} has no linear map {', '.join(missing) or 'of those names'}")
    return found


def dense_maps(model: nn.Module, names: Names = LINEARS) -> dict[str, nn.Linear]:
    """Return the maps as `maps`; raises InputError where one is of low rank already."""
    found = maps(model, names)
    low = [name for name, module in found.items() if isinstance(module, LowRankLinear)]
    if low:
        raise InputError(f"{low[0]} is of low rank already: merge the model first")
    return found


def put(model: nn.Module, found: Mapping[str, nn.Module]) -> nn.Module:
    """Put modules into a network under full names, in place."""
    for name, module in found.items():
        model.set_submodule(name, module)
    return model


def low_rank(model: nn.Module, ranks: Mapping[str, int], init: str = "svd", seed: int = 0) -> nn.Module:
    """Replace dense maps of an untrained network by maps of low rank, in place, and return it.

    ranks: kept rank by full name; a full rank leaves a map dense, so that nothing changes at all. init: see
    `initial_factors`; the bias stays what it is. Raises InputError for a name that is no dense map and a rank that
    does not fit. Source: arXiv 2410.07771.
    """
    found, generator = dense_maps(model, lambda name: name in ranks), torch.Generator().manual_seed(seed)
    missing = sorted(ranks.keys() - found.keys())
    if missing:
        raise InputError(f"a {type(model).__name__} has no linear map {', '.join(missing)}")
    layers = {}
    for name, linear in found.items():
        if check_rank(ranks[name], linear.weight) < min(linear.weight.shape):
            layers[name] = LowRankLinear.start(linear, ranks[name], init, generator)
    return put(model, layers)


def mapped_ranks(model: nn.Module, rho: float, shape: str = "uniform", names: Names = LINEARS) -> dict[str, int]:
    """Return the kept rank of each map by full name, distributed over depth by a mapping; see `rank_mapping`.

    Maps whose names differ in their first number alone (that of the block) are the layers of one mapping, in the
    order of the network, so that each kind of map keeps its uniform budget exactly. Raises InputError as `maps` and
    `rank_mapping`, and where the layers of a mapping differ in rank. Source: arXiv 2410.07771 (our definition).
    """
    kinds: dict[str, dict[str, int]] = defaultdict(dict)
    for name, module in maps(model, names).items():
        kind = re.sub(r"(?<![^.])\d+(?![^.])", "*", name, count=1)
        kinds[kind][name] = min(module.out_features, module.in_features)
    ranks = {}
    for kind, members in kinds.items():
        if len(set(members.values())) > 1:
            raise InputError(f"the layers of {kind} have several ranks: one mapping does not fit them")
        found = rank_mapping(rho, len(members), shape, next(iter(members.values())))
        ranks |= dict(zip(members, found.tolist(), strict=True))
    return ranks


def merge(model: nn.Module) -> nn.Module:
    """Replace every map of low rank by the plain map W = A B, in place, and return the network.

    The network computes the same, up to rounding; adapters (LoRA) are attached to merged maps. Every parameter is
    trainable afterwards.
    """
    low = {name: module for name, module in model.named_modules() if isinstance(module, LowRankLinear)}
    return put(model, {name: module.dense() for name, module in low.items()}).requires_grad_(True)


def block_of(name: str) -> int | None:
    """Return the number of the block in a full name: the first part that is a number; None where there is none."""
    return next((int(part) for part in name.split(".") if part.isdigit()), None)
