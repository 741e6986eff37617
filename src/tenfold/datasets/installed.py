"""Texts that come with every Python: its help on the language, and modules of its standard library."""

from __future__ import annotations

import hashlib
import sysconfig
from pathlib import Path

from tenfold.datasets.provenance import Resolution
from tenfold.errors import unknown

PROSE, CODE = "prose", "code"
TITLES = {PROSE: "Python's help topics", CODE: "Python's standard library"}
NAMES = tuple(TITLES)
LICENCE = "PSF-2.0"

# Modules of every supported version, of different authors and purposes, about 470 kB together.
MODULES = (
    "bdb",
    "cmd",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "fractions",
    "getopt",
    "gzip",
    "heapq",
    "netrc",
    "operator",
    "pprint",
    "profile",
    "queue",
    "random",
    "reprlib",
    "sched",
    "shelve",
    "shlex",
    "string",
    "textwrap",
    "timeit",
    "tokenize",
    "weakref",
)


def installed_texts(name: str) -> dict[str, str]:
    """Return the documents of "prose" (79 topics) or "code" (modules) by name, sorted; they differ between versions.

    Raises InputError for another name.
    """
    if name == PROSE:
        from pydoc_data.topics import topics

        return dict(sorted(topics.items()))
    if name != CODE:
        raise unknown("installed text", name, NAMES)
    library = Path(sysconfig.get_path("stdlib"))
    paths = [path for module in MODULES if (path := library / f"{module}.py").is_file()]
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def installed(name: str) -> Resolution:
    """Return where "prose" or "code" come from, with a digest of what this Python has; raises InputError otherwise."""
    found = hashlib.sha256()
    for key, text in installed_texts(name).items():
        found.update(f"{key} {len(text)}\n{text}".encode())
    return Resolution(name, "embedded", None, found.hexdigest(), TITLES[name], LICENCE)
