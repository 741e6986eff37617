"""Places on this machine where the files of a data set may lie, and whether they are whole there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tenfold import project
from tenfold.datasets.digests import checksum, digest_of
from tenfold.datasets.registry import Dataset, File
from tenfold.errors import InputError


@dataclass(frozen=True)
class Place:
    """The mirror, the cache or the embedded folder as one data set sees it."""

    name: str
    source: str
    folder: Path
    files: tuple[File, ...]

    @property
    def present(self) -> bool:
        """Whether any of the files is there."""
        try:
            return any((self.folder / file.name).is_file() for file in self.files)
        except PermissionError as error:
            raise InputError(f"{self.name}: {self.folder} ({self.source}) must not be read") from error

    @property
    def digest(self) -> str:
        """The digest of the files as they are, right or wrong."""
        return digest_of(self.folder, [file.name for file in self.files])

    def fault(self, file: File) -> str:
        """Return what is wrong with one file, in a few words; empty when it is whole."""
        path = self.folder / file.name
        try:
            size = path.stat().st_size
            found = checksum(path) if size == file.bytes else ""
        except FileNotFoundError:
            return "missing"
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if size != file.bytes:
            return f"{'truncated' if size < file.bytes else 'too long'}: {size} bytes, expected {file.bytes}"
        return "" if found == file.sha256 else f"bad checksum: expected sha256 {file.sha256}, found {found}"

    def check(self) -> None:
        """Raise `InputError` for the first file that is not whole."""
        cure = {
            "mirror": "restore the mirror, or let TENFOLD_MIRROR point elsewhere",
            "cache": f"`tenfold data fetch {self.name}` replaces it",
            "embedded": "restore it from the repository",
        }[self.source]
        for file in self.files:
            if fault := self.fault(file):
                raise InputError(f"{self.name}: {self.folder / file.name} ({self.source}) {fault}; {cure}")


def cache_folder(dataset: Dataset) -> Path:
    """Return the folder of the download cache that belongs to `dataset`."""
    return project.cache() / "datasets" / dataset.name


def places(dataset: Dataset) -> list[Place]:
    """Return the places of `dataset` in the order in which they are asked, present or not."""
    found = [Place(dataset.name, "cache", cache_folder(dataset), dataset.files)] if dataset.files else []
    mirror = project.mirror()
    if mirror is not None and dataset.files and dataset.mirror:
        found.insert(0, Place(dataset.name, "mirror", mirror / dataset.mirror, dataset.files))
    if dataset.embedded:
        found.append(Place(dataset.name, "embedded", project.root() / "data" / "embedded", (dataset.embedded,)))
    return found


def at_hand(dataset: Dataset, *, embedded: bool = True) -> Place | None:
    """Return the first place that has `dataset`, or None."""
    wanted = [place for place in places(dataset) if embedded or place.source != "embedded"]
    return next((place for place in wanted if place.present), None)
