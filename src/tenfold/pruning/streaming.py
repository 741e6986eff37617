"""Pruning of a checkpoint block by block: the whole model is never in memory, and the source is never touched."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from tenfold.errors import InputError
from tenfold.language.llama import blocks, context_of, linears
from tenfold.language.windows import Windows
from tenfold.pruning.activations import block_inputs, check_windows, forward_block
from tenfold.pruning.checkpoint import Source, Target, building, vacant
from tenfold.pruning.masks import check_groups, check_sparsity
from tenfold.pruning.protocol import DATALESS, Groups, Sparsity, apart, check_method, per_block, prune_linears, ratio_of
from tenfold.training.device import device as place_of
from tenfold.training.distributed import Group, join

BLOCK, EMBEDDING = "model.layers.{}.", "model.embed_tokens."


def prune_checkpoint(
    source: str | Path,
    target: str | Path,
    windows: Tensor | Windows,
    method: str,
    sparsity: float,
    nm: Groups | Sequence[Groups] | None = None,
    layer_ratios: Sequence[Sparsity] | None = None,
    *,
    dtype: str = "auto",
    device: torch.device | str = "cpu",
    batch: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Prune the Llama or Mistral checkpoint in a folder into a new folder, with one block in memory at a time.

    The embedding and then each block are read, pruned, written to a shard of their own and dropped: the peak is that
    of the larger of the two, the activations (n, T, d) and the moments of one block. The weights are those that `prune`
    gives of the loaded model, bit for bit; configuration, tokenizer and other small files are copied. The target
    appears as a whole when all is done, or not at all. Under torchrun each process passes its share of the windows,
    moments are added up, and the first process writes.
    windows, method, sparsity, nm, layer_ratios, seed and progress: see `prune`. dtype: "auto" (as stored), "float32",
    "float16" or "bfloat16". batch: windows passed at a time; the bits are those of `prune` with the same batch. Returns
    seconds by stage (check, read, prune: moments and masks, forward: through pruned blocks, write) and peak_bytes: on
    a GPU the most that was allocated meanwhile, else the most that this process ever held, None where the system does
    not say. Raises InputError before anything is written for a source that is damaged,
    quantised or of another kind, a target that exists, lies in the source or has too little space, and what `prune`
    refuses, but for weights that are not finite. Source: the protocol of arXiv 2306.11695.
    """
    where = _device(device)
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)
    clock = _Clock(where)
    with clock.stage("check"):
        check_method(method, nm)
        if batch < 1:
            raise InputError(f"a batch holds at least one window, not {batch}")
        checkpoint, windows = Source(source, dtype), Windows.of(windows)
        place, model = vacant(target, checkpoint), checkpoint.model
        ratios, groups = _plan(model, windows, sparsity, nm, layer_ratios)
        group = join(where)
        work = _Work(checkpoint, _share(windows, group), method, batch, where, group, clock, seed)
    # Beside the blocks, one shard for the embedding and one for what comes after the blocks.
    with building(place, len(ratios) + 2) if group.rank == 0 else nullcontext() as written:
        work.begin(written)
        for index, (ratio, pair) in enumerate(zip(ratios, groups, strict=True)):
            work.prune(index, ratio, pair, written)
            if progress is not None and group.rank == 0:
                progress(index + 1, len(ratios))
        work.finish(written)
    work.meet()
    return {"seconds": clock.seconds, "peak_bytes": _peak(where)}


