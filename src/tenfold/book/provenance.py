"""Where a number was made: commit, packages, machine; nothing heavy is imported to find out."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tenfold import project


def provenance() -> dict[str, Any]:
    """Return what a record keeps of code and machine, as plain JSON values."""
    return {
        "commit": commit(),
        "dirty": dirty(),
        "python": platform.python_version(),
        "packages": packages(),
        "cpu": cpu(),
        "accelerator": accelerator(),
        "threads": threads(),
    }


@cache
def commit() -> str | None:
    """Return the git commit of the checkout, or None where it is not a git checkout (or has no commit)."""
    top = _answer(["git", "rev-parse", "--show-toplevel"])
    # A copy inside somebody else's repository must not borrow that repository's commit.
    if top is None or Path(top).resolve() != project.root().resolve():
        return None
    return _answer(["git", "rev-parse", "--verify", "HEAD"])


@cache
def dirty() -> bool | None:
    """Tell whether the checkout differs from its commit; None where there is no commit."""
    return None if commit() is None else bool(_answer(["git", "status", "--porcelain"]))


@cache
def packages() -> dict[str, str]:
    """Return the installed versions of tenfold and of what it needs to compute (no test or site tools)."""
    found = {"tenfold": _version("tenfold")}
    try:
        lines = metadata.requires("tenfold") or []
    except metadata.PackageNotFoundError:
        lines = []
    for line in lines:
        name = re.match(r"[A-Za-z0-9._-]+", line)[0]
        if not re.search(r"extra == .(dev|site).", line):
            found[name] = _version(name)
    return {name: version for name, version in sorted(found.items()) if version}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def cpu() -> str:
    """Return the model of the processor."""
    if sys.platform == "darwin":
        return _answer(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()


@cache
def accelerator() -> str:
    """Return the model of the GPU, with the number of them where there are several, or 'none'.

    The driver's own tool is asked, so that no torch is imported; `CUDA_VISIBLE_DEVICES` is obeyed.
    """
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return f"{cpu()} (mps)"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden in ("", "-1"):
        return "none"
    names = (_answer(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]) or "").splitlines()
    if hidden is not None and all(part.strip().isdigit() for part in hidden.split(",")):
        names = [names[int(part)] for part in hidden.split(",") if int(part) < len(names)]
    counts = {name.strip(): names.count(name) for name in names if name.strip()}
    return ", ".join(f"{n} x {name}" if n > 1 else name for name, n in counts.items()) or "none"


def threads() -> int:
    """Return the number of threads a computation may use: `OMP_NUM_THREADS`, else the cores given to us."""
    pinned = os.environ.get("OMP_NUM_THREADS", "")
    if pinned.isdigit() and int(pinned) > 0:
        return int(pinned)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _answer(command: Sequence[str]) -> str | None:
    """Return what a program prints when run in the checkout, or None when it is absent, fails or hangs."""
    try:
        done = subprocess.run(command, cwd=project.root(), capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
