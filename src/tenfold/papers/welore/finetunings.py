"""The jobs of fine-tuning: a compressed model is trained further, in parts or as a whole."""

from __future__ import annotations

import copy
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from tenfold.language.llama import LINEARS
from tenfold.language.lora import attach
from tenfold.language.pretraining import next_token
from tenfold.language.tasks import choice_accuracy, score
from tenfold.lowrank import GaLore, compress, held_bytes, merge, train_only
from tenfold.papers.welore import costs
from tenfold.papers.welore.bench import Bench, mean_loss
from tenfold.papers.welore.plans import TUNINGS
from tenfold.training import Recipe, Rule, Run, fit

EPOCHS, TESTED = 20, 5
"""A history has so many rows; of a small model every fifth of them is tested."""
WARMUP, LAST = 0.05, 0.1
"""Share of the steps that warms up, and the last rate as a share of the peak, as published."""
ALPHA = 2.0
"""alpha / r of the adapters."""
ROOM = 32
"""Tokens of an answer of a small model."""


class Weighed(Rule):
    """Tells how many bytes an optimiser keeps in the end."""

    found = 0

    def finish(self, run: Run) -> None:
        """Weigh what is kept."""
        self.found = held_bytes(run.optimizer)


def start(bench: Bench, err: float) -> nn.Module:
    """Return the model to tune: compressed by the LRC rule, or the dense one at an ERR of 0."""
    return compress(bench.dense, err, "lrc", decomposition=bench.held()) if err else copy.deepcopy(bench.dense)


def prepared(model: nn.Module, method: str, tune: dict[str, Any], seed: int) -> nn.Module | None:
    """Return a copy of a compressed model, ready to be tuned by a method; None where it has nothing to train.

    Adapters stand on the merged maps, which are dense again: that is what LoRA holds in memory.
    """
    model, part = copy.deepcopy(model), TUNINGS[method].part
    if part == "adapters":
        numbers = torch.Generator().manual_seed(seed)
        rank = tune["lora_rank"]
        return attach(merge(model), rank, ALPHA * rank, LINEARS, generator=numbers)
    table = costs.maps(model)
    if part != "both" and not (table.low_rank if part == "lrc" else ~table.low_rank).any():
        return None
    return train_only(model, part)


def tuned(
    seed: int,
    err: float,
    method: str,
    tune: dict[str, Any],
    settings: dict[str, Any],
    checkpoint: Path | str | None = None,
) -> dict[str, pd.DataFrame]:
    """Tune the compressed model of a seed at every rate.

    tune: rates, steps, batch, length, lora_rank, galore_rank, galore_gap. history: method, err, rate, step, loss (of
    the steps, NaN at 0), part, held (mean loss on all tests, NaN where not tested); costs: see `costs.counted`, with
    held_bytes (measured) and tokens_per_second. Empty where the method has nothing to train.
    """
    bench, frames, counts = Bench.of(seed, settings), [], []
    compressed = start(bench, err)
    before = bench.losses(compressed)
    about = {"method": method, "err": err, "seed": seed}
    for rate in tune["rates"]:
        model = prepared(compressed, method, tune, seed)
        if model is None:
            continue
        count = costs.counted(model, tune["galore_rank"] if TUNINGS[method].galore else None)
        test = partial(_tested, bench=bench)
        # A small model is trained in seconds: nothing to resume.
        path = Path(checkpoint) / f"{rate:g}.pt" if checkpoint and settings["model"] else None
        history, weighed = train(bench, model, method, rate, tune, settings["texts"], test, path)
        speed = tune["batch"] * tune["length"] * tune["steps"] / len(history)
        speeds = [speed / seconds for seconds in history.seconds]
        frames.append(_history(history, before, tune).assign(**about, rate=rate))
        found = {"held_bytes": weighed, "tokens_per_second": statistics.median(speeds)}
        counts.append(about | {"rate": rate} | count | found)
    return {"history": pd.concat(frames) if frames else pd.DataFrame(), "costs": pd.DataFrame(counts)}


