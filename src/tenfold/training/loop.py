"""One training loop for every network of the workbook."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.training import checkpoint as checkpoints
from tenfold.training.data import Data, tensor_of
from tenfold.training.device import autocast, device, kernels, place
from tenfold.training.distributed import join
from tenfold.training.objectives import Objective, accuracy, cross_entropy, predict
from tenfold.training.progress import Progress
from tenfold.training.recipe import Recipe
from tenfold.training.rules import Rule
from tenfold.training.run import Run
from tenfold.training.seeds import checked_seeds

Test = tuple[Tensor, Tensor] | Callable[[Run], Mapping[str, Tensor]]


def fit(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    objective: Objective = cross_entropy,
    rules: Sequence[Rule] = (),
    checkpoint: Path | str | None = None,
    checkpoint_every: int = 10,
    progress: bool | Callable[[list[dict[str, Any]]], None] | None = None,
    test: Test | None = None,
    test_every: int | None = None,
) -> pd.DataFrame:
    """Train a model in place and return its history: one row per epoch and replica.

    Columns epoch (from 1), replica, seed, lr (of the epoch's last step), loss and whatever else the objective logs
    (accuracy), what is tested (test_accuracy), seconds (of the epoch's steps, all replicas together); means are over
    the rows of the epoch. The model comes initialised; a stack of S replicas takes S seeds. A plain module counts as
    one replica.

    objective(run, *batch) -> losses (S,), one per replica, summed for the backward pass. rules: see `Rule`.
    checkpoint: a file, written every so many epochs and at the end; if it is there already, training resumes
    from it with the same bits. progress: called with the records of an epoch; True writes a line on stderr. test:
    (x, y) for the accuracy, or a function run -> {name: (S,)}; measured every `test_every` epochs and at the end.
    Raises InputError for seeds, limits or data that do not fit the stack, and for a checkpoint of another training.
    """
    if checkpoint_every < 1 or (test_every is not None and test_every < 1):
        raise InputError("a checkpoint or a test is due every 1 epoch or more")
    seeds = checked_seeds(seeds, getattr(model, "replicas", 1))
    where = device(recipe.device)
    group = join(where)
    place(model, where, recipe.compile, group.size)
    group.broadcast(model)
    run = Run(model, data.to(where, recipe.channels_last), recipe, seeds, where, group)
    training = _Training(run, objective, list(rules), test, test_every)
    with kernels(where):
        return training.complete(checkpoint and Path(checkpoint), checkpoint_every, _reporter(progress, run))


class _Training:
    """The loop: epochs of steps, with what happens between them."""

    def __init__(self, run: Run, objective: Objective, rules: list[Rule], test: Test | None, test_every: int | None):
        self.run, self.objective, self.rules = run, objective, rules
        self.measure = test if test is None or callable(test) else _accuracy_of(*test, run.device)
        self.test_every = test_every or run.recipe.epochs

    def complete(self, path: Path | None, every: int, report: Callable) -> pd.DataFrame:
        """Train to the last epoch, from the beginning or from the checkpoint."""
        run, history = self.run, []
        self._call("start")
        done, same = 0, checkpoints.identity(run, self.objective, self.rules) if path else {}
        if path and path.exists():
            history = checkpoints.resume(path, run, self.rules, same)
            done = run.epoch
        for epoch in range(done + 1, run.recipe.epochs + 1):
            records = self._epoch(epoch)
            history += records
            if path and run.group.rank == 0 and self._due(every):
                checkpoints.save(path, run, self.rules, history, same)
            report(records)
        self._call("finish")
        history = pd.DataFrame(history)
        return history[[name for name in history if name != "seconds"] + ["seconds"]]

    def _epoch(self, epoch: int) -> list[dict[str, Any]]:
        run, began = self.run, time.perf_counter()
        run.begin_epoch(epoch)
        run.model.train()
        self._call("epoch")
        share = (run.group.rank, run.group.size)
        for batch in run.data.batches(run.seeds, epoch, run.recipe.batch, run.recipe.drop_last, share):
            self._step(batch)
        means = run.means()
        seconds = time.perf_counter() - began
        run.group.average_buffers(run.model)
        return self._records({"loss": means.pop("loss")} | means | self._tested(), seconds)

    def _step(self, batch: tuple[Tensor, ...]) -> None:
        run = self.run
        run.begin_step(batch)
        with autocast(run.device, run.recipe.precision):
            losses = self.objective(run, *batch)
        run.log(loss=losses)
        run.backward(losses)
        self._call("after_backward")
        run.clip()
        run.optimizer.step()
        run.step += 1
        self._call("after_step")

    def _call(self, moment: str) -> None:
        for rule in self.rules:
            getattr(rule, moment)(self.run)

    def _due(self, every: int) -> bool:
        return self.run.epoch % every == 0 or self.run.epoch == self.run.recipe.epochs

    def _tested(self) -> dict[str, list[float]]:
        """Return what is tested in this epoch, and nothing where no test is due."""
        run = self.run
        if self.measure is None or not self._due(self.test_every):
            return {}
        with autocast(run.device, run.recipe.precision):
            return {name: value.tolist() for name, value in self.measure(run).items()}

    def _records(self, values: Mapping[str, list[float]], seconds: float) -> list[dict[str, Any]]:
        run = self.run
        rate = run.optimizer.param_groups[0]["lr"]
        return [
            {"epoch": run.epoch, "replica": i, "seed": seed, "lr": rate}
            | {name: value[i] for name, value in values.items()}
            | {"seconds": seconds}
            for i, seed in enumerate(run.seeds)
        ]


def _accuracy_of(x: Tensor, y: Tensor, where: torch.device) -> Callable[[Run], dict[str, Tensor]]:
    x, y = (tensor_of(part).to(where) for part in (x, y))
    return lambda run: {"test_accuracy": accuracy(predict(run.model, x), y)}


def _reporter(progress: bool | Callable | None, run: Run) -> Callable[[list[dict[str, Any]]], None]:
    """Return what is called after each epoch; only the first process reports."""
    if not progress or run.group.rank:
        return lambda records: None
    return Progress(run.recipe.epochs) if progress is True else progress
