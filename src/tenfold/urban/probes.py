"""Linear and one-hidden-layer probes on frozen features, hundreds of them trained at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import kl_div
from torch.nn.utils.rnn import pad_sequence

from tenfold.errors import InputError, unknown
from tenfold.urban.lockstep import Batch, Stack, compacted, forward, initial, stacked
from tenfold.urban.splits import Split

SEEDS = (42, 24, 7, 0, 100)  # the paper's five runs
KINDS = ("linear", "mlp")
TASKS = ("classes", "distribution")


@dataclass(frozen=True)
class Protocol:
    """How a probe is trained; the numbers are the paper's.

    Adam at rate `lr` on shuffled batches for at most `epochs`; training stops after `patience` epochs without a lower
    validation loss, and the best state counts. `hidden` units (kind "mlp"). `standardise` scales features by mean
    and deviation of the training rows, which the paper does not. `double` computes in float64. Raises InputError for
    numbers that are not positive.
    """

    hidden: int = 64
    epochs: int = 300
    patience: int = 10
    batch: int = 128
    lr: float = 1e-3
    standardise: bool = False
    double: bool = False

    def __post_init__(self):
        if min(self.hidden, self.epochs, self.patience, self.batch) < 1 or not self.lr > 0:
            raise InputError("a probe needs hidden, epochs, patience and batch of at least 1, and lr > 0")


@dataclass(frozen=True, eq=False)
class Probe:
    """A trained probe: predicted shares or class probabilities (n_test, K) for the test rows of its split.

    `classes` (K,) are the labels behind the columns, None for distributions. It trained `epochs`; after
    `best_epoch` (from 1) the `validation_loss` (mean KL or cross entropy, nats) was lowest.
    """

    split: Split
    seed: int
    predicted: NDArray
    classes: NDArray | None
    epochs: int
    best_epoch: int
    validation_loss: float

    @property
    def labels(self) -> NDArray:
        """Most probable class (n_test,) of each test row: its label, or its column for distributions."""
        best = self.predicted.argmax(axis=1)
        return best if self.classes is None else self.classes[best]


def fit_probes(
    features: ArrayLike | Sequence[ArrayLike],
    targets: ArrayLike,
    splits: Split | Sequence[Split],
    seeds: Sequence[int] = SEEDS,
    kind: str = "mlp",
    task: str = "distribution",
    protocol: Protocol | None = None,
) -> list[Probe]:
    """Train a probe for each split and each seed, all at once; return them split by split, seed by seed.

    z = W x + b ("linear") or z = W2 ReLU(W1 x + b1) + b2 ("mlp"); mean loss KL(y || softmax z) for targets
    (N, K) ("distribution") or cross entropy for labels (N,) ("classes"). Each probe draws torch's default
    initialisation, then one permutation of its training rows per epoch, from a generator of its own seed: up to
    rounding it equals the probe trained alone.

    features: (N, D) shared by all, or a list of one array (N, D_i) per probe in the order returned; an array
    that is listed repeatedly is stored once. Probes of equal D run in lockstep, whatever the sizes of their splits; a
    finished one leaves. Raises InputError for shapes that do not fit, values that are not finite,
    parts of a split that are empty or overlap, an unknown kind or task.
    """
    for name, value, known in (("kind of probe", kind, KINDS), ("task", task, TASKS)):
        if value not in known:
            raise unknown(name, value, known)
    protocol = protocol or Protocol()
    y, classes = _one_hot(targets) if task == "classes" else (_distributions(targets), None)
    splits = [splits] if isinstance(splits, Split) else list(splits)
    for number, split in enumerate(splits):
        _check_split(split, number, len(y))
    runs = list(product(splits, seeds))
    arrays = _arrays(features, len(runs), len(y))
    targets_NK = torch.tensor(y, dtype=torch.float64 if protocol.double else torch.float32)
    probes: list = [None] * len(runs)
    for width in sorted({array.shape[1] for array in arrays}):
        members = [i for i, array in enumerate(arrays) if array.shape[1] == width]
        group = _Group([runs[i] for i in members], [arrays[i] for i in members], targets_NK, kind == "mlp", protocol)
        for i, outcome in zip(members, group.fit(), strict=True):
            probes[i] = Probe(*runs[i], outcome[0], classes, *outcome[1:])
    return probes


class _Group:
    """Probes of one shape, each at its own step t of Adam at the same time, whatever the length of its epochs."""

    def __init__(self, runs: list, arrays: list[NDArray], targets: Tensor, hidden: bool, protocol: Protocol):
        self.protocol, self.targets = protocol, targets
        splits = [split for split, _ in runs]
        self.table, self.offsets = _table(arrays, splits, protocol.standardise, targets.dtype)
        train, self.validation, self.test = (list(map(_index, part)) for part in zip(*splits, strict=True))
        self.size = min(protocol.batch, max(map(len, train)))
        self.steps = torch.tensor([math.ceil(len(rows) / self.size) for rows in train])
        generators = [torch.Generator().manual_seed(int(seed)) for _, seed in runs]
        widths = [self.table.shape[1], *[protocol.hidden] * hidden, targets.shape[1]]
        drawn = [initial(widths, generator, targets.dtype) for generator in generators]
        self.best = [torch.stack(values) for values in zip(*drawn, strict=True)]
        self.orders = [_Order(*pair, self.size) for pair in zip(train, generators, strict=True)]
        self.loss = torch.full((len(runs),), math.inf, dtype=torch.float64)
        self.best_epoch, self.epochs = (torch.zeros(len(runs), dtype=torch.int64) for _ in range(2))

    @torch.inference_mode()
    def fit(self) -> list[tuple[NDArray, int, int, float]]:
        """Train all to the end; return (predicted, epochs, best epoch, validation loss) of each."""
        moments = [torch.zeros_like(value) for value in self.best]
        stacks = stacked(torch.arange(len(self.test)), (self.best, moments, moments), torch.zeros(()))
        while stacks:
            for stack in stacks:
                self._advance(stack, int(self.steps.max()))
            stacks = compacted(stacks, ~self._ended())
        numbers = [values.tolist() for values in (self.epochs, self.best_epoch, self.loss)]
        return list(zip(map(self._predict, range(len(self.test))), *numbers, strict=True))

    def _ended(self) -> Tensor:
        waited = self.epochs - self.best_epoch
        return (waited >= self.protocol.patience) | (self.epochs >= self.protocol.epochs)

    def _advance(self, stack: Stack, count: int) -> None:
        """Take `count` steps, enough for an epoch of each member, and judge a member whenever its epoch ends."""
        members = stack.members
        rows = torch.stack([self.orders[i].take(count) for i in members.tolist()], dim=1)
        share = (rows >= 0).to(self.table.dtype)
        share = (share / share.sum(2, keepdim=True))[:, :, None]
        rows = rows.clamp_(min=0)
        places = rows + self.offsets[members, None]
        ends = (int(stack.steps) + torch.arange(1, count + 1)[:, None]) % self.steps[members] == 0
        batch, someone = Batch(stack.weights, self.size), ends.any(1).tolist()
        for step in range(count):
            batch.load(self.table, places[step].view(-1), self.targets, rows[step].view(-1))
            stack.step(batch, share[step], self.protocol.lr)
            if someone[step]:
                due = ends[step] & ~self._ended()[members]
                self._judge(members[due], [value[due] for value in stack.weights])

    def _judge(self, members: Tensor, weights: list[Tensor]) -> None:
        """Measure the validation loss of each member, and keep its weights where it is the lowest so far."""
        if len(members) == 0:
            return
        rows = pad_sequence([self.validation[i] for i in members], batch_first=True)
        sizes = torch.tensor([len(self.validation[i]) for i in members])
        batch = Batch(weights, rows.shape[1])
        batch.load(self.table, (rows + self.offsets[members, None]).view(-1), self.targets, rows.view(-1))
        logits = forward(batch.x, weights, batch.h, batch.z)[1]
        losses = kl_div(torch.log_softmax(logits, 1), batch.y.mT, reduction="none").sum(1, dtype=torch.float64)
        losses = (losses * (torch.arange(rows.shape[1]) < sizes[:, None])).sum(1) / sizes
        self.epochs[members] += 1
        better = losses < self.loss[members]
        members = members[better]
        self.loss[members], self.best_epoch[members] = losses[better], self.epochs[members]
        for best, value in zip(self.best, weights, strict=True):
            best[members] = value[better]

    def _predict(self, number: int) -> NDArray:
        """Return softmax(z) (n_test, K) of one probe's best state."""
        x = self.table[self.test[number] + self.offsets[number]]
        logits = forward(x[None], [value[number, None] for value in self.best])[1]
        return torch.softmax(logits, 1)[0].T.numpy().copy()


