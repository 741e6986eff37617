"""Filters of whole batches of images on the scale [0, 1]: blurs, coarse pixels, JPEG."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, pad


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Return x (N, C, H, W) convolved with exp(-r^2 / 2 sigma^2), cut at 4 sigma; `sigma` in pixels, edges go on."""
    kernel = _bell(int(4 * sigma + 0.5), sigma)
    return _filtered(x, kernel[:, None] * kernel)


def defocus_blur(x: Tensor, radius: float, sigma: float) -> Tensor:
    """Return x convolved with a disk of `radius` pixels whose edge is softened by a 3 x 3 bell of width `sigma`."""
    reach = math.floor(radius) + 1
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    disk = (steps[:, None].square() + steps.square() <= radius**2).double()
    disk = disk / disk.sum()
    soft = _bell(1, sigma)
    return _filtered(x, conv2d(disk[None, None], (soft[:, None] * soft)[None, None], padding=1)[0, 0])


def pixelate(x: Tensor, share: float) -> Tensor:
    """Return x shrunk to int(share H) x int(share W) pixels and blown up again, both by a box filter."""
    for axis in (2, 3):
        size = x.shape[axis]
        small = max(int(size * share), 1)
        matrix = (_box(size, small) @ _box(small, size)).to(x)
        x = torch.tensordot(x, matrix, dims=([axis], [0])).movedim(-1, axis)
    return x


def zoom_blur(x: Tensor, furthest: float) -> Tensor:
    """Return the mean of x and of x magnified about its centre by 1, 1.01, ... `furthest`, bilinear."""
    total = x.clone()
    factors = 1 + 0.01 * np.arange(round((furthest - 1) / 0.01) + 1)
    for factor in factors:
        turn = torch.tensor([[[1 / factor, 0, 0], [0, 1 / factor, 0]]], dtype=x.dtype, device=x.device)
        grid = affine_grid(turn.expand(len(x), -1, -1), list(x.shape), align_corners=False)
        total += grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return total / (len(factors) + 1)


def jpeg(x: Tensor, quality: float) -> Tensor:
    """Return x (1 or 3 channels) written as JPEG of a `quality` in 1..95 and read again."""
    from PIL import Image

    pictures = (x * 255).round().to(torch.uint8).movedim(1, -1).cpu().numpy()
    result = np.empty_like(pictures)
    for source, target in zip(pictures, result, strict=True):
        stream = io.BytesIO()
        Image.fromarray(source.squeeze(-1) if source.shape[-1] == 1 else source).save(
            stream, "JPEG", quality=int(quality)
        )
        target[:] = np.asarray(Image.open(stream)).reshape(source.shape)
    return torch.from_numpy(result).movedim(-1, 1).to(x) / 255


def _bell(reach: int, sigma: float) -> Tensor:
    """Return exp(-i^2 / 2 sigma^2), i = -reach..reach, of sum 1; no width at all leaves the middle alone."""
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    bell = torch.exp(-steps.square() / (2 * sigma**2)) if sigma > 0 else (steps == 0).double()
    return bell / bell.sum()


def _filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Return every channel convolved with a symmetric kernel (K, K); beyond the edge its last pixel goes on."""
    reach, channels = kernel.shape[0] // 2, x.shape[1]
    weight = kernel.to(x).expand(channels, 1, -1, -1)
    return conv2d(pad(x, [reach] * 4, mode="replicate"), weight, groups=channels)


def _box(source: int, target: int) -> Tensor:
    """Return the weights (source, target) by which a box filter makes `target` pixels from `source` pixels.

    A pixel takes the mean of those whose centres lie in the stretch (-1/2, 1/2] of its own width around its centre,
    as in the Python Imaging Library; where pixels grow in number each takes the nearest.
    """
    scale = source / target
    centre = (torch.arange(target, dtype=torch.float64) + 0.5) * scale
    distance = (torch.arange(source, dtype=torch.float64)[:, None] + 0.5 - centre) / max(scale, 1)
    inside = ((distance > -0.5) & (distance <= 0.5)).double()
    return inside / inside.sum(0)