class _Work:
    """One process's part of the pruning of a checkpoint: the activations, and one module at a time."""

    def __init__(
        self,
        checkpoint: Source,
        windows: Windows,
        method: str,
        batch: int,
        device: torch.device,
        group: Group,
        clock: _Clock,
        seed: int,
    ):
        self.checkpoint, self.model, self.windows = checkpoint, checkpoint.model, windows
        self.method, self.batch, self.device, self.group, self.clock = method, batch, device, group, clock
        self.generator = torch.Generator().manual_seed(seed)
        self.flow, self.done = None, set()

    def begin(self, target: Target | None) -> None:
        """Embed the windows and pass the embedding on."""
        self.meet()
        embedding = self.model.model.embed_tokens
        self._read(embedding, EMBEDDING)
        if self.method not in DATALESS:
            self.model.model.rotary_emb.to(self.device)
            with self.clock.stage("forward"):
                self.flow = block_inputs(self.model, self.windows)
        self._write(embedding, EMBEDDING, target)

    def prune(self, index: int, ratio: Sparsity, nm: Groups | None, target: Target | None) -> None:
        """Prune one block, pass it on, and let the windows through."""
        block, prefix = blocks(self.model)[index], BLOCK.format(index)
        self._read(block, prefix)
        with self.clock.stage("prune"):
            prune_linears(
                linears(block),
                lambda: forward_block(block, *self.flow, batch=self.batch, keep=False),
                self.method,
                ratio,
                nm,
                self.windows.count,
                generator=self.generator,
                distributed=self.group.size > 1,
            )
        if self.flow is not None and index + 1 < len(blocks(self.model)):
            with self.clock.stage("forward"):
                forward_block(block, *self.flow, batch=self.batch)
        self._write(block, prefix, target)

    def finish(self, target: Target | None) -> None:
        """Pass on what no block holds, and the small files."""
        if target is not None:
            with self.clock.stage("write"):
                rest = sorted(self.checkpoint.stored.keys() - self.done)
                target.write({name: self.checkpoint.read(name) for name in rest})
                target.finish(self.checkpoint)

    def meet(self) -> None:
        """Wait for the other processes."""
        if self.group.size > 1:
            distributed.barrier()

    def _read(self, module: nn.Module, prefix: str) -> None:
        with self.clock.stage("read"):
            self.checkpoint.fill(module, prefix, self.device)

    def _write(self, module: nn.Module, prefix: str, target: Target | None) -> None:
        """Write a module and drop its weights."""
        tensors = {prefix + name: value for name, value in module.state_dict().items()}
        self.done |= tensors.keys()
        if target is not None:
            with self.clock.stage("write"):
                target.write(tensors)
        module.to("meta")


class _Clock:
    """Seconds of wall time by stage; on a GPU a stage ends when its work is done."""

    def __init__(self, device: torch.device):
        self.device = device
        self.seconds = dict.fromkeys(("check", "read", "prune", "forward", "write"), 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[name] += time.perf_counter() - start


def _plan(
    model: nn.Module,
    windows: Windows,
    sparsity: float,
    nm: Groups | Sequence[Groups] | None,
    layer_ratios: Sequence[Sparsity] | None,
) -> tuple[list[Sparsity], list[Groups | None]]:
    """Return sparsity and groups of every block, once everything is known to fit the model."""
    check_windows(windows, model.config.vocab_size, model.config.hidden_size, context_of(model))
    layers = blocks(model)
    ratios = per_block("layer ratios", layer_ratios, sparsity, len(layers))
    groups = per_block("pairs nm", *apart(nm), len(layers))
    for block, ratio, pair in zip(layers, ratios, groups, strict=True):
        for name, linear in linears(block).items():
            if pair is None:
                check_sparsity(ratio_of(ratio, name))
            elif linear.in_features % check_groups(pair)[1]:
                raise InputError(f"{linear.in_features} inputs of {name} do not divide into groups of {pair[1]}")
    return ratios, groups


def _device(device: torch.device | str) -> torch.device:
    """Return the device; of several GPUs, unless one is named, the one that torchrun gave to this process."""
    try:
        where = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"'{device}' is no device") from error
    return place_of("cuda") if where.type == "cuda" and where.index is None else where


def _share(windows: Windows, group: Group) -> Windows:
    """Return every so manieth window, from the rank of this process on."""
    if len(windows) < group.size:
        raise InputError(f"{len(windows)} windows do not go round {group.size} processes")
    parts = {field.name: getattr(windows, field.name) for field in fields(windows)}
    return Windows(**{name: part if part is None else part[group.rank :: group.size] for name, part in parts.items()})


def _peak(device: torch.device) -> int | None:
    """Return the most bytes allocated on a GPU since its counter was reset, or ever resident of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
