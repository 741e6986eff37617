"""The provenance card: where all the numbers of a notebook come from, for the reader of its last cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenfold.book.table import pipe


def card(state: Mapping[str, Any]) -> str:
    """Return the provenance in a book's state as a Markdown table."""
    commit = (state["commit"] or "none")[:12] + (" with local changes" if state["dirty"] else "")
    rows = [
        ["commit", commit],
        [
            "packages",
            ", ".join([f"Python {state['python']}", *(f"{k} {v}" for k, v in state["packages"].items())]),
        ],
        ["machine", f"{state['cpu']}; GPU: {state['accelerator']}; threads: {state['threads']}"],
        ["run", f"scale {state['scale']}, seed {state['seed']}"],
        ["parameters", ", ".join(f"{name} = {_plain(value)}" for name, value in state["parameters"].items())],
    ]
    for item in state["data"]:
        digest = f", sha256 {item['digest'][:12]}" if item["digest"] else ""
        rows.append([f"data {item['name']}", f"{item['title']}: {item['kind']}{digest}, {item['licence'] or 'own'}"])
    return pipe(["what", "which"], rows, [False, False])


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
