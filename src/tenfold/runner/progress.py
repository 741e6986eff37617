"""Progress that crosses processes: the worker writes a small file, whoever watches reads it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tenfold import files


def clock(seconds: float) -> str:
    """Return seconds as a person reads them: 8 s, 2:05, 1:02:05."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def report(path: Path | None, **facts: object) -> None:
    """Put `facts` into the progress file, beside those already there; without a file, do nothing."""
    if path is not None:
        files.write_json(path, read(path) | facts)


def read(path: Path) -> dict:
    """Return the facts of a progress file, empty while there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def own() -> Path | None:
    """Return the progress file that the runner gave to this process, if any."""
    given = os.environ.get("TENFOLD_PROGRESS")
    return Path(given) if given else None


@dataclass
class Countdown:
    """Tells how far a sweep is, and how long the rest will take at the pace so far."""

    label: str
    total: int
    done: int = 0

    def __post_init__(self) -> None:
        self._started = time.monotonic()
        self._fresh = 0
        self.show()

    def step(self, n: int = 1, fresh: bool = True) -> None:
        """Count `n` more; what came from the cache is not `fresh`, and says nothing about the pace."""
        self.done += n
        self._fresh += n if fresh else 0
        self.show()

    def show(self) -> None:
        """Write the present line where the runner reads it."""
        report(own(), detail=str(self))

    def __str__(self) -> str:
        line = f"{self.label} {self.done}/{self.total}"
        if self._fresh and self.done < self.total:
            pace = (time.monotonic() - self._started) / self._fresh
            line += f", {clock(pace * (self.total - self.done))} left"
        return line
