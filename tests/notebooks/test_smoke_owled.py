"""`owled` from end to end at smoke scale."""

import pytest

from tests.notebooks.smoke import Smoke

pytestmark = pytest.mark.xdist_group("smoke-owled")


class TestOwled(Smoke):
    SLUG = "owled"
    FIGURES = frozenset(
        {"f-1-lod", "f-2-methods", "f-3-parts", "f-5-calibration", "f-6-grid", "f-7-scenes", "f-proxy", "f-planted"}
    )

    def test_constant_answers_and_the_dense_driver_stand_in_the_table_of_methods(self, table):
        rows = table("t-methods")
        assert [row["method"] for row in rows[:2]] == ["constant answer", "dense"]
        methods = {row["method"] for row in rows}
        assert methods >= {"magnitude", "wanda", "sparsegpt", "OWL + magnitude", "OWL + wanda", "OWL + sparsegpt"}

    def test_every_identity_holds(self, table, record):
        assert len(table("e-identities")) >= 17
        judged = {item["id"]: item["verdict"] for item in record["claims"]}
        judged = {name: verdict for name, verdict in judged.items() if verdict != "not testable at this scale"}
        assert judged == {"W1-identities": "reproduced"}, "without the real scenes nothing else can be judged"

    def test_synthetic_scenes_follow_the_rules_too(self, table):
        rows = {row["quantity"]: float(row["disagree"]) for row in table("t-rules")}
        assert rows["cars"] == rows["pedestrians"] == rows["light"] == 0

    def test_every_block_has_outliers_and_sensitivity_in_both_models(self, table):
        rows = table("e-blocks")
        assert {(row["subject"], row["block"]) for row in rows} == {(s, b) for s in ("driver", "text") for b in "01"}

    def test_the_scenes_are_synthetic_and_the_texts_embedded(self, record):
        sources = {item["name"]: item["source"] for item in record["data"]}
        assert sources["synthetic_scenes"] == "synthetic" and sources["driving_scenes"] == "absent"

    def test_another_parameter_would_be_a_reason_to_run(self, place, done):
        told = place.tenfold("why", self.SLUG, "--scale", "smoke", "--set", "strength=0.02").stdout
        assert "parameter strength: 0.08 -> 0.02" in told
