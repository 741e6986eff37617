"""Contrastive pre-training of a location encoder on POI coordinates and the frozen features of their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from tenfold.errors import InputError, unknown
from tenfold.urban.heads import ClassHead, TextHead
from tenfold.urban.location import LocationEncoder, location_encoder
from tenfold.urban.loss import information_floor
from tenfold.urban.pretrained import HISTORY, Pretrained

OBJECTIVES = ("clip", "multipositive", "space2vec")


@dataclass(frozen=True)
class Pretraining:
    """Settings of `pretrain`, by default the published ones.

    batch: most pairs per step; epochs: most epochs; patience: epochs without a lower validation loss that end the
    training, None for none; lr: constant; weight_decay: on matrices only; validation: share of the pairs;
    normalize_text: cosines in place of the official logits; objective: "clip", "multipositive" or "space2vec";
    device: as torch names it. Raises InputError for an impossible value.
    """

    batch: int = 1024
    epochs: int = 100
    patience: int | None = None
    lr: float = 1e-3
    weight_decay: float = 0.01
    validation: float = 0.1
    normalize_text: bool = False
    objective: str = "clip"
    device: str = "cpu"

    def __post_init__(self):
        if self.objective not in OBJECTIVES:
            raise unknown("objective", self.objective, OBJECTIVES)
        if self.batch < 2 or self.epochs < 1 or (self.patience is not None and self.patience < 1):
            raise InputError("pre-training needs batch >= 2, epochs >= 1 and patience >= 1")
        if not (self.lr > 0 and self.weight_decay >= 0 and 0 < self.validation < 1):
            raise InputError("pre-training needs lr > 0, weight_decay >= 0 and 0 < validation < 1")
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"torch has no device '{self.device}' here") from error


def pretrain(
    xy: ArrayLike,
    text_index: ArrayLike,
    features: ArrayLike,
    encoder_options: Mapping[str, Any] | None = None,
    settings: Pretraining | None = None,
    seed: int = 0,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> Pretrained:
    """Train a location encoder against the texts of POIs, and return it with the weights of its best epoch.

    xy: (N, 2), in metres or degrees as the encoding wants; text_index: (N,), the text (or class) of each POI as a row
    of features (T, E), which stay frozen; encoder_options: those of `location_encoder`; progress: called with each
    row of the history. AdamW, a random order of the training rows in each epoch, batches as equal as can be.
    In the history, `bound` is the loss without information and `floor` the least possible one, both averaged
    over the validation batches: ln B and mean ln n_c for "clip" (see `information_floor`), their difference and 0 for
    "multipositive", 2 ln 2 and nan for "space2vec". The same `seed` gives the same bits on one CPU and number of
    threads.
    Raises InputError for shapes that do not fit, an index outside the features, fewer than four rows, or a
    loss that is no longer finite.
    """
    settings, options = settings or Pretraining(), dict(encoder_options or {})
    index, features = _checked_texts(text_index, features)
    # A generator for the weights alone, and the encoder's first: the untrained twin starts from the same ones.
    weights = torch.Generator().manual_seed(seed)
    encoder = location_encoder(**options, generator=weights).to(settings.device)
    encoded = encoder.encode(xy)
    if len(encoded) != len(index) or len(index) < 4:
        raise InputError(f"at least four places with one text each are needed, not {len(encoded)} and {len(index)}")
    head = _head(index, features, encoder.out, settings, weights).to(settings.device)
    history = _train(_Training(encoder, head, encoded, index, settings, seed), settings, progress)
    if not isinstance(head, TextHead):
        return Pretrained(encoder, options, history=history)
    return Pretrained(encoder, options, head.projection, head.log_scale.item(), head.normalize_text, history)


def untrained(encoder_options: Mapping[str, Any] | None = None, seed: int = 0) -> Pretrained:
    """Return the encoder that `pretrain` starts from with this seed: the control for what training adds."""
    options = dict(encoder_options or {})
    return Pretrained(location_encoder(**options, generator=torch.Generator().manual_seed(seed)), options)


def parameter_groups(modules: Iterable[nn.Module], weight_decay: float) -> list[dict[str, Any]]:
    """Return the groups of the optimiser: decay on matrices, none on biases and the temperature."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


