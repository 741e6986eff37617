"""The house: who imports whom, what imports nothing heavy, what has a docstring, what no file may say."""

import ast
import functools
import json
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tenfold import project

SOURCE = project.root() / "src"

# Standard library alone: anyone may import these.
LIGHT = {"errors", "files", "project"}
LOWER = LIGHT | {"datasets"}
# Where a command starts: they import rooms, no room imports them.
ENTRIES = {"cli", "catalogue", "doctor"}
UPPER = {"runner", "book", "papers", *ENTRIES}
# Slow to import, by tenths of a second each.
HEAVY = {"IPython", "corner", "emcee", "ipywidgets", "matplotlib", "nbclient", "nbformat", "numpy", "pandas"}
HEAVY |= {"papermill", "pooch", "rich", "scipy", "seaborn", "sklearn", "torch"}


@functools.cache
def modules():
    """Every module by name: its file and whether it is a package."""
    found = {}
    for path in sorted((SOURCE / "tenfold").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        package = parts[-1] == "__init__"
        found[".".join(parts[:-1] if package else parts)] = (path, package)
    return found


@functools.cache
def tree(name):
    return ast.parse(modules()[name][0].read_text(encoding="utf-8"))


def imported(name):
    """Return the modules of this package that a module imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".")
                up = parts[: len(parts) - node.level + modules()[name][1]]
                base = ".".join([*up, *filter(None, [node.module])])
            # `from package import module` needs the module; only another name needs the package itself.
            deeper = {f"{base}.{alias.name}": base for alias in node.names}
            found.update(inner if inner in modules() else outer for inner, outer in deeper.items())
    return {item for item in found if item in modules() and item != name}


@functools.cache
def graph():
    return {name: imported(name) for name in modules()}


def room(name):
    return name.split(".")[1] if "." in name else ""


def rooms():
    return sorted({room(name) for name in modules()} - {""})


def science():
    """The rooms of science: every package that is no other room."""
    packages = {room(name) for name, (_, package) in modules().items() if package}
    return packages - UPPER - {"", "datasets", "nets", "training"}


def allowed(name):
    """Return the rooms that a room may import beside itself."""
    if name in LIGHT:
        return LIGHT
    if name == "datasets":
        return LIGHT
    if name in ("nets", "training"):
        return LOWER | {"nets", "training"}
    if name == "runner":
        return LOWER
    if name == "book":
        return LOWER | {"runner"}
    if name in ENTRIES:
        return LOWER | ENTRIES | {"runner", "book"}
    sciences = science() | {"nets", "training"}
    return LOWER | sciences | ({"runner", "book"} if name == "papers" else set())


def test_the_rooms_are_those_of_the_design():
    """A new lone module at the top needs a place in the rules above; a forgotten room would make them empty."""
    lone = {room(name) for name, (_, package) in modules().items() if name.count(".") == 1 and not package}
    assert lone == LIGHT | ENTRIES
    assert {"runner", "book", "papers", "datasets"} <= set(rooms())
    assert science()
    assert sum(map(len, graph().values())) > 50


@pytest.mark.parametrize("name", rooms())
def test_a_room_imports_only_what_lies_below_it(name):
    wrong = [
        f"{importer} imports {item}"
        for importer, items in graph().items()
        for item in items
        if room(importer) == name and room(item) not in {name, "", *allowed(name)}
    ]
    assert wrong == []


def test_papers_take_only_parameters_and_what_is_kept_from_the_runner():
    """A job may ask for what another job made; whether a call is cached, and where it runs, the book decides."""
    taken = {item for name, items in graph().items() if room(name) == "papers" for item in items}
    assert {item for item in taken if room(item) == "runner"} <= {"tenfold.runner.parameters", "tenfold.runner.store"}
    names = {item for name in modules() if room(name) == "papers" for item in spelt(name)}
    store = {item for item in names if item.startswith("tenfold.runner") and ".parameters" not in item}
    assert store <= {"tenfold.runner.store.kept"}


def spelt(name):
    """Return what a module imports, each name with the module that it is taken from."""
    nodes = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Import | ast.ImportFrom)]
    bases = [(f"{node.module}." if isinstance(node, ast.ImportFrom) else "", node) for node in nodes]
    return {base + alias.name for base, node in bases for alias in node.names}


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_what_anyone_may_import_needs_the_standard_library_alone(name):
    absolute = [node for node in ast.walk(tree(f"tenfold.{name}")) if isinstance(node, ast.Import | ast.ImportFrom)]
    tops = {
        part.split(".")[0]
        for node in absolute
        for part in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
    }
    assert tops <= {*sys.stdlib_module_names, "tenfold"}


def circle(edges):
    """Return a circle in a graph, empty when there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_circle_among_modules():
    assert circle(graph()) == []


def test_no_circle_among_rooms():
    edges = {name: set() for name in rooms()}
    for importer, items in graph().items():
        if room(importer):
            edges[room(importer)] |= {room(item) for item in items} - {"", room(importer)}
    assert circle(edges) == []


def test_a_circle_would_be_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def test_every_module_is_named_by_a_noun_of_its_own():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "lib"}
    assert [name for name in modules() if name.rpartition(".")[2].strip("_") in vague] == []


