"""Where things are: the checkout, the results, the download cache, the mirror of real data."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path


@functools.cache
def root() -> Path:
    """Return the checkout that holds `src/tenfold`, `notebooks` and `data`."""
    return Path(__file__).resolve().parents[2]


def results() -> Path:
    """Return the folder of results: `TENFOLD_RESULTS`, else `results` in the checkout."""
    return Path(os.environ.get("TENFOLD_RESULTS") or root() / "results")


def cache() -> Path:
    """Return the download cache: `TENFOLD_CACHE`, else the platform's cache folder."""
    if chosen := os.environ.get("TENFOLD_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "tenfold"


def mirror() -> Path | None:
    """Return the mirror of real data, or None: `TENFOLD_MIRROR` decides alone where it is set."""
    chosen = os.environ.get("TENFOLD_MIRROR")
    folder = Path(chosen) if chosen else root().parent / "shared" / "mirror"
    return folder if folder.is_dir() else None
