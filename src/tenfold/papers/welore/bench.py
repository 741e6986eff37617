"""The bench: a dense model, the texts that tune and test it, and its decomposition."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tenfold import language
from tenfold.errors import InputError
from tenfold.language import Windows, shards
from tenfold.language.domains import Domain, domain
from tenfold.language.llama import load
from tenfold.language.perplexity import losses
from tenfold.language.pretraining import SIZES, Mixture, pretrained, restore
from tenfold.language.windows import held_out, pack, stream_windows
from tenfold.lowrank import Decomposition, decompose, decompose_scaled
from tenfold.papers.welore.parameters import AUTO, TASKS, Parameters
from tenfold.runner.store import kept
from tenfold.training import device

PLAIN = ("model", "folder", "characters", "windows", "length", "test_windows", "alpha", "dtype", "device")
PARTS = 4
"""Parts of a checkpoint's test windows: replicates, where there is one model."""
DOCUMENTS = 1100
"""Documents of C4 that are joined by blanks and tokenised at once, the paper's test text."""
# Width, depth, context and width of the MLP of the published checkpoints.
KNOWN = {
    "llama2_7b": [4096, 32, 4096, 11008],
    "llama2_13b": [5120, 40, 4096, 13824],
    "llama_7b": [4096, 32, 2048, 11008],
    "mistral_7b": [4096, 32, 32768, 14336],
}
SHAPE = ("hidden_size", "num_hidden_layers", "max_position_embeddings", "intermediate_size")


def texts(p: Parameters) -> tuple[str, ...]:
    """Return the texts of a run: those named, or all real ones at hand, else the embedded ones."""
    return language.at_hand() if p.texts == (AUTO,) else p.texts


def tasks(p: Parameters) -> tuple[str, ...]:
    """Return the tasks of a run: those named, or one of arithmetic and one of choice, as far as they are at hand."""
    found = language.at_hand()
    wanted = ("svamp", "commonsenseqa") if set(TASKS) & set(found) >= {"svamp", "commonsenseqa"} else ("arithmetic",)
    return wanted if p.tasks == (AUTO,) else p.tasks


def settings(p: Parameters) -> dict[str, Any]:
    """Return what all jobs of a run have in common, as plain values."""
    plain = {name: getattr(p, name) for name in PLAIN} | {"texts": list(texts(p))}
    if p.model:
        # Another checkpoint in the same place is another run.
        return plain | {"fingerprint": language.fingerprint(p.model), "training": {}}
    return plain | {"training": training(p)}


def training(p: Parameters) -> dict[str, Any]:
    """Return the arguments of a training of the small model, but for its seed; other papers share them."""
    smoke = p.scale == "smoke"
    return {
        "domains": list(language.EMBEDDED if smoke else language.at_hand()),
        **SIZES["smoke" if smoke else "laptop"],
    }


def check(p: Parameters) -> None:
    """Refuse, before anything heavy starts, a run whose model is not there."""
    if p.scale == "paper" and not p.model:
        raise InputError("paper scale compresses a checkpoint: name Llama-2-7B, Llama-2-13B or Mistral-7B as model")
    if p.model and p.models > 1:
        raise InputError("a checkpoint is one model: set models=1")


def brought(p: Parameters) -> set[str]:
    """Return what claims need and only a reader can bring: the text C4, and a published model, told by its shape."""
    found = {"c4"} & set(texts(p))
    return found | {known(p)} if known(p) else found


def known(p: Parameters) -> str:
    """Return which published model a checkpoint is, told by its shape and by a name without "chat", else ""."""
    if not p.model or "chat" in Path(p.model).name.lower() or "instruct" in Path(p.model).name.lower():
        return ""
    config = shards.config(shards.folder_of(p.model))
    return next((name for name, sizes in KNOWN.items() if [config.get(key) for key in SHAPE] == sizes), "")


