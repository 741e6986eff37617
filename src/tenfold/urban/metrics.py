"""How well predicted distributions and classes meet the observed ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr

from tenfold.errors import InputError

TOLERANCE = 1e-3  # of a row's sum: lets half precision pass, refuses logits and counts


def distribution_metrics(target: ArrayLike, predicted: ArrayLike) -> dict[str, float]:
    """Return mean L1, Chebyshev and Kullback-Leibler distances of predicted from observed shares, both (N, K).

    Per row L1 = sum_k |p_k - y_k|, Chebyshev = max_k |p_k - y_k|, KL = sum_k y_k ln(y_k / p_k) in nats, with
    0 ln 0 = 0; a zero predicted where y_k > 0 gives inf. KL >= L1^2 / 2 and Chebyshev <= L1 / 2.
    Raises InputError for shapes that differ, no rows, NaN, negative shares, or rows that do not sum to one.
    """
    y, p = _shares("target", target), _shares("predicted", predicted)
    if y.shape != p.shape:
        raise InputError(f"predicted {p.shape} and target {y.shape} differ in shape")
    gap = np.abs(p - y)
    kl = rel_entr(y, p).sum(axis=1)
    return {"l1": float(gap.sum(axis=1).mean()), "chebyshev": float(gap.max(axis=1).mean()), "kl": float(kl.mean())}


def classification_metrics(target: ArrayLike, predicted: ArrayLike, classes: Sequence) -> dict[str, float]:
    """Return accuracy and macro precision, recall and F1 of predicted labels (N,).

    The macro mean runs over those of `classes` that occur among the observed or the predicted labels, as in
    scikit-learn; there, a ratio without cases counts as zero. A class that occurs in neither has no F1 at all.
    Raises InputError for lengths that differ, no rows, or a label outside `classes`.
    """
    from sklearn.metrics import precision_recall_fscore_support

    target, predicted = np.asarray(target), np.asarray(predicted)
    if target.ndim != 1 or target.shape != predicted.shape or target.size == 0:
        raise InputError(f"labels must be two equally long rows, not {target.shape} and {predicted.shape}")
    present = np.union1d(target, predicted)
    if strange := sorted(set(present.tolist()) - set(np.asarray(classes).tolist())):
        raise InputError(f"label '{strange[0]}' is none of the {len(classes)} classes")
    precision, recall, f1, _ = precision_recall_fscore_support(
        target, predicted, labels=present, average="macro", zero_division=0
    )
    accuracy = float(np.mean(target == predicted))
    return {"accuracy": accuracy, "precision": float(precision), "recall": float(recall), "f1": float(f1)}


def _shares(name: str, values: ArrayLike) -> NDArray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise InputError(f"{name} shares must be rows (N, K), not {values.shape}")
    # Written so that NaN fails it too.
    fine = (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= TOLERANCE)
    if not fine.all():
        raise InputError(f"row {int(np.argmin(fine))} of the {name} shares is no distribution")
    return values
