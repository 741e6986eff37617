"""The command line as a user meets it: toy notebooks, real kernels, real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TABLE = """import pandas as pd
from tenfold.{module} import slow
rows = book.sweep(slow, [{{"x": x}} for x in range(book.parameters.bins)], log="{log}")
book.table("squares", pd.DataFrame(rows))"""


def table(workbook, module="toys"):
    return TABLE.format(module=module, log=workbook.root / f"{module}.log")


def made(workbook, module="toys"):
    log = workbook.root / f"{module}.log"
    return log.read_text().split() if log.exists() else []


def wait_for(condition, seconds=60):
    """Wait for a condition of another process; a test that never sees it fails."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the other process never got there"
        time.sleep(0.05)


def running(text):
    """Return the processes whose command line holds `text`."""
    found = subprocess.run(["pgrep", "-f", text], capture_output=True, text=True, check=False)
    return found.stdout.split()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "toy", "--set", "bns=9"], "did you mean 'bins'"),
        (["run", "toy", "--set", "bins=many"], "bins must be a whole number"),
        (["run", "toy", "--set", "bins"], "NAME=VALUE"),
        (["run", "ty"], "did you mean 'toy'"),
        (["run", "toy", "--scale", "lptop"], "did you mean 'laptop'"),
        (["run", "toy", "--jobs", "0"], "--jobs must be"),
        (["run", "toy", "--executor", "slrm"], "did you mean 'slurm'"),
        (["rn"], "did you mean 'run'"),
        (["why", "ty"], "did you mean 'toy'"),
        (["claims", "ty"], "did you mean 'toy'"),
        (["open", "ty"], "did you mean 'toy'"),
        (["data", "fetch", "g_str"], "did you mean 'g_star'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(workbook, arguments, words):
    workbook.paper("toy")
    done = workbook.run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (workbook.root / "results/laptop").exists()


def test_bad_input_is_answered_without_heavy_imports(workbook):
    workbook.paper("toy")
    code = (
        "import sys; from tenfold.cli import main; status = main(['run', 'toy', '--set', 'bns=9']);"
        "heavy = {'numpy', 'pandas', 'torch', 'matplotlib', 'papermill', 'nbclient', 'IPython', 'rich', 'pooch'};"
        "print(status, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=workbook.environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 []\n"


def test_a_run_leaves_a_whole_result_and_the_next_one_nothing_to_do(workbook):
    workbook.science()
    workbook.paper("toy", table(workbook), 'book.record("answer", 42, "m")', "book.card()")
    done = workbook.run("run", "toy", "--scale", "smoke", "--set", "bins=2", "--seed", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    record = workbook.record("toy")
    assert record["parameters"]["bins"] == 2
    assert (record["scale"], record["seed"], record["values"]) == (
        "smoke",
        5,
        [{"name": "answer", "value": 42, "unit": "m"}],
    )
    assert len(record["cells"]) == 6, "parameters, injected parameters, the book, and three of ours"
    assert all(cell["seconds"] >= 0 for cell in record["cells"])
    assert {"commit", "dirty", "packages", "cpu", "threads", "data", "key", "seconds"} <= record.keys()
    place = workbook.root / "results/smoke/toy"
    assert (place / "tables/squares.csv").read_text().splitlines()[0] == "x,y"
    assert (place / "notebook.ipynb").is_file()
    assert sorted(path.name for path in place.parent.iterdir() if not path.name.endswith(".lock")) == ["toy"]
    again = workbook.run("run", "toy", "--scale", "smoke", "--set", "bins=2", "--seed", "5")
    assert "nothing changed" in again.stdout
    assert workbook.record("toy") == record


def test_a_changed_constant_runs_exactly_the_notebooks_that_import_it(workbook):
    workbook.science(2, name="toys")
    workbook.science(2, name="others")
    workbook.paper("first", table(workbook, "toys"))
    workbook.paper("second", table(workbook, "others"))
    assert workbook.run("run", "--scale", "smoke").returncode == 0
    assert workbook.run("why", "--scale", "smoke").stdout.count("nothing changed") == 2
    workbook.science(3, name="toys")
    why = workbook.run("why", "--scale", "smoke").stdout
    assert "first: module src/tenfold/toys.py changed" in why
    assert "second: nothing changed" in why
    before = workbook.record("second")
    done = workbook.run("run", "--scale", "smoke")
    assert "1 unchanged, 1 made" in done.stdout
    assert workbook.record("second") == before
    rows = (workbook.root / "results/smoke/first/tables/squares.csv").read_text().splitlines()
    assert rows[-1] == "2,6"


def test_why_names_parameters_notebook_and_data(workbook):
    path = workbook.paper("toy", "from tenfold import datasets\ndatasets.resolve('g_star')\nbook.record('x', 1)")
    assert "no finished result" in workbook.run("why", "toy", "--scale", "smoke").stdout
    nowhere = {"TENFOLD_MIRROR": str(workbook.root / "nowhere"), "TENFOLD_OFFLINE": "1"}
    embed(workbook)
    done = workbook.run("run", "toy", "--scale", "smoke", **nowhere)
    assert done.returncode == 0, done.stdout + done.stderr

    def why(*more, **environment):
        return workbook.run("why", "toy", "--scale", "smoke", *more, **{**nowhere, **environment}).stdout

    assert "nothing changed" in why()
    assert "parameter bins: 3 -> 9" in why("--set", "bins=9")
    assert "parameter seed: 0 -> 1" in why("--seed", "1")
    damage = workbook.root / "data/embedded/pta/g_star.json"
    damage.write_text(damage.read_text() + "\n")
    assert "data set g_star changed" in why()
    path.write_text(path.read_text().replace("book.record('x', 1)", "book.record('x', 2)"))
    assert "the notebook's code changed" in why()


def embed(workbook):
    """Give the toy workbook the embedded degrees of freedom."""
    source = Path(__file__).resolve().parents[2] / "data/embedded/pta/g_star.json"
    place = workbook.root / "data/embedded/pta/g_star.json"
    place.parent.mkdir(parents=True)
    place.write_text(source.read_text())


def test_a_failing_notebook_shows_its_cell_and_the_others_go_on(workbook):
    workbook.science()
    workbook.paper("good", table(workbook))
    path = workbook.paper("bad", 'book.record("x", 1)')
    assert workbook.run("run", "--scale", "smoke").returncode == 0
    before = workbook.record("bad")
    text = path.read_text().replace('book.record(\\"x\\", 1)', "# the sum\\nanswer = 1 / 0")
    path.write_text(text)
    workbook.science(3)
    done = workbook.run("run", "--scale", "smoke")
    assert done.returncode == 1
    assert "bad: FAILED in cell 3: # the sum" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert "good: done" in done.stdout
    assert workbook.record("bad") == before
    assert (workbook.root / "results/smoke/bad.failed.ipynb").is_file()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_leaves_nothing_half_and_the_next_one_completes_it(workbook, how):
    """The tables after kill and restart are those of an undisturbed run, and no finished point is made twice."""
    workbook.science(pause=0)
    workbook.paper("toy", table(workbook))
    assert workbook.run("run", "toy", "--set", "bins=6").returncode == 0
    wanted = (workbook.root / "results/laptop/toy/tables/squares.csv").read_bytes()
    (workbook.root / "toys.log").unlink()

    workbook.science(pause=1)
    process = workbook.start("run", "toy", "--set", "bins=6", TENFOLD_CORES="1")
    wait_for(lambda: len(made(workbook)) >= 3)
    process.send_signal(how)
    assert process.wait(timeout=20) == (130 if how == signal.SIGINT else -signal.SIGKILL)
    wait_for(lambda: not running(str(workbook.root / "results")))
    before = workbook.record("toy", "laptop")
    assert before["made_from"]["modules"]
    assert "toys.py changed" in workbook.run("why", "toy", "--set", "bins=6").stdout

    done = workbook.run("run", "toy", "--set", "bins=6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (workbook.root / "results/laptop/toy/tables/squares.csv").read_bytes() == wanted
    assert workbook.record("toy", "laptop")["key"] != before["key"]
    assert 6 <= len(made(workbook)) <= 7, "only the point in the making is made again"


def test_two_runs_do_not_make_the_same_paper_at_once(workbook):
    workbook.science(pause=2)
    workbook.paper("toy", table(workbook))
    first = workbook.start("run", "toy", "--scale", "smoke")
    wait_for(lambda: made(workbook))
    second = workbook.run("run", "toy", "--scale", "smoke")
    assert second.returncode == 2
    assert "being made by another run" in second.stderr
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_slurm_runs_notebooks_through_submitit(workbook):
    workbook.science()
    workbook.paper("toy", table(workbook))
    done = workbook.run("run", "toy", "--scale", "smoke", "--executor", "slurm", TENFOLD_SLURM_CLUSTER="local")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(made(workbook)) == ["0", "1", "2"]


def test_open_prepares_a_copy_and_keeps_an_earlier_one(workbook):
    workbook.paper("toy")
    for bins in ("9", "8"):
        done = workbook.run("open", "toy", "--prepare", "--scale", "smoke", "--set", f"bins={bins}")
        assert done.returncode == 0, done.stderr
    place = workbook.root / "results/open"
    assert "bins = 8" in "".join(sources(place / "toy.ipynb"))
    assert "bins = 9" in "".join(sources(place / "toy-1.ipynb"))


def test_a_handout_has_no_solutions(workbook):
    path = workbook.paper("toy", "x = ...", "x = 42", "assert x == 42")
    notebook = json.loads(path.read_text())
    for cell, tag in zip(notebook["cells"][2:], ("exercise", "solution", "check"), strict=True):
        cell["metadata"]["tags"] = [tag]
    path.write_text(json.dumps(notebook))
    assert workbook.run("open", "toy", "--prepare", "--handout").returncode == 0
    cells = sources(workbook.root / "results/open/toy-handout.ipynb")
    assert "assert x == 42" in cells
    assert "x = 42" not in cells


def sources(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def test_list_shows_papers_and_parameters(workbook):
    workbook.paper("toy")
    assert "toy  Toy toy" in workbook.run("list").stdout
    shown = workbook.run("list", "toy").stdout
    assert "bins = 3 | 4 | 5  (1 to 30)" in shown
    assert "how many bins" in shown


def test_a_relative_results_folder_is_relative_to_the_caller(workbook):
    workbook.paper("toy", 'book.record("x", 1)')
    assert workbook.run("run", "--scale", "smoke", TENFOLD_RESULTS="elsewhere").returncode == 0
    assert (workbook.root / "elsewhere/smoke/toy/record.json").is_file()
    assert not (workbook.root / "results").exists()


def test_a_slow_notebook_is_called_slow(workbook):
    path = workbook.paper("toy", "import time\ntime.sleep(1)")
    module = workbook.root / "src/tenfold/papers/toy.py"
    module.write_text(module.read_text().replace("Budget(0.1, 0.5)", "Budget(0.01, 0.5)"))
    assert path.is_file()
    assert "SLOW: its budget is 1 s\n" in workbook.run("run", "--scale", "smoke").stdout


def test_notebooks_that_share_the_machine_may_take_longer(workbook):
    for name in ("one", "two"):
        workbook.paper(name, "import time\ntime.sleep(1)")
        module = workbook.root / f"src/tenfold/papers/{name}.py"
        module.write_text(module.read_text().replace("Budget(0.1, 0.5)", "Budget(0.005, 0.5)"))
    together = workbook.run("run", "--scale", "smoke", "--jobs", "2").stdout
    assert together.count("SLOW: its budget is 1 s with 2 at once") == 2, "twice 0.3 s"


def test_doctor_finds_what_is_here(workbook):
    workbook.paper("toy")
    done = workbook.run("doctor", TENFOLD_MIRROR=str(workbook.root / "nowhere"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("ready\n")
    assert "mirror    none" in done.stdout
    assert "g_star: to be downloaded" in done.stdout
    lock = workbook.root / "requirements.lock"
    lock.write_text(lock.read_text().replace("nbclient==", "nbclient==0.0.0.") + "\n")
    done = workbook.run("doctor")
    assert done.returncode == 1
    assert "PROBLEM  nbclient is" in done.stdout


def test_kernels_get_pinned_threads(workbook):
    workbook.paper("toy", 'import os\nbook.record("threads", int(os.environ["OMP_NUM_THREADS"]))')
    assert workbook.run("run", "--scale", "smoke", TENFOLD_CORES="3").returncode == 0
    assert workbook.record("toy")["values"][0]["value"] == 3
    assert "TENFOLD_CORES" not in os.environ