class _Training:
    """One training: what is trained on what, and a source of random numbers for each purpose."""

    def __init__(
        self,
        encoder: LocationEncoder,
        head: nn.Module,
        encoded: torch.Tensor,
        index: NDArray,
        settings: Pretraining,
        seed: int,
    ):
        self.modules = nn.ModuleDict({"encoder": encoder, "head": head})
        self.encoded, self.index = encoded, torch.as_tensor(index, device=encoded.device)
        self.batch = settings.batch
        self.order = np.random.default_rng([seed, 1])
        self.dropout = torch.Generator(encoded.device).manual_seed(int(self.order.integers(2**62)))
        groups = parameter_groups((encoder, head), settings.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=settings.lr, fused=True)
        rows = self.order.permutation(len(index))
        held = min(max(2, round(settings.validation * len(index))), len(index) - 2)
        self.training, self.validation = rows[held:], self._batches(rows[:held])
        self.limits = [self._average(values, self.validation) for values in self._limits(settings.objective, index)]

    def epoch(self) -> float:
        """Take one step per batch of the training rows in a new order; return the mean loss in nats."""
        self.modules.train()
        batches = self._batches(self.order.permutation(self.training))
        losses = []
        for rows in batches:
            loss = self._loss(rows, self.dropout)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return float(self._average(torch.stack(losses).cpu().numpy(), batches))

    @torch.inference_mode()
    def validate(self) -> float:
        """Return the mean loss over the validation rows; negatives of Space2Vec are the same in every epoch."""
        self.modules.eval()
        generator = torch.Generator(self.encoded.device).manual_seed(0)
        losses = [self._loss(rows, generator).item() for rows in self.validation]
        return float(self._average(losses, self.validation))

    def weights(self) -> dict[str, torch.Tensor]:
        """Return a copy of all weights."""
        return {name: value.clone() for name, value in self.modules.state_dict().items()}

    def _loss(self, rows: NDArray, generator: torch.Generator) -> torch.Tensor:
        rows = torch.from_numpy(rows).to(self.encoded.device)
        location = self.modules["encoder"].from_encoding(self.encoded[rows], generator)
        return self.modules["head"](location, self.index[rows], generator)

    def _batches(self, rows: NDArray) -> list[NDArray]:
        # Equal sizes: ln B, and with it the loss, would fall in a short last batch.
        return np.array_split(rows, -(-len(rows) // self.batch))

    def _limits(self, objective: str, index: NDArray) -> tuple[list[float], list[float]]:
        """Return the loss without information and the least possible one, for each validation batch."""
        bound = [float(np.log(len(rows))) for rows in self.validation]
        floor = [information_floor(index[rows]) for rows in self.validation]
        if objective == "clip":
            return bound, floor
        if objective == "multipositive":
            return list(np.subtract(bound, floor)), [0.0] * len(floor)
        return [2 * np.log(2)] * len(bound), [np.nan] * len(floor)

    @staticmethod
    def _average(values: ArrayLike, batches: list[NDArray]) -> NDArray:
        return np.average(values, axis=0, weights=[len(rows) for rows in batches])


def _train(
    training: _Training, settings: Pretraining, progress: Callable[[dict[str, float]], None] | None
) -> pd.DataFrame:
    """Train until the last epoch or out of patience, put the best weights back, return the history."""
    history, best = [], (np.inf, 0, {})
    for epoch in range(1, settings.epochs + 1):
        values = (epoch, training.epoch(), training.validate(), *map(float, training.limits))
        if not np.isfinite(values[1:3]).all():
            raise InputError(f"the loss is no longer finite in epoch {epoch}: a smaller lr is needed")
        history.append(dict(zip(HISTORY, values, strict=True)))
        if progress:
            progress(history[-1])
        if values[2] < best[0]:
            best = values[2], epoch, training.weights()
        if settings.patience and epoch - best[1] >= settings.patience:
            break
    training.modules.load_state_dict(best[2])
    return pd.DataFrame(history)


def _checked_texts(text_index: ArrayLike, features: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return the index (N,) as int64 and the features (T, E) as float32; InputError where they do not fit."""
    index, features = np.asarray(text_index), np.array(features, dtype=np.float32)
    if features.ndim != 2 or not np.isfinite(features).all():
        raise InputError("text features must be a finite array (T, E)")
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise InputError(f"the index of texts must be integers (N,), not {index.dtype} {index.shape}")
    if len(index) and not 0 <= index.min() <= index.max() < len(features):
        raise InputError(f"the index of texts reaches from {index.min()} to {index.max()}: texts are {len(features)}")
    return index.astype(np.int64), features


def _head(
    index: NDArray, features: NDArray, out: int, settings: Pretraining, generator: torch.Generator
) -> TextHead | ClassHead:
    if settings.objective == "space2vec":
        return ClassHead(torch.from_numpy(index), len(features), out, generator=generator)
    tensor = torch.from_numpy(features)
    return TextHead(tensor, out, settings.objective, settings.normalize_text, generator)
