"""Common corruptions of images in the manner of CIFAR-10-C, whole batches at once, five severities and a sixth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from tenfold.datasets import filters
from tenfold.errors import InputError, unknown

# Constants of severity 1 to 5 for images on the scale [0, 1] (Hendrycks and Dietterich, arXiv 1903.12261, its CIFAR
# version). What they mean stands with each corruption below.
LEVELS: dict[str, tuple[tuple[float, ...], ...]] = {
    "gaussian_noise": ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
    "shot_noise": ((500,), (250,), (100,), (75,), (50,)),
    "impulse_noise": ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
    "speckle_noise": ((0.06,), (0.10,), (0.12,), (0.16,), (0.20,)),
    "gaussian_blur": ((0.4,), (0.6,), (0.7,), (0.8,), (1.0,)),
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
    "contrast": ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
    "brightness": ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
    "saturate": ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
    "pixelate": ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
    "jpeg_compression": ((80,), (65,), (58,), (50,), (40,)),
    "zoom_blur": ((1.06,), (1.11,), (1.16,), (1.21,), (1.26,)),
}

# A straight line would leave nothing of the contrast at all; this is the sixth level of corrupted CIFAR-10 as its
# debiasing protocol has it (Nam et al., arXiv 2007.02561), the only one that anybody has published.
SIXTH = {"contrast": (0.12,)}


def constants(name: str, severity: int) -> tuple[float, ...]:
    """Return the constants c of a corruption at severity 1 to 6.

    Levels 1 to 5 are those of CIFAR-10-C. Level 6 is this workbook's own, c6 = 2 c5 - c4, but for `contrast`, where
    it is 0.12. Raises InputError for an unknown name or severity.
    """
    if name not in LEVELS:
        raise unknown("corruption", name, LEVELS)
    if severity not in range(1, 7):
        raise InputError(f"severity {severity} of {name}: corruptions have severities 1 to 6, and 0 for none")
    levels = LEVELS[name]
    if severity < 6:
        return levels[int(severity) - 1]
    return SIXTH.get(name) or tuple(2 * last - before for before, last in zip(levels[3], levels[4], strict=True))


def corrupt(images: Tensor, name: str, severity: int, generator: Generator | None = None) -> Tensor:
    """Return corrupted images (N, C, H, W), uint8 in 0..255 or floating point in [0, 1] as they were given.

    Severity 0 returns the images unchanged; the result is clipped to [0, 1], and rounded for uint8. The noises draw
    from `generator`, on the images' device; the others need none. Images of one channel are taken as grey: `saturate`
    leaves them as they are. The names are `CORRUPTIONS`; the constants of arXiv 1903.12261 as arXiv 2409.09196
    uses them. Raises InputError for an unknown name or severity, other shapes, values outside [0, 1], and a
    missing generator.
    """
    if name not in LEVELS:
        raise unknown("corruption", name, LEVELS)
    _check(images)
    if severity == 0:
        return images
    level = constants(name, severity)
    if name in NOISES:
        x = NOISES[name](_unit(images), *level, _drawn(generator, name))
    else:
        x = CHANGES[name](_unit(images), *level)
    return _as(x.clamp(0, 1), images)


def mixture(images: Tensor, severity: int, generator: Generator, names: Sequence[str] | None = None) -> Tensor:
    """Return images of which each suffers one corruption, drawn evenly from `names` by `generator`.

    None means all of `CORRUPTIONS`, for grey images without `saturate`, which does nothing to them. Severity 0
    returns the images unchanged. Raises InputError as `corrupt` does.
    """
    _check(images)
    if names is None:
        names = [name for name in CORRUPTIONS if images.shape[1] > 1 or name != "saturate"]
    if len(names) == 0:
        raise InputError("a mixture needs at least one corruption")
    if severity == 0:
        return images
    drawn = _drawn(generator, "a mixture")
    choice = torch.randint(len(names), images.shape[:1], generator=drawn, device=images.device)
    result = images.clone()
    for number, name in enumerate(names):
        # A corruption that no image drew is still asked, for its name and severity to be checked.
        rows = (choice == number).nonzero().flatten()
        result[rows] = corrupt(images[rows], name, severity, generator)
    return result


def add_noise(images: Tensor, sd: float, generator: Generator) -> Tensor:
    """Return clip(x + sd n, 0, 1) with n standard normal: `gaussian_noise` of any strength, sd on the scale [0, 1].

    Small images stay readable at strengths that would drown CIFAR. uint8 comes back as uint8. Raises InputError for a
    negative sd and for images that `corrupt` refuses.
    """
    _check(images)
    if not (math.isfinite(sd) and sd >= 0):
        raise InputError(f"the standard deviation of noise must be at least 0, not {sd}")
    return _as(_gaussian(_unit(images), sd, _drawn(generator, "noise")).clamp(0, 1), images)


def _gaussian(x: Tensor, sd: float, generator: Generator) -> Tensor:
    return x + sd * _normal(x, generator)


def _shot(x: Tensor, photons: float, generator: Generator) -> Tensor:
    """Return Poisson(c x) / c: c photons from a white pixel."""
    return torch.poisson(x * photons, generator=generator) / photons


def _impulse(x: Tensor, amount: float, generator: Generator) -> Tensor:
    """Return x with this share of all values, channel by channel, replaced: half by 0, half by 1."""
    drawn = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return torch.where(drawn < amount, (drawn < amount / 2).to(x.dtype), x)


def _speckle(x: Tensor, sd: float, generator: Generator) -> Tensor:
    return x + x * sd * _normal(x, generator)


def _contrast(x: Tensor, factor: float) -> Tensor:
    """Return (x - m) c + m, m the mean of each channel of each image."""
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * factor + mean


def _brightness(x: Tensor, shift: float) -> Tensor:
    """Return x with V + c in place of V in HSV, hue and saturation kept; grey: x + c."""
    value = x.amax(1, keepdim=True)
    brighter = (value + shift).clamp(0, 1)
    # x = V (1 - S f(H)) in each channel; black has no hue, so it turns grey.
    return torch.where(value > 0, x * (brighter / value), brighter)


def _saturate(x: Tensor, factor: float, shift: float) -> Tensor:
    """Return x with clip(S c + d, 0, 1) in place of S in HSV, hue and value kept; a grey pixel has hue 0, red."""
    if x.shape[1] == 1:
        return x
    value, least = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    spread = value - least
    saturation = torch.where(value > 0, spread / value, 0)
    stronger = (saturation * factor + shift).clamp(0, 1)
    share = torch.where(spread > 0, (value - x) / spread, _red(x))
    return value - value * stronger * share


def _red(x: Tensor) -> Tensor:
    """Return what hue 0 takes from each channel (1, 3, 1, 1), in units of V S."""
    return torch.tensor([0, 1, 1], dtype=x.dtype, device=x.device).view(1, 3, 1, 1)


NOISES: dict[str, Callable[..., Tensor]] = {
    "gaussian_noise": _gaussian,
    "shot_noise": _shot,
    "impulse_noise": _impulse,
    "speckle_noise": _speckle,
}
CHANGES: dict[str, Callable[..., Tensor]] = {
    "gaussian_blur": filters.gaussian_blur,
    "defocus_blur": filters.defocus_blur,
    "contrast": _contrast,
    "brightness": _brightness,
    "saturate": _saturate,
    "pixelate": filters.pixelate,
    "jpeg_compression": filters.jpeg,
    "zoom_blur": filters.zoom_blur,
}
CORRUPTIONS = tuple(LEVELS)


def _normal(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _drawn(generator: Generator | None, name: str) -> Generator:
    if generator is None:
        raise InputError(f"{name} draws at random and needs a generator")
    return generator


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise InputError(f"images must be (N, 1 or 3, H, W), not {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise InputError(f"images must be uint8 or floating point, not {images.dtype}")
    if images.numel() and not (images.min() >= 0 and images.max() <= 1):
        raise InputError("images in floating point must lie in [0, 1]")


def _unit(images: Tensor) -> Tensor:
    """Return the images on the scale [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _as(x: Tensor, images: Tensor) -> Tensor:
    """Return x in the type that the images came in."""
    return (x * 255).round().to(torch.uint8) if images.dtype == torch.uint8 else x.to(images.dtype)
