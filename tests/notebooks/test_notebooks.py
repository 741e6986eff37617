"""Notebooks as they are committed: clean, readable, tied to their parameters and their claims."""

import ast
import functools
import re

import nbformat
import pytest

from tenfold import project
from tenfold.book import claims
from tenfold.runner.notebook import prepared
from tenfold.runner.parameters import SCALES, load, resolve, slugs

# The paper's windows need the paper's model, which no preset has.
WITHOUT_CHECKPOINT = {"owled": {"text_length": 96}}
PATHS = sorted((project.root() / "notebooks").glob("*.ipynb"))
LONGEST_CELL, LONGEST_FUNCTION = 30, 10
EXERCISE = ["exercise", "solution", "check"]

pytestmark = pytest.mark.parametrize("slug", [path.stem for path in PATHS] or ["missing"])


@functools.cache
def notebook(slug):
    return nbformat.read(project.root() / "notebooks" / f"{slug}.ipynb", as_version=nbformat.NO_CONVERT)


def code(slug):
    return [cell for cell in notebook(slug).cells if cell.cell_type == "code"]


def prose(slug):
    return [cell.source for cell in notebook(slug).cells if cell.cell_type == "markdown"]


def tags(cell):
    return cell.metadata.get("tags", [])


def calls(slug, method):
    """Return the first arguments, where they are texts, of every `book.<method>(...)` in the notebook."""
    tree = ast.parse("\n".join(cell.source for cell in code(slug)))
    found = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "book"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    return [value for value in found if isinstance(value, str)]


def test_it_is_valid(slug):
    assert notebook(slug).nbformat == 4
    nbformat.validate(notebook(slug))
    identities = [cell.id for cell in notebook(slug).cells]
    assert len(set(identities)) == len(identities)
    assert notebook(slug).metadata.kernelspec.name == "python3"


def test_nothing_of_a_run_is_left_in_it(slug):
    assert [cell.id for cell in code(slug) if cell.outputs or cell.execution_count is not None] == []
    machine = {"papermill", "widgets"} & set(notebook(slug).metadata)
    assert machine == set(), "what a run writes into the notebook's metadata"


def test_it_has_a_module_and_claims(slug):
    assert slug in slugs()
    assert claims.path(slug).is_file()


def test_the_cell_of_parameters_is_the_dataclass(slug):
    """Plain literals, one per line: scale, seed, then each field in its order, with its help."""
    (cell,) = [cell for cell in notebook(slug).cells if "parameters" in tags(cell)]
    lines = ['scale = "laptop"', "seed = 0"]
    lines += [
        f"{name} = None  # {spec.help}; None takes the scale's preset" for name, spec in load(slug).specs().items()
    ]
    assert cell.cell_type == "code"
    assert cell.source.splitlines() == lines
    assert code(slug)[0] is cell


def test_every_parameter_reaches_the_notebook_as_it_was_given(slug):
    """What the runner writes into the notebook, read back as the notebook's own book reads it."""
    kind = load(slug)
    values = {name: spec.paper for name, spec in kind.specs().items()} | WITHOUT_CHECKPOINT.get(slug, {})
    given = resolve(kind, "smoke", 3, values)
    injected = prepared(slug, {"scale": given.scale, "seed": given.seed, **given.changed()})
    space = {}
    for cell in injected.cells:
        if {"parameters", "injected-parameters"} & set(tags(cell)):
            exec(cell.source, space)
    overrides = {name: space[name] for name in kind.specs()}
    assert resolve(kind, space["scale"], space["seed"], overrides) == given


def test_help_says_something_of_each_parameter(slug):
    specs = load(slug).specs()
    helps = [spec.help for spec in specs.values()]
    assert specs and all(helps) and len(set(helps)) == len(helps)
    assert not any("\n" in help or help.endswith((".", ";")) for help in helps)


