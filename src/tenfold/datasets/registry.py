"""The registry: every data set by name, with its files, checksums, licence and publisher."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold import project
from tenfold.errors import unknown


@dataclass(frozen=True)
class File:
    """One file: its name, what it must hash to, its size in bytes, and the address that publishes it."""

    name: str
    sha256: str
    bytes: int
    url: str = ""


@dataclass(frozen=True)
class Archive:
    """A publisher's archive: address, pooch-style checksum, bytes (rounded), file name -> path inside."""

    url: str
    checksum: str
    bytes: int
    members: dict[str, str]


@dataclass(frozen=True)
class Dataset:
    """A data set of `data/registry.toml`; `mirror` is a folder name, `embedded` a file of `data/embedded`.

    A data set without files is embedded and nowhere else, or a reader brings it; `obtain` says how, where there is
    no address to download from.
    """

    name: str
    title: str
    domain: str
    licence: str
    citation: str
    homepage: str
    files: tuple[File, ...]
    mirror: str = ""
    archive: Archive | None = None
    embedded: File | None = None
    obtain: str = ""

    @property
    def bytes(self) -> int:
        """Bytes of all files together, or of the embedded file that is all there is."""
        return sum(file.bytes for file in self.files or filter(None, [self.embedded]))

    @property
    def published(self) -> bool:
        """Whether there is an address to download from."""
        return self.archive is not None or (bool(self.files) and all(file.url for file in self.files))


def datasets() -> dict[str, Dataset]:
    """Return every registered data set by name."""
    return _read(project.root() / "data" / "registry.toml")


def dataset(name: str) -> Dataset:
    """Return one data set; raises `InputError` with the nearest name when there is none."""
    known = datasets()
    if name not in known:
        raise unknown("data set", name, known)
    return known[name]


@functools.cache
def _read(path: Path) -> dict[str, Dataset]:
    import tomllib

    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    base = entry.pop("base", "")
    files = tuple(_file(file, base) for file in entry.pop("files", ()))
    archive = entry.pop("archive", None)
    embedded = entry.pop("embedded", None)
    return Dataset(
        name=name,
        files=files,
        archive=_archive(archive, files) if archive else None,
        embedded=File(**embedded) if embedded else None,
        **entry,
    )


def _file(entry: dict[str, Any], base: str) -> File:
    return File(**{"url": base + entry["name"] if base else ""} | entry)


def _archive(entry: dict[str, Any], files: tuple[File, ...]) -> Archive:
    folder = entry.pop("folder")
    return Archive(members={file.name: f"{folder}/{file.name}" for file in files}, **entry)
