"""The ledger: every claim of a paper with its verdict, fresh from tables or read from results."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from tenfold import project
from tenfold.book import claims
from tenfold.book.measure import Tables
from tenfold.book.numerals import interval, published
from tenfold.book.verdict import Verdict, judge
from tenfold.errors import InputError, unknown

if TYPE_CHECKING:
    import pandas as pd

NOT_RUN = "not run"


def judged(slug: str, scale: str, tables: Tables, real: Collection[str] = ()) -> list[Verdict]:
    """Return the verdict on every claim of a paper; `tables(name)` gives a recorded table, `real` names real data."""
    return [judge(claim, tables, scale, real) for claim in claims.load(slug)]


def frame(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return verdicts as a table, the verdict first."""
    import pandas as pd

    columns = ["verdict", "id", "sentence", "effect", "low", "high", "n", "unit", "accepted"]
    columns += ["null", "published", "plus", "minus", "provenance", "noise", "reason"]
    return pd.DataFrame([item.record() for item in verdicts])[columns]


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Return verdicts as a Markdown table, with the evidence of each below it."""
    from tenfold.book.table import pipe

    header = ["verdict", "claim", "effect [95 %]", "n", "accepted", "null", "published"]
    cells = [
        [
            f"**{item.verdict}**",
            f"{item.id}: {item.sentence}",
            interval(item.effect, item.low, item.high, item.unit),
            str(item.n or ""),
            item.accepted,
            f"{item.null:g}",
            f"{published(item.published, item.plus, item.minus)} {item.provenance}".strip(),
        ]
        for item in verdicts
    ]
    reasons = "\n".join(f"- {item.id}, {item.verdict}: {item.reason}." for item in verdicts)
    return f"{pipe(header, cells, [False, False, True, True, False, True, False])}\n\n{reasons}"


def chosen(slugs: Sequence[str]) -> list[str]:
    """Return the papers asked for (none: all that have claims); an unknown one is an `InputError`."""
    known = claims.slugs()
    for slug in slugs:
        if slug not in known:
            raise unknown("paper", slug, known)
    return list(dict.fromkeys(slugs)) or [slug for slug in known if claims.path(slug).is_file()]


def standing(slugs: Sequence[str], scale: str) -> list[dict[str, Any]]:
    """Return one row a claim, in the order of the claims: its last verdict at this scale, or 'not run'."""
    rows = []
    for slug in slugs:
        last = {item["id"]: item for item in _recorded(slug, scale)}
        for claim in claims.load(slug):
            absent = {"id": claim.id, "verdict": NOT_RUN, "sentence": claim.sentence, "noise": claim.noise}
            rows.append({"paper": slug, **last.get(claim.id, absent)})
    return rows


def _recorded(slug: str, scale: str) -> list[dict[str, Any]]:
    """Return the verdicts in a paper's record; none when it has not been run."""
    place = project.results() / scale / slug / "record.json"
    if not place.is_file():
        return []
    try:
        return json.loads(place.read_text(encoding="utf-8")).get("claims", [])
    except ValueError:
        raise InputError(f"{scale}/{slug}/record.json among the results is damaged: run {slug} again") from None