def test_cells_are_short_and_logic_lives_in_the_package(slug):
    long = [cell.id for cell in notebook(slug).cells if len(cell.source.splitlines()) > LONGEST_CELL]
    assert long == []
    functions = [
        f"{cell.id}: {node.name}"
        for cell in code(slug)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert functions == []


def test_it_is_plain_python(slug):
    """No magics or shell lines: the content key reads the code, and a script can be made of it."""
    for cell in code(slug):
        ast.parse(cell.source)


def test_the_first_cell_is_the_title_with_a_row_for_each_scale(slug):
    first = notebook(slug).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \S", first.source)
    rows = re.findall(r"^\| `(\w+)` \|(.+)\|$", first.source, re.MULTILINE)
    assert [name for name, _ in rows] == list(SCALES)
    for _, rest in rows:
        cells = [part.strip() for part in rest.split("|")]
        assert len(cells) == 3 and all(cells), "what it shows, what it cannot, how long it takes"
        assert re.search(r"\d+ (?:s|min|h)\b", cells[-1])


def test_promised_minutes_are_within_the_budget(slug):
    """The time that the title cell promises is no longer than what the preset budgets."""
    unit = {"s": 1 / 60, "min": 1, "h": 60}
    for name, rest in re.findall(r"^\| `(\w+)` \|(.+)\|$", notebook(slug).cells[0].source, re.MULTILINE):
        amount, word = re.findall(r"(\d+) (s|min|h)\b", rest)[-1]
        assert float(amount) * unit[word] <= load(slug).budget[name].minutes + 1e-9, name


def test_a_reconstruction_says_so_at_once(slug):
    """Papers whose text could not be read: nothing of theirs may look like the paper's own figure."""
    if slug in {"calliper", "gb-igw"}:
        assert "reconstruction" in notebook(slug).cells[0].source.lower()


def test_it_has_a_part_to_explore(slug):
    assert any(re.search(r"^## Explore$", text, re.MULTILINE) for text in prose(slug))
    assert [cell.cell_type for cell in notebook(slug).cells if "explore" in tags(cell)].count("code") >= 1


def test_exercises_come_with_solution_and_check_in_order(slug):
    kinds = [kind for cell in code(slug) for kind in tags(cell) if kind in EXERCISE]
    assert len(kinds) % 3 == 0 and kinds == EXERCISE * (len(kinds) // 3)
    assert 2 <= len(kinds) // 3 <= 4
    asked = [cell.source for cell in notebook(slug).cells if cell.cell_type == "markdown" and "exercise" in tags(cell)]
    numbers = [int(n) for text in asked for n in re.findall(r"^\*\*(\d+)\.\*\*", text, re.MULTILINE)]
    assert numbers == list(range(1, len(kinds) // 3 + 1))


def names(source):
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_a_solution_defines_what_its_exercise_asks_for_and_its_check_uses_it(slug):
    cells = [cell for cell in code(slug) if set(tags(cell)) & set(EXERCISE)]
    for exercise, solution, check in zip(cells[::3], cells[1::3], cells[2::3], strict=True):
        assert names(exercise.source) and names(exercise.source) == names(solution.source)
        used = {node.id for node in ast.walk(ast.parse(check.source)) if isinstance(node, ast.Name)}
        assert names(exercise.source) <= used
        asserts = [node for node in ast.walk(ast.parse(check.source)) if isinstance(node, ast.Assert)]
        assert asserts and all(node.msg is not None for node in asserts), "a failing check tells the student why"


def test_nothing_but_an_exercise_needs_its_solution(slug):
    """A handout without solutions must still run where no solution is asked for: to the ledger and the card."""
    defined = {name for cell in code(slug) if "solution" in tags(cell) for name in names(cell.source)}
    other = [cell for cell in code(slug) if not set(tags(cell)) & set(EXERCISE)]
    used = {
        node.id
        for cell in other
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    assert defined & used == set()


def test_the_last_code_cells_are_the_ledger_and_the_card(slug):
    ledger, card = code(slug)[-2:]
    assert tags(ledger) == ["ledger"] and "book.ledger(" in ledger.source
    assert tags(card) == ["card"] and card.source.strip() == "book.card()"
    assert notebook(slug).cells[-1] is card
    assert sum("book.ledger(" in cell.source for cell in code(slug)) == 1


def test_the_book_is_opened_under_its_own_name(slug):
    opened = [cell.source for cell in code(slug) if "Book.open(" in cell.source]
    assert len(opened) == 1
    assert f'Book.open("{slug}", globals())' in opened[0]


def test_figures_and_tables_have_names_of_their_own(slug):
    for method in ("figure", "table"):
        found = calls(slug, method)
        assert found and len(set(found)) == len(found)


def test_every_claim_is_measured_on_a_table_that_the_notebook_stores(slug):
    loaded = claims.load(slug)
    assert loaded
    stored = set(calls(slug, "table"))
    assert {claim.id: claim.measure.table for claim in loaded if claim.measure.table not in stored} == {}


def test_some_claims_are_testable_at_every_scale(slug):
    for scale in SCALES:
        assert [claim.id for claim in claims.load(slug) if scale in claim.scales and not claim.unanswerable]


def test_code_stands_below_words_that_introduce_it(slug):
    """A notebook reads like the paper: at most four code cells follow each other without a word."""
    run = 0
    for cell in notebook(slug).cells[2:]:
        drill = set(tags(cell)) & {"solution", "check"}
        run = 0 if cell.cell_type == "markdown" else run + (not drill)
        assert run <= 4, cell.id
