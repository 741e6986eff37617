"""The network: whether it may be used, and the memory that nobody answers."""

from __future__ import annotations

import os


def offline(chosen: bool | None = None) -> bool:
    """Tell whether downloads are forbidden: as `chosen`, or as `TENFOLD_OFFLINE` says when that is None."""
    return os.environ.get("TENFOLD_OFFLINE", "") not in ("", "0") if chosen is None else chosen


def give_up() -> None:
    """Go offline for this process and its children, so that none waits again for the same silence."""
    os.environ["TENFOLD_OFFLINE"] = "1"
