"""When a method changes its masks, and how: the whole run at a glance, before it starts."""

from __future__ import annotations

from typing import NamedTuple

from tenfold.errors import InputError
from tenfold.sparsity.methods import EXPLORE, PRUNE, Method
from tenfold.sparsity.schedules import (
    cosine_drop_fraction,
    cubic_sparsity,
    cycle_lengths,
    cycle_position,
    cyclic_density,
)


class Action(NamedTuple):
    """What happens to the masks at a step: the density afterwards, and by which of three operations.

    `resize`: to new counts per layer; `prune`: by global magnitude; then, for fraction > 0, that fraction moves.
    """

    density: float
    resize: bool = False
    prune: bool = False
    fraction: float = 0.0


def timetable(method: Method, total: int) -> dict[int, Action]:
    """Return what a method does at which of its steps t = 1, ..., T.

    Cycles of density first: at each of their updates the density d(p(t)), at the last exactly d. Then moves of the
    fraction f(t), cosine over T. gmp, granet: sparsity s_f + (s_i - s_f)(1 - x)^3 with x from 0 at the first to 1 at
    the last update inside the window, so that the last lands on d. Raises InputError where the run is too short: no
    update inside the cycles or the window, or cycles longer than the run.
    Source: arXiv 2411.13545, arXiv 2409.09196.
    """
    if total < 1:
        raise InputError(f"a run has at least one step, not {total}")
    if not method.dynamic:
        return {}
    actions = _cycles(method, total) if method.cyclic else {}
    over = sum(lengths(method, total)) if method.cyclic else 0
    moves = [t for t in _due(*method.rhythm, total) if method.name in EXPLORE and over < t <= method.stop * total]
    densities = _pruning(method, total) if method.name in PRUNE else {}
    for t in sorted({*moves, *densities}):
        fraction = cosine_drop_fraction(t, total, *method.drop) if t in moves else 0.0
        actions[t] = Action(_latest(densities, t, method), prune=t in densities, fraction=fraction)
    return actions


def lengths(method: Method, total: int) -> list[int]:
    """Return the lengths in steps of the cycles of a method in a run of T steps."""
    count, first, growth = method.cycles
    return cycle_lengths(count, round(first * total) if first < 1 else int(first), growth)


def _due(interval: int | None, number: int | None, last: int) -> list[int]:
    """Return the multiples of the interval up to the last step, or floor(k last/n) for k = 1, ..., n."""
    if interval is not None:
        return list(range(interval, last + 1, interval))
    return sorted({k * last // number for k in range(1, number + 1)} - {0})


def _cycles(method: Method, total: int) -> dict[int, Action]:
    cycles = lengths(method, total)
    if sum(cycles) > total:
        raise InputError(f"cycles of {sum(cycles)} steps do not fit into a run of {total}")
    steps = _due(*method.cycle_rhythm, sum(cycles))
    if not steps:
        raise InputError(f"no update in cycles of {sum(cycles)} steps: cycle_interval is {method.cycle_interval}")
    d_min, d_max = method.density, min(1.0, method.multiplier * method.density)
    actions = {
        t: Action(cyclic_density(cycle_position(t, cycles), d_min, d_max, method.cycle_shape), resize=True)
        for t in steps
    }
    actions[steps[-1]] = Action(d_min, resize=True)
    return actions


def _pruning(method: Method, total: int) -> dict[int, float]:
    """Return the density after each update inside the window."""
    start, end = (share * total for share in method.window)
    steps = [t for t in _due(*method.rhythm, total) if start <= t <= end]
    if not steps:
        raise InputError(f"no update of {method.name} between the steps {start:g} and {end:g}")
    last = len(steps) - 1
    sparsity = [cubic_sparsity(k, 0, last, 1 - method.initial, 1 - method.density) for k in range(last)]
    return dict(zip(steps, [*(1 - s for s in sparsity), method.density], strict=True))


def _latest(densities: dict[int, float], step: int, method: Method) -> float:
    """Return the density that holds after a step."""
    if method.name not in PRUNE:
        return method.density
    return next((densities[t] for t in sorted(densities, reverse=True) if t <= step), method.first)
