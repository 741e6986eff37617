"""Decompositions on disk: spectra, and factors of which only what a rank needs is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from tenfold import files
from tenfold.errors import InputError
from tenfold.language import shards
from tenfold.lowrank.factors import Factors
from tenfold.pruning.checkpoint import building

INDEX, VALUES = "index.json", "spectra.safetensors"


class Writer:
    """A decomposition in the making: part by part, so that no more than one part is in memory.

    dtype: of the thin sides as stored; S stays float32, and W what it is.
    """

    def __init__(self, folder: Path, dtype: torch.dtype):
        self.folder, self.dtype, self.places, self.spectra = folder, dtype, {}, {}

    def add(self, factors: Mapping[str, Factors]) -> None:
        """Write the factors of some matrices as the next part."""
        from safetensors.torch import save_file

        file = f"factors-{len(set(self.places.values())) + 1:05d}.safetensors"
        tensors = {}
        for name, part in factors.items():
            tensors[f"{name}.W"] = part.W[:].cpu().contiguous()
            for side, value in (("thin", part.thin), ("back", part.back)):
                if value is not None:
                    tensors[f"{name}.{side}"] = value[:].to("cpu", self.dtype).contiguous()
            self.spectra[name] = part.S.cpu().contiguous().clone()
        save_file(tensors, self.folder / file)
        self.places |= dict.fromkeys(factors, file)

    def finish(self) -> None:
        """Write spectra and index."""
        from safetensors.torch import save_file

        save_file(self.spectra, self.folder / VALUES)
        # Pairs, since the keys of an object are sorted when it is written: the order is that of the network.
        files.write_json(self.folder / INDEX, {"places": [list(place) for place in self.places.items()]})


@contextmanager
def writing(folder: str | Path, dtype: torch.dtype = torch.float32) -> Iterator[Writer]:
    """Give a writer in a temporary folder that takes the place of `folder` on success, and vanishes on failure.

    Raises InputError where the folder exists already, or cannot be written.
    """
    target = Path(folder).expanduser().absolute()
    if target.exists() or target.is_symlink():
        raise InputError(f"{target.name} exists already: a decomposition is never overwritten")
    with building(target, 0) as place:
        writer = Writer(place.folder, dtype)
        yield writer
        writer.finish()


def stored(folder: Path) -> dict[str, Factors]:
    """Return the factors in a folder by name, all but S as slices of their files.

    Raises InputError for a folder that holds none, and a file that is missing or damaged.
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    places = _places(folder / INDEX)
    held = {file: shards.header(folder / file) for file in (VALUES, *sorted(set(places.values())))}
    opened = {file: safe_open(folder / file, framework="pt") for file in set(places.values())}
    spectra, found = load_file(folder / VALUES), {}
    for name, file in places.items():
        sides = {
            side: opened[file].get_slice(f"{name}.{side}")
            for side in ("W", "thin", "back")
            if f"{name}.{side}" in held[file]
        }
        if name not in spectra or not {"W", "thin"} <= sides.keys():
            raise InputError(f"{folder.name} lacks the factors of {name}")
        found[name] = Factors(S=spectra[name], **sides)
    return found


def _places(path: Path) -> dict[str, str]:
    """Return which file holds the factors of each matrix."""
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8"))["places"])
        right = bool(found) and all(Path(file).name == file for file in found.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path.parent.name} holds no decomposition: {INDEX} is missing or damaged") from error
    if not right:
        raise InputError(f"{INDEX} of {path.parent.name} names no file, or one elsewhere")
    return found
