"""Schedules of sparse training: numbers of a step or an epoch, in plain floats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tenfold.errors import InputError, unknown

SHAPES = ("cosine", "triangular")


def cosine_drop_fraction(step: float, total: float, start: float = 0.5, end: float = 0.005) -> float:
    """Return the drop fraction f(t) = f_T + (f_0 - f_T)(1 + cos(pi t/T))/2, held at f_T after T.

    Raises InputError for a total that is not positive. Source: arXiv 2411.13545.
    """
    if total <= 0:
        raise InputError(f"a cosine schedule runs over a positive number of steps, not {total}")
    x = min(max(step / total, 0.0), 1.0)
    return end + (start - end) * (1 + math.cos(math.pi * x)) / 2


def cubic_sparsity(step: float, start: float, end: float, initial: float, final: float) -> float:
    """Return the sparsity s(t) = s_f + (s_i - s_f)(1 - (t - t0)/(t1 - t0))^3, held at both ends.

    With t1 = t0 it jumps to s_f at t0. Raises InputError for t1 < t0.
    Source: GMP (arXiv 1710.01878), as used in arXiv 2409.09196.
    """
    if end < start:
        raise InputError(f"a cubic schedule cannot end ({end}) before it starts ({start})")
    if step >= end:
        return final
    return initial if step <= start else final + (initial - final) * (1 - (step - start) / (end - start)) ** 3


def cyclic_density(position: float, d_min: float, d_max: float, shape: str = "cosine") -> float:
    """Return the density at position p in [0, 1] of a cycle, d_min at both ends and d_max in the middle.

    cosine:     d(p) = d_min + (d_max - d_min)(1 - cos 2 pi p)/2
    triangular: d(p) = d_min + (d_max - d_min) min(2p, 2(1 - p))

    Raises InputError for a position outside [0, 1], d_max < d_min and an unknown shape. Source: arXiv 2411.13545.
    """
    if not 0 <= position <= 1:
        raise InputError(f"a position in a cycle is in [0, 1], not {position}")
    if d_max < d_min:
        raise InputError(f"the largest density {d_max} of a cycle is below its smallest {d_min}")
    if shape not in SHAPES:
        raise unknown("shape of a cycle", shape, SHAPES)
    rise = (1 - math.cos(2 * math.pi * position)) / 2 if shape == "cosine" else min(2 * position, 2 * (1 - position))
    return d_min + (d_max - d_min) * rise


def cycle_lengths(count: int, first: int, growth: float = 1.0) -> list[int]:
    """Return the lengths in steps of the cycles, round(first growth^i).

    Raises InputError unless there is at least one cycle, of at least one step. Source: arXiv 2411.13545.
    """
    lengths = [round(first * growth**i) for i in range(count)]
    if not lengths or min(lengths) < 1:
        raise InputError(f"cycles need a count and a length of at least 1, not {count} of {first} steps x {growth}^i")
    return lengths


def cycle_position(step: int, lengths: Sequence[int]) -> float:
    """Return where step t = 1, 2, ... lies in its cycle: p = (steps into the cycle - 1)/length, in [0, 1).

    1.0, where the density is back at its minimum, once the last cycle is over. Raises InputError for t < 1.
    Source: arXiv 2411.13545.
    """
    if step < 1:
        raise InputError(f"steps count from 1, not {step}")
    for length in lengths:
        if step <= length:
            return (step - 1) / length
        step -= length
    return 1.0


def phase_beta(epoch: float, start: float, end: float) -> float:
    """Return the share beta of a dynamic activation in an epoch counted from 1.

    beta = 1 before s, 1 - (epoch - s)/(e - s) for s <= epoch <= e, 0 after. With e = s it falls to 0 at s.
    Raises InputError for e < s. Source: arXiv 2411.13545.
    """
    if end < start:
        raise InputError(f"phasing cannot end ({end}) before it starts ({start})")
    if epoch >= end:
        return 0.0
    return 1.0 if epoch < start else 1 - (epoch - start) / (end - start)
