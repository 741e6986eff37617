"""From CTC posteriors to units: the best path, or the best prefixes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tenfold.errors import InputError
from tenfold.speech.losses import BLANK

Prefix = tuple[int, ...]


def collapse(path: Sequence[int], blank: int = BLANK) -> list[int]:
    """Return a path without repeats, then without blanks: [1, 1, 0, 1, 2, 2] -> [1, 1, 2]."""
    merged = [unit for i, unit in enumerate(path) if i == 0 or unit != path[i - 1]]
    return [unit for unit in merged if unit != blank]


def ctc_greedy(log_probs: Tensor, lengths: Tensor | None = None, blank: int = BLANK) -> list[list[int]]:
    """Return the units of the likeliest path of each utterance; log_probs (B, T, V), lengths (B,)."""
    paths = log_probs.argmax(-1).tolist()
    ends = [log_probs.shape[1]] * len(paths) if lengths is None else lengths.tolist()
    return [collapse(path[:end], blank) for path, end in zip(paths, ends, strict=True)]


def ctc_beam(log_probs: Tensor, beam: int = 10, blank: int = BLANK, candidates: int = 20) -> list[tuple[Prefix, float]]:
    """Return the best transcripts of one utterance with ln p, best first: prefixes, each summed over its paths.

    log_probs (T, V). After each frame the `beam` likeliest prefixes stay; each frame offers its `candidates`
    likeliest units. p of a prefix is kept apart for paths that end in a blank and in its last unit: only the former
    may be followed by the same unit again. With a beam as wide as there are prefixes the probabilities are exact.
    Raises InputError for a beam below 1. Source: arXiv 1408.2873.
    """
    if beam < 1 or log_probs.ndim != 2:
        raise InputError(f"a beam of 1 or more searches one utterance (T, V), not {beam} in {tuple(log_probs.shape)}")
    table = log_probs.double().cpu()
    values, units = table.topk(min(candidates, table.shape[1]), dim=-1)
    blanks = table[:, blank].tolist()
    alive: dict[Prefix, tuple[float, float]] = {(): (0.0, -math.inf)}
    for frame, (row, scores) in enumerate(zip(units.tolist(), values.tolist(), strict=True)):
        offered = {unit: score for unit, score in zip(row, scores, strict=True) if unit != blank}
        grown = _grown(alive, blanks[frame], offered, table[frame])
        best = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))[:beam]
        alive = dict(best)
    return [(prefix, float(np.logaddexp(*pair))) for prefix, pair in alive.items()]


def _grown(
    alive: dict[Prefix, tuple[float, float]], silent: float, offered: dict[int, float], frame: Tensor
) -> dict[Prefix, tuple[float, float]]:
    """Return all prefixes after one more frame, with ln p of paths ending in a blank and in the last unit."""
    grown: dict[Prefix, list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
    for prefix, (blanked, ended) in alive.items():
        both = np.logaddexp(blanked, ended)
        same = grown[prefix]
        same[0] = np.logaddexp(same[0], both + silent)
        if prefix:
            same[1] = np.logaddexp(same[1], ended + float(frame[prefix[-1]]))
        for unit, score in offered.items():
            longer = grown[(*prefix, unit)]
            before = blanked if prefix and unit == prefix[-1] else both
            longer[1] = np.logaddexp(longer[1], before + score)
    # A unit after itself needs a blank in between: where there was none, no path leads there.
    return {prefix: (float(a), float(b)) for prefix, (a, b) in grown.items() if max(a, b) > -math.inf}


def decode(log_probs: Tensor, lengths: Tensor, beam: int = 1, blank: int = BLANK) -> list[list[int]]:
    """Return the units of each utterance of a batch (B, T, V): greedily, or the best of a beam."""
    if beam == 1:
        return ctc_greedy(log_probs, lengths, blank)
    rows = [row[: int(end)] for row, end in zip(log_probs, lengths, strict=True)]
    with torch.no_grad():
        return [list(ctc_beam(row, beam, blank)[0][0]) for row in rows]
