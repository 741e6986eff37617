"""How well a driver's texts agree with the labels, and what constant answers would reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tenfold.errors import InputError
from tenfold.pruning.driving.captions import parse_caption, pedals_to_control

IGNORED = -100  # a label that no loss counts
CLIP_M = 40.0  # metres at which the clipped distance error ends: one answer with many digits outweighs all others


def driving_metrics(labels: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Return the errors of texts against label texts, and of how many items each was found.

    E_car, E_ped: mean |difference| of the counts, |label| where the prediction has none. Acc_TL: share of labels with
    a light state whose state the prediction has. D_TL: like E_car on the light's distance in m, beside its median and
    its mean clipped at 40 m. E_lon: mean |difference| of ((accelerator - brake) + 1) / 2, E_lat: that of the signed
    steering share, left positive, both over the pairs in which all four texts have a value. n_*: items of each
    metric; parsed_*: of these the predictions that had a value. A metric without items is NaN. Raises InputError for
    lists that are empty or of unequal length. Source: arXiv 2310.01957.
    """
    if len(labels) != len(predictions) or not len(labels):
        raise InputError(f"metrics need as many predictions as labels, not {len(predictions)} for {len(labels)}")
    truth, found = ([parse_caption(text) for text in texts] for texts in (labels, predictions))
    return _scores(truth, found)


def constant_baseline(labels: Sequence[str]) -> dict[str, float]:
    """Return `driving_metrics` of the best constant answers: medians of the labels, and their commonest light.

    The medians are those of the labels that have the value; steering and control are taken apart, as numbers.
    """
    truth = [parse_caption(text) for text in labels]
    if not truth:
        raise InputError("a baseline needs at least one label")
    constant: dict[str, Any] = {name: _median(truth, name) for name in ("cars", "pedestrians", "light_distance")}
    states = Counter(seen["light"] for seen in truth if seen["light"] is not None)
    constant["light"] = max(states, key=states.get) if states else None
    constant["control"] = _median([{"control": _control(seen)} for seen in truth], "control")
    constant["steering"] = _median(truth, "steering")
    return _scores(truth, [constant] * len(truth))


def _scores(truth: list[dict[str, Any]], found: list[dict[str, Any]]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for metric, name in (("E_car", "cars"), ("E_ped", "pedestrians"), ("D_TL", "light_distance")):
        errors, parsed = _differences(truth, found, name)
        scores |= {metric: _mean(errors), f"n_{metric}": len(errors), f"parsed_{metric}": parsed}
        if metric == "D_TL":
            scores["D_TL_median"] = float(np.median(errors)) if errors else float("nan")
            scores["D_TL_clipped"] = _mean(np.minimum(errors, CLIP_M))
    lit = [(a["light"], b["light"]) for a, b in zip(truth, found, strict=True) if a["light"] is not None]
    scores |= {"Acc_TL": _mean([a == b for a, b in lit]), "n_Acc_TL": len(lit)}
    scores["parsed_Acc_TL"] = sum(b is not None for _, b in lit)
    actions = [
        (abs(_control(a) - _control(b)), abs(a["steering"] - b["steering"]))
        for a, b in zip(truth, found, strict=True)
        if None not in (_control(a), _control(b), a["steering"], b["steering"])
    ]
    for i, metric in enumerate(("E_lon", "E_lat")):
        scores |= {metric: _mean([pair[i] for pair in actions])}
        scores |= {f"n_{metric}": len(actions), f"parsed_{metric}": len(actions)}
    return scores


def _differences(truth: list[dict], found: list[dict], name: str) -> tuple[list[float], int]:
    """Return |difference| of each item whose label has the value, and how many predictions had one too."""
    pairs = [(a[name], b[name]) for a, b in zip(truth, found, strict=True) if a[name] is not None]
    errors = [abs(a - (0 if b is None else b)) for a, b in pairs]
    return errors, sum(b is not None for _, b in pairs)


def _control(seen: dict[str, Any]) -> float | None:
    if "control" in seen:
        return seen["control"]
    if seen["accelerator"] is None or seen["brake"] is None:
        return None
    return pedals_to_control(seen["accelerator"], seen["brake"])


def _median(rows: list[dict[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return median(values) if values else None


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def weighted_token_loss(logits: Tensor, labels: Tensor, class_weight: Tensor) -> Tensor:
    """Return the weighted token cross entropy, a scalar in nats.

    L = sum_t w[y_t] (-log softmax(z_t)[y_t]) / sum_t w[y_t] over the positions t whose label y_t is not -100.
    logits (..., V) and labels (...) are aligned: that position t predicts t + 1 is the caller's shift. class_weight
    (V,), at least 0. Raises InputError for shapes that do not fit and where no label counts. Source: arXiv 2310.01957,
    where the weight is 3 for digits, "." and "-", and 1 otherwise.
    """
    classes = logits.shape[-1]
    if logits.shape[:-1] != labels.shape or class_weight.shape != (classes,):
        shapes = [tuple(value.shape) for value in (logits, labels, class_weight)]
        raise InputError(f"logits (..., V), labels (...) and weights (V,) do not fit together: {shapes}")
    if not bool((labels != IGNORED).any()):
        raise InputError("a loss needs at least one label that counts")
    z = logits.reshape(-1, classes).to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(z, labels.reshape(-1), class_weight.to(z), ignore_index=IGNORED)
