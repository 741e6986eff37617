"""`tenfold data`: list, fetch and verify the data sets."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tenfold.datasets.registry import dataset, datasets
from tenfold.errors import InputError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the three actions to the parser of `tenfold data`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="data sets, their size and licence, and where they are at hand")
    fetch = actions.add_parser("fetch", help="download data sets into the cache")
    fetch.add_argument("names", nargs="+", metavar="NAME")
    verify = actions.add_parser("verify", help="check every file at hand against its checksum")
    verify.add_argument("names", nargs="*", metavar="NAME", help="all when none is given")


def run(args: Namespace) -> int:
    """Carry out the action and return 0; raises `InputError` for unknown names and damaged files."""
    return {"list": _list, "fetch": _fetch, "verify": _verify}[args.action](args)


def _list(args: Namespace) -> int:
    from tenfold.datasets.verification import table

    rows = [(row.name, row.domain, f"{row.megabytes:.2f}", row.licence, row.at_hand or "-") for row in table()]
    _print([("name", "domain", "MB", "licence", "at hand"), *rows])
    return 0


def _fetch(args: Namespace) -> int:
    from tenfold.datasets.fetch import fetch

    # All names before the first byte: a misspelt last one must not cost the downloads before it.
    for name in args.names:
        dataset(name)
    for name in args.names:
        found = fetch(name)
        print(f"{name}: {'already whole' if found.source == 'cache' else 'downloaded'} in {found.folder}")
    return 0


def _verify(args: Namespace) -> int:
    from tenfold.datasets.verification import verify

    rows = [row for name in args.names or datasets() for row in verify(name)]
    _print([("name", "place", "file", "status"), *((*row[:2], row.file or "-", row.status) for row in rows)])
    damaged = [f"{row.name}/{row.file} ({row.place})" for row in rows if row.status not in ("ok", "absent")]
    if damaged:
        raise InputError(f"{len(damaged)} of {len(rows)} files are damaged: {', '.join(damaged)}")
    return 0


def _print(rows: list[tuple[str, ...]]) -> None:
    """Print columns that are as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
