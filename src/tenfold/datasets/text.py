"""Text sets by name: encyclopaedia articles, word problems, choices and inference, from wherever they are at hand."""

from __future__ import annotations

import functools
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from tenfold import files, project
from tenfold.datasets import hub, network
from tenfold.datasets.places import at_hand
from tenfold.datasets.provenance import Resolution
from tenfold.datasets.registry import dataset
from tenfold.datasets.resolution import local, resolve
from tenfold.datasets.textfiles import (
    read_commonsenseqa,
    read_esnli,
    read_gsm8k,
    read_mawps,
    read_svamp,
    read_wikitext,
    read_winogrande,
)
from tenfold.errors import InputError, unknown

Record = dict[str, Any]

KINDS = {
    "wikitext2": "prose",
    "c4": "prose",
    "pile": "prose",
    "oscar": "prose",
    "redpajama": "prose",
    "gsm8k": "arithmetic",
    "svamp": "arithmetic",
    "mawps": "arithmetic",
    "commonsenseqa": "choice",
    "winogrande": "choice",
    "race": "choice",
    "esnli": "nli",
    "anli": "nli",
}
# Readers of the registered files, in the order of the registry: training and test, or one file that is cut here.
READERS: dict[str, Callable[[Path], list[Record]]] = {
    "wikitext2": read_wikitext,
    "gsm8k": read_gsm8k,
    "svamp": read_svamp,
    "mawps": read_mawps,
    "commonsenseqa": read_commonsenseqa,
    "winogrande": read_winogrande,
    "esnli": read_esnli,
}
SUFFIXES = (".jsonl", ".txt")
SPLIT_SEED = 0
TEST_SHARE = 0.2
# SVAMP has variants of one problem beside each other: cut in order, few of them are torn apart.
SVAMP_TEST_SHARE = 0.3


def records(name: str, folder: str | Path | None = None) -> dict[str, list[Record]]:
    """Return the records of a text set: {"train": [...], "test": [...]}.

    Fields: text (wikitext2, c4, pile, oscar, redpajama); question, answer, rationale (gsm8k; svamp and mawps without
    rationale, the answer an expression); question, choices, answer (commonsenseqa; race with article); sentence,
    option1, option2, answer (winogrande); premise, hypothesis, label, rationale (esnli, anli). Splits are the
    publisher's where the files have them (wikitext2, gsm8k, commonsenseqa); of svamp the last 30 % are for tests, of
    the others a fifth, drawn once and for all so that what belongs together stays together.

    A reader's own `<name>.jsonl` (a record a line, with the fields above, and `split` "train" or "test" if wanted) or
    `<name>.txt` (one text) in `folder`, or in the folder `TENFOLD_TEXT`, comes before everything else. Then: mirror,
    cache, and the hub with the extra `hub` and a network (the first 5,000 records, kept in the cache). Raises
    InputError for an unknown name, for texts that are nowhere, and for damaged files.
    """
    where = locate(name, folder)
    place = Path(where.name) if where.name != name else where.folder
    return {part: list(rows) for part, rows in _read(name, place, where.digest).items()}


def locate(name: str, folder: str | Path | None = None) -> Resolution:
    """Return where a text set is, and note that it is used; see `records`."""
    if name not in KINDS:
        raise unknown("text set", name, KINDS)
    if (path := _own(name, folder)) is not None:
        return local(path)
    if present(name):
        return resolve(name)
    kept = project.cache() / "text" / f"{name}.jsonl"
    if not kept.is_file():
        files.write_text(kept, "".join(json.dumps(row) + "\n" for row in _fetched(name)))
    return local(kept)


def present(name: str) -> bool:
    """Tell whether the files of a registered text set are in the mirror or the cache; nothing is checked or read."""
    return name in READERS and at_hand(dataset(name)) is not None


def _own(name: str, folder: str | Path | None) -> Path | None:
    """Return a reader's own file; a folder that is named must be there, but need not have every set."""
    for place in filter(None, (folder, os.environ.get("TENFOLD_TEXT"))):
        place = Path(place).expanduser()
        if not place.is_dir():
            raise InputError(f"there is no folder of texts {place}")
        for suffix in SUFFIXES:
            if (path := place / f"{name}{suffix}").is_file():
                return path
    return None


def _fetched(name: str) -> list[Record]:
    """Return the records that the hub gives; raises InputError that says both ways to get them."""
    if network.offline():
        reason = "offline"
    else:
        try:
            return hub.first_records(name)
        except hub.Unavailable as error:
            reason = str(error)
    raise InputError(
        f"{name}: {reason}; put {name}.jsonl or {name}.txt into a folder of your own and name it by TENFOLD_TEXT or"
        " as folder, or install the extra hub (pip install 'tenfold[hub]') and have a network"
    )


@functools.lru_cache(maxsize=16)
def _read(name: str, place: Path, digest: str) -> dict[str, list[Record]]:
    """Return the records of a file of a reader's own or of a folder of registered ones; `digest` tells states apart."""
    if place.is_file():
        return _own_records(place)
    parts = [READERS[name](place / file.name) for file in dataset(name).files]
    if len(parts) == 2:
        # Registered in the order of the parts.
        return dict(zip(("train", "test"), parts, strict=True))
    rows = parts[0]
    if name == "svamp":
        cut = len(rows) - round(SVAMP_TEST_SHARE * len(rows))
        return {"train": rows[:cut], "test": rows[cut:]}
    return split(rows)


def _own_records(path: Path) -> dict[str, list[Record]]:
    try:
        content = path.read_text(encoding="utf-8")
        lines = [line for line in content.split("\n") if line.strip()]
        rows = [json.loads(line) for line in lines] if path.suffix == ".jsonl" else [{"text": content}][: len(lines)]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    for i, row in enumerate(rows, 1):
        if not isinstance(row, dict) or row.get("split", "train") not in ("train", "test"):
            raise InputError(f"{path}: record {i} must be an object, with a split of train or test if it has one")
    if not rows:
        raise InputError(f"{path} holds no text")
    if not any("split" in row for row in rows):
        return split(rows)
    parts = {part: [row for row in rows if row.get("split", "train") == part] for part in ("train", "test")}
    if not all(parts.values()):
        raise InputError(f"{path} must have records of either split, train and test, or name none")
    return parts


def split(rows: Sequence[Record]) -> dict[str, list[Record]]:
    """Return records cut once and for all: about a fifth for tests, records that belong together on the same side.

    A single record is cut in two by its text. The order of the records stays.
    """
    if len(rows) == 1 and "text" in rows[0]:
        text = rows[0]["text"]
        cut = round((1 - TEST_SHARE) * len(text))
        return {"train": [{"text": text[:cut]}], "test": [{"text": text[cut:]}]}
    sizes = Counter(map(_group, rows))
    groups = list(sizes)
    random.Random(SPLIT_SEED).shuffle(groups)
    held, count = set(), 0
    for group in groups:
        if count >= TEST_SHARE * len(rows):
            break
        held.add(group)
        count += sizes[group]
    return {part: [row for row in rows if (_group(row) in held) == (part == "test")] for part in ("train", "test")}


def _group(row: Record) -> Hashable:
    """Return what tells groups apart: a premise has several hypotheses, a twin sentence has the same options."""
    if "premise" in row:
        return row["premise"]
    if "sentence" in row:
        return row.get("option1"), row.get("option2")
    return row.get("article") or row.get("question") or row.get("text")