def public(name):
    """Yield every public function and class of a module, and every public method, with its name."""
    for node in tree(name).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            for item in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                    yield f"{node.name}.{item.name}", item


@pytest.mark.parametrize("name", [name for name in rooms() if f"tenfold.{name}" in modules()])
def test_every_public_name_has_a_docstring(name):
    silent = [
        f"{module}.{inner}"
        for module in modules()
        if room(module) == name
        for inner, node in public(module)
        if not ast.get_docstring(node) and not is_stub(node)
    ]
    assert silent == []


def is_stub(node):
    """Tell whether a function is only an outline, as in a Protocol: `...` alone."""
    constants = [item.value for item in node.body if isinstance(item, ast.Expr)]
    return len(node.body) == 1 and [getattr(item, "value", None) for item in constants] == [Ellipsis]


def test_every_module_says_what_it_holds():
    assert [name for name in modules() if not ast.get_docstring(tree(name))] == []


def light_modules():
    papers = [name for name, (_, package) in modules().items() if name.startswith("tenfold.papers.") and package]
    return ["tenfold.cli", "tenfold.catalogue", "tenfold.datasets", "tenfold.book", "tenfold.runner.workbook", *papers]


def test_bad_input_is_answered_without_anything_heavy():
    """What the command line imports before it knows what is asked, and each paper's parameters."""
    code = f"import json, sys\nfor name in {light_modules()}: __import__(name)\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert {"tenfold.cli", "tenfold.papers.gb_igw"} <= loaded
    assert loaded & HEAVY == set()


@functools.cache
def tracked():
    """Every text that git tracks, by name."""
    command = ["git", "ls-files", "-z"]
    try:
        done = subprocess.run(command, cwd=project.root(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    texts = {}
    for name in filter(None, done.stdout.split("\0")):
        path = project.root() / name
        content = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in content:
            texts[name] = content.decode("utf-8")
    if not texts:
        pytest.skip("git tracks nothing here")
    return texts


def mentions(pattern):
    found = re.compile(pattern)
    return [f"{name}: {hit[0]}" for name, text in tracked().items() for hit in found.finditer(text)]


def test_no_file_names_a_place_on_one_machine():
    """Home folders and the like, as they are spelt anywhere, and this checkout's own place."""
    places = r"(?<![\w.}])/(?:home|Users|root|work|mnt|media|srv|scratch)/[\w.]+|\b[A-Z]:\\+Users"
    here = [str(project.root()), str(Path.home())]
    longer = "|".join(re.escape(place) + r"(?=/)" for place in here if place.count("/") > 1)
    assert mentions(f"{places}|{longer}" if longer else places) == []


def test_no_file_names_a_package_registry():
    """Whoever installs chooses the index; the lock and the Makefile leave that to pip's own settings."""
    hosts = r"(?:pypi|pythonhosted|anaconda|npmjs|crates|rubygems)\.(?:org|com|io)|download\.pytorch\.org"
    options = r"--(?:(?:extra-)?index-url|find-links|trusted-host)\b"
    assert mentions(f"{hosts}|{options}") == []


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("/ho" + "me/ann/x", True),
        ("/Us" + "ers/ann", True),
        ("pypi" + ".org", True),
        ("$HOME/x ~/.cache /usr/bin", False),
    ],
)
def test_the_patterns_can_fail(text, hit, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "tracked", lambda: {"file": text})
    found = 0
    for check in (test_no_file_names_a_place_on_one_machine, test_no_file_names_a_package_registry):
        try:
            check()
        except AssertionError:
            found += 1
    assert found == hit
