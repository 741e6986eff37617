"""The `src` modules that a piece of code really imports, and what each of them says."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from tenfold import files, project

PACKAGE = "tenfold"


def source(module: str) -> Path | None:
    """Return the file of a module of this package, or None when there is no such module."""
    base = project.root() / "src" / Path(*module.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def imports(tree: ast.AST, module: str = "", package: bool = False) -> list[str]:
    """Return the names that the code may import from this package, wherever in the code the import stands.

    `from a import b` may mean a module `a.b` or a name in `a`: both are returned, and `closure` keeps what exists.
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, package)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return sorted(name for name in found if name == PACKAGE or name.startswith(PACKAGE + "."))


def _absolute(node: ast.ImportFrom, module: str, package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parents = parts[: len(parts) - node.level + package]
    return ".".join([*parents, node.module] if node.module else parents)


def digest(tree: ast.AST) -> str:
    """Return a digest of what the code says: comments and layout do not count, everything else does."""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


class Closure:
    """Finds import closures; what a file's text says is remembered by the text's own hash, so it never goes stale."""

    def __init__(self) -> None:
        self._path = project.results() / ".closure.json"
        self._known = self._read()
        self._fresh = False
        # One reading of each file per command: ten notebooks share most of their modules.
        self._modules: dict[str, tuple[str, str, list[str]] | None] = {}

    def _read(self) -> dict:
        try:
            known = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def modules(self, names: Iterable[str]) -> dict[str, str]:
        """Return {file relative to the checkout: digest} of all modules reached from `names`, packages included."""
        queue, seen, result = list(names), set(), {}
        while queue:
            name = queue.pop()
            if name in seen:
                continue
            seen.add(name)
            if "." in name:
                queue.append(name.rpartition(".")[0])
            if found := self._module(name):
                path, code, further = found
                result[path] = code
                queue.extend(further)
        return dict(sorted(result.items()))

    def _module(self, name: str) -> tuple[str, str, list[str]] | None:
        """Return a module's file, digest and imports, or None when there is no such module."""
        if name not in self._modules:
            path = source(name)
            where = path and path.relative_to(project.root()).as_posix()
            self._modules[name] = (where, *self._parsed(name, path)) if path else None
        return self._modules[name]

    def _parsed(self, name: str, path: Path) -> tuple[str, list[str]]:
        text = path.read_bytes()
        # The name belongs to the key: the same relative import means another module elsewhere.
        mark = hashlib.sha256(name.encode() + b"\0" + text).hexdigest()
        if mark not in self._known:
            tree = ast.parse(text, filename=str(path))
            self._known[mark] = [digest(tree), imports(tree, name, path.name == "__init__.py")]
            self._fresh = True
        return tuple(self._known[mark])

    def save(self) -> None:
        """Keep what was learnt; losing it costs a parse, never a wrong answer."""
        if self._fresh:
            files.write_json(self._path, self._known)
            self._fresh = False
