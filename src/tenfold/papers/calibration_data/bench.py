"""The bench: a dense model, what tests it, and the models that are pruned from it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from tenfold import language
from tenfold.errors import InputError
from tenfold.language import shards
from tenfold.language.llama import load
from tenfold.language.perplexity import losses
from tenfold.language.pretraining import SIZES, pretrained, restore
from tenfold.language.windows import Windows, held_out
from tenfold.papers.calibration_data.cells import Cell, seeded
from tenfold.papers.calibration_data.parameters import AUTO, CORPORA, Parameters
from tenfold.papers.calibration_data.plans import own_format
from tenfold.papers.calibration_data.windows import drawn, read
from tenfold.pruning import achieved_sparsity, inject_outliers, merge, prune
from tenfold.runner.store import kept
from tenfold.training import device

PLAIN = ("model", "folder", "characters", "length", "test_windows", "dtype", "device")


def sources(p: Parameters) -> tuple[str, ...]:
    """Return the calibration sets of a run: those named, or all real ones at hand, else the embedded ones."""
    return language.at_hand() if p.sources == (AUTO,) else p.sources


def settings(p: Parameters) -> dict[str, Any]:
    """Return what all jobs of a run have in common, as plain values."""
    tests = sources(p) if p.tests == (AUTO,) else p.tests
    plain = {name: getattr(p, name) for name in PLAIN}
    if p.model:
        # Another checkpoint in the same place is another run.
        plain |= {"fingerprint": language.fingerprint(p.model)}
    return plain | {"tests": list(tests), "training": {} if p.model else training(p)}


def training(p: Parameters) -> dict[str, Any]:
    """Return the arguments of a training of the small model, but for its seed; other papers share them."""
    smoke = p.scale == "smoke"
    domains = language.EMBEDDED if smoke else language.at_hand()
    return {"domains": list(domains), **SIZES["smoke" if smoke else "laptop"]}


def check(p: Parameters) -> None:
    """Refuse, before anything heavy starts, a run whose model is not there."""
    if p.scale == "paper" and not p.model:
        raise InputError("paper scale prunes a checkpoint: name Llama-2-7B-chat as model=FOLDER")
    if p.model and p.models > 1:
        raise InputError("a checkpoint is one model: set models=1, its draws are the replicates")


def brought(p: Parameters) -> set[str]:
    """Return what claims need and only a reader can bring: corpora, and a Llama-2-7B, told by its shape and name.

    "llama2_7b_chat", or "llama2_7b" in windows of 4096 tokens, as in its published tables.
    """
    found = {name for name in sources(p) if name in CORPORA}
    if not p.model:
        return found
    config = shards.config(shards.folder_of(p.model))
    if [config.get(key) for key in ("hidden_size", "num_hidden_layers", "max_position_embeddings")] != [4096, 32, 4096]:
        return found
    if "chat" in Path(p.model).name.lower():
        return found | {"llama2_7b_chat"}
    return found | {"llama2_7b"} if p.length == 4096 else found


class Bench:
    """A dense model and its test windows; cells are pruned from it one at a time."""

    def __init__(self, seed: int, settings: dict[str, Any]):
        self.seed, self.settings = seed, settings
        self._last: tuple[Cell, Windows] | None = None
        if settings["model"]:
            where = device(settings["device"])
            self.dense, self.tokenizer = load(settings["model"], settings["dtype"], where)
        else:
            self.dense, self.tokenizer = restore(kept(pretrained, seed=seed, **settings["training"]))

    @classmethod
    def of(cls, seed: int, settings: dict[str, Any]) -> Bench:
        """Return the bench of a seed; a process keeps its last one, since a checkpoint takes minutes to load."""
        return _bench(seed, json.dumps(settings, sort_keys=True))

    @cached_property
    def tests(self) -> dict[str, Windows]:
        """Test windows of every set."""
        s = self.settings
        options = {"length": s["length"], "n": s["test_windows"] or None, "joined": bool(s["model"])}
        return {name: held_out(read(name, s), self.tokenizer, **options) for name in s["tests"]}

    def windows(self, cell: Cell) -> Windows:
        """Return the calibration windows of a cell; the same for every method, so the last ones are kept."""
        wanted = replace(cell, method="wanda", sparsity=0.0, nm="", outliers=0)
        if self._last is None or self._last[0] != wanted:
            found = drawn(wanted, self.seed, self.tokenizer, self.settings)
            self._last = wanted, found.to(self.dense.device)
        return self._last[1]

    def pruned(self, cell: Cell) -> nn.Module:
        """Return the model of a cell: the dense one itself where nothing is changed, else a copy."""
        dense = inject_outliers(self.dense, cell.outliers) if cell.outliers else self.dense
        if cell.method == "dense":
            return dense
        if "&" in cell.source:
            return self._merged(cell)
        # A method that looks at no data is given any.
        windows = next(iter(self.tests.values())).to(dense.device) if cell.blind else self.windows(cell)
        options = {"seed": seeded(cell, self.seed), "inplace": dense is not self.dense}
        return prune(dense, windows, cell.method, cell.sparsity, cell.pattern, **options)

    def _merged(self, cell: Cell) -> nn.Module:
        """Return models pruned with one set each, merged; together they see as many windows as a mixture."""
        names = cell.source.split("&")
        parts = [replace(cell, source=n, fmt=own_format(n), windows=cell.windows // len(names)) for n in names]
        return merge([self.pruned(part) for part in parts], self.dense, cell.pattern)

    def row(self, cell: Cell) -> list[dict[str, Any]]:
        """Return a row for each test set of a cell: loss in nats per token, share of zeros, share of padding."""
        model = self.pruned(cell)
        sparse = achieved_sparsity(model)
        zeros = float(np.average(sparse.sparsity, weights=sparse.weights))
        pads = 0.0 if cell.blind or "&" in cell.source else self.windows(cell).pad_share
        about = cell.record() | {"seed": self.seed, "zeros": zeros, "pads": pads}
        found = {name: float(losses(model, windows).double().mean()) for name, windows in self.tests.items()}
        return [about | {"test": name, "loss": loss} for name, loss in found.items()]


@lru_cache(maxsize=1)
def _bench(seed: int, settings: str) -> Bench:
    return Bench(seed, json.loads(settings))
