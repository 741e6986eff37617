"""Data: a registry with checksums, resolution from mirror, cache, publisher or embedded, and loaders."""

from typing import Any

from tenfold.datasets.provenance import Resolution, label, note, reset, synthetic, used
from tenfold.datasets.registry import Dataset, File, dataset, datasets
from tenfold.datasets.resolution import fingerprint, local, resolve

__all__ = [
    "Dataset",
    "File",
    "Resolution",
    "corrupt",
    "dataset",
    "datasets",
    "fingerprint",
    "label",
    "local",
    "note",
    "reset",
    "resolve",
    "synthetic",
    "used",
]


def __getattr__(name: str) -> Any:
    """Return `corrupt` when it is asked for: it needs torch, and this package by itself the standard library alone."""
    if name != "corrupt":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tenfold.datasets.corruptions import corrupt

    return corrupt
