"""Subjects: the images and the network behind "images/network", clean, corrupted or mislabelled."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tenfold import datasets
from tenfold.datasets.corruptions import add_noise, corrupt, mixture
from tenfold.datasets.images import Images
from tenfold.datasets.vision import images
from tenfold.nets import Network, architecture, initialise
from tenfold.papers.hard_samples.conditions import OFFICIAL, Condition
from tenfold.papers.hard_samples.parameters import SUBJECTS, Parameters
from tenfold.training import chain, crop_flip, rotate
from tenfold.training.augmentation import Augmentation

SIDES = {"fashion900": 14, "mnist": 14}
"""Pixels a side to which images of 28 are averaged: four times as fast."""
DRAWN = {"mnist": (3000, 1000)}
"""Training and test images drawn from sets that are larger than a laptop needs."""
NOISE = 0.09
"""Deviation of the noise of a level, on pixels in [0, 1]: 0.45 at level 5 is 1.2 deviations of the digits' pixels."""
SUBSTITUTE = "digits"
"""What comes with the workbook, and stands in where a small set is not at hand."""
NORMALISATION = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}
"""Mean and deviation of the official code; other images take their own."""
NAMES = {
    "digits": "digits",
    "fashion900": "Fashion-900",
    "mnist": "MNIST-3000",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "tinyimagenet": "TinyImageNet",
    "mlp": "MLP",
    "narrow-mlp": "narrow MLP",
    "convnet": "CNN",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "vgg16": "VGG-16",
    "vgg19": "VGG-19",
}


def label(subject: str) -> str:
    """Return how a subject is written in figures."""
    return " / ".join(NAMES[part] for part in subject.split("/"))


def at_hand(p: Parameters) -> Parameters:
    """Return the parameters with the digits in place of small image sets that are nowhere."""
    return dataclasses.replace(p, **{name: _at_hand(getattr(p, name), p.folder) for name in SUBJECTS})


def _at_hand(subject: str, folder: str) -> str:
    data, net = subject.split("/")
    if data not in SIDES or (folder and (Path(folder) / data).exists()):
        return subject
    missing = datasets.resolve(data, missing_ok=True).source == "absent"
    return f"{SUBSTITUTE}/{net}" if missing else subject


@lru_cache(maxsize=4)
def load(data: str, count: int = 0, folder: str = "") -> Images:
    """Return an image set with `count` training images at most (0: all), from `folder`/name where there is one."""
    own = Path(folder) / data if folder else None
    found = images(data, DRAWN.get(data), SIDES.get(data), own if own and own.exists() else None)
    fewer = 0 < count < len(found.train_y)
    return found.drawn(count, None, np.random.default_rng(OFFICIAL)) if fewer else found


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """What a network sees: uint8 images (N, C, H, W), labels as given, which are wrong, and the clean images."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    wrong: np.ndarray
    images: Images


def material(condition: Condition, settings: dict[str, Any]) -> Material:
    """Return the images of a condition: corrupted once and for all, with the same labels wrong for every seed."""
    found = load(condition.subject.split("/")[0], settings["images"], settings["folder"])
    train_y, wrong = mislabelled(found.train_y, found.classes, condition.label_noise)
    train_x = corrupted(found.train_x, condition.severity, settings, OFFICIAL)
    test_x = corrupted(found.test_x, condition.severity, settings, OFFICIAL + 1)
    return Material(train_x, train_y, test_x, found.test_y, wrong, found)


def mislabelled(labels: Tensor, classes: int, share: float) -> tuple[Tensor, np.ndarray]:
    """Return labels (N,) of which int(N share) were changed to another class, and which (N,) those are."""
    generator = np.random.default_rng(OFFICIAL)
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[generator.permutation(len(labels))[: int(len(labels) * share)]] = True
    shift = torch.from_numpy(generator.integers(1, classes, len(labels)))
    return torch.where(torch.from_numpy(wrong), (labels + shift) % classes, labels), wrong


def corrupted(x: Tensor, severity: int, settings: dict[str, Any], seed: int) -> Tensor:
    """Return uint8 images (N, C, H, W) corrupted at a level; level 0 leaves them as they are.

    "noise": Gaussian, `NOISE` a level, as far as 8 x 8 pixels need it; else the constants of CIFAR-C, level 6
    extrapolated. Stored as bytes again, as published sets of corrupted images are.
    """
    if severity == 0:
        return x
    generator, kind = torch.Generator().manual_seed(seed), settings["corruption"]
    pixels = x.float() / 255
    if kind == "noise":
        made = add_noise(pixels, NOISE * severity, generator)
    elif kind == "mixture":
        made = mixture(pixels, severity, generator)
    else:
        made = corrupt(pixels, kind, severity, generator)
    return (made * 255).round().to(torch.uint8)


def augmentation(condition: Condition) -> Augmentation | None:
    """Return what is done to each batch: colour images are cropped and mirrored, attacked CIFAR-100 is turned too."""
    data = condition.subject.split("/")[0]
    if data in SIDES or data == SUBSTITUTE:
        return None
    crop = crop_flip(4, "zeros")
    return chain(crop, rotate(15)) if condition.attacked and data == "cifar100" else crop


def network(subject: str, found: Images, settings: dict[str, Any], seeds: list[int]) -> Network:
    """Return a stack of networks, one per seed, with Kaiming weights and the standardisation as first layer."""
    data, kind = subject.split("/")
    name = kind.removeprefix("narrow-")
    channels, height, width = found.shape
    options: dict[str, Any] = {"classes": found.classes, "replicas": len(seeds)}
    options["normalise"] = NORMALISATION.get(data) or found.moments()
    if name == "mlp":
        # An attack makes a step eight times as long: half the width makes up for half of that.
        hidden = settings["hidden"] // (1 if kind == name else 2)
        options |= {"inputs": channels * height * width, "hidden": (hidden, hidden)}
    else:
        options["in_channels"] = channels
    if name.startswith("resnet"):
        options["stem"] = "tiny64" if height == 64 else "cifar"
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return initialise(architecture(name, **options), generators, "kaiming_fan_in")
