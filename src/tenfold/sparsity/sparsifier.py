"""The rule that keeps the networks of a stack sparse while they train, each by its own method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.nets import SharedConv, prunable
from tenfold.sparsity import changes
from tenfold.sparsity.erk import allocate
from tenfold.sparsity.masks import BudgetError, Masks, whole_sum
from tenfold.sparsity.methods import Method
from tenfold.sparsity.starts import Starts, State
from tenfold.sparsity.timetable import Action, timetable
from tenfold.training import Rule, Run

PURPOSE = 0x6D61736B  # tells the random choices of masks from other uses of the same seed
COLUMNS = ("step", "replica", "target_density", "density", "learnable", "effective", "grown", "dropped")


class Sparsifier(Rule):
    """Masks a stack by one method per replica, and changes the masks when they are due.

    After each step weights and the optimizer's memories are multiplied by the masks; where an update is due it
    follows, and they are masked again. Random choices follow from the replica's seed and the step alone, so that a
    replica has the same masks in every stack. `batch`, `pretrained`: see `Starts`; of the methods that need a trained
    network "omp" and "omp-erk" also start from its weights. `strict`: audit budgets and zeros after every step, not
    only at the end. Raises InputError unless there is one method per replica; BudgetError from the audit.
    Source: arXiv 2411.13545, arXiv 2409.09196.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        batch: tuple[Tensor, Tensor] | None = None,
        pretrained: Sequence[State | None] | None = None,
        strict: bool = False,
    ):
        self.methods, self.batch, self.pretrained, self.strict = list(methods), batch, pretrained, strict

    def start(self, run: Run) -> None:
        """Draw or compute the first masks and apply them."""
        self.masks, self.seeds = Masks(run.model), run.seeds
        starts = Starts(run.model, self.masks, self.methods, self.batch, self.pretrained)
        self.tables = [timetable(method, run.total_steps) for method in self.methods]
        for i, table in enumerate(self.tables):
            if any(action.prune and self._kept(i, action.density) < 1 for action in table.values()):
                raise InputError(f"{self.methods[i].name} at density {self.methods[i].density} keeps no weight")
            self.masks.set(i, starts.masks_of(i, self._generator(i, 0)))
        for i, method in enumerate(self.methods):
            if method.name in ("omp", "omp-erk"):
                starts.load(i)
        self.masks.apply()
        self.first, self.budget = self.masks.counts(), self.masks.counts()
        self._uses = torch.tensor(uses(run.model))
        self._ever = [mask.clone() for mask in self.masks.values.values()]
        self._rows: list[list[float]] = []
        begun = {i: Action(method.first) for i, method in enumerate(self.methods)}
        self._record(0, begun, torch.zeros(run.replicas, 2, dtype=torch.int64))

    def after_step(self, run: Run) -> None:
        """Mask, update what is due, and mask again."""
        self.masks.apply(run.optimizer)
        due = {i: table[run.step] for i, table in enumerate(self.tables) if run.step in table}
        if due:
            self._update(run.step, due)
            self.masks.apply(run.optimizer)
        if self.strict:
            self.masks.audit(self.budget, run.optimizer)

    def finish(self, run: Run) -> None:
        """Audit the budgets and the zeros."""
        self.masks.audit(self.budget, run.optimizer)

    @property
    def trace(self) -> pd.DataFrame:
        """One row for the start and for each update of a replica, densities as they are after it.

        Columns step, replica, target_density and density (of the weights a network owns), learnable and effective
        (active weights, counted once and once per use, over all uses), grown and dropped (positions that differ).
        """
        return pd.DataFrame(self._rows, columns=COLUMNS).astype(dict.fromkeys(COLUMNS[:2] + COLUMNS[-2:], int))

    def ever_active(self) -> Tensor:
        """Return the share (S,) of its prunable weights that each replica has had active so far (ITOP rate)."""
        found = sum(whole_sum(self.masks.split(ever).flatten(1)) for ever in self._ever)
        return found.cpu().double() / sum(self.masks.sizes)

    def layer_counts(self) -> pd.DataFrame:
        """Return the active weights of each layer, at the start and now: replica, layer, weights, start, end."""
        table = zip(self.first.tolist(), self.budget.tolist(), strict=True)
        rows = [
            (number, *layer)
            for number, (first, last) in enumerate(table)
            for layer in zip(self.masks.names, self.masks.sizes, first, last, strict=True)
        ]
        return pd.DataFrame(rows, columns=["replica", "layer", "weights", "start", "end"])

    def state_dict(self) -> dict[str, Any]:
        """Return masks, counts, trace and methods."""
        return {
            "methods": [asdict(method) for method in self.methods],
            "masks": list(self.masks.values.values()),
            "ever": self._ever,
            "first": self.first,
            "budget": self.budget,
            "trace": self._rows,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the state of `state_dict`; raises InputError where it is of other methods."""
        if state["methods"] != [asdict(method) for method in self.methods]:
            raise InputError("the checkpoint belongs to a training by other methods, or with other settings")
        for own, stored in zip([*self.masks.values.values(), *self._ever], state["masks"] + state["ever"], strict=True):
            own.copy_(stored)
        self.first, self.budget, self._rows = state["first"], state["budget"], list(state["trace"])

    def _generator(self, number: int, step: int) -> torch.Generator:
        """Return the generator of a replica's choices at a step; on the CPU, so that devices agree."""
        state = np.random.SeedSequence([self.seeds[number], step, PURPOSE]).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(state >> np.uint64(1)))

    def _update(self, step: int, due: dict[int, Action]) -> None:
        """Prune, resize and move, in this order, those replicas for which it is due."""
        before = [mask.clone() for mask in self.masks.values.values()]
        draws = {i: self._generator(i, step) for i in due}
        if kept := {i: self._kept(i, action.density) for i, action in due.items() if action.prune}:
            changes.prune(self.masks, kept)
            self._rebudget(kept)
        if counts := {i: self._allocated(i, action.density) for i, action in due.items() if action.resize}:
            random = {i: draws[i] for i in counts if self.methods[i].name == "set"}
            changes.resize(self.masks, counts, random)
            self.budget[list(counts)] = torch.tensor(list(counts.values()))
        for kind, fractions in self._groups(due).items():
            mover = changes.shuffle if kind[0] == "set" else changes.move
            mover(self.masks, self.budget, fractions, kind[1], draws)
        torch._foreach_maximum_(self._ever, list(self.masks.values.values()))
        self._record(step, due, self._changed(before))

    def _kept(self, number: int, density: float) -> int:
        """Return how many weights pruning leaves: int(d N), one less if off by one."""
        return int(density * sum(self.masks.sizes)) - (self.methods[number].off_by_one and density < 1)

    def _allocated(self, number: int, density: float) -> list[int]:
        method = self.methods[number]
        return allocate(self.masks.shapes, density, method.allocation, method.floor)

    def _groups(self, due: dict[int, Action]) -> dict[tuple[str, str], dict[int, float]]:
        """Return the drop fractions of the replicas whose weights move, by the way they do."""
        groups: dict[tuple[str, str], dict[int, float]] = {}
        for i, action in due.items():
            if action.fraction > 0:
                kind = ("set" if self.methods[i].name == "set" else "rigl", self.methods[i].rule)
                groups.setdefault(kind, {})[i] = action.fraction
        return groups

    def _rebudget(self, kept: dict[int, int]) -> None:
        """Take the counts that pruning left as the new budget, if their sum is as it should be."""
        found = self.masks.counts()
        for i, count in kept.items():
            if found[i].sum() != count:
                raise BudgetError(f"replica {i}: pruning left {int(found[i].sum())} weights, not {count}")
            self.budget[i] = found[i]

    def _changed(self, before: list[Tensor]) -> Tensor:
        """Return how many positions came and went (S, 2)."""
        steps = torch._foreach_sub(list(self.masks.values.values()), before)
        rows = torch.cat([self.masks.split(step).flatten(1) for step in steps], 1)
        balance, moves = whole_sum(rows), whole_sum(rows.abs())
        return torch.stack([moves + balance, moves - balance], 1) // 2

    def _record(self, step: int, due: dict[int, Action], changed: Tensor) -> None:
        counts, sizes = self.masks.counts(), torch.tensor(self.masks.sizes)
        total = float((sizes * self._uses).sum())
        active, used = counts.sum(1).tolist(), (counts * self._uses).sum(1).tolist()
        for i, action in due.items():
            shares = (active[i] / sum(self.masks.sizes), active[i] / total, used[i] / total)
            self._rows.append([step, i, action.density, *shares, *changed[i].tolist()])


def uses(model: nn.Module) -> list[int]:
    """Return how often a forward pass uses each prunable tensor: once, and once more for each shared use."""
    shared = Counter(id(module.owner.weight) for module in model.modules() if isinstance(module, SharedConv))
    return [1 + shared[id(weight)] for weight in prunable(model).values()]
