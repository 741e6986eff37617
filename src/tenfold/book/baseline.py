"""The baseline: the last accepted ledger of a scale, and what has changed since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold import files, project
from tenfold.book.ledger import NOT_RUN
from tenfold.book.verdict import VERDICTS
from tenfold.errors import InputError

MISSING = "missing"
_ORDER = (*VERDICTS, NOT_RUN, MISSING)

Ledger = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Difference:
    """One claim that is not as it was accepted; `worse` makes the check fail."""

    paper: str
    claim: str
    worse: bool
    text: str


def path(scale: str) -> Path:
    """Return where the baseline of a scale stands."""
    return project.root() / "data" / "baseline" / f"{scale}.json"


def read(scale: str) -> Ledger:
    """Return {slug: {claim id: {verdict, effect, noise}}}; a missing or damaged file is an `InputError`."""
    name = f"data/baseline/{scale}.json"
    try:
        ledger = json.loads(path(scale).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no baseline {name}: accept a ledger first (--accept)") from None
    except ValueError:
        raise InputError(f"the baseline {name} is no JSON") from None
    for slug, entries in ledger.items():
        for id, entry in entries.items():
            if entry.keys() != {"verdict", "effect", "noise"} or entry["verdict"] not in VERDICTS:
                raise InputError(f"the baseline {name} is damaged at {slug} {id}")
    return ledger


def accept(rows: Sequence[dict[str, Any]], scale: str) -> Path:
    """Write the verdicts of the papers that were run as their new baseline; other papers keep theirs."""
    run = [row for row in rows if row["verdict"] != NOT_RUN]
    if not run:
        raise InputError(f"nothing to accept: none of these papers has a result at scale {scale}")
    ledger = read(scale) if path(scale).is_file() else {}
    for slug in {row["paper"] for row in run}:
        ledger[slug] = {row["id"]: _entry(row) for row in run if row["paper"] == slug}
    files.write_json(path(scale), ledger)
    return path(scale)


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": row["verdict"], "effect": row.get("effect"), "noise": row["noise"]}


def differences(rows: Sequence[dict[str, Any]], ledger: Ledger, slugs: Iterable[str]) -> list[Difference]:
    """Return each claim of these papers whose verdict changed, or whose effect moved beyond its noise.

    Worse is: a lower verdict (reproduced > inconclusive > not reproduced > no number > not testable >
    not run > missing), or |effect - accepted effect| > noise as accepted. New claims are told, not blamed.
    """
    now = {(row["paper"], row["id"]): row for row in rows}
    accepted = {(slug, id): entry for slug in slugs for id, entry in ledger.get(slug, {}).items()}
    found = [_change(*key, accepted.get(key), now.get(key)) for key in {**accepted, **now}]
    return [item for item in found if item]


def _change(paper: str, claim: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Difference | None:
    verdict = new["verdict"] if new else MISSING
    if old is None:
        return None if verdict == NOT_RUN else Difference(paper, claim, False, f"new: {verdict}")
    fall = _ORDER.index(verdict) - _ORDER.index(old["verdict"])
    word = f"{old['verdict']} -> {verdict} ({'worse' if fall > 0 else 'better'})" if fall else ""
    drift = _drift(old, new or {})
    if not (word or drift):
        return None
    return Difference(paper, claim, fall > 0 or bool(drift), "; ".join(filter(None, (word, drift))))


def _drift(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return how far the effect moved, empty when that is noise or there are not two effects."""
    before, after = old["effect"], new.get("effect")
    if before is None or after is None or abs(after - before) <= old["noise"]:
        return ""
    return f"effect {before:.6g} -> {after:.6g}, beyond the noise of {old['noise']:g}"
