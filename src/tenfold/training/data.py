"""Data that live on the device, and the batches of an epoch for each replica."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tenfold.errors import InputError
from tenfold.training.augmentation import Augmentation
from tenfold.training.seeds import generator


class Data(Protocol):
    """What `fit` asks of data: a batch is any tuple of tensors (S, B, ...), one replica for each seed."""

    def to(self, device: torch.device | str, channels_last: bool = False) -> Data:
        """Return the same data on a device."""

    def steps(self, batch: int, drop_last: bool = False, processes: int = 1) -> int:
        """Return the number of batches in an epoch."""

    def batches(
        self, seeds: Sequence[int], epoch: int, batch: int, drop_last: bool = False, share: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of an epoch, of each the share (rank, processes) of this process."""

    def digest(self) -> str:
        """Return a digest of all that is drawn from."""


class Resident:
    """Rows of one data set, resident on a device, from which each replica draws its batches.

    x: (N, ...), uint8 or float32, as the network takes it; uint8 is scaled to [0, 1] when a batch is drawn. y: what
    belongs to the rows, a tensor (N, ...), a tuple of tensors or None. rows: (S, n), the rows that each replica
    trains on, or None for all. augment: (x, generators) -> x on batches (S, B, ...). A batch is (x, y) with leading
    dimensions (S, B), or as many tensors as were given.

    In an epoch a replica sees each of its rows once, in an order that depends on its seed and the epoch alone.
    Raises InputError for sizes that do not fit and rows that do not exist.
    """

    def __init__(
        self,
        x: Tensor | ArrayLike,
        y: Tensor | ArrayLike | tuple | None = None,
        rows: ArrayLike | None = None,
        augment: Augmentation | None = None,
    ):
        others = y if isinstance(y, tuple) else () if y is None else (y,)
        self.tensors = tuple(tensor_of(value) for value in (x, *others))
        self.augment = augment
        sizes = [len(tensor) if tensor.ndim else 0 for tensor in self.tensors]
        if min(sizes) != max(sizes) or sizes[0] == 0:
            raise InputError(f"data need the same number of rows, at least one, in each tensor, not {sizes}")
        self.rows = None if rows is None else _checked_rows(rows, sizes[0])

    @property
    def size(self) -> int:
        """Rows of one replica and epoch."""
        return len(self.tensors[0]) if self.rows is None else self.rows.shape[1]

    def steps(self, batch: int, drop_last: bool = False, processes: int = 1) -> int:
        """Return the number of batches in an epoch.

        Raises InputError where there is none, or where one has fewer rows than there are processes to share it.
        """
        full, rest = divmod(self.size, batch)
        if drop_last and not full:
            raise InputError(f"{self.size} rows do not fill one batch of {batch}")
        least = rest if rest and not drop_last else batch
        if least < processes:
            raise InputError(f"a batch of {least} rows cannot be shared by {processes} processes")
        return full if drop_last or not rest else full + 1

    def to(self, device: torch.device | str, channels_last: bool = False) -> Resident:
        """Return the same data on a device; with channels_last images (N, C, H, W) lie there as (N, H, W, C)."""
        moved = object.__new__(type(self))
        moved.__dict__.update(self.__dict__)
        x, *others = (tensor.to(device) for tensor in self.tensors)
        if channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        moved.tensors = (x, *others)
        return moved

    def batches(
        self,
        seeds: Sequence[int],
        epoch: int,
        batch: int,
        drop_last: bool = False,
        share: tuple[int, int] = (0, 1),
    ) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of an epoch, tensors (S, B, ...), one replica for each seed.

        share: (rank, processes); a process takes every so many-th row of each batch, beginning with its rank.
        """
        rank, processes = share
        where = self.tensors[0].device
        order = self.order(seeds, epoch).to(where, non_blocking=True)
        generators = [generator(seed, epoch, "augmentation", where, rank) for seed in seeds]
        for step in range(self.steps(batch, drop_last)):
            rows = order[:, step * batch : (step + 1) * batch][:, rank::processes]
            x, *others = (_taken(tensor, rows) for tensor in self.tensors)
            x = scaled(x)
            yield (x if self.augment is None else self.augment(x, generators), *others)

    def order(self, seeds: Sequence[int], epoch: int) -> Tensor:
        """Return the order (S, n) in which each replica sees its rows in an epoch."""
        if self.rows is not None and len(self.rows) != len(seeds):
            raise InputError(f"rows of {len(self.rows)} replicas for {len(seeds)} seeds")
        orders = [torch.randperm(self.size, generator=generator(seed, epoch, "order")) for seed in seeds]
        order = torch.stack(orders)
        return order if self.rows is None else self.rows.gather(1, order)

    def digest(self) -> str:
        """Return the SHA-256 of all rows, so that a checkpoint knows its data."""
        found = hashlib.sha256()
        for tensor in (*self.tensors, *(() if self.rows is None else (self.rows,))):
            values = tensor.detach().cpu().contiguous()
            found.update(f"{tuple(values.shape)} {values.dtype} ".encode())
            found.update(values.view(-1).view(torch.uint8).numpy())
        return found.hexdigest()


def scaled(x: Tensor) -> Tensor:
    """Return uint8 images as float32 in [0, 1]; anything else as it is."""
    return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x


def _taken(tensor: Tensor, rows: Tensor) -> Tensor:
    """Return tensor[rows] (S, B, ...), in the layout of the tensor."""
    if tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        # A copy of whole rows, which indexing in the logical order is not.
        return tensor.permute(0, 2, 3, 1).index_select(0, rows.reshape(-1)).unflatten(0, rows.shape).movedim(-1, 2)
    return tensor.index_select(0, rows.reshape(-1)).unflatten(0, rows.shape)


def tensor_of(value: Any) -> Tensor:
    """Return an array as a tensor that shares its memory, or copies it where it may not be written."""
    return value if isinstance(value, Tensor) else torch.from_numpy(np.require(value, requirements=["C", "W"]))


def _checked_rows(rows: ArrayLike, count: int) -> Tensor:
    try:
        rows = np.asarray(rows)
    except ValueError as error:
        raise InputError("each replica needs the same number of rows") from error
    if rows.ndim != 2 or rows.shape[1] == 0 or rows.dtype.kind not in "iu":
        raise InputError(f"rows must be whole numbers (S, n), n > 0, not {rows.dtype} {rows.shape}")
    if rows.min() < 0 or rows.max() >= count:
        raise InputError(f"a row lies beyond the {count} there are")
    return torch.from_numpy(rows.astype(np.int64))
