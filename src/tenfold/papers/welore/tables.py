"""Tables of the notebook: ours by method, and the paper's beside ours where the model is the paper's."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tenfold.papers.welore.effects import best, percent
from tenfold.papers.welore.looks import METHOD, TUNING
from tenfold.papers.welore.published import (
    ACTIVATIONS,
    COMPRESSION,
    DOWNSTREAM,
    NOTES,
    PICTURE,
    REAL,
    TASKS,
    THIRD,
    TUNED,
    TUNERS,
)

OURS = {"LLaMA-2 7B": "llama2_7b", "LLaMA-2 13B": "llama2_13b", "Mistral-7B": "mistral_7b", "LLaMA-7B": "llama_7b"}
"""The paper's names of checkpoints, and those of `bench.known`."""


def compression(curves: pd.DataFrame, methods: tuple[str, ...]) -> pd.DataFrame:
    """Return perplexities (exp of the mean loss over tests and seeds) by method, a column per ERR, dense first."""
    rows = curves.groupby(["method", "target"]).loss.mean().map(math.exp)
    table = {"dense": {"method": "dense", "0 %": rows["dense", 0.0]}}
    for method in methods:
        label = METHOD[method][0]
        table[method] = {"method": label} | {f"{percent(e)} %": v for e, v in rows[method].items()}
    return pd.DataFrame(list(table.values())).rename_axis(columns=None)


def sizes(curves: pd.DataFrame) -> pd.DataFrame:
    """Return ERR and parameters side by side: method, target, err, share, model_share, macs_share, maps in factors."""
    names = ["err", "share", "model_share", "macs_share", "low_rank"]
    rows = curves[curves.method != "dense"].groupby(["method", "target"], sort=False)[names].mean().reset_index()
    return rows.assign(method=[METHOD[name][0] for name in rows.method])


def tuning(history: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return perplexity, trained parameters, counted bytes and work after fine-tuning, each method at its best rate."""
    found = best(history).groupby(["err", "method", "rate"], sort=False)[["before", "after"]].mean().reset_index()
    counts = costs.groupby(["err", "method"])[["trainable", "share", "bytes", "macs", "tokens_per_second"]].mean()
    table = found.join(counts, on=["err", "method"])
    table = table.assign(before=np.exp(table.before), after=np.exp(table.after))
    order = {name: number for number, name in enumerate(TUNING)}
    table = table.sort_values(["err", "method"], key=lambda c: c.map(order) if c.name == "method" else c)
    return table.assign(method=[TUNING[name][0] for name in table.method]).reset_index(drop=True)


def first(curves: pd.DataFrame, known: str) -> pd.DataFrame:
    """Return the published perplexities on C4 without fine-tuning, and ours where the model is the same."""
    ours = curves[curves.test == "c4"].groupby(["method", "target"]).loss.mean().map(math.exp)
    rows = []
    for (model, err), (uniform, welore) in COMPRESSION.items():
        for method, value in (("uniform", uniform), ("welore", welore)):
            if value is not None:
                rows.append((model, err, METHOD[method][0], value, NOTES, _ours(ours, known, model, (method, err))))
    for (method, err), value in ACTIVATIONS.items():
        key = ("uniform" if method == "plain SVD" else "welore-asvd", err)
        rows.append(("LLaMA-7B", err, method, value, THIRD, _ours(ours, known, "LLaMA-7B", key)))
    return pd.DataFrame(rows, columns=["model", "err", "method", "published", "provenance", "ours"])


def fourth(history: pd.DataFrame, known: str) -> pd.DataFrame:
    """Return the published perplexities and memory after fine-tuning (Table 4), and our perplexities of that model."""
    found = best(history).groupby(["method", "err"]).after.mean().map(math.exp)
    rows = []
    for (model, err), (share, perplexities, memory) in TUNED.items():
        for method, value, size in zip(TUNERS, perplexities, memory, strict=True):
            ours = _ours(found, known, model, (method, err))
            rows.append((model, err, share, TUNING[method][0], value, size, PICTURE, ours))
    names = ["model", "err", "parameters", "method", "published", "memory_mb", "provenance", "ours"]
    return pd.DataFrame(rows, columns=names)


def _ours(found: pd.Series, known: str, model: str, key: tuple) -> float:
    """Return what was found here where the checkpoint is that model, else NaN."""
    return float(found.get(key, math.nan)) if OURS[model] == known else math.nan


def fifth() -> pd.DataFrame:
    """Return the published accuracies on six tasks (Table 5), in %."""
    rows = [
        {"model": model, "method": TUNING[m][0]} | dict(zip(TASKS, v, strict=True))
        for (model, m), v in DOWNSTREAM.items()
    ]
    return pd.DataFrame(rows).assign(provenance=PICTURE)


def wins() -> pd.DataFrame:
    """Return on how many of the six tasks WeLore's published accuracy at 50 % lies above that of each other method."""
    mine = np.array(DOWNSTREAM["50 %", "welore"])
    found = {f"over_{m}": int((mine > np.array(DOWNSTREAM["50 %", m])).sum()) for m in ("lora", "galore", "full")}
    expected = {"over_lora": 6, "over_galore": 6, "over_full": 5}
    return pd.DataFrame([{"against": n, "claimed": expected[n], "counted": found[n]} for n in expected])


def real() -> pd.DataFrame:
    """Return the published scores of LLaMA-7B at 25 % compression (v2)."""
    names = ["factoid questions, %", "multi-turn dialogue", "summaries"]
    rows = [{"method": name} | dict(zip(names, values, strict=True)) for name, values in REAL.items()]
    return pd.DataFrame(rows).assign(provenance=THIRD)
