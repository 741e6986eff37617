"""Provenance: which data this process has used, where they came from, and how a figure names them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tenfold.datasets.places import at_hand
from tenfold.datasets.registry import datasets
from tenfold.errors import unknown

# What a figure says: a file of the publisher is real whichever way it came here.
KINDS = {"cache": "real", "download": "real", "real": "real"}


@dataclass(frozen=True)
class Resolution:
    """Data that were handed out: source is mirror, cache, download, real, embedded, synthetic or absent."""

    name: str
    source: str
    folder: Path | None
    digest: str
    title: str
    licence: str = ""

    @property
    def kind(self) -> str:
        """What a reader is told: real, mirror, embedded, synthetic or absent."""
        return KINDS.get(self.source, self.source)

    @property
    def fingerprint(self) -> str:
        """`source:digest`, or `absent`; a download counts as the cache that it filled."""
        if self.source == "absent":
            return "absent"
        return f"{'cache' if self.source == 'download' else self.source}:{self.digest}"

    def record(self) -> dict[str, str]:
        """Return what a record of results keeps: no folder, since that belongs to one machine."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "kind": self.kind,
            "digest": self.digest,
            "licence": self.licence,
        }

    @classmethod
    def from_record(cls, record: dict[str, str]) -> Resolution:
        """Return the resolution that a record keeps, without its folder."""
        names = ("name", "source", "digest", "title", "licence")
        return cls(folder=None, **{name: record[name] for name in names})


# By name, source and digest: what another process recorded of the same data is no second use.
_used: dict[tuple[str, str, str], Resolution] = {}
_told: set[str] = set()


def note(resolution: Resolution, remark: str = "") -> Resolution:
    """Log `resolution` as used, say so on stderr once per process, and return it."""
    _used.setdefault((resolution.name, resolution.source, resolution.digest), resolution)
    line = f"{resolution.name}: {resolution.source}"
    # Workers of a sweep say nothing: the notebook that takes their results does.
    if line not in _told and not os.environ.get("TENFOLD_QUIET"):
        _told.add(line)
        print(f"{line} ({remark})" if remark else line, file=sys.stderr)
    return resolution


def used() -> list[Resolution]:
    """Return every distinct resolution of this process, in order of first use."""
    return list(_used.values())


def reset() -> None:
    """Forget what was used, as at the start of a run; what was said on stderr stays said."""
    _used.clear()


def synthetic(name: str, digest: str, title: str) -> Resolution:
    """Register data that were generated, so that figures and records can name them."""
    return note(Resolution(name, "synthetic", None, digest, title))


def label(names: Iterable[str] | None = None) -> str:
    """Return the footer of a figure, such as "Data: degrees of freedom (embedded)".

    Names are those of resolutions of this process, or of the registry: a data set that only another
    process has read is told as it stands here. None means all that were used. Raises `InputError`.
    """
    chosen = used() if names is None else [_called(name) for name in dict.fromkeys(names)]
    told = dict.fromkeys(f"{item.title} ({item.kind})" for item in chosen)
    return f"Data: {', '.join(told)}" if told else "Data: none"


def _called(name: str) -> Resolution:
    """Return the last resolution of this name, or what the registry finds at hand."""
    if found := [item for item in _used.values() if item.name == name]:
        return found[-1]
    known = datasets()
    if name not in known:
        raise unknown("data set", name, {*known, *(item.name for item in _used.values())})
    place = at_hand(known[name])
    source, digest = (place.source, place.digest) if place else ("absent", "")
    return Resolution(name, source, None, digest, known[name].title, known[name].licence)
