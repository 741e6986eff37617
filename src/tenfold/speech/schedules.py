"""The learning rate of a training: linear warm-up, then a cosine."""

from __future__ import annotations

import math

from tenfold.errors import InputError


def warmup_cosine(step: int, warmup: int, total: int, peak: float = 1.0, end: float = 0.0) -> float:
    """Return the learning rate of a step, 0 ... total: linear to `peak` at step `warmup`, then a cosine.

    r(t) = peak t / w for t < w, else end + (peak - end) (1 + cos(pi (t - w) / (T - w))) / 2. Raises InputError for a
    step outside and a warm-up that is no shorter than the training. The public code mpc001/auto_avsr has peak 1e-3,
    warm-up 5 and total 75 epochs, end 0.
    """
    if not (0 <= step <= total and 0 <= warmup < total):
        raise InputError(f"a schedule needs 0 <= step <= total and 0 <= warmup < total: {step}, {warmup}, {total}")
    if step < warmup:
        return peak * step / warmup
    # r(t) = end + (peak - end) (1 + cos(pi (t - w) / (T - w))) / 2
    return end + (peak - end) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
