"""Batches of utterances of similar length, for the training loop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tenfold.errors import InputError
from tenfold.speech.augmentation import spec_augment
from tenfold.training import generator

SPREAD = 0.1  # by how much lengths are jittered, so that epochs differ in what stands together


class Batches:
    """Features with transcripts, in batches of similar length, as `tenfold.training.fit` takes them.

    features: (T_i, F) each, standardised, so that 0 is the mean; units: numbers of the transcripts' units. A batch is
    (features (1, B, T, F), lengths (1, B), targets (1, B, U), target lengths (1, B)), padded with 0 to the right.
    An epoch sees each utterance once; batches come in random order. masks: arguments of `spec_augment`, or None.
    Raises InputError for lists of different length, an empty one and an empty transcript.
    """

    def __init__(self, features: Sequence[Tensor], units: Sequence[Sequence[int]], masks: dict[str, int] | None = None):
        if len(features) != len(units) or not len(features):
            raise InputError(f"{len(features)} utterances with {len(units)} transcripts cannot be trained on")
        if not all(map(len, units)):
            raise InputError("a transcript must not be empty")
        self.features, self.units, self.masks = list(features), [list(row) for row in units], masks
        self.lengths = torch.tensor([len(row) for row in self.features])
        self.device = torch.device("cpu")

    def to(self, device: torch.device | str, channels_last: bool = False) -> Batches:
        """Return the same data, whose batches go to a device."""
        moved = Batches([row.to(device) for row in self.features], self.units, self.masks)
        moved.device = torch.device(device)
        return moved

    def steps(self, batch: int, drop_last: bool = False, processes: int = 1) -> int:
        """Return the number of batches in an epoch."""
        if drop_last or processes > 1:
            raise InputError("batches of utterances are not shared and not cut")
        return -(-len(self.features) // batch)

    def batches(
        self, seeds: Sequence[int], epoch: int, batch: int, drop_last: bool = False, share: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of an epoch; one seed."""
        (seed,) = seeds
        numbers = generator(seed, epoch, "order")
        jitter = 1 + SPREAD * torch.randn(len(self.lengths), generator=numbers)
        rows = (self.lengths * jitter).argsort().split(batch)
        masking = generator(seed, epoch, "augmentation")
        for i in torch.randperm(len(rows), generator=numbers).tolist():
            features, *others = self.gathered(rows[i])
            if self.masks is not None:
                features = spec_augment(features, masking, **self.masks)
            yield tuple(part[None] for part in (features, *others))

    def gathered(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return features, lengths, targets and target lengths of utterances, padded."""
        chosen = rows.tolist()
        targets = [torch.tensor(self.units[i]) for i in chosen]
        lengths = torch.tensor([len(row) for row in targets])
        features = pad_sequence([self.features[i] for i in chosen], batch_first=True)
        parts = features, self.lengths[rows], pad_sequence(targets, batch_first=True), lengths
        return tuple(part.to(self.device) for part in parts)

    def digest(self) -> str:
        """Return the SHA-256 of features, transcripts and masks."""
        found = hashlib.sha256(f"{self.units} {self.masks}".encode())
        for row in self.features:
            found.update(f"{tuple(row.shape)}".encode())
            found.update(row.cpu().contiguous().numpy())
        return found.hexdigest()
