"""What is minimised and measured in classification."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.errors import InputError
from tenfold.training.data import scaled, tensor_of

if TYPE_CHECKING:
    from tenfold.training.run import Run

Objective = Callable[..., Tensor]


def forward(model: nn.Module, x: Tensor) -> Tensor:
    """Return the logits (S, B, K), at least in float32, of x (S, B, ...); a plain module is given x[0]."""
    logits = model(x) if hasattr(model, "replicas") else model(x[0])[None]
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def cross_entropy(run: Run, x: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross entropy (S,) of each replica in nats, and log its accuracy.

    L_s = -1/B sum_b log softmax(z_sb)[y_sb], z = model(x) (S, B, K), y (S, B).
    """
    logits = forward(run.model, x)
    run.log(accuracy=accuracy(logits.detach(), y))
    settings = {"reduction": "none", "label_smoothing": label_smoothing}
    losses = functional.cross_entropy(logits.flatten(0, 1), y.flatten().long(), **settings)
    return losses.view(y.shape).mean(dim=1)


def smoothed(label_smoothing: float) -> Objective:
    """Return the cross entropy against (1-a) onehot(y) + a/K, with a = label_smoothing in [0, 1)."""
    if not 0 <= label_smoothing < 1:
        raise InputError(f"label smoothing lies in [0, 1), not {label_smoothing}")
    return partial(cross_entropy, label_smoothing=label_smoothing)


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Return the share (S,) of rows whose largest logit (S, N, K) is that of y (N,) or (S, N)."""
    return (logits.argmax(dim=-1) == y.to(logits.device)).float().mean(dim=-1)


@torch.no_grad()
def predict(model: nn.Module, x: Tensor, batch: int = 1024) -> Tensor:
    """Return the logits (S, N, K) in evaluation mode of rows x (N, ...), the same for all replicas.

    uint8 is scaled to [0, 1]; the model's mode is as before afterwards. Raises InputError where there is no row.
    """
    x = tensor_of(x)
    if len(x) == 0 or batch < 1:
        raise InputError(f"a prediction needs at least one row and a batch, not {len(x)} and {batch}")
    where, replicas, training = next(model.parameters()).device, getattr(model, "replicas", 1), model.training
    model.eval()
    parts = []
    for part in x.split(batch):
        part = scaled(part.to(where))
        parts.append(forward(model, part.expand(replicas, *part.shape)))
    model.train(training)
    return torch.cat(parts, dim=1)
