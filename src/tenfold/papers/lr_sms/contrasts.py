"""Contrasts: error rates by network and seed, differences paired over utterances, and what the claims compare."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.lr_sms.cells import Cell, Plan
from tenfold.speech.recognition import PARTS

DRAWS = 2000
KEYS = list(Cell().record())
Counts = Mapping[str, Mapping[str, np.ndarray]]


def resampled(counts: np.ndarray, others: np.ndarray | None = None, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a word error rate, or of its difference from another's on the same utterances.

    counts, others (N, 2): edits and words of each utterance; whole utterances are drawn again with replacement, the
    same ones for both: rate = sum_i w_i edits_i / sum_i w_i words_i, w ~ multinomial(N, 1/N).
    """
    weights = draws(len(counts), seed)
    edits, words = (weights @ counts).T
    rates = edits / words
    if others is not None:
        edits, words = (weights @ others).T
        rates = rates - edits / words
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


@functools.lru_cache(maxsize=4)
def draws(size: int, seed: int) -> np.ndarray:
    """Return how often each of so many utterances is drawn (DRAWS, size); floats, since products of those are fast."""
    return np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), DRAWS).astype(float)


def row(cell: Cell, seed: int, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trained network is told by: its error rates, and the loss on the test set."""
    history = stored["history"]
    return cell.record() | {"seed": seed, "loss": float(history.test_loss.iloc[-1])} | dict(stored["rates"])


def scores(found: Mapping[tuple[Cell, int], Mapping[str, Any]]) -> pd.DataFrame:
    """Return error rates of every network with intervals over utterances: a row per network and seed."""
    rows = []
    for (cell, seed), stored in found.items():
        one = row(cell, seed, stored)
        for part in PARTS:
            one[f"{part}_low"], one[f"{part}_high"] = resampled(stored["errors"][part]["words"])
        rows.append(one)
    return pd.DataFrame(rows)


def differences(found: Mapping[tuple[Cell, int], Mapping[str, Any]], plan: Plan) -> pd.DataFrame:
    """Return by how much each main network errs more than the dense one of its seed, paired over utterances.

    Columns: network, seed, part, difference (of shares of words), low, high.
    """
    rows = []
    for name, cell in plan.main.items():
        for (other, seed), stored in found.items():
            if other != cell or (cell.dense and not cell.width):
                continue
            for part in PARTS:
                mine, dense = (each["errors"][part]["words"] for each in (stored, found[Cell(), seed]))
                low, high = resampled(mine, dense)
                rates = [counts[:, 0].sum() / counts[:, 1].sum() for counts in (mine, dense)]
                rows.append({"network": name, "seed": seed, "part": part, "difference": rates[0] - rates[1]})
                rows[-1] |= {"low": low, "high": high}
    return pd.DataFrame(rows)


def effects(table: pd.DataFrame, afterwards: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return what the claims compare, a row per seed: a column of word error rates for each main network.

    `<name>` on known voices, `<name>_unseen` on unseen ones, `<name>_loss` the test loss in nats per utterance; cut and
    tuned: the dense network cut to the ranks of "both", as it is and trained on.
    """
    columns = {}
    for name, cell in plan.main.items():
        rows = of(table, cell).set_index("seed")
        columns |= {name: rows.test_wer, f"{name}_unseen": rows.unseen_wer, f"{name}_loss": rows.loss}
    rows = of(afterwards, plan.both)
    for state in ("cut", "tuned"):
        here = rows[rows.state == state].set_index("seed")
        columns |= {state: here.test_wer, f"{state}_unseen": here.unseen_wer}
    wide = pd.DataFrame(columns)
    return wide[wide.dense.notna()].dropna().rename_axis("seed").reset_index()


def of(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of a cell."""
    record = cell.record()
    return table[(table[KEYS] == pd.Series(record)).all(axis=1)]


def curves(found: Mapping[tuple[Cell, int], Mapping[str, Any]], cells: Mapping[str, Cell], seed: int) -> pd.DataFrame:
    """Return the learning curves of some cells from one seed: network, epoch, lr, loss, test_loss, test_wer."""
    frames = []
    for name, cell in cells.items():
        history = found[cell, seed]["history"]
        frames.append(history.drop(columns="seconds", errors="ignore").assign(network=name, seed=seed))
    return pd.concat(frames, ignore_index=True)


def summary(
    table: pd.DataFrame, afterwards: pd.DataFrame, accounts: pd.DataFrame, clocks: pd.DataFrame, plan: Plan
) -> pd.DataFrame:
    """Return Table 1: parameters, operations and error rates of the main networks, means and ranges over seeds."""
    rows, dense = [], of(accounts, Cell()).iloc[0]
    for name, cell in plan.main.items():
        counted, timed = of(accounts, cell).iloc[0], of(clocks, cell).iloc[0]
        about = {"network": name, "parameters": int(counted.parameters)}
        about |= {"times_fewer": dense.parameters / counted.parameters, "mflops": counted.flops / 1e6}
        about |= {"step_ms": 1000 * timed.seconds}
        rows.append(about | spread(of(table, cell)))
        if name == "both":
            for state in ("cut", "tuned"):
                here = of(afterwards, cell)
                rows.append(about | {"network": f"dense, {state}"} | spread(here[here.state == state]))
    return pd.DataFrame(rows)


def spread(rows: pd.DataFrame) -> dict[str, float]:
    """Return mean, least and largest error rates in percent."""
    found = {"seeds": len(rows)}
    for part in PARTS:
        rates = 100 * rows[f"{part}_wer"]
        found |= {f"{part}_wer": rates.mean(), f"{part}_least": rates.min(), f"{part}_most": rates.max()}
    return found
