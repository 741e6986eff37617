"""Driving scenes as vectors with what an instructor says of them: 990 scenes of Driving with LLMs."""

from __future__ import annotations

import json
import lzma
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.datasets.resolution import resolve
from tenfold.errors import InputError

NAME = "driving_scenes"
ARRAYS = "vqa_test_1k.npz"
TEXTS = "vqa_test_1k.jsonl.xz"

# Rows and columns of one scene's arrays, by the publisher's name and ours.
SHAPES = {
    "route_descriptors": ("route", (30, 17)),
    "vehicle_descriptors": ("vehicles", (30, 33)),
    "pedestrian_descriptors": ("pedestrians", (20, 9)),
    "ego_vehicle_descriptor": ("ego", (31,)),
}


@dataclass(frozen=True)
class Scenes:
    """Scenes in the layout of arXiv 2310.01957: float32, metres divided by 10, m/s divided by 5, empty rows zero.

    route (n, 30, 17), vehicles (n, 30, 33), pedestrians (n, 20, 9), ego (n, 31); texts: n label texts; questions and
    answers: n tuples of equal length, or empty; name: that of the data set, for figures. An int index gives one scene
    as a dict under the publisher's names (`SHAPES`) and its text; a slice, list or array gives Scenes. Raises
    InputError for shapes that do not go together.
    """

    route: np.ndarray
    vehicles: np.ndarray
    pedestrians: np.ndarray
    ego: np.ndarray
    texts: tuple[str, ...]
    questions: tuple[tuple[str, ...], ...] = ()
    answers: tuple[tuple[str, ...], ...] = ()
    name: str = NAME

    def __post_init__(self):
        for name, shape in SHAPES.values():
            found = np.shape(getattr(self, name))
            if found != (len(self.texts), *shape):
                raise InputError(f"{len(self.texts)} scenes need {name} {(len(self.texts), *shape)}, not {found}")
        for told in (self.questions, self.answers):
            if told and len(told) != len(self.texts):
                raise InputError(f"{len(self.texts)} scenes cannot have {len(told)} lists of questions or answers")

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, key: Any) -> dict[str, Any] | Scenes:
        if isinstance(key, int | np.integer):
            arrays = {name: getattr(self, ours)[key] for name, (ours, _) in SHAPES.items()}
            return arrays | {"text": self.texts[key]}
        rows = np.arange(len(self))[key]
        taken = {name: getattr(self, name)[rows] for name, _ in SHAPES.values()}
        told = {
            field.name: tuple(value[i] for i in rows)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), tuple) and value
        }
        return replace(self, **taken, **told)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    def __add__(self, other: Scenes) -> Scenes:
        arrays = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name, _ in SHAPES.values()}
        return Scenes(**arrays, texts=self.texts + other.texts, name=self.name)


def scenes(missing_ok: bool = False) -> Scenes | None:
    """Return the 990 evaluation scenes of Driving with LLMs (arXiv 2310.01957) with texts, questions and answers.

    With `missing_ok`, None where they are nowhere. Raises InputError for scenes that are nowhere or damaged.
    """
    resolution = resolve(NAME, missing_ok=missing_ok)
    return None if resolution.source == "absent" else read(resolution.folder)


def read(folder: Path) -> Scenes:
    """Read the scenes of a folder with `vqa_test_1k.npz` and `vqa_test_1k.jsonl.xz`; nothing is unpickled."""
    arrays = _arrays(Path(folder) / ARRAYS)
    records = _records(Path(folder) / TEXTS)
    count = len(arrays["ego"])
    if len(records) != count:
        raise InputError(f"{folder}: {count} scenes but {len(records)} texts")
    pairs = [_pairs(record.get("response_content", "")) for record in records]
    return Scenes(
        **arrays,
        texts=tuple(record["input_prompt"] for record in records),
        questions=tuple(tuple(question for question, _ in found) for found in pairs),
        answers=tuple(tuple(answer for _, answer in found) for found in pairs),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {ours: stored[name] for name, (ours, _) in SHAPES.items()}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    for name, array in found.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise InputError(f"{path}: {name} must hold finite float32 values")
    return found


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        with lzma.open(path, "rt", encoding="utf-8") as stream:
            found = [json.loads(line) for line in stream]
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not all(isinstance(record, dict) and isinstance(record.get("input_prompt"), str) for record in found):
        raise InputError(f"{path} must hold one object with an input_prompt on each line")
    return found


def _pairs(content: str) -> list[tuple[str, str]]:
    """Return question and answer of each object {...} in a text; a few were badly written upstream and are left out."""
    found = []
    for item in re.findall(r"\{.*?\}", content):
        try:
            record = json.loads(item.replace(",}", "}"), strict=False)
            found.append((str(record["question"]), str(record["answer"])))
        except (ValueError, KeyError):
            continue
    return found
