import ast

import pytest

from tenfold import project
from tenfold.runner.closure import Closure, digest, imports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package tenfold with a room `a` (init, b, c) and a lone module; returns a function that writes a module."""
    monkeypatch.setattr(project, "root", lambda: tmp_path)
    monkeypatch.setattr(project, "results", lambda: tmp_path / "results")

    def write(name, text):
        path = tmp_path / "src/tenfold" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("__init__.py", "")
    write("a/__init__.py", "from tenfold.a.b import thing")
    write("a/b.py", "from . import c\nthing = 1")
    write("a/c.py", "import numpy")
    write("lone.py", "def f():\n    from tenfold import late")
    write("late.py", "")
    write("stranger.py", "X = 1")
    return write


def names(found):
    return {path.removeprefix("src/tenfold/") for path in found}


def test_closure_follows_packages_relative_and_late_imports(package):
    assert names(Closure().modules(["tenfold.lone"])) == {"__init__.py", "lone.py", "late.py"}
    assert names(Closure().modules(["tenfold.a.c"])) == {"__init__.py", "a/__init__.py", "a/b.py", "a/c.py"}


@pytest.mark.parametrize(
    ("code", "module", "package_", "expected"),
    [
        ("import tenfold.pta as p", "", False, ["tenfold.pta"]),
        ("from tenfold.pta import x", "", False, ["tenfold.pta", "tenfold.pta.x"]),
        ("from . import c", "tenfold.a.b", False, ["tenfold.a", "tenfold.a.c"]),
        ("from .b import d", "tenfold.a", True, ["tenfold.a.b", "tenfold.a.b.d"]),
        ("from ..z import y", "tenfold.a.b", False, ["tenfold.z", "tenfold.z.y"]),
        ("import numpy, tenfoldish", "", False, []),
    ],
)
def test_imports_are_named_absolutely(code, module, package_, expected):
    assert imports(ast.parse(code), module, package_) == expected


def test_only_what_the_code_says_changes_its_digest(package):
    before = Closure().modules(["tenfold.lone"])
    package("lone.py", "# a comment\ndef f():\n\n    from tenfold import late  # why\n")
    assert Closure().modules(["tenfold.lone"]) == before
    package("lone.py", "def f(x=2):\n    from tenfold import late")
    changed = Closure().modules(["tenfold.lone"])
    assert {name for name in before if changed[name] != before[name]} == {"src/tenfold/lone.py"}


def test_a_number_changes_the_digest():
    assert digest(ast.parse("X = 1")) != digest(ast.parse("X = 2"))
    assert digest(ast.parse("X = 1")) == digest(ast.parse("X   =  1"))


def test_what_was_learnt_is_kept_and_never_stale(package, tmp_path):
    first = Closure()
    before = first.modules(["tenfold.a"])
    first.save()
    assert (tmp_path / "results/.closure.json").is_file()
    assert Closure().modules(["tenfold.a"]) == before
    package("a/c.py", "import tenfold.stranger")
    assert "stranger.py" in names(Closure().modules(["tenfold.a"]))


def test_a_broken_memory_is_only_forgotten(package, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/.closure.json").write_text("{half")
    assert names(Closure().modules(["tenfold.late"])) == {"__init__.py", "late.py"}
