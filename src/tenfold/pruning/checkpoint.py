"""A checkpoint read tensor by tensor, and one written shard by shard, whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.language import shards
from tenfold.language.llama import DTYPES, skeleton, wanted

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".index.json")
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
FLOATS |= {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
TYPES = {"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8}
TYPES |= FLOATS | {"BOOL": torch.bool}
MARGIN = 2**20  # bytes for the headers of the shards and the index


class Source:
    """A Llama or Mistral checkpoint in a folder, of which only what is asked for is in memory.

    dtype: "float32", "float16", "bfloat16", or "auto" for the type that the checkpoint is in. `model` is the whole
    model without a single weight, on the meta device, but for its rotary table. Raises InputError for another kind of
    model, quantised weights, a damaged or missing file, and a tensor that is missing or of another shape.
    """

    def __init__(self, folder: str | Path, dtype: str = "auto"):
        if dtype not in DTYPES:
            raise unknown("type of the weights", dtype, DTYPES)
        self.folder = shards.folder_of(folder)
        self.config, self.stored = shards.config(self.folder), shards.tensors(self.folder)
        if "quantization_config" in self.config:
            raise InputError(f"{self.folder.name} is quantised: only plain weights can be pruned")
        self.places = {path: _places(path) for path in {stored.path for stored in self.stored.values()}}
        self.model = skeleton(self.folder)
        self.dtype = self._dtype(dtype)
        self.wanted = wanted(self.model, self.folder, self.stored)

    def _dtype(self, dtype: str) -> torch.dtype:
        """Return the type asked for, else that of the configuration, else that of the first weight."""
        if dtype != "auto":
            return getattr(torch, dtype)
        stated = self.config.get("dtype") or self.config.get("torch_dtype")
        if isinstance(getattr(torch, str(stated), None), torch.dtype):
            return getattr(torch, str(stated))
        return next((FLOATS[t.dtype] for t in self.stored.values() if t.dtype in FLOATS), torch.float32)

    @property
    def bytes(self) -> int:
        """Size of all tensors as they are read."""
        model = sum(prod(self.stored[name].shape) for name in self.wanted) * self.dtype.itemsize
        return model + sum(self.stored[name].bytes for name in self.stored.keys() - self.wanted)

    def read(self, name: str, device: torch.device | str = "cpu") -> Tensor:
        """Return one tensor: one of the model in the model's type, another (old rotary tables) as it is stored."""
        stored = self.stored[name]
        held = torch.empty(stored.shape, dtype=TYPES[stored.dtype])
        # Read, not mapped: a mapped shard counts as memory of the process, whatever is used of it.
        with stored.path.open("rb") as file:
            file.seek(self.places[stored.path][name])
            read = file.readinto(held.reshape(-1).view(torch.uint8).numpy())
        if read != held.nbytes:
            raise InputError(f"{stored.path.name} changed while it was read")
        return held.to(device, self.dtype if name in self.wanted else None)

    def fill(self, module: nn.Module, prefix: str, device: torch.device | str) -> None:
        """Give the parameters of a module on the meta device their values."""
        state = {name: self.read(prefix + name, device) for name in module.state_dict()}
        module.load_state_dict(state, assign=True)


def _places(path: Path) -> dict[str, int]:
    """Return where in a file of safetensors the values of each tensor begin."""
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        entries = json.loads(file.read(length))
    return {name: 8 + length + entry["data_offsets"][0] for name, entry in entries.items() if name != "__metadata__"}


class Target:
    """A checkpoint in the making: numbered shards, then the index and the files beside the weights of its source."""

    def __init__(self, folder: Path, count: int):
        self.folder, self.count, self.places, self.bytes = folder, count, {}, 0

    def write(self, tensors: Mapping[str, Tensor]) -> None:
        """Write the next shard."""
        from safetensors.torch import save_file

        file = f"model-{len(set(self.places.values())) + 1:05d}-of-{self.count:05d}.safetensors"
        held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(held, self.folder / file, metadata={"format": "pt"})
        self.places |= dict.fromkeys(held, file)
        self.bytes += sum(tensor.nbytes for tensor in held.values())

    def finish(self, source: Source) -> None:
        """Write the index and the configuration, and copy what else the source has beside its weights."""
        index = {"metadata": {"total_size": self.bytes}, "weight_map": dict(sorted(self.places.items()))}
        (self.folder / shards.INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
        for path in sorted(source.folder.iterdir()):
            if path.is_file() and not path.name.endswith(WEIGHTS):
                shutil.copyfile(path, self.folder / path.name)
        config = dict(source.config)
        # Older readers know the type by its older name.
        config |= dict.fromkeys({"dtype", *(config.keys() & {"torch_dtype"})}, str(source.dtype).removeprefix("torch."))
        (self.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def vacant(target: str | Path, source: Source) -> Path:
    """Return the folder for a new checkpoint as large as its source; nothing is written.

    Raises InputError where it is the source or inside it, exists, or lies on a disk with too little space.
    """
    folder = Path(target).expanduser().absolute()
    if folder.resolve().is_relative_to(source.folder.resolve()):
        raise InputError(f"the pruned checkpoint needs a folder outside its source {source.folder.name}")
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder.name} exists already: a checkpoint is never overwritten")
    ground = next(path for path in folder.parents if path.exists())
    if not ground.is_dir():
        raise InputError(f"{folder.name} cannot be made inside {ground.name}, which is no folder")
    free, needed = shutil.disk_usage(ground).free, source.bytes + MARGIN
    if free < needed:
        raise InputError(f"{folder.name} needs {needed / 1e9:.2f} GB, of which only {free / 1e9:.2f} GB are free")
    return folder


@contextmanager
def building(target: Path, count: int) -> Iterator[Target]:
    """Give a checkpoint in a temporary folder that takes the place of `target` on success and vanishes on failure."""
    folder = target.parent / f".{target.name}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
        yield Target(folder, count)
        folder.rename(target)
    except OSError as error:
        raise InputError(f"{target.name} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
