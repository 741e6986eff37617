"""A real notebook from end to end at smoke scale, as a user runs it, on what comes with the checkout alone."""

import csv
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import nbformat
import pytest

from tenfold import project
from tenfold.book import claims
from tenfold.datasets import registry


class Smoke:
    """What every paper's smoke run must give; a subclass names the paper and adds what is the paper's own.

    One run serves all tests of a class: under xdist they stay on one worker, by a mark of their module.
    """

    SLUG: str
    # What the paper has; everything else is an extension.
    FIGURES: frozenset = frozenset()
    # What stands in the result beside notebook, record, figures and tables.
    BESIDE: frozenset = frozenset()

    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory):
        """Results of its own, no mirror, no cache, no network."""
        folder = tmp_path_factory.mktemp("smoke")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TENFOLD_")}
        mine = {"TENFOLD_RESULTS": "results", "TENFOLD_MIRROR": "nowhere", "TENFOLD_CACHE": "cache"}
        environment = kept | {name: str(folder / value) for name, value in mine.items()} | {"TENFOLD_OFFLINE": "1"}

        def tenfold(*arguments):
            command = [sys.executable, "-m", "tenfold.cli", *arguments]
            streams = {"capture_output": True, "text": True}
            return subprocess.run(command, cwd=project.root(), env=environment, timeout=400, check=False, **streams)

        return SimpleNamespace(folder=folder, result=folder / "results/smoke" / cls.SLUG, tenfold=tenfold)

    @pytest.fixture(scope="class")
    @classmethod
    def done(cls, place):
        """The first run."""
        run = place.tenfold("run", cls.SLUG, "--scale", "smoke")
        assert run.returncode == 0, run.stdout + run.stderr
        return run

    @pytest.fixture(scope="class")
    @classmethod
    def record(cls, place, done):
        return json.loads((place.result / "record.json").read_text(encoding="utf-8"))

    @pytest.fixture(scope="class")
    @classmethod
    def table(cls, place, done):
        """Return the rows of a table."""

        def table(name):
            with (place.result / "tables" / f"{name}.csv").open(newline="") as stream:
                return list(csv.DictReader(stream))

        return table

    def test_it_says_what_it_does(self, done, place):
        assert f"{self.SLUG}: there is no finished result" in done.stdout
        assert f"{self.SLUG}: done in" in done.stdout
        assert "0 unchanged, 1 made, 0 failed" in done.stdout
        assert len(re.findall(r"figures.\S+\.png", done.stdout)) == len(list((place.result / "figures").glob("*.png")))

    def test_every_figure_is_there_as_png_svg_and_numbers(self, place, record):
        names = {figure["id"] for figure in record["figures"]}
        assert names >= self.FIGURES
        files = {path.name for path in (place.result / "figures").iterdir()}
        assert files == {f"{name}.{form}" for name in names for form in ("png", "svg", "csv")}
        for name in names:
            path = place.result / "figures" / name
            assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG\r\n")
            assert ET.parse(path.with_suffix(".svg")).getroot().tag.endswith("svg")
            with path.with_suffix(".csv").open(newline="") as stream:
                header, *rows = csv.reader(stream)
            assert len(set(header)) == len(header) and rows

    def test_every_figure_says_which_data_it_shows(self, record):
        """Nothing real is at hand but what is embedded; what has no data, or made them up, says so."""
        known = {item["name"]: item for item in record["data"]}
        for figure in record["figures"]:
            used = [known[name] for name in figure["data"]]
            assert {item["kind"] for item in used} <= {"embedded", "synthetic"}, figure
            assert {item["kind"] for item in used if item["name"] in registry.datasets()} <= {"embedded"}, figure
            told = dict.fromkeys(f"{item['title']} ({item['kind']})" for item in used)
            assert figure["label"] == f"Data: {', '.join(told) or 'none'}"

    def test_every_table_is_there_with_all_its_rows(self, place, record):
        files = {path.name for path in (place.result / "tables").iterdir()}
        assert files == {f"{table['id']}.{form}" for table in record["tables"] for form in ("csv", "md")}
        for table in record["tables"]:
            with (place.result / "tables" / f"{table['id']}.csv").open(newline="") as stream:
                assert len(list(csv.reader(stream))) == table["rows"] + 1 > 1

    def test_every_claim_has_a_verdict_with_its_evidence(self, record):
        loaded = {claim.id: claim for claim in claims.load(self.SLUG)}
        found = {item["id"]: item for item in record["claims"]}
        assert found.keys() == loaded.keys()
        for name, claim in loaded.items():
            item = found[name]
            if "smoke" not in claim.scales:
                assert item["verdict"] == "not testable at this scale" and item["effect"] is None
                continue
            assert item["verdict"] in {"reproduced", "not reproduced", "inconclusive", "no published number"}
            assert isinstance(item["effect"], float) and item["n"] >= 1
            if claim.region is not None and item["verdict"] == "reproduced":
                assert claim.region.holds(item["effect"]) and not claim.region.holds(claim.null)

    def test_the_ledger_is_told_on_the_command_line(self, place, done, record):
        shown = place.tenfold("claims", self.SLUG, "--scale", "smoke", "--json")
        assert shown.returncode == 0, shown.stderr
        told = json.loads(shown.stdout)
        rows = told if isinstance(told, list) else told["claims"]
        assert [(row["id"], row["verdict"]) for row in rows] == [
            (row["id"], row["verdict"]) for row in record["claims"]
        ]
        assert "not run" not in {row["verdict"] for row in rows}

    def test_the_executed_notebook_is_whole_and_quiet(self, place, record):
        """Every cell ran in order; nothing on stderr but where data came from."""
        book = nbformat.read(place.result / "notebook.ipynb", as_version=4)
        code = [cell for cell in book.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        outputs = [output for cell in code for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error"]
        said = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stderr")
        strange = [
            line for line in said.splitlines() if line and not re.match(r"[\w ]+: (embedded|synthetic|absent)", line)
        ]
        assert strange == []
        assert "widgets" not in book.metadata, "nobody answers a widget's messages in a headless run"
        shown = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(shown) >= len(record["figures"])

    def test_the_record_tells_how_it_was_made(self, record):
        assert (record["slug"], record["scale"], record["seed"]) == (self.SLUG, "smoke", 0)
        assert record["seconds"] > 0
        assert all(cell["seconds"] >= 0 and cell["first_line"] for cell in record["cells"])
        assert {"numpy", "scipy", "tenfold"} <= set(record["packages"])
        assert re.fullmatch(r"[0-9a-f]{64}", record["key"])
        module = self.SLUG.replace("-", "_")
        assert f"tenfold/papers/{module}/parameters" in " ".join(record["made_from"]["modules"])

    def test_nothing_half_made_is_left(self, place, done):
        left = {path.name for path in (place.folder / "results/smoke").iterdir()} - {f".{self.SLUG}.lock"}
        assert left == {self.SLUG}
        whole = {"notebook.ipynb", "record.json", "figures", "tables", *self.BESIDE}
        assert {path.name for path in place.result.iterdir()} == whole
        assert not list((place.folder / "results").rglob("*.partial"))
        assert not (place.folder / "cache").exists(), "offline, nothing is downloaded"

    def test_a_second_run_finds_that_nothing_changed(self, place, done):
        before = (place.result / "record.json").stat().st_mtime_ns
        again = place.tenfold("run", self.SLUG, "--scale", "smoke")
        assert again.returncode == 0, again.stderr
        assert f"{self.SLUG}: nothing changed, the result stands" in again.stdout
        assert "1 unchanged, 0 made, 0 failed" in again.stdout
        assert (place.result / "record.json").stat().st_mtime_ns == before
        assert "nothing changed" in place.tenfold("why", self.SLUG, "--scale", "smoke").stdout
