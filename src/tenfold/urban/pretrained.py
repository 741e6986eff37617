"""A trained, or untrained, location encoder: embeddings of places, similarity of places and texts, storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from tenfold.errors import InputError
from tenfold.urban.coordinates import checked_points
from tenfold.urban.location import LocationEncoder, location_encoder

HISTORY = ("epoch", "train_loss", "validation_loss", "bound", "floor")
_ROWS = 4096  # activations of these many places stay in the cache of one core


@dataclass
class Pretrained:
    """A location encoder without dropout and gradients, with the text projection it was trained with, if any.

    options: those of `location_encoder`. projection: u = P e + p, log_scale: s (None without texts);
    normalize_text: whether the loss took u/|u|. history: one row per epoch, of which the weights are those with the
    lowest validation loss.
    """

    encoder: LocationEncoder
    options: dict[str, Any]
    projection: nn.Linear | None = None
    log_scale: float | None = None
    normalize_text: bool = False
    history: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(HISTORY), dtype=float))

    def __post_init__(self):
        for module in filter(None, (self.encoder, self.projection)):
            module.eval().requires_grad_(False)

    @property
    def best_epoch(self) -> int:
        """Epoch of the weights, counted from 1; 0 for an untrained encoder."""
        return int(self.history["epoch"][self.history["validation_loss"].idxmin()]) if len(self.history) else 0

    @torch.inference_mode()
    def embed(self, xy: ArrayLike | torch.Tensor) -> NDArray:
        """Return z (N, out) in float32 of coordinates (N, 2), as the encoder gives it: not normalised."""
        blocks = checked_points(xy).split(_ROWS)
        return np.concatenate([self.encoder(block).float().cpu().numpy() for block in blocks])

    def similarity(self, xy: ArrayLike, text_features: ArrayLike) -> NDArray:
        """Return cos(z, u) (N, Q) in float32 of places (N, 2) and text features (Q, E).

        Both are normalised here, whatever the loss did: its logits hold the norm of u. Raises InputError for an
        encoder that was not trained on texts, or features of another width.
        """
        return _unit(self.embed(xy)) @ _unit(self._project(text_features)).T

    def class_probability(self, xy: ArrayLike, text_features: ArrayLike, counts: ArrayLike) -> NDArray:
        """Return P(c|x) = n_c exp A_c(x)/sum_c' n_c' exp A_c'(x), (N, T): what the logits of the loss estimate.

        text_features: (T, E), each text once; counts: n_c (T,), how often each occurs in the training data;
        A_c(x) = exp(s) u_c . z/|z|. Raises InputError as `similarity` does, or for another number of counts.
        """
        texts, counts = self._project(text_features), np.asarray(counts, dtype=float)
        if counts.shape != (len(texts),):
            raise InputError(f"{len(texts)} texts need as many counts, not an array of shape {counts.shape}")
        texts = np.exp(self.log_scale) * (_unit(texts) if self.normalize_text else texts)
        with np.errstate(divide="ignore"):
            logits = _unit(self.embed(xy)) @ texts.T + np.log(counts)
        return torch.from_numpy(logits).softmax(dim=1).numpy()

    def state(self) -> dict[str, Any]:
        """Return all of it as arrays and plain values, for `from_state`."""
        return {
            "options": dict(self.options),
            "encoder": _arrays(self.encoder),
            "projection": _arrays(self.projection) if self.projection else None,
            "log_scale": self.log_scale,
            "normalize_text": self.normalize_text,
            "history": {name: self.history[name].to_numpy() for name in self.history},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Pretrained:
        """Return the model that `state` was taken from; InputError where its weights do not fit its options."""
        projection = None
        if weights := state["projection"]:
            outputs, inputs = weights["weight"].shape
            projection = _filled(nn.Linear(inputs, outputs), weights)
        return cls(
            encoder=_filled(location_encoder(**state["options"]), state["encoder"]),
            options=dict(state["options"]),
            projection=projection,
            log_scale=state["log_scale"],
            normalize_text=state["normalize_text"],
            history=pd.DataFrame(dict(state["history"])),
        )

    def _project(self, text_features: ArrayLike) -> NDArray:
        """Return u = P e + p (Q, out) of text features (Q, E)."""
        if self.projection is None:
            raise InputError("this encoder was not trained on texts: it has no similarity to one")
        features = np.asarray(text_features, dtype=np.float32)
        if features.ndim != 2 or features.shape[1] != self.projection.in_features:
            raise InputError(f"text features must be (Q, {self.projection.in_features}), not {features.shape}")
        weight, bias = (parameter.cpu().numpy() for parameter in self.projection.parameters())
        return features @ weight.T + bias


def _unit(rows: NDArray) -> NDArray:
    """Return rows divided by their norms, a row of zeros as it is."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _arrays(module: nn.Module) -> dict[str, NDArray]:
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def _filled(module: nn.Module, weights: Mapping[str, NDArray]) -> nn.Module:
    """Return the module with these weights, in their own precision."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    try:
        module.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise InputError(f"stored weights do not fit the model: {str(error).splitlines()[-1].strip()}") from error
    return module
