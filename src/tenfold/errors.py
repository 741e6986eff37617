"""The one exception that stands for bad input, and its wording."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be right: one line that names it; the command line exits with status 2."""


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice that reads most like `name`, or None when none comes near."""
    close = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return close[0] if close else None


def unknown(kind: str, name: str, choices: Iterable[str]) -> InputError:
    """Build the error for an unknown name, with the nearest right one."""
    choices = sorted(choices)
    close = nearest(name, choices)
    hint = f"; did you mean '{close}'?" if close else ""
    listed = f" (one of: {', '.join(choices)})" if choices else ""
    return InputError(f"unknown {kind} '{name}'{hint}{listed}")
