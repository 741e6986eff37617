"""Arrays from files that came from outside: never unpickled, always checked, one clear line when bad."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.errors import InputError


def read_npy(path: Path) -> np.ndarray:
    """Read a real-valued npy file as float64; pickled objects are refused."""
    try:
        with path.open("rb") as stream:
            return _real(np.lib.format.read_array(stream, allow_pickle=False), path)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the arrays x and y of an npz file."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _real(arrays["x"], path), _real(arrays["y"], path)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def read_uint8(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Read the arrays `names` of an npz file, all of them bytes: images with values 0..255, and labels."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = [arrays[name] for name in names]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    for name, array in zip(names, found, strict=True):
        if array.dtype != np.uint8:
            raise InputError(f"{path}: {name} holds {array.dtype} values, not uint8")
    return found


def read_text(path: Path) -> np.ndarray:
    """Read a text file of numbers, with `#` comments, as rows and columns."""
    try:
        return np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def columns(path: Path, rows: Any) -> np.ndarray:
    """Return rows of four finite numbers, read from `path`, as four columns (4, rows)."""
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 4 or not np.isfinite(table).all():
        raise InputError(f"{path} must hold rows of four finite numbers")
    return np.ascontiguousarray(table.T)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def check_increasing(values: np.ndarray, path: Path, what: str, *, positive: bool = False) -> None:
    """Raise `InputError` unless `values` are at least two, finite and strictly increasing."""
    if values.size < 2 or not np.isfinite(values).all() or not (np.diff(values) > 0).all():
        raise InputError(f"{path}: the {what} must be at least two, finite and increasing")
    if positive and values[0] <= 0:
        raise InputError(f"{path}: the {what} must be positive")


def _real(values: np.ndarray, path: Path) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        raise InputError(f"{path} holds {values.dtype} values, not real numbers")
    return values.astype(np.float64, copy=False)


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{path} cannot be read: {first}")
