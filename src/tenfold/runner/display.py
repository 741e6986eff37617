"""Live progress of running notebooks: a moving table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tenfold.runner import progress
from tenfold.runner.progress import clock

_REFRESH, _HEARTBEAT = 0.5, 15.0


class Display:
    """Watches the progress files of jobs until left; `expected` holds the seconds each job should take."""

    def __init__(self, jobs: Sequence[Any], expected: Mapping[str, float]) -> None:
        self._jobs, self._expected = jobs, expected
        self._stop = threading.Event()
        self._live = None
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Display:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._live:
            self._live.stop()

    def _watch(self) -> None:
        pause = _REFRESH if self._live else _HEARTBEAT
        while not self._stop.wait(pause):
            lines = self.lines()
            if self._live:
                self._live.update("\n".join(lines), refresh=True)
            else:
                print("\n".join(lines), file=sys.stderr, flush=True)

    def lines(self) -> list[str]:
        """Return one line per running notebook: cell, time so far, time expected, what the cell is doing."""
        return [line for job in self._jobs if (line := self._line(job))]

    def _line(self, job: Any) -> str:
        facts = progress.read(job.progress)
        if not facts:
            return ""
        elapsed = time.time() - facts["started"]
        detail = f"  {facts['detail']}" if facts.get("detail") else ""
        expected = f"about {clock(self._expected[job.slug])}"
        return f"{job.slug}  cell {facts['cell']}/{facts['cells']}  {clock(elapsed)} of {expected}{detail}"
