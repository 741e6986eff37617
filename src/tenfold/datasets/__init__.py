"""Data: a registry with checksums, resolution from mirror, cache, publisher or embedded, and loaders."""

from tenfold.datasets.provenance import Resolution, label, note, reset, synthetic, used
from tenfold.datasets.registry import Dataset, File, dataset, datasets
from tenfold.datasets.resolution import fingerprint, local, resolve

__all__ = [
    "Dataset",
    "File",
    "Resolution",
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
