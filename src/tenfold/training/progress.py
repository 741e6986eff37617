"""How far a training is, on one line."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any


class Progress:
    """Writes a line on stderr after each epoch: the epoch, mean loss over the replicas, time left at this pace."""

    def __init__(self, epochs: int):
        self.epochs, self.started, self.first = epochs, time.monotonic(), None

    def __call__(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Take the records of an epoch, one per replica."""
        epoch = records[0]["epoch"]
        self.first = self.first or epoch
        pace = (time.monotonic() - self.started) / (epoch - self.first + 1)
        means = [f"{name} {_mean(records, name):.4g}" for name in ("loss", "accuracy") if name in records[0]]
        left = timedelta(seconds=round(pace * (self.epochs - epoch)))
        line = f"epoch {epoch}/{self.epochs}, {', '.join(means)}, {left} left"
        print(f"\r{line:<78}", end="\n" if epoch == self.epochs else "", file=sys.stderr, flush=True)


def _mean(records: Sequence[Mapping[str, Any]], name: str) -> float:
    return sum(record[name] for record in records) / len(records)
