"""The convolution module of a Conformer, and masks of right length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.speech.attention import LinearFactory, dense

NORMS = ("batch", "layer")


class ConvolutionModule(nn.Module):
    """Pointwise map to 2d, GLU, depthwise convolution, norm, SiLU, pointwise map; x and y (B, T, d).

    norm: "batch" (over frames of the batch) or "layer" (over the channels of a frame). With a mask (B, T), frames
    that are False are set to 0 before the depthwise convolution, so that padding does not leak; without, they enter
    it as in the public code mpc001/auto_avsr, whose names the parameters have. The pointwise maps also load weights
    (O, I, 1) of 1 x 1 convolutions. Raises InputError for an even kernel and an unknown norm.
    Source: arXiv 2005.08100, section 2.2.
    """

    def __init__(self, d: int, kernel: int, norm: str = "batch", linear: LinearFactory = dense, name: str = ""):
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise InputError(f"a convolution of same length needs an odd kernel, not {kernel}")
        if norm not in NORMS:
            raise unknown("norm", norm, NORMS)
        self.pointwise_cov1 = linear(f"{name}pointwise_cov1", d, 2 * d)
        self.depthwise_conv = nn.Conv1d(d, d, kernel, padding=kernel // 2, groups=d)
        self.norm = nn.BatchNorm1d(d) if norm == "batch" else nn.LayerNorm(d)
        self.pointwise_cov2 = linear(f"{name}pointwise_cov2", d, d)
        self.register_load_state_dict_pre_hook(_flatten)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return y of x."""
        x = nn.functional.glu(self.pointwise_cov1(x), dim=-1)
        if mask is not None:
            x = x * mask[..., None]
        x = self.depthwise_conv(x.transpose(1, 2))
        x = self.norm(x).transpose(1, 2) if isinstance(self.norm, nn.BatchNorm1d) else self.norm(x.transpose(1, 2))
        return self.pointwise_cov2(nn.functional.silu(x))


def mask_of(lengths: Tensor, frames: int | None = None) -> Tensor:
    """Return the mask (B, T) of lengths (B,): True for the first frames, False for the padding to their right.

    Raises InputError for lengths below 1 or above T.
    """
    frames = int(lengths.max()) if frames is None else frames
    if int(lengths.min()) < 1 or int(lengths.max()) > frames:
        raise InputError(f"lengths must lie in 1 ... {frames}, not {int(lengths.min())} ... {int(lengths.max())}")
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def _flatten(module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    """Take the weights (O, I, 1) of 1 x 1 convolutions as those of linear maps."""
    for name in ("pointwise_cov1.weight", "pointwise_cov2.weight"):
        weight = state.get(prefix + name)
        if weight is not None and weight.ndim == 3 and weight.shape[-1] == 1:
            state[prefix + name] = weight[..., 0]