def train(
    bench: Bench,
    model: nn.Module,
    method: str,
    rate: float,
    tune: dict[str, Any],
    texts: list[str],
    test: Any = None,
    checkpoint: Path | None = None,
) -> tuple[pd.DataFrame, int]:
    """Train a prepared model in place; return its history and the bytes that its optimiser kept."""
    period = max(1, tune["steps"] // EPOCHS)
    recipe = Recipe(
        epochs=tune["steps"] // period,
        batch=tune["batch"],
        lr=rate,
        optimizer="adamw",
        weight_decay=0.0,
        schedule="cosine",
        lr_end=LAST,
        warmup=WARMUP * (tune["steps"] // period),
        device=bench.settings["device"],
        channels_last=False,
    )
    weighed, rules = Weighed(), []
    if TUNINGS[method].galore:
        names = (*LINEARS, "A", "B")
        rules.append(GaLore(tune["galore_rank"], tune["galore_gap"], names=names))
    data = bench.mixture(texts, tune["length"], period)
    every = 1 if bench.settings["model"] else TESTED
    options = {"objective": next_token, "rules": [*rules, weighed], "checkpoint": checkpoint}
    history = fit(model, data, recipe, [bench.seed], test=test, test_every=every if test else None, **options)
    model.eval()
    return history, weighed.found


def _tested(run: Run, bench: Bench) -> dict[str, torch.Tensor]:
    rows = pd.DataFrame(bench.losses(run.model)).groupby("part").loss.mean()
    return {f"held_{part}": torch.tensor([value]) for part, value in rows.items()}


def _history(history: pd.DataFrame, before: list[dict[str, Any]], tune: dict[str, Any]) -> pd.DataFrame:
    """Return a history as rows of step, loss, part, held, with what stood before it as step 0."""
    steps = history.epoch * (tune["steps"] // len(history))
    first = pd.DataFrame(before).groupby("part").loss.mean()
    frames = []
    for part, value in first.items():
        rows = pd.DataFrame({"step": steps, "loss": history.loss, "held": history[f"held_{part}"]})
        rows = pd.concat([pd.DataFrame({"step": [0], "loss": [float("nan")], "held": [value]}), rows])
        frames.append(rows.assign(part=part))
    return pd.concat(frames, ignore_index=True)


def downstream(
    seed: int, err: float, task: str, tune: dict[str, Any], settings: dict[str, Any], questions: int
) -> pd.DataFrame:
    """Tune the compressed model of a seed (ERR 0: the dense one) for a task by every method that fits, and ask it.

    A row per method and "before": task, err, method, loss on the task's test windows, right (share of questions), way
    ("generated" or "likeliest" choice), chance.
    """
    bench, rows = Bench.of(seed, settings), []
    compressed, about = start(bench, err), {"task": task, "err": err, "seed": seed}
    methods = ["full", "lora", "galore", *(["welore"] if err else [])]
    for method in ["before", *methods]:
        model = compressed if method == "before" else prepared(compressed, method, tune, seed)
        if model is None:
            continue
        if method != "before":
            train(bench, model, method, tune["rates"][-1], tune, [task])
        rows.append(about | {"method": method} | _asked(bench, model, task, questions, tune["length"]))
    return pd.DataFrame(rows)


def _asked(bench: Bench, model: nn.Module, task: str, questions: int, length: int) -> dict[str, Any]:
    found = bench.text(task)
    loss = mean_loss(bench.parts(model, bench.windows_of(task, length)))
    n, chance = min(questions, len(found.test)), 0.0
    with bench.placed(model):
        if found.kind == "arithmetic":
            room = None if bench.settings["model"] else ROOM
            table, way = score(model, bench.tokenizer, found, n, 0, room), "generated"
        else:
            table, way = choice_accuracy(model, bench.tokenizer, found, n), "likeliest"
            chance = float(table.chance.mean())
    return {"loss": loss, "right": float(table.right.mean()), "way": way, "chance": chance, "n": n}
