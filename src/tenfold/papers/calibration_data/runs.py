"""The jobs: plain arguments in, tidy tables out, kept by the store."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd

from tenfold.language.domains import Domain
from tenfold.language.tasks import choice_accuracy, score
from tenfold.papers.calibration_data.bench import Bench
from tenfold.papers.calibration_data.cells import Cell, seeded
from tenfold.papers.calibration_data.parameters import ARITHMETIC, PRETRAINING
from tenfold.papers.calibration_data.windows import read
from tenfold.pruning import kept, overlap

ROOM = 32
"""Tokens that a small model may answer in; a checkpoint has what the paper's tasks have."""


def study(seed: int, cells: list[dict[str, Any]], settings: dict[str, Any]) -> pd.DataFrame:
    """Prune the model of a seed as each cell says; a row per cell and test set (columns: see `Bench.row`)."""
    bench = Bench.of(seed, settings)
    return pd.DataFrame([row for record in cells for row in bench.row(Cell(**record))])


def answers(seed: int, cells: list[dict[str, Any]], asking: dict[str, Any], settings: dict[str, Any]) -> pd.DataFrame:
    """Have the model of each cell answer questions: a row per cell, test set and way of answering.

    asking: questions, shots, decoding. way: "generated" text that is parsed, or "likeliest" of the choices where there
    are choices; right: share of right answers; chance: that of a guess, 0 where answers are free; n: questions.
    """
    bench, rows = Bench.of(seed, settings), []
    sets = [read(name, settings) for name in settings["tests"] if name not in PRETRAINING]
    room = None if settings["model"] else ROOM
    for cell in (Cell(**record) for record in cells):
        model = bench.pruned(cell)
        for each in sets:
            n = min(asking["questions"], len(each.test))
            ways = {}
            if settings["model"] or each.name in ARITHMETIC:
                options = {"decoding": asking["decoding"], "max_new_tokens": room, "seed": seeded(cell, seed)}
                ways["generated"] = score(model, bench.tokenizer, each, n, asking["shots"], **options)
            if each.name not in ARITHMETIC:
                ways["likeliest"] = choice_accuracy(model, bench.tokenizer, each, n, asking["shots"])
            for way, table in ways.items():
                row = {"test": each.name, "way": way, "right": float(table.right.mean()), "n": n}
                rows.append(cell.record() | {"seed": seed, "chance": guess(each, n)} | row)
    return pd.DataFrame(rows)


def guess(each: Domain, n: int) -> float:
    """Return the share of the first n questions that a guess answers right, 0 where answers are free."""
    choices = [len(document.choices) for document in each.test[:n]]
    return sum(1 / count if count else 0.0 for count in choices) / n


def overlaps(seed: int, cells: list[dict[str, Any]], settings: dict[str, Any]) -> pd.DataFrame:
    """Compare which weights the cells of a seed prune: a row per pair of cells and linear map.

    first, second: sources; first_draw, second_draw; block, linear, jaccard, expected (independent masks).
    """
    bench = Bench.of(seed, settings)
    masks = {cell: kept(bench.pruned(cell)) for cell in (Cell(**record) for record in cells)}
    frames = []
    for a, b in itertools.combinations(masks, 2):
        names = {"first": a.source, "first_draw": a.draw, "second": b.source, "second_draw": b.draw}
        frames.append(overlap(masks[a], masks[b]).assign(seed=seed, **names))
    return pd.concat(frames, ignore_index=True)
