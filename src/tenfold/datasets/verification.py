"""Verification: what the registry knows, where it is at hand, and whether every file is right."""

from __future__ import annotations

from typing import NamedTuple

from tenfold.datasets.places import places
from tenfold.datasets.registry import dataset, datasets


class Check(NamedTuple):
    """One file in one place: status is "ok", "absent" for a whole place, or what is wrong."""

    name: str
    place: str
    file: str
    status: str


class Entry(NamedTuple):
    """One data set as `tenfold data list` shows it."""

    name: str
    domain: str
    megabytes: float
    licence: str
    at_hand: str


def verify(name: str) -> list[Check]:
    """Check every file of a data set in every place; raises `InputError` for an unknown name."""
    rows = []
    for place in places(dataset(name)):
        if place.present:
            rows += [Check(name, place.source, file.name, place.fault(file) or "ok") for file in place.files]
        else:
            rows.append(Check(name, place.source, "", "absent"))
    return rows


def table() -> list[Entry]:
    """Return every data set with the places that have it, in the order in which they are asked."""
    return [
        Entry(
            data.name,
            data.domain,
            data.bytes / 1e6,
            data.licence,
            ", ".join(place.source for place in places(data) if place.present),
        )
        for data in datasets().values()
    ]
