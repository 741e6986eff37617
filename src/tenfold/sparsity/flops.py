"""Floating-point operations of networks and of their training, dense and sparse."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.nets.sharing import SharedConv
from tenfold.nets.stack import prunable
from tenfold.sparsity.methods import METHODS, PRUNE, TRAINED, WINDOWS
from tenfold.sparsity.scores import ones, replicas

Density = float | Mapping[str, float]


def layer_flops(model: nn.Module, shape: Sequence[int] | Tensor) -> pd.DataFrame:
    """Return the operations per sample of each convolution and linear layer of one replica, in order of execution.

    dense_flops = 2 (multiply, add) x weights x positions of the output. A shared kernel has a row for each use.
    Columns layer (name of the module), weight (name of the tensor it uses), prunable, weights (their number) and
    dense_flops. Hyperfunctions of dynamic activations are listed, as not prunable, while they are active; biases,
    normalisation and activations are left out.

    shape: of one sample, (C, H, W) or (F,), or a batch. arXiv 2409.09196.
    """
    twin, count, records = copy.deepcopy(model).eval(), replicas(model), []
    names = {id(parameter): name for name, parameter in twin.named_parameters()}
    pruned = prunable(twin)

    def record(layer: str, weight: Tensor, output: Tensor) -> None:
        name, size = names[id(weight)], weight.numel() // count
        records.append((layer, name, name in pruned, size, 2.0 * size * (output.numel() // len(weight))))

    for layer, module in twin.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda module, _, y, layer=layer: record(layer, module.weight, y))
        elif isinstance(module, SharedConv):
            module.register_forward_hook(lambda module, _, y, layer=layer: record(layer, module.owner.weight, y))
    with torch.no_grad():
        twin(ones(twin, shape))
    return pd.DataFrame(records, columns=["layer", "weight", "prunable", "weights", "dense_flops"])


def forward_flops(layers: pd.DataFrame, density: Density = 1.0) -> float:
    """Return the operations of one forward pass per sample, sum over layers of density_l x dense_flops_l.

    layers: from `layer_flops`; density: one number, or one for each prunable weight by name. Raises InputError for a
    missing name or a density outside [0, 1]. arXiv 2409.09196.
    """
    return sum(share * flops for share, flops in zip(_densities(layers, density), layers["dense_flops"], strict=True))


def training_flops(
    method: str,
    layers: pd.DataFrame,
    density: Density,
    samples: int,
    epochs: float,
    *,
    initial: float = 1.0,
    window: tuple[float, float] | None = None,
    updates: int | None = None,
    pretraining: float | None = None,
) -> float:
    """Return the operations of a whole training: 3 x forward operations x samples x epochs.

    The factor 3 counts the backward pass as two forward ones. With F(d) of `forward_flops` at the final densities d:

        dense           3 F(1) samples epochs
        fixed budgets   3 F(d) samples epochs (static, set, rigl, snip, grasp, synflow, ...)
        gmp, granet     the densities fall from `initial` to d inside the shares `window` of the training (by
                        default the method's own), d(x) = d + (initial - d)(1 - x)^3: their mean over time, changed
                        n = `updates` times from x = 0 to 1, or in the limit of many, where (1 - x)^3 has the mean 1/4
        omp, lth, ...   the sparse training plus a dense one of `pretraining` epochs, by default as many

    What scores and the dense gradients of RigL cost, a batch each, is left out. samples: per epoch. Raises InputError
    as `forward_flops`, for an unknown method, and for numbers that describe no training. arXiv 2409.09196, Figure 8.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    pretraining = epochs if pretraining is None else pretraining
    start, end = window or WINDOWS.get(method, (0.0, 1.0))
    if min(samples, epochs, pretraining) < 0 or not 0 <= start <= end <= 1 or (updates is not None and updates < 1):
        raise InputError("a training has samples, epochs >= 0, a window in [0, 1], and updates >= 1 if counted")
    dense, sparse = (forward_flops(layers, d) for d in (1.0, density))
    if method == "dense":
        return 3 * dense * samples * epochs
    if method in TRAINED:
        return 3 * samples * (dense * pretraining + sparse * epochs)
    if method in PRUNE:
        before = forward_flops(layers, initial)
        cubes = 1 / 4 if updates is None else sum((1 - k / updates) ** 3 for k in range(updates)) / updates
        sparse += (before - sparse) * (start + (end - start) * cubes)
    return 3 * sparse * samples * epochs


def _densities(layers: pd.DataFrame, density: Density) -> list[float]:
    """Return the density of each row: 1 where the weight is not prunable."""
    shares = []
    for name, pruned in zip(layers["weight"], layers["prunable"], strict=True):
        if isinstance(density, Mapping) and pruned and name not in density:
            raise InputError(f"no density for {name}")
        share = (density[name] if isinstance(density, Mapping) else density) if pruned else 1.0
        if not 0 <= share <= 1:
            raise InputError(f"the density of {name} must be in [0, 1], not {share}")
        shares.append(float(share))
    return shares
