"""Initial weights, drawn from one generator per replica."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.nets.dyrelu import DyReLU
from tenfold.nets.sharing import SharedConv

SCHEMES = ("torch", "kaiming_fan_in")


def initialise(model: nn.Module, generators: Sequence[torch.Generator], scheme: str = "torch") -> nn.Module:
    """Draw all weights of a model, each replica's from its own generator; return the model.

    "torch": weights and biases ~ U(-1/sqrt(n), 1/sqrt(n)) for fan-in n. "kaiming_fan_in": weights ~ N(0, 2/n),
    biases 0. Batch normalisation starts at scale 1, shift 0, without statistics. Layers are drawn in the order of
    definition; then the factors of shared kernels, U(0, 1); then the hyperfunctions of dynamic activations, as in
    "torch": so a network has the same layers with plain activations. A replica is the same in every stack, for
    nobody else draws from its generator. Raises InputError for an unknown scheme, and unless there is one generator,
    none of them twice, per replica.
    """
    if scheme not in SCHEMES:
        raise unknown("initialisation", scheme, SCHEMES)
    replicas = getattr(model, "replicas", 1)
    if not len(generators) == len(set(map(id, generators))) == replicas:
        raise InputError(f"{replicas} replicas need as many generators of their own, not {len(generators)}")
    modules = list(model.modules())
    hyper = [part for module in modules if isinstance(module, DyReLU) for part in (module.fc1, module.fc2)]
    apart = set(map(id, hyper))
    with torch.no_grad():
        for module in modules:
            if isinstance(module, nn.Conv2d | nn.Linear) and id(module) not in apart:
                _layer(module, generators, scheme)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.reset_parameters()
        for module in modules:
            if isinstance(module, SharedConv):
                _uniform(module.scale, generators, 0.0, 1.0)
        for module in hyper:
            _layer(module, generators, "torch")
    return model


def seeded(replicas: int, first: int = 0) -> list[torch.Generator]:
    """Return generators with the seeds first, first + 1, ..., one per replica."""
    return [torch.Generator().manual_seed(first + i) for i in range(replicas)]


def _layer(module: nn.Conv2d | nn.Linear, generators: Sequence[torch.Generator], scheme: str) -> None:
    fan_in = module.weight[0].numel()
    if scheme == "torch":
        bound = 1 / math.sqrt(fan_in)
        for values in module.parameters(recurse=False):
            _uniform(values, generators, -bound, bound)
    else:
        sd = math.sqrt(2 / fan_in)
        _draw(module.weight, generators, lambda part, generator: part.normal_(0, sd, generator=generator))
        if module.bias is not None:
            module.bias.zero_()


def _uniform(values: Tensor, generators: Sequence[torch.Generator], low: float, high: float) -> None:
    _draw(values, generators, lambda part, generator: part.uniform_(low, high, generator=generator))


def _draw(values: Tensor, generators: Sequence[torch.Generator], fill: Callable) -> None:
    """Fill each replica's part of the values with a draw of its own, made where its generator lives."""
    if values.is_meta:  # a shape without numbers, as for counting
        return
    for part, generator in zip(values.chunk(len(generators)), generators, strict=True):
        part.copy_(fill(torch.empty(part.shape, device=generator.device), generator))
