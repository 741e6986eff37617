"""Checkpoints too large for memory: decomposed and compressed block by block, and read back as networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.language import llama, shards
from tenfold.language.llama import LINEARS
from tenfold.lowrank.decomposition import Decomposition, decompose_weights
from tenfold.lowrank.layers import LowRankLinear
from tenfold.lowrank.maps import put
from tenfold.lowrank.store import writing
from tenfold.pruning.checkpoint import Source, building, vacant

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Progress = Callable[[int, int], object]
STORED = ("float32", "float16", "bfloat16")


def decompose_checkpoint(
    source: str | Path,
    target: str | Path,
    *,
    method: str = "gram",
    dtype: str = "float32",
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Decomposition:
    """Decompose the maps of a Llama or Mistral checkpoint into a new folder, one block in memory at a time.

    Each matrix is decomposed once; spectra, and compressed models at any ERR, follow from the folder (see
    `Decomposition.load`, which this returns of it). dtype: of the thin sides as stored, which for a 7B model take
    15 GB in float32 beside the weights as they are; S is always float32. progress: called with the blocks done and
    all. Raises InputError for a damaged checkpoint, a target that exists, and weights that are not finite.
    """
    if dtype not in STORED:
        raise unknown("type of the factors", dtype, STORED)
    checkpoint = Source(source)
    with writing(target, getattr(torch, dtype)) as writer:
        parts = list(_blocks(checkpoint))
        for index, names in enumerate(parts):
            weights = {name: checkpoint.read(f"{name}.weight", device) for name in names}
            writer.add(decompose_weights(weights, method))
            if progress is not None:
                progress(index + 1, len(parts))
    return Decomposition.load(target)


def compress_checkpoint(
    source: str | Path,
    target: str | Path,
    decomposition: Decomposition,
    err: float,
    mode: str = "lrc",
    *,
    by: str = "minmax",
    merged: bool = False,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write a compressed Llama or Mistral checkpoint into a new folder, block by block, and return the ranks.

    The factors of <map>.weight (m, n) are stored as <map>.A (m, r) and <map>.B (r, n), see `load_compressed`; with
    `merged` their product takes the place of the weight, and any program can read the checkpoint, which is then no
    smaller. err, mode, by: see `compress`. Raises InputError for a damaged checkpoint, a decomposition of another, a
    target that exists, lies in the source or has too little space.
    """
    checkpoint = Source(source)
    parts = list(_blocks(checkpoint))
    _check_fit(checkpoint, parts, decomposition)
    ranks = decomposition.ranks(err, mode, by)
    done: set[str] = set()
    with building(vacant(target, checkpoint), len(parts) + 1) as written:
        for index, names in enumerate(parts):
            tensors = {}
            for name in names:
                tensors |= _stored(checkpoint, decomposition, name, ranks[name], merged)
            written.write(tensors)
            done |= {f"{name}.weight" for name in names}
            if progress is not None:
                progress(index + 1, len(parts))
        written.write({name: checkpoint.read(name) for name in sorted(checkpoint.stored.keys() - done)})
        written.finish(checkpoint)
    return ranks


def load_compressed(source: str | Path, dtype: str = "auto", device: torch.device | str = "cpu") -> PreTrainedModel:
    """Return the network of a folder written by `compress_checkpoint`, or by its own `save_pretrained`.

    dtype: "auto" (as stored), "float32", "float16" or "bfloat16". Raises InputError for another kind of model and a
    tensor that is missing, of another shape or unknown.
    """
    from safetensors.torch import load_file

    if dtype not in llama.DTYPES:
        raise unknown("type of the weights", dtype, llama.DTYPES)
    folder = shards.folder_of(source)
    held = shards.tensors(folder)
    model = llama.skeleton(folder)
    model.model.rotary_emb = type(model.model.rotary_emb)(config=model.config)
    state: dict[str, Tensor] = {}
    for path in sorted({stored.path for stored in held.values()}):
        state |= load_file(path)
    if dtype != "auto":
        state = {name: value.to(getattr(torch, dtype)) for name, value in state.items()}
    low = [name.removesuffix(".A") for name in state if name.endswith(".A")]
    layers = {}
    for name in low:
        if f"{name}.B" not in state:
            raise InputError(f"{folder.name} lacks {name}.B")
        layer = LowRankLinear.of(state[f"{name}.A"], state[f"{name}.B"], state.get(f"{name}.bias"))
        _check_place(model, name, layer, folder)
        layers[name] = layer
    try:
        put(model, layers).load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise InputError(f"{folder.name} does not fit its configuration: {str(error).split(chr(10))[-1]}") from error
    return model.eval().to(device)


def _blocks(checkpoint: Source) -> Iterator[list[str]]:
    """Yield the full names of the seven maps of each block."""
    for index, block in enumerate(llama.blocks(checkpoint.model)):
        llama.linears(block)
        inner = [name for name, module in block.named_modules() if isinstance(module, nn.Linear)]
        yield [f"model.layers.{index}.{name}" for name in inner if name.rpartition(".")[2] in LINEARS]


def _check_fit(checkpoint: Source, parts: list[list[str]], decomposition: Decomposition) -> None:
    """Raise InputError unless a decomposition is of exactly the maps of a checkpoint."""
    names = {name for part in parts for name in part}
    shapes = {name: checkpoint.stored[f"{name}.weight"].shape for name in names}
    if names != set(decomposition) or any(decomposition[name].shape != shapes[name] for name in names):
        raise InputError(f"the decomposition is not that of {checkpoint.folder.name}: its matrices are others")


def _stored(checkpoint: Source, decomposition: Decomposition, name: str, rank: int, merged: bool) -> dict[str, Tensor]:
    """Return what is stored of one map."""
    weight = f"{name}.weight"
    if rank == min(checkpoint.stored[weight].shape):
        return {weight: checkpoint.read(weight)}
    pair = decomposition[name].pair(rank)
    if merged:
        return {weight: (pair[0] @ pair[1]).to(checkpoint.dtype)}
    return {f"{name}.{side}": part.to(checkpoint.dtype) for side, part in zip("AB", pair, strict=True)}


def _check_place(model: nn.Module, name: str, layer: LowRankLinear, folder: Path) -> None:
    """Raise InputError unless a map of low rank takes the place of a dense one of its size."""
    try:
        linear = model.get_submodule(name)
    except AttributeError:
        linear = None
    wanted = (layer.in_features, layer.out_features)
    if not isinstance(linear, nn.Linear) or (linear.in_features, linear.out_features) != wanted:
        raise InputError(f"{folder.name} holds factors of {name}, which the model has not, or not of this size")
