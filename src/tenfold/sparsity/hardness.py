"""Hardness of samples (EL2N), and the subsets of a training set that it or chance selects."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tenfold.errors import InputError


def el2n(logits: ArrayLike | Tensor, targets: ArrayLike | Tensor, squared: bool = False) -> Tensor:
    """Return the EL2N score (N,) of each sample: the length of the error of its predicted probabilities.

    EL2N(x, y) = E || softmax f(x) - onehot(y) ||_2, in [0, sqrt 2); `squared` leaves the root out, in [0, 2): the
    order of samples is the same for one model, but not for the mean over several.

    logits: (N, C) of one model or (M, N, C), the mean over M models; targets: (N,) class numbers. Float64. Raises
    InputError for other shapes, logits that are not finite, or classes beyond C. arXiv 2409.09196, section 3.1.
    """
    logits, targets = torch.as_tensor(logits).double(), torch.as_tensor(targets).long()
    if logits.ndim not in (2, 3) or targets.shape != logits.shape[-2:-1] or len(targets) == 0:
        raise InputError(
            f"EL2N needs logits (N, C) or (M, N, C) and targets (N,), not {(*logits.shape,)} and {(*targets.shape,)}"
        )
    if not logits.isfinite().all():
        raise InputError("EL2N: the logits are not all finite")
    classes = logits.shape[-1]
    if targets.min() < 0 or targets.max() >= classes:
        raise InputError(f"EL2N: a target is no class number from 0 to {classes - 1}")
    error = torch.softmax(logits, -1) - torch.nn.functional.one_hot(targets, classes).to(logits)
    scores = error.square().sum(-1)
    scores = scores if squared else scores.sqrt()
    return scores.mean(0) if scores.ndim == 2 else scores


def hard_subset(scores: ArrayLike | Tensor, ratio: float) -> NDArray[np.int64]:
    """Return the indices (int(N ratio),) of the largest scores, in decreasing order, ties by index.

    The subset of a smaller ratio is the beginning of that of a larger one. Raises InputError for a ratio outside
    (0, 1] or one that keeps nothing, and for scores that are not one row of numbers. arXiv 2409.09196, section 3.1.
    """
    scores = _row(scores)
    return torch.argsort(scores, descending=True, stable=True)[: _count(len(scores), ratio)].numpy()


def easy_subset(scores: ArrayLike | Tensor, ratio: float) -> NDArray[np.int64]:
    """Return the indices (int(N ratio),) of the smallest scores, in increasing order; otherwise as `hard_subset`."""
    scores = _row(scores)
    return torch.argsort(scores, stable=True)[: _count(len(scores), ratio)].numpy()


def random_subset(n: int, ratio: float, seed: int = 12345) -> NDArray[np.int64]:
    """Return int(n ratio) of the indices 0..n-1, drawn without replacement in the order of the official code.

    RandomState(seed).choice(n, int(n ratio), replace=False): with the default seed every method and every run gets
    the same subset. Raises InputError as `hard_subset`. arXiv 2409.09196, section 3.2.
    """
    count = _count(n, ratio)
    return np.random.RandomState(seed).choice(n, count, replace=False).astype(np.int64)


def balanced_subset(scores: ArrayLike | Tensor, labels: ArrayLike | Tensor, ratio: float) -> NDArray[np.int64]:
    """Return the indices (int(N ratio),) of each class's largest scores, classes in their original proportions.

    The sample with r larger scores in its own class of n_c has the key (r + 1/2) / n_c, and the smallest keys are
    kept (the seats of Sainte-Lague), so that subsets are nested in the ratio. Order: decreasing score, ties by
    index. Raises InputError as `hard_subset`, and where labels (N,) do not fit.
    """
    scores, labels = _row(scores), torch.as_tensor(labels).cpu()
    if labels.shape != scores.shape:
        raise InputError(f"{len(scores)} scores need as many labels, not {(*labels.shape,)}")
    count = _count(len(scores), ratio)
    order = torch.argsort(scores, descending=True, stable=True)
    key = torch.empty(len(scores), dtype=torch.float64)
    for label in labels.unique():
        members = labels[order] == label
        size = int(members.sum())
        key[members] = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    return order[torch.argsort(key, stable=True)[:count].sort().values].numpy()


def _row(scores: ArrayLike | Tensor) -> Tensor:
    scores = torch.as_tensor(scores).detach().cpu()
    if scores.ndim != 1 or len(scores) == 0 or scores.isnan().any():
        raise InputError("scores must be one row (N,) of numbers, without NaN")
    return scores


def _count(n: int, ratio: float) -> int:
    if not 0 < ratio <= 1:
        raise InputError(f"the data ratio must be in (0, 1], not {ratio}")
    if int(n * ratio) == 0:
        raise InputError(f"ratio {ratio} of {n} samples keeps none")
    return int(n * ratio)
