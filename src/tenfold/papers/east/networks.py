"""The networks of the study: built by name, counted without memory, and what sharing does to a budget."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.nets import prunable, resnet, share_counts

DEPTHS = {"resnet18": 18, "resnet34": 34, "resnet50": 50}
BLOCKS = (3, 3, 3)
"""Blocks of the stages of resnet-tiny: sharing needs three of them."""
IMAGES = {
    "digits": (1, 10, 8),
    "mnist": (1, 10, 28),
    "fashion900": (1, 10, 28),
    "cifar10": (3, 10, 32),
    "cifar100": (3, 100, 32),
    "tinyimagenet": (3, 200, 64),
    "imagenet": (3, 1000, 0),
}
"""Channels, classes and pixels a side of each data set; 0: pictures of any size."""


def build(
    architecture: dict[str, Any], dyrelu: bool, share: bool, replicas: int = 1, normalise: tuple | None = None
) -> nn.Module:
    """Return a stack of `replicas` networks; `architecture` is what `architecture(p)` returns.

    `normalise`: mean and deviation of each input channel, standardised in the first layer.
    """
    name = architecture["net"]
    return resnet(
        DEPTHS.get(name, list(BLOCKS)),
        None if name in DEPTHS else architecture["widths"],
        architecture["share_ratio"] if share else None,
        activation="dyrelu" if dyrelu else "relu",
        reduction=architecture["reduction"],
        classes=architecture["classes"],
        in_channels=architecture["channels"],
        stem=architecture["stem"],
        replicas=replicas,
        normalise=normalise,
    )


def architecture(p: Any) -> dict[str, Any]:
    """Return what `build` needs of the parameters `p` of a run, as plain values."""
    channels, classes, side = IMAGES[p.dataset]
    side = p.image_size or side
    return {
        "net": p.net,
        "widths": [p.width, 2 * p.width, 4 * p.width],
        "share_ratio": p.share_ratio,
        "reduction": p.reduction,
        "channels": channels,
        "classes": classes,
        "stem": "cifar" if side < 48 else "tiny64" if side < 128 else "imagenet",
    }


def skeleton(kind: dict[str, Any], dyrelu: bool = False, share: bool = False) -> nn.Module:
    """Return one network whose tensors have shapes and no memory."""
    with torch.device("meta"):
        return build(kind, dyrelu, share)


def shapes(model: nn.Module) -> list[tuple[int, ...]]:
    """Return the shapes of the prunable tensors that a network owns."""
    return [tuple(weight.shape) for weight in prunable(model).values()]


def density_of(sparsity: float) -> float:
    """Return 1 - sparsity without the dust of binary fractions, which could tip a rounding to a count."""
    return round(1 - sparsity, 12)


def owned_density(model: nn.Module, density: float) -> float:
    r"""Return d' = d N / N_owned: the density of the tensors that a network owns, so that it learns d N weights.

    N counts a shared kernel once for each use. Without sharing d' = d.
    """
    owned, _, total = share_counts(model)
    return min(1.0, density * total / owned)


def check_budget(p: Any) -> None:
    """Raise InputError where the sparsest network would have a layer without weights."""
    model = skeleton(architecture(p))
    _, _, total = share_counts(model)
    budget, tensors = round(density_of(max(p.sparsities)) * total), len(shapes(model))
    if budget < tensors:
        raise InputError(
            f"sparsities: {max(p.sparsities):g} leaves {budget} weights for the {tensors} layers of this {p.net}; "
            f"at most {1 - tensors / total:.4f} leaves one for each"
        )
