"""Where work runs: processes of this machine, or Slurm arrays through submitit; one interface for both."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from tenfold import project
from tenfold.errors import InputError, unknown

KINDS = ("local", "slurm")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What became of one item: its value, or the error that took its place."""

    index: int
    value: Any = None
    error: BaseException | None = None


class Executor(Protocol):
    """Runs one function over many items and yields outcomes as they come."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]: ...


def cores() -> int:
    """Return the cores that this process may use: `TENFOLD_CORES`, else what the system grants."""
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(os.environ.get("TENFOLD_CORES") or granted)


def width() -> int:
    """Return how many points of a sweep run at once: `TENFOLD_JOBS`, else one on each core."""
    return int(os.environ.get("TENFOLD_JOBS") or cores())


@cache
def executor(kind: str, workers: int, threads: int = 1) -> Executor:
    """Return the executor of a kind; `workers` items run at once, each with `threads` threads."""
    if kind == "local":
        return Local(workers, threads)
    if kind == "slurm":
        return Slurm(workers, threads)
    raise unknown("executor", kind, KINDS)


class Batch:
    """The items of one `map`: their function, a place for outcomes, and whether anybody still waits for them."""

    def __init__(self, function: Callable[[Any], Any], size: int) -> None:
        self.function, self.size, self.abandoned = function, size, False
        self.done: queue.SimpleQueue = queue.SimpleQueue()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes as they come; leaving early abandons what has not begun."""
        try:
            for _ in range(self.size):
                yield self.done.get()
        finally:
            self.abandoned = True


class Local:
    """Processes of this machine, spawned fresh, threads pinned; a process that dies costs only its own item.

    Work begins when `map` is called, first come first served over all calls. Processes stay for the next call, so
    that many short sweeps pay for their imports once.
    """

    def __init__(self, workers: int, threads: int = 1) -> None:
        self._workers, self._threads = workers, threads
        self._waiting: queue.SimpleQueue = queue.SimpleQueue()
        self._serving = 0

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Start the work and return its outcomes, first finished first."""
        batch = Batch(function, len(items))
        for index, item in enumerate(items):
            self._waiting.put((batch, index, item))
        while items and self._serving < self._workers:
            self._serving += 1
            threading.Thread(target=self._serve, daemon=True, name="tenfold-local").start()
        return batch.outcomes()

    def _serve(self) -> None:
        """Work through the queue for ever with one process, replaced when it dies."""
        pool = self._process()
        while True:
            batch, index, item = self._waiting.get()
            if batch.abandoned:
                continue
            try:
                batch.done.put(Outcome(index, pool.submit(batch.function, item).result()))
            except BrokenProcessPool:
                error = RuntimeError("the worker process died, perhaps for want of memory")
                batch.done.put(Outcome(index, error=error))
                pool = self._process()
            except Exception as error:
                batch.done.put(Outcome(index, error=error))

    def _process(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=context, initializer=_start, initargs=(self._threads,))


def pinned(threads: int) -> dict[str, str]:
    """Return the environment variables that hold numerical libraries to a number of threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads)) | {"TENFOLD_CORES": str(threads)}


def _start(threads: int) -> None:
    """Prepare a worker: pin its threads before numpy is there, leave Ctrl-C to the parent, die with the parent."""
    os.environ.update(pinned(threads) | {"TENFOLD_QUIET": "1"})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Slurm:
    """One Slurm array through submitit; `TENFOLD_SLURM` holds its options, as in `partition=gpu,mem_gb=32`."""

    def __init__(self, workers: int, threads: int = 1, cluster: str | None = None) -> None:
        try:
            import submitit
        except ImportError:
            raise InputError("the slurm executor needs submitit: pip install 'tenfold[slurm]'") from None
        cluster = cluster or os.environ.get("TENFOLD_SLURM_CLUSTER", "slurm")
        try:
            self._executor = submitit.AutoExecutor(folder=project.results() / "slurm" / "%j", cluster=cluster)
        except RuntimeError as error:
            raise InputError(f"no Slurm here: {error}") from None
        options = {"timeout_min": 720, "cpus_per_task": threads} | _options(os.environ.get("TENFOLD_SLURM", ""))
        if cluster == "slurm":
            options["slurm_array_parallelism"] = workers
        try:
            self._executor.update_parameters(**options)
        except (NameError, TypeError, ValueError) as error:
            raise InputError(f"TENFOLD_SLURM: {_first_line(error)}") from None
        self._threads = threads

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        """Submit one array and return its outcomes, first finished first."""
        return _finished(self._executor.map_array(_Pinned(function, self._threads), items))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _finished(jobs: Sequence[Any]) -> Iterator[Outcome]:
    import submitit

    indices = {job.job_id: index for index, job in enumerate(jobs)}
    for job in submitit.helpers.as_completed(jobs):
        error = job.exception()
        yield Outcome(indices[job.job_id], None if error else job.result(), error)


@dataclass(frozen=True)
class _Pinned:
    function: Callable[[Any], Any]
    threads: int

    def __call__(self, item: Any) -> Any:
        from threadpoolctl import threadpool_limits

        os.environ.update(pinned(self.threads) | {"TENFOLD_QUIET": "1"})
        # Numerical libraries that are loaded by now have read the environment already.
        with threadpool_limits(self.threads):
            return self.function(item)


def _options(text: str) -> dict[str, Any]:
    """Return {'partition': 'gpu', 'mem_gb': 32} from 'partition=gpu,mem_gb=32', with submitit's names."""
    options = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"TENFOLD_SLURM: '{part}' is not name=value")
        name = f"slurm_{name}" if name in ("partition", "account", "qos", "constraint", "gres") else name
        options[name] = int(value) if value.isdigit() else value
    return options
