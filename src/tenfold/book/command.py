"""`tenfold claims`: the ledger at the command line, and its comparison with the accepted one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from tenfold.book import baseline, claims, ledger
from tenfold.book.numerals import interval, published
from tenfold.book.verdict import INCONCLUSIVE, NOT_REPRODUCED, REPRODUCED
from tenfold.errors import unknown
from tenfold.runner.parameters import SCALES

WIDE = 140  # columns from which the table also says what was accepted, what was published, and the sentence
PIPED = 160  # columns where nobody looks: one line a claim, for grep

_COLOURS = {REPRODUCED: "green", NOT_REPRODUCED: "red", INCONCLUSIVE: "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tenfold claims`."""
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="papers (default: all that have claims)")
    parser.add_argument("--scale", default="laptop", help="smoke, laptop or paper (default: laptop)")
    parser.add_argument("--json", action="store_true", help="print the ledger as JSON")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--against-baseline",
        action="store_true",
        help="tell what changed since the accepted ledger; exit 1 where a verdict fell or an effect drifted",
    )
    group.add_argument("--accept", action="store_true", help="make this ledger the baseline of its scale")


def run(args: argparse.Namespace) -> int:
    """Print the ledger and return the exit status: 1 where it is worse than the baseline, else 0."""
    if args.scale not in SCALES:
        raise unknown("scale", args.scale, SCALES)
    slugs = ledger.chosen(args.slugs)
    rows = ledger.standing(slugs, args.scale)
    changes = None
    if args.against_baseline:
        accepted = baseline.read(args.scale)
        changes = baseline.differences(rows, accepted, args.slugs or accepted)
    if args.json:
        _print_json(args.scale, rows, changes)
    else:
        _print_table(args.scale, rows)
        _print_changes(changes)
    if args.accept:
        place = baseline.accept(rows, args.scale)
        print(f"accepted: data/baseline/{place.name}", file=sys.stderr)
    return int(any(change.worse for change in changes or ()))


def show(slugs: Sequence[str], scale: str) -> None:
    """Print the ledger of these papers; one that has no claims is passed over."""
    if rows := ledger.standing([slug for slug in slugs if claims.path(slug).is_file()], scale):
        _print_table(scale, rows)


def _print_json(scale: str, rows: Sequence[dict[str, Any]], changes: Sequence[baseline.Difference] | None) -> None:
    value = {"scale": scale, "claims": rows}
    if changes is not None:
        value["differences"] = [vars(change) for change in changes]
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_changes(changes: Sequence[baseline.Difference] | None) -> None:
    if changes is None:
        return
    for change in changes:
        print(f"{'WORSE' if change.worse else 'note '} {change.paper} {change.claim}: {change.text}")
    worse = sum(change.worse for change in changes)
    print(f"against the baseline: {len(changes)} differences, {worse} for the worse")


def _print_table(scale: str, rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    watched = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(width=None if watched else PIPED, highlight=False)
    wide = console.width >= WIDE
    title = f"claims at scale {scale}"
    table = Table(box=None, padding=(0, 1, 0, 0), title=title, title_justify="left", expand=wide)
    for name in ("verdict", "claim", "effect [95 %]", "n", "published", *(("accepted", "null") if wide else ())):
        whole = name in ("verdict", "claim", "n")
        table.add_column(name, justify="right" if name == "n" else "left", overflow="fold", no_wrap=whole)
    if wide:
        # The sentence takes what room the numbers leave.
        table.add_column("sentence", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        cells = _cells(row)
        colour = _COLOURS.get(row["verdict"], "dim")
        table.add_row(Text(cells[0], colour), *(Text(cell) for cell in (cells if wide else cells[:5])[1:]))
    console.print(table)


def _cells(row: dict[str, Any]) -> list[str]:
    effect = interval(row.get("effect"), row.get("low"), row.get("high"), row.get("unit", ""))
    return [
        # The title says which scale; eighty columns have no room to say it again.
        row["verdict"].removesuffix(" at this scale"),
        f"{row['paper']} {row['id']}",
        effect,
        str(row.get("n") or ""),
        published(row.get("published"), row.get("plus"), row.get("minus")),
        row.get("accepted", ""),
        f"{row['null']:g}" if "null" in row else "",
        row["sentence"],
    ]
