"""`lr-sms` from end to end at smoke scale."""

import nbformat
import pytest

from tests.notebooks.smoke import Smoke

pytestmark = pytest.mark.xdist_group("smoke-lr-sms")


class TestLrSms(Smoke):
    SLUG = "lr-sms"
    FIGURES = frozenset({"f-1-shares", "f-2-starts", "f-3-mappings", "f-4-spectra"})

    def test_baselines_that_the_abstract_lacks_stand_in_table_1(self, table):
        rows = {row["network"]: row for row in table("t-1-models")}
        assert {"dense", "both", "increasing", "narrow", "least", "dense, cut", "dense, tuned"} <= set(rows)
        few = [int(rows[name]["parameters"]) for name in ("both", "narrow")]
        assert abs(few[0] / few[1] - 1) < 0.02

    def test_every_identity_holds(self, table, record):
        assert len(table("e-identities")) >= 19
        judged = {item["id"]: item["verdict"] for item in record["claims"]}
        judged = {name: verdict for name, verdict in judged.items() if verdict != "not testable at this scale"}
        assert judged == {"W1-identities": "reproduced"}, "networks that have learnt nothing cannot be judged"

    def test_players_are_there_and_small(self, place, record):
        book = nbformat.read(place.result / "notebook.ipynb", as_version=4)
        outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
        sounds = [str(output.data) for output in outputs if "<audio" in output.get("data", {}).get("text/html", "")]
        assert len(sounds) == 3 and sum(map(len, sounds)) < 400_000

    def test_the_speech_is_synthetic(self, record):
        sources = {item["name"]: item["source"] for item in record["data"]}
        assert sources["formant speech"] == "synthetic"

    def test_another_parameter_would_be_a_reason_to_run(self, place, done):
        told = place.tenfold("why", self.SLUG, "--scale", "smoke", "--set", "rho_ff=0.3").stdout
        assert "parameter rho_ff: 0.25 -> 0.3" in told
