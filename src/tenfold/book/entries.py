"""Entries of a document, each taken as what it must be; what it is not is an `InputError` that names it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tenfold.errors import InputError, unknown


def keys(entry: Any, known: Iterable[str], kind: str) -> None:
    """Refuse what is no mapping, and every key that is not known."""
    if not isinstance(entry, Mapping):
        raise InputError(f"there must be a mapping, not {entry!r}")
    for key in entry:
        choice(kind, key, known)


def choice(kind: str, name: Any, choices: Iterable[str]) -> str:
    """Return `name` when it is among the choices."""
    if name not in choices:
        raise unknown(kind, str(name), choices)
    return name


def text(name: str, value: Any, empty: bool = False) -> str:
    """Return a text without the blanks around it."""
    if not isinstance(value, str) or not (value.strip() or empty):
        raise InputError(f"{name} must be a text, not {value!r}")
    return value.strip()


def number(name: str, value: Any) -> float:
    """Return a finite number; a truth is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, not {value!r}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """Return a positive number."""
    if number(name, value) <= 0:
        raise InputError(f"{name} must be positive, not {value!r}")
    return float(value)


def numbers(name: str, value: Any) -> tuple[float, float]:
    """Return two numbers."""
    if not isinstance(value, list) or len(value) != 2:
        raise InputError(f"{name} must be [low, high], not {value!r}")
    return number(name, value[0]), number(name, value[1])
