"""Augmentation of image batches on their device, with a generator for each replica."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from tenfold.errors import InputError, unknown

Augmentation = Callable[[Tensor, Sequence[torch.Generator]], Tensor]
MODES = ("reflect", "zeros", "constant")


def crop_flip(pad: int = 4, mode: str = "reflect", value: float = 0.0) -> Augmentation:
    """Return the augmentation that pads, crops at random to the old size, and mirrors every other image or so.

    Image (H, W) -> rows dy..dy+H-1 and columns dx..dx+W-1 of the padded one, dy, dx ~ U{0..2 pad}; left and right
    change places with probability 1/2. mode: "reflect" (without the edge), "zeros", or "constant" with `value`. Batches
    (S, B, C, H, W); a replica draws from its own generator alone. Raises InputError for an unknown mode, a negative
    padding, and on use where reflection needs larger images. Source: arXiv 2411.13545, arXiv 2409.09196.
    """
    if mode not in MODES:
        raise unknown("padding", mode, MODES)
    if pad < 0:
        raise InputError(f"padding is at least 0, not {pad}")
    fill = None if mode == "reflect" else value if mode == "constant" else 0.0

    def augment(x: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        height, width = x.shape[-2:]
        if fill is None and pad >= min(height, width):
            raise InputError(f"images of {height} x {width} cannot be reflected over {pad} pixels")
        drawn = _uniform(x, generators, 3)
        dy, dx = (drawn[..., :2] * (2 * pad + 1)).long().clamp_(max=2 * pad).sub_(pad).unbind(-1)
        columns = torch.arange(width, device=x.device)
        columns = torch.where(drawn[..., 2:] < 0.5, columns, width - 1 - columns) + dx[..., None]
        return _cropped(x, torch.arange(height, device=x.device) + dy[..., None], columns, fill)

    return augment


def rotate(degrees: float, interpolation: str = "bilinear") -> Augmentation:
    """Return the augmentation that turns each image about its centre by an angle ~ U(-degrees, degrees) of its own.

    interpolation: "bilinear" or "nearest"; what comes from outside the image is 0. Batches (S, B, C, H, W); a replica
    draws from its own generator alone. Raises InputError for an unknown interpolation and a negative angle.
    Source: arXiv 2409.09196 (15 degrees for CIFAR-100).
    """
    if interpolation not in ("bilinear", "nearest"):
        raise unknown("interpolation", interpolation, ("bilinear", "nearest"))
    if not 0 <= degrees < math.inf:
        raise InputError(f"an angle is at least 0, not {degrees}")

    def augment(x: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        angle = (2 * _uniform(x, generators, 1).flatten() - 1) * math.radians(degrees)
        images = x.flatten(0, 1)
        grid = functional.affine_grid(_turns(angle, *x.shape[-2:]), images.shape, align_corners=False)
        return functional.grid_sample(images, grid, mode=interpolation, align_corners=False).view(x.shape)

    return augment


def chain(*augmentations: Augmentation) -> Augmentation:
    """Return the augmentation that applies several, one after the other."""

    def augment(x: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        for each in augmentations:
            x = each(x, generators)
        return x

    return augment


def _uniform(x: Tensor, generators: Sequence[torch.Generator], count: int) -> Tensor:
    """Draw (S, B, count) uniform numbers, each replica from its own generator, in one call each."""
    if x.ndim != 5 or len(generators) != len(x):
        raise InputError(f"images must be (S, B, C, H, W) with {len(generators)} replicas, not {tuple(x.shape)}")
    return torch.stack([torch.rand(x.shape[1], count, generator=each, device=x.device) for each in generators])


def _cropped(x: Tensor, rows: Tensor, columns: Tensor, fill: float | None) -> Tensor:
    """Return x at rows (S, B, H) and columns (S, B, W), some of them outside; laid out channels last.

    One copy of whole pixels by their number; nothing is padded first.
    """
    (height, width), pixels = x.shape[-2:], x.movedim(2, -1)
    inside = ((rows >= 0) & (rows < height))[..., None] & ((columns >= 0) & (columns < width))[..., None, :]
    rows, columns = _reflected(rows, height), _reflected(columns, width)
    first = torch.arange(rows.shape[0] * rows.shape[1], device=x.device).view(*rows.shape[:2], 1, 1) * (height * width)
    places = first + rows[..., None] * width + columns[..., None, :]
    taken = pixels.reshape(-1, x.shape[2]).index_select(0, places.view(-1)).view(pixels.shape)
    if fill is not None:
        taken.masked_fill_(~inside[..., None], fill)
    return taken.movedim(-1, 2)


def _reflected(places: Tensor, size: int) -> Tensor:
    """Return places outside 0..size-1 mirrored at the first or last one, which is not repeated."""
    return (size - 1 - (size - 1 - places.abs()).abs()).clamp_(min=0)


def _turns(angle: Tensor, height: int, width: int) -> Tensor:
    """Return the sampling matrices (N, 2, 3), in coordinates -1..1, that turn images anticlockwise by angles (N,)."""
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [cosine, -sine * (height / width), zero, sine * (width / height), cosine, zero]
    return torch.stack(rows, dim=1).view(-1, 2, 3)
