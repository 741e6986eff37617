"""Kernels that several convolutions share, each use with a learnable factor of its own."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.nets.stack import Conv2d, prunable


class SharedConv(nn.Module):
    """y = (k W) * x with the kernel W of another convolution, its owner, and a learnable factor k per replica.

    The owner stays registered where it is defined, and only there: parameters and state hold W once, and a mask on
    it holds for every use. `scale` (S,) holds k. x (B, S I, H, W), y (B, S O, H', W'). arXiv 2411.13545.
    """

    def __init__(self, owner: Conv2d):
        super().__init__()
        self._owner = (owner,)  # in a tuple, which hides it from registration
        self.scale = nn.Parameter(torch.ones(owner.replicas))

    @property
    def owner(self) -> Conv2d:
        """The convolution whose kernel this one uses."""
        return self._owner[0]

    def forward(self, x: Tensor) -> Tensor:
        """Return y (B, S O, H', W')."""
        owner = self.owner
        weight = (owner.weight.unflatten(0, (owner.replicas, -1)) * self.scale.view(-1, 1, 1, 1, 1)).flatten(0, 1)
        return F.conv2d(x, weight, None, owner.stride, owner.padding, owner.dilation, owner.groups)


class ShareCounts(NamedTuple):
    """Prunable weights of one replica: owned by a layer, used once more elsewhere, and both together."""

    owned: int
    shared_uses: int
    total: int


def share_counts(model: nn.Module) -> ShareCounts:
    """Count the prunable weights of one replica, and the uses of shared kernels; total = owned + shared_uses.

    The learnable budget of a network of density d stays that of the unshared one at density d total / owned of the
    owned weights. arXiv 2411.13545.
    """
    replicas = getattr(model, "replicas", 1)
    owned = sum(weight.numel() for weight in prunable(model).values()) // replicas
    uses = [module.owner.weight.numel() for module in model.modules() if isinstance(module, SharedConv)]
    return ShareCounts(owned, sum(uses) // replicas, owned + sum(uses) // replicas)
