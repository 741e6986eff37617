"""Content keys: what a result was made from, and why it must be made again."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold import datasets, files, project
from tenfold.runner.closure import Closure, digest, imports
from tenfold.runner.parameters import Parameters

_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class Key:
    """The parts that decide a result; data sets are added once it is known which ones were read."""

    notebook: str
    modules: dict[str, str]
    parameters: dict[str, Any]
    files: dict[str, str]
    environment: dict[str, str]

    def parts(self, data: dict[str, str]) -> dict[str, Any]:
        """Return all parts as plain JSON values, `data` as {name: source:digest}."""
        return json.loads(json.dumps({**vars(self), "data": dict(sorted(data.items()))}))


def content_key(parts: dict[str, Any]) -> str:
    """Return the one digest of all parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def notebook_path(slug: str) -> Path:
    """Return where a paper's notebook stands."""
    return project.root() / "notebooks" / f"{slug}.ipynb"


def notebook_code(path: Path) -> str:
    """Return the code cells of a notebook as one text; outputs, metadata and prose do not count."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(_MAGIC.sub("", text) for text in code)


def key(parameters: Parameters, closure: Closure) -> Key:
    """Return the key of a paper's result under these parameters, as the files stand now."""
    code = notebook_code(notebook_path(parameters.slug))
    tree = ast.parse(code)
    beside = ("notebooks/matplotlibrc", f"data/claims/{parameters.slug}.yaml")
    return Key(
        notebook=digest(tree),
        modules=closure.modules(imports(tree)),
        parameters=dict(vars(parameters)),
        files={name: _file_digest(project.root() / name) for name in beside},
        environment=environment(),
    )


def environment() -> dict[str, str]:
    """Return what of the machine may change a number: the locked packages, Python, the accelerator class."""
    return {
        "requirements.lock": _file_digest(project.root() / "requirements.lock"),
        "python": ".".join(map(str, sys.version_info[:2])),
        "accelerator": accelerator(),
    }


def accelerator() -> str:
    """Return 'cuda', 'mps' or 'cpu' from what the system shows, without importing torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1") and Path("/proc/driver/nvidia/version").exists():
        return "cuda"
    if sys.platform == "darwin" and os.uname().machine == "arm64":
        return "mps"
    return "cpu"


def _file_digest(path: Path) -> str:
    return files.sha256(path) if path.is_file() else "absent"


def differences(old: dict[str, Any], new: Key) -> list[str]:
    """Return, one line each, what differs between a record's parts and the present: empty when nothing does."""
    lines = ["the notebook's code changed"] if old["notebook"] != new.notebook else []
    lines += _changes(old["modules"], new.modules, "module")
    lines += [
        f"parameter {name}: {old['parameters'].get(name)!r} -> {value!r}"
        for name, value in json.loads(json.dumps(new.parameters)).items()
        if old["parameters"].get(name) != value
    ]
    lines += _changes(old["files"], new.files, "file")
    lines += _changes(old["environment"], new.environment, "environment:")
    lines += _changes(old["data"], {name: datasets.fingerprint(name) for name in old["data"]}, "data set")
    return lines


def _changes(old: dict[str, str], new: dict[str, str], kind: str) -> list[str]:
    words = {name: "changed" for name in old.keys() & new.keys() if old[name] != new[name]}
    words |= dict.fromkeys(new.keys() - old.keys(), "is new")
    words |= dict.fromkeys(old.keys() - new.keys(), "is gone")
    return [f"{kind} {name} {word}" for name, word in sorted(words.items())]
