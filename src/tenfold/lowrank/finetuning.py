"""Fine-tuning of a compressed network: which parameters train, and what an optimiser keeps for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tenfold.errors import InputError, unknown
from tenfold.language.llama import LINEARS
from tenfold.lowrank.layers import LowRankLinear
from tenfold.lowrank.maps import Names, maps

PARTS = ("lrc", "n-lrc", "both", "all")
OPTIMIZERS = ("adamw", "galore", "sgd")


def train_only(model: nn.Module, part: str, *, norms: bool = True, names: Names = LINEARS) -> nn.Module:
    """Let only a part of a compressed network be trained, in place, and return it.

    "lrc": the factors A and B of every map of low rank; "n-lrc": the dense maps among `names`; "both"; "all": every
    parameter. With `norms` the gains (parameters of one dimension outside the maps) train too, as the published code
    leaves them; embeddings and head stay frozen but for "all". dL/dA = G B^T and dL/dB = A^T G, with G = dL/dW.
    Raises InputError for an unknown part, and where the model has none of it. Source: arXiv 2407.11239.
    """
    if part not in PARTS:
        raise unknown("part of a network to train", part, PARTS)
    found = maps(model, names)
    inner = {id(p) for module in found.values() for p in module.parameters()}
    wanted = {"lrc": (True,), "n-lrc": (False,)}.get(part, (True, False))
    chosen = [module for module in found.values() if isinstance(module, LowRankLinear) in wanted]
    if not chosen:
        raise InputError(f"the network has no map to train as '{part}': compress it to another rank")
    model.requires_grad_(part == "all")
    for module in chosen:
        module.requires_grad_(True)
    if norms:
        for p in model.parameters():
            if p.ndim == 1 and id(p) not in inner:
                p.requires_grad_(True)
    return model


def trainable(model: nn.Module) -> dict[str, float]:
    """Return the numbers of parameters: trainable, total, and share, the first over the second."""
    total = sum(p.numel() for p in model.parameters())
    free = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"trainable": free, "total": total, "share": free / total}


def optimizer_bytes(
    model: nn.Module,
    optimizer: str = "adamw",
    rank: int | None = None,
    *,
    names: Sequence[str] = LINEARS,
    each: int = 4,
) -> int:
    """Return the bytes that an optimiser keeps for the trainable parameters, `each` bytes per number.

    "adamw": 2 m n for a matrix; "sgd" with momentum: m n; "galore": 2 r max(m, n) + r min(m, n) for a named matrix of
    a rank above r, else as "adamw"; counters of steps left out. Raises InputError for another optimiser, and "galore"
    without a rank. Sources: arXiv 2403.03507, arXiv 2407.11239.
    """
    if optimizer not in OPTIMIZERS:
        raise unknown("optimiser", optimizer, OPTIMIZERS)
    if (optimizer == "galore") != (rank is not None):
        raise InputError("galore, and it alone, has a rank")
    numbers = 0
    for name, p in model.named_parameters():
        if p.requires_grad:
            projected = rank is not None and p.ndim == 2 and rank < min(p.shape) and set(name.split(".")) & set(names)
            plain = p.numel() * (1 if optimizer == "sgd" else 2)
            numbers += rank * (2 * max(p.shape) + min(p.shape)) if projected else plain
    return numbers * each


def held_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Return the bytes of all tensors with at least one dimension that an optimiser keeps now."""
    kept = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    return sum(value.nbytes for value in kept if value.ndim)


def frobenius_decay(model: nn.Module) -> torch.Tensor:
    """Return sum_l |A_l B_l|_F^2 over all maps of low rank, times lambda/2 a weight decay of the products.

    Plain decay of the factors, |A|_F^2 + |B|_F^2 >= 2 |A B|_*, shrinks the nuclear norm of the product instead.
    Raises InputError where there is no such map. Source: arXiv 2105.01029.
    """
    norms = [module.square_norm() for module in model.modules() if isinstance(module, LowRankLinear)]
    if not norms:
        raise InputError("the network has no map of low rank")
    return torch.stack(norms).sum()
