"""Expensive calls, made once: cached under a content key, resumable, swept over many points at once."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from tenfold import datasets, project
from tenfold.errors import InputError
from tenfold.runner import executors, keys
from tenfold.runner.closure import Closure
from tenfold.runner.codec import read_value, write_value
from tenfold.runner.progress import Countdown


@dataclass(frozen=True)
class Call:
    """One call of a module-level function with plain keyword arguments; its key knows the code it reaches."""

    function: Callable
    arguments: dict[str, Any]
    # The digest of the code as it was when the call was planned: a worker must not look again.
    code: str = field(init=False)

    def __post_init__(self) -> None:
        name = self.function.__qualname__
        if "<" in name or self.function.__module__ == "__main__":
            raise InputError(f"{name} cannot be cached: only functions of a module can, not lambdas or local ones")
        try:
            json.dumps(self.arguments, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: arguments of a cached call must be plain values ({error})") from None
        object.__setattr__(self, "code", _code(self.function.__module__))

    @property
    def folder(self) -> Path:
        """Return the place of this call's result: function name, then content key."""
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        parts = [name, self.code, self.arguments, keys.environment()]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
        return project.results() / "cache" / name / digest

    def known(self) -> bool:
        """Tell whether a result is stored and the data that it was made from are still the same."""
        return self._whole() and all(
            datasets.fingerprint(item.name) == item.fingerprint
            for item in self._used()
            # Synthetic data follow from code and arguments, which the key holds already.
            if item.source != "synthetic"
        )

    def _whole(self) -> bool:
        return (self.folder / "meta.json").is_file()

    def _used(self) -> list[datasets.Resolution]:
        if not self._whole():
            return []
        return [
            datasets.Resolution.from_record(item)
            for item in json.loads((self.folder / "meta.json").read_text())["data"]
        ]

    def read(self) -> Any:
        """Return the stored result; the data that it was made from count as used by this process too."""
        for item in self._used():
            datasets.note(item)
        return read_value(self.folder / "value")

    def make(self) -> None:
        """Make the call and store what it returns, whole or not at all; who comes second waits and finds it made."""
        lock = project.results() / "cache" / ".locks" / f"{self.folder.name}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        asked = time.time()
        with FileLock(lock):
            if not (self._whole() and (self.folder / "meta.json").stat().st_mtime > asked):
                self._store()

    def _store(self) -> None:
        workplace = self.folder.with_name(self.folder.name + ".partial")
        workplace.mkdir(parents=True, exist_ok=True)
        arguments = dict(self.arguments)
        if "checkpoint" in inspect.signature(self.function).parameters:
            arguments["checkpoint"] = workplace / "checkpoint"
            arguments["checkpoint"].mkdir(exist_ok=True)
        write_value(workplace / "value", self.function(**arguments))
        used = [item.record() for item in datasets.used()]
        (workplace / "meta.json").write_text(json.dumps({"arguments": self.arguments, "data": used}, indent=1))
        shutil.rmtree(workplace / "checkpoint", ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        workplace.replace(self.folder)


@cache
def _code(module: str) -> str:
    """Return a digest of a module and of every module of this package that it reaches."""
    closure = Closure()
    reached = closure.modules([module])
    closure.save()
    return hashlib.sha256(json.dumps(reached).encode()).hexdigest()


def cached(function: Callable, /, **arguments: Any) -> Any:
    """Return `function(**arguments)`, computed once for this code, these arguments, data and environment.

    `function` lives in a module and takes plain values (numbers, texts, lists, dictionaries); it returns data frames,
    arrays, plain values, or dictionaries and lists of these. When it has a parameter `checkpoint`, it gets a folder
    that outlives a crash, so that a long computation resumes; the folder is removed once the result is stored.
    """
    call = Call(function, arguments)
    if _forced() or not call.known():
        call.make()
    return call.read()


def kept(function: Callable, /, **arguments: Any) -> Any:
    """Return what `function(**arguments)` gave when the run began it, or make it here where nobody has.

    For a job of a sweep that needs what another sweep makes, as a trained network: `cached`, but a forced run makes it
    anew once, in the sweep that begins it, and not again in every job that asks.
    """
    call = Call(function, arguments)
    if not call.known():
        call.make()
    return call.read()


def start(function: Callable, points: Sequence[Mapping[str, Any]], /, **fixed: Any) -> Pending:
    """Begin `[function(**point, **fixed) for point in points]` in parallel; each point is cached on its own.

    Points run in processes with one thread each, so results do not depend on how many run at once.
    `TENFOLD_EXECUTOR` chooses local or slurm.
    """
    return Pending(function.__name__, [Call(function, {**point, **fixed}) for point in points])


def sweep(function: Callable, points: Sequence[Mapping[str, Any]], /, **fixed: Any) -> list[Any]:
    """Return `[function(**point, **fixed) for point in points]`: `start`, and wait."""
    return start(function, points, **fixed).results()


class Pending:
    """Points of a sweep in the making."""

    def __init__(self, name: str, calls: Sequence[Call]) -> None:
        self._name, self._calls = name.replace("_", " "), calls
        self._missing = [call for call in calls if _forced() or not call.known()]
        engine = executors.executor(os.environ.get("TENFOLD_EXECUTOR", "local"), executors.width())
        self._outcomes = engine.map(Call.make, self._missing)

    def results(self) -> list[Any]:
        """Wait for all points and return their results; the first that failed raises, the others are stored."""
        countdown = Countdown(self._name, len(self._calls))
        countdown.step(len(self._calls) - len(self._missing), fresh=False)
        errors = []
        for outcome in self._outcomes:
            errors += [outcome.error] if outcome.error else []
            countdown.step()
        if errors:
            raise errors[0]
        return [call.read() for call in self._calls]


def _forced() -> bool:
    return bool(os.environ.get("TENFOLD_FORCE"))
