"""Image sets in memory: training and test images of several classes, their parts and their sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from tenfold.datasets.provenance import Resolution
from tenfold.errors import InputError


@dataclass(frozen=True, eq=False)
class Images:
    """A classification data set: images uint8 (N, C, H, W) with values 0..255, labels int64 (N,) in 0..classes-1.

    `class_names` are in the order of the labels; `resolution` tells where the data came from and `name` is what
    figures call them by.
    """

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int
    resolution: Resolution
    name: str
    class_names: tuple[str, ...]

    def __post_init__(self):
        for part, x, y in (("training", self.train_x, self.train_y), ("test", self.test_x, self.test_y)):
            if x.dtype != torch.uint8 or x.ndim != 4 or y.shape != x.shape[:1]:
                raise InputError(f"{self.name}: {part} images {tuple(x.shape)} do not go with {tuple(y.shape)} labels")
            if len(y) and not (y.min() >= 0 and y.max() < self.classes):
                raise InputError(f"{self.name}: {part} labels are not all in 0..{self.classes - 1}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        return tuple(self.train_x.shape[1:])

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation (C,) of the training pixels on the scale [0, 1]."""
        # Counting the 256 values is exact, and needs no copy in float of a large set.
        values = torch.arange(256, dtype=torch.float64) / 255
        counts = torch.stack(
            [torch.bincount(self.train_x[:, c].flatten(), minlength=256) for c in range(self.shape[0])]
        )
        shares = counts.double() / counts.sum(1, keepdim=True)
        mean = shares @ values
        deviation = (shares @ values.square() - mean.square()).clamp(min=0).sqrt()
        return tuple(mean.tolist()), tuple(deviation.tolist())

    def validation(self, count: int | None = None) -> Images:
        """Return the training rows cut in two by index: the last `count` (a tenth of them) become the test rows.

        For CIFAR this gives the first 45,000 rows for training and the last 5,000 to choose by. Raises InputError
        unless both parts have rows.
        """
        rows = len(self.train_y)
        count = rows // 10 if count is None else count
        if not 0 < count < rows:
            raise InputError(f"{count} validation rows of {rows}: both parts must have rows")
        cut = rows - count
        parts = self.train_x[:cut], self.train_y[:cut], self.train_x[cut:], self.train_y[cut:]
        return replace(self, **dict(zip(("train_x", "train_y", "test_x", "test_y"), parts, strict=True)))

    def drawn(self, train: int | None, test: int | None, generator: np.random.Generator) -> Images:
        """Return `train` and `test` rows (None: all), drawn with the shares of the classes, in the order they had."""
        changes = {}
        for part, count in (("train", train), ("test", test)):
            if count is None:
                continue
            x, y = getattr(self, f"{part}_x"), getattr(self, f"{part}_y")
            rows = torch.from_numpy(stratified(y.numpy(), count, generator))
            changes |= {f"{part}_x": x[rows], f"{part}_y": y[rows]}
        return replace(self, **changes)

    def shrunk(self, size: int) -> Images:
        """Return square images of `size` pixels a side: means of the blocks, rounded; `size` must divide the side."""
        return replace(self, train_x=pooled(self.train_x, size), test_x=pooled(self.test_x, size))


def pooled(x: Tensor, size: int) -> Tensor:
    """Return uint8 images (N, C, size, size) whose pixels are the rounded means of square blocks of `x`."""
    height, width = x.shape[-2:]
    if size < 1 or height != width or height % size:
        raise InputError(f"images of {height} x {width} pixels cannot be averaged to {size} x {size}")
    if size == height:
        return x
    blocks = [avg_pool2d(part.float(), height // size).round().to(torch.uint8) for part in x.split(4096)]
    return torch.cat(blocks)


def stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Return `count` row numbers, increasing, drawn without replacement so that classes keep their shares.

    Class k gets floor(count n_k / N) rows, and the rows that are left go to the largest remainders. Raises
    InputError unless 1 <= count <= N.
    """
    if not 1 <= count <= len(labels):
        raise InputError(f"{count} rows asked of a set of {len(labels)}")
    classes, sizes = np.unique(labels, return_counts=True)
    exact = count * sizes / len(labels)
    quota = np.floor(exact).astype(np.int64)
    quota[np.argsort(quota - exact, kind="stable")[: count - quota.sum()]] += 1
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:number]
        for label, number in zip(classes, quota, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
