"""A training in progress, as its objective and its rules see it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.training.data import Data
from tenfold.training.distributed import Group
from tenfold.training.gradients import clip, norms
from tenfold.training.recipe import Recipe
from tenfold.training.seeds import generator


class Run:
    """A training: what is trained on what, how far it is, and the last batch.

    model, optimizer, recipe, data, device, group (the processes), seeds (one per replica), replicas (S), epoch (from
    1), step (steps taken so far), steps_per_epoch, total_steps, batch (tensors of the last step, this process's share),
    generators (S of them on the device, anew in each epoch, for objectives that draw random numbers).
    """

    def __init__(
        self, model: nn.Module, data: Data, recipe: Recipe, seeds: Sequence[int], device: torch.device, group: Group
    ):
        self.model, self.data, self.recipe, self.device, self.group = model, data, recipe, device, group
        self.seeds, self.replicas = list(seeds), len(seeds)
        self.optimizer = recipe.build(model)
        self.steps_per_epoch = data.steps(recipe.batch, recipe.drop_last, group.size)
        self.total_steps = recipe.epochs * self.steps_per_epoch
        self.epoch, self.step = 1, 0
        self.batch: tuple[Tensor, ...] = ()
        self.generators: list[torch.Generator] = []
        limits = recipe.limits(self.replicas)
        self._limits = None if limits is None else torch.tensor(limits, device=device)
        self._norms: Tensor | None = None
        self._rows = self._seen = 0
        self._sums: dict[str, Tensor] = {}

    @property
    def grad_norms(self) -> Tensor:
        """Norm (S,) of each replica's gradient in the last step, before clipping; computed when asked for."""
        if self._norms is None:
            self._norms = norms(self.model.parameters(), self.replicas)
        return self._norms

    def log(self, **values: Tensor) -> None:
        """Add values (S,), means over this batch's rows, to the epoch's means; they stay on the device."""
        for name, value in values.items():
            if name not in self._sums:
                self._sums[name] = torch.zeros(self.replicas, dtype=torch.float64, device=self.device)
            self._sums[name].add_(value.detach(), alpha=self._rows)

    def begin_epoch(self, epoch: int) -> None:
        """Count the epoch, renew its generators, and forget the means of the last one."""
        self.epoch = epoch
        self._sums.clear()
        self._seen = 0
        self.generators = [generator(seed, epoch, "objective", self.device, self.group.rank) for seed in self.seeds]

    def begin_step(self, batch: tuple[Tensor, ...]) -> None:
        """Take up a batch: no gradients yet, and this step's learning rate."""
        self.batch, self._rows, self._norms = batch, batch[0].shape[1], None
        self._seen += self._rows
        rate = self.recipe.rate(self.step, self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)

    def backward(self, losses: Tensor) -> None:
        """Put the gradient of the sum of losses (S,), means over the rows of all processes, into the parameters."""
        if losses.shape != (self.replicas,):
            raise InputError(f"an objective returns {self.replicas} losses, one per replica, not {tuple(losses.shape)}")
        losses.sum().backward()
        self.group.average_gradients(self.model.parameters(), self._rows)

    def clip(self) -> None:
        """Scale the gradient of each replica whose norm exceeds its limit down to it."""
        if self._limits is not None:
            # Found anew, since a rule may have changed the gradients after another one asked.
            self._norms = norms(self.model.parameters(), self.replicas)
            clip(self.model.parameters(), self._norms, self._limits)

    def means(self) -> dict[str, list[float]]:
        """Return what was logged in this epoch as one mean per replica; the one place that waits for the device."""
        counts = [torch.tensor(self._seen, dtype=torch.float64, device=self.device)]
        *sums, seen = self.group.summed([*self._sums.values(), *counts])
        return {name: (value / seen).tolist() for name, value in zip(self._sums, sums, strict=True)}
