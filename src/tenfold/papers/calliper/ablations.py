"""Ablations: one setting changed at a time, everything else as at this scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.calliper import results
from tenfold.papers.calliper.parameters import Parameters


def variants(p: Parameters) -> dict[str, dict[str, Any]]:
    """Return the changed settings by name; the first changes nothing."""
    changed = {
        "as at this scale": {},
        "wavelengths 100 m to 10 km": {"lambda_min": 100.0, "lambda_max": 10_000.0},
        "wavelengths 360 m to 20 km": {"lambda_min": 360.0, "lambda_max": 20_000.0},
        "shortest wavelength doubled": {"lambda_min": min(2 * p.lambda_min, 0.9 * p.lambda_max)},
        "theory encoding": {"encoding": "theory", "frequencies": p.frequencies + p.frequencies % 2},
        "text normalised too": {"normalize_text": not p.normalize_text},
        "copies count as positives": {"objective": "multipositive"},
        "batch a quarter": {"batch": max(p.batch // 4, 8)},
    }
    return {name: change for name, change in changed.items() if not change or differs(p, change)}


def differs(p: Parameters, change: dict[str, Any]) -> bool:
    """Tell whether a change changes anything at this scale."""
    return any(getattr(p, name, None) != value for name, value in change.items())


def points(p: Parameters) -> list[dict[str, Any]]:
    """Return the arguments of the study of every variant but the unchanged one, with the MLP probe alone."""
    made = [results.point(p, "calliper", p.seed, **change) for change in variants(p).values() if change]
    return [{**point, "hexagons": False, "probes": ["mlp"]} for point in made]


def table(p: Parameters, unchanged: dict[str, Any], found: list[dict[str, Any]]) -> pd.DataFrame:
    """Return, per variant, the information learnt and the errors of the MLP probe on both splits."""
    rows = []
    for name, one in zip(variants(p), [unchanged, *found], strict=True):
        scores = one["scores"]
        scores = scores[scores.probe == "mlp"].set_index(["task", "split"])
        history = one["history"]
        best = history.loc[history.validation_loss.idxmin()]
        rows.append(
            {
                "setting": name,
                "best_epoch": int(best.epoch),
                "validation_loss": best.validation_loss,
                "bound": best.bound,
                "floor": best.floor,
                # The multi-positive loss has another scale: what it falls below its bound is no information bound.
                "information": np.nan if best.floor == 0 else best.bound - best.validation_loss,
                "kl_random": scores.kl["sdm", "random"],
                "kl_blocked": scores.kl["sdm", "blocked"],
                "f1_random": scores.f1["luc", "random"],
                "f1_blocked": scores.f1["luc", "blocked"],
            }
        )
    return pd.DataFrame(rows)
