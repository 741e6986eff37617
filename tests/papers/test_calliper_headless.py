"""The notebook's cells on a bare machine: no network, no mirror, no MiniLM, and the same numbers as a run before."""

import json
import socket
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from tenfold import project
from tenfold.book import figure
from tenfold.papers.calliper.methods import METHODS
from tenfold.runner import executors
from tenfold.urban import sentences
from tenfold.urban.furniture import ATTRIBUTION

from .conftest import TOWN, embedded

pytestmark = pytest.mark.xdist_group("calliper")


class Here:
    """An executor that works in this process, where MiniLM can be hidden."""

    def map(self, function, items):
        return iter([executors.Outcome(index, function(item)) for index, item in enumerate(items)])


def refused(*_):
    raise OSError("no network here")


def cells():
    path = project.root() / "notebooks" / "calliper.ipynb"
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What the notebook leaves behind, with text features that are not told, and one seed of the small town."""
    folder, words = tmp_path_factory.mktemp("bare"), {}

    def kept(drawn, _, name, footer):
        words[name] = [text.get_text() for text in drawn.findobj(matplotlib.text.Text)] + [footer]

    space = {}
    with embedded(folder), pytest.MonkeyPatch.context() as patch, matplotlib.rc_context():
        patch.setenv("TENFOLD_RESULTS", str(folder / "results"))
        patch.setenv("TENFOLD_OUT", str(folder / "out"))
        patch.setattr(sentences, "_NEEDED", ("no_such_package",))
        patch.setattr(socket.socket, "connect", refused)
        patch.setattr(executors, "executor", lambda *_: Here())
        # Figures are painted by the tests of each of them.
        patch.setattr(figure, "save", kept)
        for cell in cells():
            exec("".join(cell["source"]), space)
            if "parameters" in cell["metadata"].get("tags", []):
                space |= TOWN | {"scale": "smoke", "text": "auto", "replicates": 1}
        pyplot.close("all")
    facts = json.loads((folder / "out" / "book.json").read_text(encoding="utf-8"))
    return SimpleNamespace(out=folder / "out", facts=facts, words=words)


def table(run, name):
    return pd.read_csv(run.out / "tables" / f"{name}.csv")


def test_the_fallback_of_the_texts_is_announced(run):
    values = {item["name"]: item["value"] for item in run.facts["values"]}
    assert values["text features"].startswith("TF-IDF + SVD")
    assert any("TF-IDF + SVD" in word for word in run.words["f-similarity"]), "on the maps of texts"
    assert any("TF-IDF" in word for word in run.words["f-framework"])
    assert not any("MiniLM" in word for words in run.words.values() for word in words)


def test_every_map_says_what_is_simulated(run):
    maps = [words for words in run.words.values() if ATTRIBUTION in " ".join(" ".join(words).split())]
    assert len(maps) > 10
    for words in maps:
        told = " ".join(" ".join(words).split())
        assert "everything below the boroughs is simulated" in told
    assert all("real" not in words[-1] for words in run.words.values()), "the footer names no real data"


def test_a_second_run_gives_the_same_numbers(run, studied):
    """The notebook's scores are, bit for bit, those of the studies made before by these tests."""
    first = studied.scores[studied.scores.seed == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(table(run, "e-scores"), first, check_dtype=False, check_exact=True)
    painted = pd.read_csv(run.out / "figures" / "f-3-calliper.csv")
    np.testing.assert_array_equal(painted["CaLLiPer"], studied.labels()["CaLLiPer"])


@pytest.mark.parametrize("name", ["t-sdm", "t-luc"])
def test_both_splits_and_every_method_stand_in_the_tables(name, run):
    found = table(run, name)
    assert list(dict.fromkeys(found.method)) == list(METHODS)
    random = [column for column in found if "_random" in column]
    assert random and [column.replace("_random", "_blocked") for column in random] == [
        column for column in found if "_blocked" in column
    ]


def test_the_ledger_judges_nothing_of_london(run):
    judged = {item["id"] for item in run.facts["claims"] if item["verdict"] != "not testable at this scale"}
    assert judged == {"W6-identities"}
    assert next(item for item in run.facts["claims"] if item["id"] == "W6-identities")["verdict"] == "reproduced"
