"""The workbook as a whole: which results stand, which must be made again and why, and making them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold import project
from tenfold.errors import InputError
from tenfold.runner import keys
from tenfold.runner.closure import Closure
from tenfold.runner.parameters import Parameters, load, resolve, slugs


@dataclass(frozen=True)
class Plan:
    """One paper at one scale: its parameters, where its result stands, and why it must be made (empty: it need not)."""

    slug: str
    parameters: Parameters
    overrides: dict[str, Any]
    key: keys.Key
    folder: Path
    reasons: list[str]

    @property
    def current(self) -> bool:
        """Tell whether the result stands as it is."""
        return not self.reasons

    @property
    def expected(self) -> float:
        """Return the seconds the run will take: as last time, else what the paper's budget says."""
        last = record(self.folder).get("seconds")
        return float(last or self.parameters.budget[self.parameters.scale].minutes * 60)


def folder(slug: str, scale: str) -> Path:
    """Return where a paper's result stands."""
    return project.results() / scale / slug


def record(place: Path) -> dict[str, Any]:
    """Return the record of a result folder, empty when there is no whole result."""
    try:
        return json.loads((place / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def plans(chosen: Sequence[str], scale: str, seed: Any = 0, overrides: Mapping[str, Any] | None = None) -> list[Plan]:
    """Return a plan for each chosen paper (none chosen: all); every wrong input is found here, before any work."""
    asked = {slug: resolve(load(slug), scale, seed, overrides) for slug in dict.fromkeys(chosen or slugs())}
    closure = Closure()
    result = [_plan(slug, parameters, closure) for slug, parameters in asked.items()]
    closure.save()
    return result


def _plan(slug: str, parameters: Parameters, closure: Closure) -> Plan:
    place = folder(slug, parameters.scale)
    key = keys.key(parameters, closure)
    made_from = record(place).get("made_from")
    reasons = keys.differences(made_from, key) if made_from else ["there is no finished result"]
    return Plan(slug, parameters, parameters.changed(), key, place, reasons)


@dataclass(frozen=True)
class Settings:
    """How to run: where, `jobs` notebooks at once with `threads` threads each, `sweep` points of a sweep at once."""

    executor: str
    jobs: int
    threads: int
    sweep: int
    offline: bool = False
    force: bool = False

    def environment(self) -> dict[str, str]:
        """Return what kernels must be told of these settings."""
        marks = {"TENFOLD_EXECUTOR": self.executor, "TENFOLD_JOBS": str(self.sweep)}
        marks |= {"TENFOLD_OFFLINE": "1"} if self.offline else {}
        return marks | ({"TENFOLD_FORCE": "1"} if self.force else {})


def run(todo: Sequence[Plan], settings: Settings, watch: Callable[[Sequence[Any]], Any]) -> Iterator[Any]:
    """Run the planned notebooks and yield a `Report` for each as it ends.

    `watch(jobs)` gives a context manager that shows progress while the notebooks run.
    """
    # nbclient and papermill take half a second to import: only when there is something to run.
    from tenfold.runner import executors, notebook

    jobs = [
        notebook.Job(
            slug=plan.slug,
            scale=plan.parameters.scale,
            seed=plan.parameters.seed,
            overrides=plan.overrides,
            key=plan.key,
            folder=str(plan.folder),
            threads=settings.threads,
            environment=settings.environment(),
        )
        for plan in todo
    ]
    engine = executors.executor(settings.executor, settings.jobs, settings.threads)
    with ExitStack() as held:
        for plan in todo:
            held.enter_context(_lock(plan))
            _clean(plan)
        held.enter_context(watch(jobs))
        for outcome in engine.map(notebook.execute, jobs):
            job = jobs[outcome.index]
            yield outcome.value or notebook.Report(job.slug, 0.0, "outside the cells", _words(outcome.error))
            job.progress.unlink(missing_ok=True)


def _words(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"


def _lock(plan: Plan) -> Any:
    """Hold a paper's place against a second run; the system lets go when this process ends, however it ends."""
    from filelock import FileLock, Timeout

    plan.folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(plan.folder.with_name(f".{plan.slug}.lock"), timeout=0)
    try:
        return lock.acquire()
    except Timeout:
        raise InputError(f"{plan.slug} at scale {plan.parameters.scale} is being made by another run") from None


def _clean(plan: Plan) -> None:
    """Remove what an interrupted run left; finished points of its sweeps stay in the cache."""
    for ending in ("partial", "old", "progress.json"):
        leftover = plan.folder.with_name(f".{plan.slug}.{ending}")
        shutil.rmtree(leftover, ignore_errors=True)
        leftover.unlink(missing_ok=True)
