"""Afterwards: a trained dense network cut to low rank by SVD, as it is and trained on."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tenfold.lowrank import Decomposition, decompose, truncate
from tenfold.papers.lr_sms.cells import Cell, factorised, rank_of
from tenfold.papers.lr_sms.training import arguments, depths, heard, restored, trained
from tenfold.runner.store import kept
from tenfold.speech import Recognizer, error_counts, rates, transcribe
from tenfold.speech.batches import Batches
from tenfold.speech.recognition import PARTS, recognise
from tenfold.training import Recipe, fit

RATE = 0.2
"""Learning rate of training on, over the one of training from scratch: the network is near a minimum already."""


def cuts(seed: int, cells: list[dict[str, Any]], settings: dict[str, Any], tuned: list[int]) -> dict[str, Any]:
    """Cut the trained dense network of a seed to the ranks of each cell, and train some on.

    tuned: epochs of training on for each cell, 0 for none. Returns "rows", a data frame with a row per cell and state
    ("cut" or "tuned") and its error rates, and "errors", the counts of each row.
    """
    dense = restored(kept(trained, seed=seed, cell=Cell().record(), settings=settings), Cell(), settings)
    held = decompose(dense, factorised)
    rows, errors = [], []
    for record, epochs in zip(cells, tuned, strict=True):
        model = cut(dense, held, Cell(**record), settings)
        for state in ("cut", "tuned") if epochs else ("cut",):
            if state == "tuned":
                train_on(model, seed, epochs, settings)
            errors.append(counted(model, settings))
            rows.append(record | {"seed": seed, "state": state} | rates(errors[-1]))
    return {"rows": pd.DataFrame(rows), "errors": errors}


def cut(dense: Recognizer, held: Decomposition, cell: Cell, settings: dict[str, Any]) -> Recognizer:
    """Return a copy of a network whose maps are the nearest ones of a cell's ranks; the least squares are the SVD's."""
    ranks = {name: rank_of(name, min(held[name].shape), cell, depths(settings)) for name in held}
    return truncate(dense, held, ranks)


def train_on(model: Recognizer, seed: int, epochs: int, settings: dict[str, Any]) -> None:
    """Train a network further, in place, on the corpus that it was trained on."""
    parts, known = heard(settings)
    spoken = Batches(parts["train"].features, [known.encode(text) for text in parts["train"].texts])
    given = arguments(Cell(rate=RATE), settings)
    own = {name: given[name] for name in ("batch", "lr", "device", "precision")}
    recipe = Recipe(
        epochs=epochs,
        optimizer="adamw",
        betas=(0.9, 0.98),
        weight_decay=0.01,
        schedule="cosine",
        lr_end=0.02,
        warmup=0.1 * epochs,
        clip=5.0,
        channels_last=False,
        **own,
    )
    fit(model, spoken, recipe, [seed], objective=recognise)


def counted(model: Recognizer, settings: dict[str, Any]) -> dict[str, Any]:
    """Return edits and lengths of every test utterance."""
    parts, known = heard(settings)
    return {part: error_counts(parts[part].texts, transcribe(model, parts[part], known)) for part in PARTS}
