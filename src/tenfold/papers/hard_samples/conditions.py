"""Conditions: on which images, how many of them and how damaged, each network is trained; and the grid of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from tenfold.errors import unknown
from tenfold.papers.hard_samples.methods import PUBLISHED, VARIANTS
from tenfold.papers.hard_samples.parameters import (
    FIGURED,
    JUDGED,
    LABEL_NOISE,
    LOW_VOLUME,
    ROBUST_VOLUME,
    SECOND_RATIOS,
    SEVERITIES,
    SEVERITY,
    Parameters,
)
from tenfold.sparsity.hardness import balanced_subset, easy_subset, hard_subset, random_subset

SELECTIONS = ("all", "hard", "balanced", "easy", "random", "redrawn")
OFFICIAL = 12345
"""The seed of the official code's random subset."""
HALF = 0.5
"""The share of the images in Figure 11 a and c."""
LATE = 0.7
"""The second sparsity in the caption of Figures 13 and 14."""

Run = tuple[str, float]


@dataclass(frozen=True)
class Condition:
    """What a network sees: images and architecture (`subject`), which share of the images, and what was done to them.

    `selection`: all; hard, easy: the highest, lowest EL2N; balanced: the highest of each class; random: the official
    subset, the same for every seed; redrawn: another random subset for each seed. `severity` 0 leaves images clean.
    """

    subject: str
    selection: str = "all"
    ratio: float = 1.0
    severity: int = 0
    label_noise: float = 0.0
    attacked: bool = False

    def record(self) -> dict[str, Any]:
        """Return plain values: arguments of a cached call, columns of a table."""
        return asdict(self)

    @property
    def scored(self) -> bool:
        """Whether the selection needs EL2N."""
        return self.selection in ("hard", "balanced", "easy")


def rows(condition: Condition, seed: int, labels: np.ndarray, scores: np.ndarray | None) -> list[int]:
    """Return the training rows of a condition, increasing; `scores` (N,) where it needs them."""
    if condition.selection not in SELECTIONS:
        raise unknown("selection", condition.selection, SELECTIONS)
    n, ratio = len(labels), condition.ratio
    chosen = {
        "all": lambda: np.arange(n),
        "hard": lambda: hard_subset(scores, ratio),
        "balanced": lambda: balanced_subset(scores, labels, ratio),
        "easy": lambda: easy_subset(scores, ratio),
        "random": lambda: random_subset(n, ratio, OFFICIAL),
        "redrawn": lambda: random_subset(n, ratio, OFFICIAL + 1 + seed),
    }[condition.selection]()
    return sorted(int(row) for row in chosen)


def panels(p: Parameters) -> dict[str, Condition]:
    """Return the condition behind each panel of the paper's figures, by figure and letter.

    What a figure shares with an earlier one stands there alone.
    """
    high, low = p.ratios
    high2, low2 = SECOND_RATIOS
    few = {"selection": "random", "ratio": LOW_VOLUME, "severity": SEVERITY}
    robust_few = {"selection": "random", "ratio": ROBUST_VOLUME, "attacked": True}
    found = {
        "2a": Condition(p.first, "hard", high),
        "2b": Condition(p.second, "hard", high2),
        "2c": Condition(p.first, "hard", low),
        "2d": Condition(p.second, "hard", low2),
        "4a": Condition(p.first, severity=SEVERITY),
        "4b": Condition(p.second, severity=SEVERITY),
        "4c": Condition(p.first, **few),
        "4d": Condition(p.second, **few),
        "5a": Condition(p.third, severity=SEVERITY),
        "5b": Condition(p.third, **few),
        "6a": Condition(p.robust_first, attacked=True),
        "6b": Condition(p.robust_second, attacked=True),
        "6c": Condition(p.robust_first, **robust_few),
        "6d": Condition(p.robust_second, **robust_few),
        "11b": Condition(p.first),
        "11c": Condition(p.third, "random", HALF, SEVERITY),
        "13a": Condition(p.second),
    }
    return found | {f"9{letter}": Condition(p.first, **(few | {"severity": s})) for letter, s in _letters(SEVERITIES)}


def _letters(values: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    return zip("abcdefghi", values, strict=False)


def grid(p: Parameters) -> dict[Condition, list[Run]]:
    """Return every condition with the (method, sparsity) that are trained under it, each once; dense is in each."""
    at = panels(p)
    main, other = p.sparsities, p.other_sparsities
    plan: dict[Condition, dict[Run, None]] = {}

    def add(condition: Condition, methods: Iterable[str], sparsities: Iterable[float]) -> None:
        chosen = plan.setdefault(condition, {("dense", 0.0): None})
        chosen.update(dict.fromkeys(product(methods, sparsities)))

    for name in ("5a", "4a", "4b", "6a", "6b", "6c", "6d"):
        add(at[name], PUBLISHED, (JUDGED, FIGURED) if at[name].attacked else other)
    for name in ("4c", "4d", "5b", "9a", "9b", "9c", "2b", "2d"):
        add(at[name], PUBLISHED, other)
    for name in ("2a", "2c"):
        add(at[name], PUBLISHED, main)
        add(at[name], VARIANTS, (FIGURED, JUDGED))
    for name in ("4c", "2d"):
        add(at[name], VARIANTS, (FIGURED, JUDGED))
    for name in ("4b", "4d", "13a"):
        add(at[name], (*PUBLISHED, *VARIANTS), (FIGURED,))
    for name in ("2d", "4d"):
        add(at[name], (*PUBLISHED, *VARIANTS), (LATE,))
    for name in ("11b", "11c"):
        add(at[name], PUBLISHED, (FIGURED,))
    for ratio in p.grid_ratios:
        add(Condition(p.first, "hard", ratio), ("set",), main)
    for condition, methods, sparsities in controls(p):
        add(condition, methods, sparsities)
    return {condition: list(runs) for condition, runs in plan.items()}


def controls(p: Parameters) -> Iterable[tuple[Condition, tuple[str, ...], tuple[float, ...]]]:
    """Yield what the paper lacks: other subsets of equal size, wrong labels, no attack, and a ladder of sparsities."""
    for subject, ratio in subsets(p):
        for selection in SUBSETS:
            yield Condition(subject, selection, ratio), ("set", "snip"), (JUDGED,)
    for selection in ("hard", "redrawn"):
        yield Condition(p.first, selection, p.ratios[0], label_noise=LABEL_NOISE), ("set", "snip"), (JUDGED,)
    yield Condition(p.robust_first), (), ()
    yield Condition(p.first, "random", LOW_VOLUME, label_noise=LABEL_NOISE), ("set", "lth"), LADDER


def subsets(p: Parameters) -> list[tuple[str, float]]:
    """Return the images and shares of the control of subsets: the fourth images take the low share of the first."""
    return [(p.first, p.ratios[0]), (p.first, p.ratios[1]), (p.second, SECOND_RATIOS[1]), (p.fourth, p.ratios[1])]


SUBSETS = ("hard", "balanced", "redrawn", "easy")
LADDER = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Sparsities of the search for a double descent."""