class _Order:
    """The batches of one probe: its training rows, epoch after epoch, each in a new random order."""

    def __init__(self, rows: Tensor, generator: torch.Generator, size: int):
        self.rows, self.generator, self.size = rows, generator, size
        self.padding = torch.full((-len(rows) % size,), -1)
        self.left = rows[:0]

    def take(self, count: int) -> Tensor:
        """Return the next batches (count, size); a short one, the last of its epoch, is filled up with -1."""
        while len(self.left) < count * self.size:
            order = torch.randperm(len(self.rows), generator=self.generator)
            self.left = torch.cat([self.left, self.rows[order], self.padding])
        taken, self.left = self.left.tensor_split([count * self.size])
        return taken.view(count, self.size)


def _table(arrays: list[NDArray], splits: list[Split], standardise: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return all distinct features, one below the other (F N, D), and the row where each probe's begin."""
    keys = [(id(array), id(split) if standardise else 0) for array, split in zip(arrays, splits, strict=True)]
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    place = {key: number for number, key in enumerate(first)}
    blocks = [_standard(arrays[i], splits[i].train) if standardise else arrays[i] for i in first.values()]
    table = torch.cat([torch.as_tensor(block, dtype=dtype) for block in blocks])
    return table, torch.tensor([place[key] * len(arrays[0]) for key in keys])


def _standard(features: NDArray, train: NDArray) -> NDArray:
    deviation = features[train].std(axis=0)
    # A column that is constant on the training rows carries nothing there: centred, not blown up.
    return (features - features[train].mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def _index(rows: ArrayLike) -> Tensor:
    return torch.as_tensor(np.asarray(rows, dtype=np.int64))


def _arrays(features: ArrayLike | Sequence[ArrayLike], count: int, rows: int) -> list[NDArray]:
    """Return one array (N, D) per probe; the same object where the same was given."""
    shared = not (isinstance(features, list | tuple) and features and np.ndim(features[0]) == 2)
    given = [features] * count if shared else list(features)
    if len(given) != count:
        raise InputError(f"{len(given)} arrays of features for {count} probes")
    distinct = {id(array): np.asarray(array) for array in given}
    for array in distinct.values():
        if array.ndim != 2 or len(array) != rows or array.shape[1] == 0:
            raise InputError(f"features must be ({rows}, D), one row per target, not {array.shape}")
        if not np.isfinite(array).all():
            raise InputError(f"row {int(np.argmin(np.isfinite(array).all(axis=1)))} of the features is not finite")
    return [distinct[id(array)] for array in given]


def _distributions(targets: ArrayLike) -> NDArray:
    targets = np.asarray(targets, dtype=float)
    if targets.ndim != 2 or targets.shape[1] < 2:
        raise InputError(f"target distributions must be (N, K), K > 1, not {targets.shape}")
    fine = (targets >= 0).all(axis=1) & (np.abs(targets.sum(axis=1) - 1) < 1e-6)
    if not fine.all():
        raise InputError(f"row {int(np.argmin(fine))} of the targets is no distribution")
    return targets


def _one_hot(labels: ArrayLike) -> tuple[NDArray, NDArray]:
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise InputError(f"class labels must be one row (N,), not {labels.shape}")
    classes, index = np.unique(labels, return_inverse=True)
    return np.eye(len(classes))[index], classes


def _check_split(split: Split, number: int, rows: int) -> None:
    for name, part in zip(Split._fields, split, strict=True):
        part = np.asarray(part)
        if part.size == 0:
            raise InputError(f"split {number} has no {name} rows")
        if part.min() < 0 or part.max() >= rows:
            raise InputError(f"split {number}: {name} names a row beyond the {rows} there are")
    every = np.concatenate(split)
    if len(np.unique(every)) < len(every):
        raise InputError(f"split {number}: a row occurs twice")
