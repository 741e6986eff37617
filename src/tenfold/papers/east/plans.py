"""Plans: who is trained, with which of EAST's parts, how sparse, and from which seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from tenfold.papers.east.parameters import Parameters

# How methods are written, in the order of tables and legends.
LABELS = {
    "dense": "dense",
    "static": "static (random ERK)",
    "uniform": "static (uniform)",
    "set": "SET",
    "snip": "SNIP",
    "grasp": "GraSP",
    "synflow": "SynFlow",
    "gmp": "GMP",
    "granet": "GraNet",
    "rigl": "RigL",
    "east": "EAST",
}
PARTS = ("dyrelu", "share", "cyclic")
PART_LABELS = {"dyrelu": "DyReLU", "share": "sharing", "cyclic": "cycles"}


@dataclass(frozen=True)
class Plan:
    """One network to train; `row` names the comparison that it belongs to, parts are EAST's."""

    method: str
    sparsity: float
    seed: int
    dyrelu: bool = False
    share: bool = False
    cyclic: bool = False
    clipped: bool = True
    allocation: str = "erk"

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of EAST that are switched on."""
        return tuple(part for part in PARTS if getattr(self, part))

    @property
    def row(self) -> str:
        """The row of the table of runs: the method, with what is added to it or taken away."""
        base = {("rigl", PARTS): "east", ("set", PARTS): "set+parts"}.get(
            (self.method, self.parts), "+".join((self.method, *self.parts))
        )
        return base + ("" if self.clipped else "-unclipped") + ("" if self.allocation == "erk" else "-floor")

    def record(self) -> dict[str, Any]:
        """Return plain values: arguments of a cached call, columns of a table."""
        return asdict(self)


ALL = dict.fromkeys(PARTS, True)


def grid(p: Parameters) -> list[Plan]:
    """Return every network of the notebook, each once.

    Dense; RigL and EAST at every sparsity; the baselines at theirs; at the sparsity of the ablation the eight
    combinations of EAST's parts, SET with all parts, and RigL and EAST without clipping; at the highest
    sparsity EAST with the one-pass allocation that has an absolute floor.
    """
    seeds = [p.seed + number for number in range(p.replicates)]
    at = p.ablation_sparsity
    plans = [Plan("dense", 0.0, seed) for seed in seeds]
    plans += [Plan(name, s, seed) for name, s, seed in product(p.baselines, p.baseline_sparsities, seeds)]
    plans += [Plan("rigl", s, seed, **parts) for parts, s, seed in product(({}, ALL), p.sparsities, seeds)]
    for chosen in product((False, True), repeat=3):
        plans += [Plan("rigl", at, seed, *chosen) for seed in seeds]
    plans += [Plan("set", at, seed, **parts) for parts, seed in product(({}, ALL), seeds)]
    plans += [Plan("rigl", at, seed, **parts, clipped=False) for parts, seed in product(({}, ALL), seeds)]
    plans += [Plan("rigl", p.sparsities[-1], seed, **ALL, allocation="east-floor") for seed in seeds]
    return list(dict.fromkeys(plans))


def stacks(plans: list[Plan], size: int) -> list[list[Plan]]:
    """Return the plans in stacks of at most `size` networks of one architecture, as equal as can be.

    The costliest first (DyReLU), so that no core waits for them at the end.
    """
    kinds: dict[tuple[bool, bool], list[Plan]] = {}
    for plan in sorted(plans, key=lambda plan: (not plan.dyrelu, not plan.share)):
        kinds.setdefault((plan.dyrelu, plan.share), []).append(plan)
    return [stack for kind in kinds.values() for stack in _cut(kind, size)]


def _cut(plans: list[Plan], size: int) -> list[list[Plan]]:
    parts = np.array_split(np.arange(len(plans)), -(-len(plans) // size))
    return [[plans[place] for place in part] for part in parts]
