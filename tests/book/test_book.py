"""The book: everything that is put in is on disk at once, and nothing wrong gets in."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from tenfold import datasets
from tenfold.book import Book, display
from tenfold.errors import InputError
from tenfold.runner import store

NUMBERS = pd.DataFrame({"x": [0.1 + 0.2, 1 / 3], "y": [1.0, np.nan]})
RUNS = pd.DataFrame({"seed": [0, 1, 2], "a": [1.1, 1.2, 1.3], "b": [0.1, 0.3, 0.2]})


@pytest.fixture(autouse=True)
def style_kept():
    """matplotlib is as it was when a test has opened a book."""
    with plt.rc_context():
        yield
    plt.close("all")


def drawing():
    made, ax = plt.subplots()
    ax.plot([0, 1], [1, 0])
    return made


def state(opened):
    return json.loads((opened.out / "book.json").read_text())


def test_a_book_opens_with_what_the_notebook_says(checkout):
    opened = Book.open("toy", {"scale": "paper", "seed": 3, "bins": 9, "tilts": None, "other": object()})
    assert (opened.slug, opened.scale, opened.seed) == ("toy", "paper", 3)
    assert (opened.parameters.bins, opened.parameters.tilts) == (9, (1.0, 2.0, 3.0))
    assert opened.out == checkout / "results" / "interactive" / "toy"
    assert state(opened)["parameters"] == {"bins": 9, "tilts": [1.0, 2.0, 3.0]}
    assert plt.rcParams["font.size"] == 8


def test_a_run_says_where_results_go(checkout, monkeypatch):
    monkeypatch.setenv("TENFOLD_OUT", str(checkout / "elsewhere"))
    assert Book.open("toy", {"scale": "smoke", "seed": 0}).out == checkout / "elsewhere"


@pytest.mark.parametrize(
    ("namespace", "problem"),
    [
        ({"seed": 0}, "sets no 'scale'"),
        ({"scale": "smoke"}, "sets no 'seed'"),
        ({"scale": "smal", "seed": 0}, "unknown scale 'smal'"),
        ({"scale": "smoke", "seed": 0, "bins": 31}, "bins must be at most 30"),
    ],
)
def test_a_wrong_notebook_is_told(checkout, namespace, problem):
    with pytest.raises(InputError, match=problem):
        Book.open("toy", namespace)
    assert not (checkout / "results").exists()


def test_a_figure_is_three_files_and_an_entry(opened, toy_data, shown):
    opened.figure("fig-1", drawing(), NUMBERS, [toy_data], title="Figure 1", caption="A line.")
    folder = opened.out / "figures"
    assert sorted(path.name for path in folder.iterdir()) == ["fig-1.csv", "fig-1.png", "fig-1.svg"]
    assert (folder / "fig-1.csv").read_text() == "x,y\n0.30000000000000004,1.0\n0.3333333333333333,\n"
    (entry,) = state(opened)["figures"]
    assert entry == {
        "id": "fig-1",
        "title": "Figure 1",
        "caption": "A line.",
        "data": ["toy-set"],
        "label": "Data: Toy set (synthetic)",
    }
    assert shown.images == [("fig-1.png", 3.4)]
    assert shown.texts == ["**Figure 1** A line."]
    assert plt.get_fignums() == []


def test_the_footer_names_data_paper_scale_and_seed(opened, toy_data, monkeypatch):
    footers = []
    monkeypatch.setattr("tenfold.book.figure.save", lambda figure, folder, id, footer: footers.append(footer))
    opened.figure("a", drawing(), NUMBERS, [toy_data])
    assert footers == ["Data: Toy set (synthetic) | tenfold toy, scale smoke, seed 7"]


def test_the_same_figure_in_two_books_has_the_same_bytes(opened, toy_data, tmp_path):
    other = Book("toy", opened.parameters, tmp_path / "other")
    for one in (opened, other):
        one.figure("a", drawing(), NUMBERS, [toy_data])
    for form in ("csv", "svg", "png"):
        one, two = ((each.out / "figures" / f"a.{form}").read_bytes() for each in (opened, other))
        assert one == two


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "Fig_1"}, "figure id 'Fig_1' must be lower-case"),
        ({"id": "a/../b"}, "must be lower-case"),
        ({"id": "-a"}, "must be lower-case"),
        ({"id": ""}, "must be lower-case"),
        ({"data": []}, "figure 'a' must name the data"),
        ({"data": "toy-set"}, "data must be a list of names"),
        ({"data": ["toy-sett"]}, "'toy-sett'; did you mean 'toy-set'"),
        ({"data": ["ng15_hd"]}, r"not read by this notebook.*'ng15_hd'"),
        ({"figure": "a"}, "must be a matplotlib Figure, not str"),
        ({"numbers": pd.DataFrame({"x": []})}, "the numbers of figure 'a' are empty"),
        ({"numbers": [1, 2]}, "the numbers of figure 'a' must be a pandas DataFrame"),
    ],
)
def test_a_wrong_figure_leaves_nothing(opened, toy_data, changes, problem):
    before = state(opened)
    good = {"id": "a", "figure": drawing(), "numbers": NUMBERS, "data": [toy_data]}
    with pytest.raises(InputError, match=problem):
        opened.figure(**{**good, **changes})
    assert not (opened.out / "figures").exists()
    assert state(opened) == before


def test_an_id_is_used_once_in_a_run_and_replaced_by_a_reader(opened, toy_data, shown, monkeypatch):
    def twice():
        for caption in ("first", "second"):
            opened.figure("a", drawing(), NUMBERS, [toy_data], caption=caption)
            opened.table("a", RUNS, caption)
            opened.record("a", 1)

    twice()
    assert [entry["caption"] for entry in state(opened)["figures"]] == ["second"]
    monkeypatch.setenv("TENFOLD_OUT", "x")
    with pytest.raises(InputError, match="figure 'a' is in the book already"):
        opened.figure("a", drawing(), NUMBERS, [toy_data])
    monkeypatch.delenv("TENFOLD_OUT")
    monkeypatch.setattr(display, "live", lambda: False)
    with pytest.raises(InputError, match="table 'a' is in the book already"):
        opened.table("a", RUNS)
    with pytest.raises(InputError, match="value 'a' is in the book already"):
        opened.record("a", 2)


def test_a_table_is_exact_on_disk_and_rounded_for_eyes(opened, toy_data, shown):
    opened.table("t", NUMBERS, "Numbers.", data=[toy_data])
    assert "0.30000000000000004" in (opened.out / "tables" / "t.csv").read_text()
    assert "0.3000 |" in (opened.out / "tables" / "t.md").read_text()
    assert state(opened)["tables"] == [{"id": "t", "caption": "Numbers.", "data": ["toy-set"], "rows": 2}]
    assert shown.texts[0] == "Numbers." and "0.3333" in shown.texts[1]


def test_values_are_plain_and_finite(opened):
    opened.record("n_t", np.float64(2.5), unit="dex")
    opened.record("runs", np.int64(3))
    opened.record("ok", np.bool_(True))
    assert state(opened)["values"] == [
        {"name": "n_t", "value": 2.5, "unit": "dex"},
        {"name": "runs", "value": 3, "unit": ""},
        {"name": "ok", "value": True, "unit": ""},
    ]
    for wrong in (float("nan"), np.inf, np.zeros(2), [1], None):
        with pytest.raises(InputError, match="value 'x' must be"):
            opened.record("x", wrong)


def test_cached_calls_and_sweeps_are_forwarded_and_their_data_recorded(opened, monkeypatch):
    def cached(function, /, **arguments):
        datasets.synthetic("late", "1" * 64, "Late data")
        return function(**arguments)

    monkeypatch.setattr(store, "cached", cached)
    monkeypatch.setattr(store, "sweep", lambda function, points, **fixed: [function(**p, **fixed) for p in points])
    assert opened.cached(dict, name=1, function=2) == {"name": 1, "function": 2}
    assert opened.sweep(dict, [{"x": 1}, {"x": 2}], y=3) == [{"x": 1, "y": 3}, {"x": 2, "y": 3}]
    assert [item["name"] for item in state(opened)["data"]] == ["toy-set", "late"]


def test_the_ledger_judges_what_is_in_the_tables(opened, write, entry, shown):
    write(entry(), entry(id="C2", accept={"below": 0}), entry(id="C3", scales=["paper"]))
    opened.table("runs", RUNS)
    frame = opened.ledger()
    assert list(frame.columns[:2]) == ["verdict", "id"]
    assert frame.verdict.tolist() == ["reproduced", "not reproduced", "not testable at this scale"]
    stored = state(opened)["claims"]
    assert [claim["verdict"] for claim in stored] == frame.verdict.tolist()
    assert stored[0]["effect"] == pytest.approx(1.0) and stored[0]["region"] == [0, None]
    assert stored[2]["effect"] is None
    text = shown.texts[-1]
    assert text.splitlines()[2].startswith("| **reproduced**")
    assert "C1" in text and "above 0" in text


def test_the_ledger_judges_the_file_not_the_frame(opened, write, entry):
    write(entry())
    opened.table("runs", RUNS)
    (opened.out / "tables" / "runs.csv").write_text("seed,a,b\n0,0,1\n1,0,2\n2,0,1.5\n")
    assert opened.ledger().verdict.tolist() == ["not reproduced"]


def test_only_real_data_meet_what_a_claim_needs(opened, write, entry, tmp_path):
    write(entry(needs=["toy-set"]), entry(id="C2", needs=["invented"]), entry(id="C3", needs=["survey"]))
    datasets.synthetic("invented", "1" * 64, "Invented")
    datasets.note(datasets.Resolution("survey", "mirror", tmp_path, "2" * 64, "Survey"))
    opened.table("runs", RUNS)
    untestable = "not testable at this scale"
    assert opened.ledger().verdict.tolist() == [untestable, untestable, "reproduced"]


def test_a_table_of_an_earlier_session_does_not_count(opened, write, entry):
    write(entry())
    opened.table("runs", RUNS)
    again = Book("toy", opened.parameters, opened.out)
    with pytest.raises(InputError, match=r"claim C1 .*unknown table 'runs'"):
        again.ledger()
    again.table("run", RUNS)
    with pytest.raises(InputError, match="unknown table 'runs'; did you mean 'run'"):
        again.ledger()


def test_the_card_says_where_it_all_comes_from(opened, shown):
    opened.card()
    text = shown.texts[-1]
    for part in (
        "commit",
        "Python 3.",
        "numpy 2.",
        "scale smoke, seed 7",
        "bins = 3",
        "Toy set: synthetic",
        "000000000000",
    ):
        assert part in text


def test_the_state_has_what_a_record_needs_after_every_call(opened):
    wanted = {"slug", "scale", "seed", "parameters", "commit", "dirty", "python", "packages", "cpu", "accelerator"}
    wanted |= {"threads", "data", "figures", "tables", "values", "claims"}
    assert set(state(opened)) == wanted
    assert state(opened)["data"] == [
        {
            "name": "toy-set",
            "title": "Toy set",
            "source": "synthetic",
            "kind": "synthetic",
            "digest": "0" * 64,
            "licence": "",
        }
    ]
    shutil.rmtree(opened.out)
    opened.record("x", 1)
    assert [path.name for path in opened.out.iterdir()] == ["book.json"]


def test_outside_a_notebook_nothing_is_shown(opened, toy_data, capsys):
    opened.figure("a", drawing(), NUMBERS, [toy_data], caption="A line.")
    opened.table("t", RUNS)
    opened.card()
    assert capsys.readouterr().out == ""


def test_a_real_paper_that_does_not_exist_is_named():
    with pytest.raises(InputError, match="unknown paper 'no-such-paper'"):
        Book.open("no-such-paper", {"scale": "smoke", "seed": 0})
