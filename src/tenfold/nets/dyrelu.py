"""DyReLU-B: a rectifier whose slopes and intercepts follow the input, and its phasing into plain ReLU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.errors import InputError
from tenfold.nets.stack import Linear

ORIGIN = (1.0, 0.0, 0.0, 0.0)  # (a1, a2, b1, b2) of ReLU
REACH = (1.0, 1.0, 0.5, 0.5)  # how far each of them may go from there


class DyReLU(nn.Module):
    """y = max(a1 x + b1, a2 x + b2) per channel, with coefficients that depend on the whole image.

    g = mean of x over H, W; h = ReLU(A1 g + c1), of C / R units, at least 1; theta = 2 sigmoid(A2 h + c2) - 1, four
    per channel; (a1, a2, b1, b2) = (1, 0, 0, 0) + beta (theta_0, theta_1, theta_2 / 2, theta_3 / 2). `beta` in
    [0, 1] scales the deviation from ReLU: at 0 the module is ReLU, and its hyperfunction (`fc1`, `fc2`) does no work
    and learns nothing. `legacy_off` makes it ReLU at beta = 1 too, as in one version of the authors' code.

    x and y (B, S C, H, W). Raises InputError for channels, reduction R or replicas S below 1. arXiv 2411.13545;
    arXiv 2003.10027.
    """

    unprunable = True

    def __init__(self, channels: int, reduction: int = 4, replicas: int = 1, legacy_off: bool = False):
        super().__init__()
        if min(channels, reduction, replicas) < 1:
            raise InputError("a dynamic activation needs channels, reduction and replicas of at least 1")
        self.replicas, self.beta, self.legacy_off = replicas, 1.0, legacy_off
        hidden = max(channels // reduction, 1)
        self.fc1 = Linear(channels, hidden, replicas=replicas)
        self.fc2 = Linear(hidden, 4 * channels, replicas=replicas)
        for name, values in (("origin", ORIGIN), ("reach", REACH)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    @property
    def dynamic(self) -> bool:
        """Whether the coefficients follow the input; otherwise the module is ReLU."""
        return self.beta != 0 and not (self.legacy_off and self.beta == 1)

    def coefficients(self, x: Tensor) -> Tensor:
        """Return (a1, a2, b1, b2) of each image and channel (B, S C, 4) for x (B, S C, H, W)."""
        if self.dynamic:
            return self._coefficients(x).permute(1, 2, 0)
        return self.origin.to(x.dtype).expand(-1, *x.shape[:2]).permute(1, 2, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Return y (B, S C, H, W)."""
        return _Branches.apply(x, self._coefficients(x)) if self.dynamic else F.relu(x)

    def _coefficients(self, x: Tensor) -> Tensor:
        """Return the coefficients (4, B, S C): each contiguous, for with stride 4 they cost more than their use."""
        rows, replicas = len(x), self.replicas
        # The gradient of a sum is a view of one number per channel; that of a mean is written out in the size of x.
        g_BC = x.sum((2, 3)) / x.shape[2:].numel()
        h_SBH = F.relu(self.fc1(g_BC.view(rows, replicas, -1).transpose(0, 1)))
        z_BSC = self.fc2(h_SBH).view(replicas, rows, -1, 4).permute(3, 1, 0, 2)
        theta = torch.tanh(z_BSC.flatten(2) / 2)  # = 2 sigmoid(z) - 1
        return torch.addcmul(self.origin, theta, self.reach, value=self.beta).to(x.dtype)


class _Branches(torch.autograd.Function):
    """y = max(a1 x + b1, a2 x + b2), with a gradient written without boolean masks, which cost several times as much.

    With G the gradient at y, G1 the part of it where branch 1 is the larger, and sums over H, W:
    dx = a2 G + (a1 - a2) G1, da1 = sum G1 x, da2 = sum G x - da1, db1 = sum G1, db2 = sum G - db1.
    """

    @staticmethod
    def forward(ctx, x: Tensor, coefficients: Tensor) -> Tensor:
        """Return y (B, C, H, W) of x and of coefficients (4, B, C)."""
        ctx.save_for_backward(x, coefficients)
        a1, a2, b1, b2 = coefficients[..., None, None].unbind()
        return torch.maximum(torch.addcmul(b1, x, a1), torch.addcmul(b2, x, a2))

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients at x and at the coefficients."""
        x, coefficients = ctx.saved_tensors
        a1, a2, b1, b2 = coefficients[..., None, None].unbind()
        slope, plane = a1 - a2, (2, 3)
        # A tie counts as branch 2: for the coefficients of ReLU this is the gradient that ReLU has at 0.
        first = torch.ops.aten.threshold_backward(gradient, torch.addcmul(b1 - b2, x, slope), 0)
        dx = torch.mul(gradient, a2).addcmul_(first, slope)
        db1, db = first.sum(plane), gradient.sum(plane)
        da1, da = (first * x).sum(plane), (gradient * x).sum(plane)
        return dx, torch.stack([da1, da - da1, db1, db - db1])


def set_beta(model: nn.Module, beta: float) -> None:
    """Set the phase of every dynamic activation of a model; raises InputError for beta outside [0, 1]."""
    if not 0 <= beta <= 1:
        raise InputError(f"beta must lie in [0, 1], not {beta}")
    for module in model.modules():
        if isinstance(module, DyReLU):
            module.beta = float(beta)


def hyperfunction_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights and biases behind the coefficients of all dynamic activations, in order of definition."""
    return [value for module in model.modules() if isinstance(module, DyReLU) for value in module.parameters()]
