"""Runs one notebook: parameters in by papermill, cells through nbclient, a whole result folder out or none."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from tenfold import datasets, files, project
from tenfold.runner import executors, keys, progress

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Job:
    """One notebook to run: where it ends, and everything that decides what comes out."""

    slug: str
    scale: str
    seed: int
    overrides: dict[str, Any]
    key: keys.Key
    folder: str
    threads: int
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def final(self) -> Path:
        """Return the folder that the result takes once it is whole."""
        return Path(self.folder)

    @property
    def workplace(self) -> Path:
        """Return the folder in which the result grows, out of sight."""
        return self.final.with_name(f".{self.slug}.partial")

    @property
    def progress(self) -> Path:
        """Return the file that tells how far the run is."""
        return self.final.with_name(f".{self.slug}.progress.json")


@dataclass(frozen=True)
class Report:
    """What became of a notebook: seconds, and for a failure the cell and its error."""

    slug: str
    seconds: float
    cell: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether the notebook ran to its end."""
        return not self.error


def prepared(slug: str, values: dict[str, Any]) -> nbformat.NotebookNode:
    """Return a paper's notebook with `values` injected behind its cell of parameters."""
    # papermill would write a tuple as a text.
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return parameterize_notebook(load_notebook_node(str(keys.notebook_path(slug))), values)


def execute(job: Job) -> Report:
    """Run a job's notebook in a fresh kernel and put its result in place; a failed run leaves the old result alone."""
    shutil.rmtree(job.workplace, ignore_errors=True)
    job.workplace.mkdir(parents=True)
    started = datetime.now(UTC)
    notebook = prepared(job.slug, {"scale": job.scale, "seed": job.seed, **job.overrides})
    with tempfile.TemporaryDirectory(prefix="tenfold-") as sockets:
        client = Client(notebook, job, sockets)
        try:
            client.execute(env=_kernel_environment(job))
        except CellExecutionError:
            return _failed(job, client)
    files.write_text(job.workplace / "notebook.ipynb", nbformat.writes(notebook))
    seconds = sum(cell["seconds"] for cell in client.timings)
    _record(job, started, seconds, client.timings)
    _replace(job.workplace, job.final)
    return Report(job.slug, seconds)


class Client(NotebookClient):
    """nbclient with a stopwatch for each cell and a progress file for whoever watches."""

    def __init__(self, notebook: nbformat.NotebookNode, job: Job, sockets: str) -> None:
        super().__init__(
            notebook,
            timeout=None,
            kernel_name="python3",
            # All that counts is on disk when the last cell ends; a polite farewell takes seconds.
            shutdown_kernel="immediate",
            resources={"metadata": {"path": str(project.root())}},
            on_cell_start=self._begin,
            on_cell_executed=self._end,
            config=Config({"KernelManager": _transport(sockets)}),
        )
        self._job = job
        self._code = sum(cell.cell_type == "code" for cell in notebook.cells)
        self.timings: list[dict[str, Any]] = []
        self._since = 0.0
        progress.report(job.progress, started=time.time(), cell=0, cells=self._code)

    def _begin(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        self._since = time.monotonic()
        progress.report(self._job.progress, cell=len(self.timings) + 1, cells=self._code, detail="")

    def _end(self, cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict) -> None:
        seconds = round(time.monotonic() - self._since, 4)
        self.timings.append({"index": cell_index, "first_line": first_line(cell), "seconds": seconds})


def _transport(sockets: str) -> dict[str, str]:
    """Return how to talk to the kernel: sockets in a private folder, so that no other kernel can take its port."""
    return {} if os.name == "nt" else {"transport": "ipc", "ip": str(Path(sockets, "kernel"))}


def first_line(cell: nbformat.NotebookNode) -> str:
    """Return the first line of a cell that says something."""
    return next((line for line in cell.source.splitlines() if line.strip()), "")


def _kernel_environment(job: Job) -> dict[str, str]:
    return {
        **os.environ,
        **executors.pinned(job.threads),
        **job.environment,
        "TENFOLD_OUT": str(job.workplace),
        "TENFOLD_PROGRESS": str(job.progress),
        "TENFOLD_QUIET": "",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def _failed(job: Job, client: Client) -> Report:
    """Keep the executed notebook of a failure for a look, and say which cell failed and how."""
    place = job.final.with_name(f"{job.slug}.failed.ipynb")
    files.write_text(place, nbformat.writes(client.nb))
    shutil.rmtree(job.workplace, ignore_errors=True)
    cell = next(cell for cell in client.nb.cells if _error(cell))
    number = client.nb.cells.index(cell)
    seconds = sum(timing["seconds"] for timing in client.timings)
    return Report(job.slug, seconds, f"cell {number}: {first_line(cell)}", _error(cell))


def _error(cell: nbformat.NotebookNode) -> str:
    """Return a cell's error and the end of its traceback as plain text, empty when it has none."""
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            trace = _ANSI.sub("", "\n".join(output.traceback)).strip().splitlines()
            return "\n".join(trace[-12:]) or f"{output.ename}: {output.evalue}"
    return ""


def _record(job: Job, started: datetime, seconds: float, timings: list[dict[str, Any]]) -> None:
    """Write record.json: what the book gathered, and what only the runner knows."""
    book = job.workplace / "book.json"
    facts = progress.read(book)
    read = [datasets.Resolution.from_record(item) for item in facts.get("data", [])]
    # Synthetic data follow from code and parameters, which the key holds already.
    used = {item.name: item.fingerprint for item in read if item.source != "synthetic"}
    parts = job.key.parts(used)
    facts |= {
        "slug": job.slug,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "cells": timings,
        "key": keys.content_key(parts),
        "made_from": parts,
    }
    files.write_json(job.workplace / "record.json", facts)
    book.unlink(missing_ok=True)


def _replace(new: Path, final: Path) -> None:
    """Put the new folder in the place of the old; between the two moves there is none, never half of one."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.replace(old)
    new.replace(final)
    shutil.rmtree(old, ignore_errors=True)
