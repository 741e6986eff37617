"""Evaluation: every method on both tasks, with the paper's random split and with whole boroughs held out."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.calliper import clustering, encoders
from tenfold.papers.calliper.city import City, Task, build
from tenfold.papers.calliper.features import features
from tenfold.urban import nearest_neighbours
from tenfold.urban.autocorrelation import moran_indices, neighbours
from tenfold.urban.metrics import classification_metrics, distribution_metrics
from tenfold.urban.probes import Protocol, fit_probes
from tenfold.urban.splits import Split, blocked_splits, official_split

NEIGHBOURS = {"distribution": 10, "classes": 5}


def study(
    method: str,
    seed: int,
    city: dict[str, Any],
    encoder: dict[str, Any],
    folds: int,
    probe_epochs: int,
    probes: tuple[str, ...] = ("linear", "mlp"),
    hexagons: bool = False,
) -> dict[str, Any]:
    """Evaluate one method with one seed, on both tasks, with both splits.

    Returns `scores` (a row per task, probe and split), `predictions` by task (every row predicted while its borough is
    held out, by the last probe) and `seconds`, what it took on one core to learn and to embed the points of both tasks.
    A trained encoder adds its `history` and `model`; `hexagons` adds the paper's clusters of them.
    """
    place = build(**city)
    encoders.prepare(place, encoder)
    began = time.process_time()
    model = encoders.made(method, place, encoder, seed)
    known = model.embed if model else features(method, place, encoder, seed)
    vectors = {name: known(task.xy) for name, task in place.tasks.items()} if known else None
    seconds = time.process_time() - began
    found = {"seconds": seconds} | tested(vectors, method, place, seed, folds, probe_epochs, probes)
    if model and model.best_epoch:
        found |= {"history": model.history, "model": model.state()}
    if hexagons:
        found |= clustering.painted(known(place.hexagon_xy), place, seed, counted=method == "calliper")
    return found


def tested(
    vectors: dict[str, np.ndarray] | None,
    method: str,
    place: City,
    seed: int,
    folds: int,
    probe_epochs: int,
    probes: tuple[str, ...],
) -> dict[str, Any]:
    """Return scores and held-out predictions of features by task; None predicts from places, or from nothing."""
    rows, kept = [], {}
    for name, task in place.tasks.items():
        for probe in probes if vectors else ("none",):
            for split, splits in _splits(task, folds, seed).items():
                known = vectors and vectors[name]
                predicted = _predictions(method, probe, task, known, splits, seed, probe_epochs)
                held = np.concatenate([item.test for item in splits])
                row = {"task": name, "method": method, "probe": probe, "split": split, "seed": seed}
                rows.append(row | scores(task, held, predicted))
                if split == "blocked":
                    kept[name] = _in_order(held, predicted)
    return {"scores": pd.DataFrame(rows), "predictions": kept}


def _splits(task: Task, folds: int, seed: int) -> dict[str, list[Split]]:
    """The paper's one random split, and folds of whole boroughs that together cover every row once."""
    return {"random": [official_split(len(task.xy))], "blocked": blocked_splits(task.boroughs, folds, seed)}


def _predictions(
    method: str, probe: str, task: Task, vectors: np.ndarray | None, splits: list[Split], seed: int, epochs: int
) -> np.ndarray:
    """Return the predictions on the test rows of all splits, one after the other: shares, or class scores."""
    target = task.target if task.kind == "distribution" else np.eye(len(task.classes))[task.target]
    if method == "mean":
        return np.concatenate([np.tile(target[item.train].mean(axis=0), (len(item.test), 1)) for item in splits])
    if method == "neighbours":
        k = NEIGHBOURS[task.kind]
        return np.concatenate(
            [nearest_neighbours(task.xy[s.train], target[s.train], task.xy[s.test], k) for s in splits]
        )
    protocol = Protocol(epochs=epochs)
    probes = fit_probes(vectors, task.target, splits, [seed], kind=probe, task=task.kind, protocol=protocol)
    return np.concatenate([found.predicted for found in probes])


def _in_order(tested: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return predictions in the order of the rows of the task."""
    ordered = np.empty(predicted.shape, dtype=np.float32)
    ordered[tested] = predicted
    return ordered


def scores(task: Task, tested: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return the metrics of a task on its tested rows, and Moran's I of what is left unexplained.

    The residual of a distribution is observed minus predicted share, with I averaged over its nine classes.
    """
    target = task.target[tested]
    if task.kind == "classes":
        return classification_metrics(target, predicted.argmax(axis=1), range(len(task.classes)))
    weights = neighbours(task.xy[tested])
    left = moran_indices(target - predicted, weights)
    return distribution_metrics(target, predicted) | {"moran": float(left.mean())}
