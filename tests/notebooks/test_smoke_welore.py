"""`welore` from end to end at smoke scale."""

import pytest

from tests.notebooks.smoke import Smoke

pytestmark = pytest.mark.xdist_group("smoke-welore")


class TestWelore(Smoke):
    SLUG = "welore"
    FIGURES = frozenset({"f-1-tuning", "f-2-gradients", "f-3-weights", "f-4-spectra", "f-5-parts"})

    def test_every_method_stands_in_the_tables_of_compression(self, table):
        assert [row["method"] for row in table("t-1")][:2] == ["dense", "uniform"]
        assert len(table("t-1")) == 5 and len(table("t-asvd")) == 7 and len(table("t-normalisations")) == 5

    def test_every_identity_holds_and_the_abstract_is_held_against_its_bars(self, table, record):
        assert len(table("e-identities")) == 24
        judged = {item["id"]: item["verdict"] for item in record["claims"]}
        judged = {name: verdict for name, verdict in judged.items() if verdict != "not testable at this scale"}
        wanted = {"W1-identities": "reproduced", "H3-tasks": "reproduced"}
        assert judged == wanted | {"H1-throughput": "not reproduced", "H2-parameters": "not reproduced"}

    def test_published_numbers_stand_beside_none_of_ours(self, table):
        assert len(table("t-1-published")) == 15 and len(table("t-4-published")) == 24
        assert {row["ours"] for row in table("t-1-published")} == {""}

    def test_another_parameter_would_be_a_reason_to_run(self, place, done):
        told = place.tenfold("why", self.SLUG, "--scale", "smoke", "--set", "strength=0.02").stdout
        assert "parameter strength: 0.08 -> 0.02" in told
