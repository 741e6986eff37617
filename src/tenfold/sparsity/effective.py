"""Effective sparsity: the weights of a mask that lie on a path from the inputs to an output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.nets.stack import prunable
from tenfold.sparsity.scores import flow, positive, replicas


def live_masks(model: nn.Module, masks: Mapping[str, Tensor], shape: Sequence[int] | Tensor) -> dict[str, Tensor]:
    """Return the masks without their dead weights: those that no path from an input to an output crosses.

    One SynFlow pass over the masks themselves, alive where m dR/dm > 0, R the sum of the outputs for an input of ones.
    Batch normalisation is the identity and biases are 0, so that a channel that only ever emits its own shift opens no
    path; a pool takes the mean, so that every position can be its maximum. A shared kernel lives where any of its
    uses does, a kernel entry that only ever reads padding is dead.

    masks: as `prunable(model)` names and shapes its weights, not zero where they are kept; shape: of one sample,
    (C, H, W) or (F,), or a batch. Raises InputError for masks of other names or shapes. arXiv 2411.13545.
    """
    twin = _neutral(positive(model))
    weights = prunable(twin)
    if masks.keys() != weights.keys():
        raise InputError(f"masks must be those of {', '.join(weights)}, not of {', '.join(masks) or 'nothing'}")
    with torch.no_grad():
        for name, weight in weights.items():
            if masks[name].shape != weight.shape:
                raise InputError(f"the mask of {name} must be {(*weight.shape,)}, not {(*masks[name].shape,)}")
            # Between counting paths (overflow where all are there) and their mean (underflow where few are).
            weight.copy_((masks[name] != 0) / weight[0].numel() ** 0.5)
    return {name: (score > 0).to(masks[name].dtype) for name, score in flow(twin, shape).items()}


def effective_sparsity(model: nn.Module, masks: Mapping[str, Tensor], shape: Sequence[int] | Tensor) -> Tensor:
    """Return 1 - live / all prunable weights (S,) of each replica; arguments and errors as `live_masks`."""
    count = replicas(model)
    live = live_masks(model, masks, shape).values()
    total = sum(mask.numel() for mask in live) // count
    return 1 - sum(mask.reshape(count, -1).sum(1, dtype=torch.float64) for mask in live) / total


def _neutral(model: nn.Module) -> nn.Module:
    """Make normalisation the identity, biases 0 and pools means, in place."""
    with torch.no_grad():
        for module in list(model.modules()):
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.reset_parameters()  # statistics too
            elif isinstance(getattr(module, "bias", None), Tensor):
                module.bias.zero_()
            for name, child in module.named_children():
                if isinstance(child, nn.MaxPool2d):
                    pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                    setattr(module, name, pool)
    return model