class Bench:
    """A dense model with its texts.

    The model rests on the CPU and is on the device of the run (`where`) only while it computes there, so that a GPU has
    room for decompositions and trainings. One decomposition is kept at a time: it takes more room than the model.
    """

    def __init__(self, seed: int, settings: dict[str, Any]):
        self.seed, self.settings = seed, settings
        self._held: tuple[str, Decomposition] | None = None
        self._streams: dict[str, Tensor] = {}
        self.where = device(settings["device"])
        if settings["model"]:
            self.dense, self.tokenizer = load(settings["model"], settings["dtype"])
        else:
            self.dense, self.tokenizer = restore(kept(pretrained, seed=seed, **settings["training"]))

    @classmethod
    def of(cls, seed: int, settings: dict[str, Any]) -> Bench:
        """Return the bench of a seed; a process keeps its last one, since a checkpoint takes minutes to load."""
        return _bench(seed, json.dumps(settings, sort_keys=True))

    def text(self, name: str) -> Domain:
        """Return a text or task, cut as the run says, from the reader's folder where there is one."""
        return domain(name, self.settings["characters"] or None, folder=self.settings["folder"] or None)

    def stream(self, name: str) -> Tensor:
        """Return the training documents of a text as one stream of tokens (N,)."""
        if name not in self._streams:
            self._streams[name] = pack(self.text(name).train, self.tokenizer)
        return self._streams[name]

    def windows_of(self, name: str, length: int) -> Windows:
        """Return test windows of a text; of a checkpoint's text as the paper cuts them."""
        found, most = self.text(name), self.settings["test_windows"] or None
        if self.settings["model"] and name == "c4":
            stream = pack([" ".join(document.text for document in found.test[:DOCUMENTS])], self.tokenizer)
            return stream_windows(stream, length, min(most or len(stream), len(stream) // length) or None)
        return held_out(found, self.tokenizer, length, most, joined=bool(self.settings["model"]))

    @cached_property
    def tests(self) -> dict[str, Windows]:
        """Test windows of every text."""
        return {name: self.windows_of(name, self.settings["length"]) for name in self.settings["texts"]}

    def mixture(self, names: Sequence[str], length: int, period: int) -> Mixture:
        """Return random training windows of texts."""
        return Mixture([self.stream(name) for name in names], length, period)

    @cached_property
    def calibration(self) -> Windows:
        """Training windows that show a method what the inputs are, as many of each text."""
        names, length = self.settings["texts"], self.settings["length"]
        share = max(1, self.settings["windows"] // len(names))
        ids = [stream_windows(self.stream(name), length, share, self.seed).ids for name in names]
        return Windows(ids=torch.cat(ids)).to(self.where)

    @contextmanager
    def placed(self, model: nn.Module) -> Iterator[nn.Module]:
        """Put a model on the device of the run, and back where it was."""
        home = next(model.parameters()).device
        model.to(self.where)
        try:
            yield model
        finally:
            model.to(home)

    def held(self, kind: str = "plain") -> Decomposition:
        """Return the decomposition of every W ("plain") or W T ("asvd", "whitened"); see `decompose_scaled`."""
        if self._held is None or self._held[0] != kind:
            self._held = None
            self._held = kind, self._decomposed(kind)
        return self._held[1]

    def _decomposed(self, kind: str) -> Decomposition:
        if kind == "plain":
            return decompose(self.dense, device=self.where)
        with self.placed(self.dense):
            return decompose_scaled(self.dense, self.calibration, kind, alpha=self.settings["alpha"])

    def losses(self, model: nn.Module) -> list[dict[str, Any]]:
        """Return the mean loss of a model on every test text, nats per token: rows with test, part, loss.

        The windows of a checkpoint fall into parts, its replicates; those of a small model are one part.
        """
        return [row for name, windows in self.tests.items() for row in self.parts(model, windows, test=name)]

    def parts(self, model: nn.Module, windows: Windows, **about: Any) -> list[dict[str, Any]]:
        """Return the mean loss of a model on windows by part."""
        with self.placed(model):
            found = losses(model, windows).double()
        count = PARTS if self.settings["model"] else 1
        parts = [found[part::count] for part in range(min(count, len(found)))]
        return [{**about, "part": part, "loss": float(values.mean())} for part, values in enumerate(parts)]

    def loss(self, model: nn.Module) -> float:
        """Return the mean loss of a model over all tests, nats per token."""
        return mean_loss(self.losses(model))


def mean_loss(rows: list[dict[str, Any]]) -> float:
    """Return the mean of losses over parts and tests."""
    return sum(row["loss"] for row in rows) / len(rows)


@lru_cache(maxsize=1)
def _bench(seed: int, settings: str) -> Bench:
    return Bench(seed, json.loads(settings))
