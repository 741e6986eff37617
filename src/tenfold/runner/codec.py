"""Cached values as files: JSON for the structure, one npz without pickle for the arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tenfold.errors import InputError


def write_value(folder: Path, value: Any) -> None:
    """Write a tree of data frames, arrays, dictionaries, lists and plain values into `folder`."""
    import numpy as np

    arrays: dict[str, Any] = {}
    structure = _encode(value, arrays)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "arrays.npz", **arrays)
    (folder / "structure.json").write_text(json.dumps(structure))


def read_value(folder: Path) -> Any:
    """Return what `write_value` wrote; lists for tuples, data frames with a fresh range index."""
    import numpy as np

    structure = json.loads((folder / "structure.json").read_text())
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        return _decode(structure, dict(arrays))


def _encode(value: Any, arrays: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        columns = {str(name): _encode(_plain(value[name]), arrays) for name in value.columns}
        return {"frame": columns}
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufcU":
            raise InputError(f"a cached array must hold numbers or texts, not {value.dtype}")
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return _encode(value.item(), arrays)
    if isinstance(value, dict):
        return {"dict": {str(name): _encode(item, arrays) for name, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_encode(item, arrays) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(f"a cached call cannot return a {type(value).__name__}")


def _plain(column: Any) -> Any:
    """Return a column as an array of numbers or of texts."""
    import numpy as np

    array = column.to_numpy()
    return array if array.dtype.kind in "biufc" else np.asarray(array, dtype=str)


def _decode(structure: Any, arrays: dict[str, Any]) -> Any:
    import pandas as pd

    if isinstance(structure, list):
        return [_decode(item, arrays) for item in structure]
    if not isinstance(structure, dict):
        return structure
    (kind, content), *_ = structure.items()
    if kind == "array":
        return arrays[content]
    if kind == "frame":
        return pd.DataFrame({name: _decode(item, arrays) for name, item in content.items()})
    return {name: _decode(item, arrays) for name, item in content.items()}
