"""Checkpoints on disk: configuration, shards of safetensors and their headers, checked before anything is read."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from tenfold.datasets import digests, network
from tenfold.errors import InputError

KINDS = ("llama", "mistral")
INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
WANTED = ["*.safetensors", "*.json", "tokenizer.model"]  # what is fetched from the hub: no pickled weights
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
BYTES |= {"F8_E4M3": 1, "F8_E5M2": 1}
HEADER_LIMIT = 100_000_000  # bytes, as in the format's own library


@dataclass(frozen=True)
class Stored:
    """A tensor in a shard: the file, the type as safetensors names it, the shape."""

    path: Path
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size of the tensor in bytes."""
        return prod(self.shape) * BYTES[self.dtype]


def folder_of(source: str | Path) -> Path:
    """Return the folder of a checkpoint, fetched from the Hugging Face hub where `source` is no folder.

    Raises InputError for a path that does not exist, and for a name on the hub that is offline, gated or unknown.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    name = str(source)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise InputError(f"no checkpoint: '{name}' is neither a folder nor a name like owner/model on the hub")
    if network.offline():
        raise InputError(f"'{name}' is no folder here, and downloads are forbidden (TENFOLD_OFFLINE)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=WANTED))
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(f"'{name}' could not be fetched from the hub: {first}") from error


def config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a checkpoint; raises InputError unless it is a Llama or Mistral model."""
    found = _json(folder / "config.json", f"{folder.name} is no checkpoint")
    kind = found.get("model_type")
    if kind not in KINDS:
        raise InputError(f"{folder.name} holds a model of type '{kind}': only {' and '.join(KINDS)} are known")
    return found


def tensors(folder: Path) -> dict[str, Stored]:
    """Return every tensor of a checkpoint by name, from the headers of its shards alone.

    Raises InputError for another kind of model, for weights that are no safetensors, and for a shard that is
    missing, truncated, damaged or without a tensor that the index puts there.
    """
    config(folder)
    if not (folder / INDEX).is_file():
        if not (folder / SINGLE).is_file():
            raise InputError(f"{folder.name} holds no {SINGLE}: weights of another form are not read")
        return header(folder / SINGLE)
    places = _json(folder / INDEX, f"{folder.name} has no index").get("weight_map")
    if not isinstance(places, dict) or not places:
        raise InputError(f"{INDEX} of {folder.name} names no tensor")
    for file in sorted(set(places.values())):
        if Path(str(file)).name != file:
            raise InputError(f"{INDEX} of {folder.name} names a file elsewhere: '{file}'")
    headers = {file: header(folder / file) for file in sorted(set(places.values()))}
    missing = [name for name, file in places.items() if name not in headers[file]]
    if missing:
        raise InputError(f"{places[missing[0]]} of {folder.name} lacks {missing[0]}")
    return {name: headers[file][name] for name, file in places.items()}


def check(folder: Path, window: int) -> None:
    """Look at a checkpoint's configuration and headers alone, in a moment, before anything heavy starts.

    Raises InputError as `tensors` does, and where windows of so many tokens do not fit the model's context.
    """
    tensors(folder)
    context = config(folder).get("max_position_embeddings")
    if context and window > context:
        raise InputError(f"a window of {window} tokens does not fit the context of {folder.name}: {context} tokens")


def header(path: Path) -> dict[str, Stored]:
    """Return the tensors of one safetensors file; raises InputError where it is missing, truncated or damaged."""
    if not path.is_file():
        raise InputError(f"{path.name} is missing in {path.parent.name}")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(HEADER_LIMIT, size - 8):
            raise InputError(f"{path.name} is no safetensors file, or a damaged one")
        raw = file.read(length)
    try:
        entries = {name: entry for name, entry in json.loads(raw).items() if name != "__metadata__"}
        found = {name: Stored(path, entry["dtype"], tuple(entry["shape"])) for name, entry in entries.items()}
        spans = sorted((*entry["data_offsets"], found[name].bytes) for name, entry in entries.items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path.name} has a damaged header") from error
    end = 0
    for first, last, wanted in spans:
        if first != end or last - first != wanted:
            raise InputError(f"{path.name} has a damaged header: its tensors do not follow one another")
        end = last
    if size != 8 + length + end:
        raise InputError(f"{path.name} is truncated or damaged: {size} bytes in place of {8 + length + end}")
    return found


def fingerprint(source: str | Path) -> str:
    """Return one SHA-256 over configuration, tokenizer and weights of a checkpoint; unchanged files are read once."""
    folder = folder_of(source)
    used = {stored.path.name for stored in tensors(folder).values()}
    others = {path.name for pattern in ("*.json", "tokenizer.model") for path in folder.glob(pattern)}
    return digests.digest_of(folder, used | others)


def _json(path: Path, trouble: str) -> dict[str, Any]:
    """Return a JSON object from a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{trouble}: {path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} of {path.parent.name} cannot be read as JSON") from error
    if not isinstance(found, dict):
        raise InputError(f"{path.name} of {path.parent.name} holds no JSON object")
    return found
