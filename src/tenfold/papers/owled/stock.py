"""Trained networks from the store of a run: a worker takes them from there instead of training again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def kept(function: Callable, /, **arguments: Any) -> Any:
    """Return what `function(**arguments)` gave when the run began it, or begin it here where nobody has.

    A forced run trains anew once, in the sweep that begins it, and not again in every job that asks.
    """
    from tenfold.runner.store import Call

    call = Call(function, arguments)
    if not call.known():
        call.make()
    return call.read()
