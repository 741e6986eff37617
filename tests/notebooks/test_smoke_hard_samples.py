"""`hard-samples` from end to end at smoke scale."""

import pytest

from tests.notebooks.smoke import Smoke

pytestmark = pytest.mark.xdist_group("smoke-hard-samples")


class TestHardSamples(Smoke):
    SLUG = "hard-samples"
    FIGURES = frozenset(
        {"f-1-examples", "f-2-el2n", "f-3-grid", "f-4-corruption", "f-5-third", "f-6-attack", "f-7-layers"}
        | {"f-8-variants", "f-8-costs", "f-9-severities", "f-10-attack", "f-11-layers", "f-12-layers"}
        | {"f-13-variants", "f-14-variants", "e-gaps", "e-subsets", "e-classes", "e-noise", "e-descent"}
    )

    def test_all_methods_and_both_readings_of_snip_stand_in_the_table_of_gaps(self, table):
        found = {row["method"] for row in table("t-gaps")}
        assert found == {"set", "snip", "gmp", "omp", "lth", "static", "snip-resampled", "omp-erk", "uniform"}
        assert {row["verdict"] for row in table("t-gaps")} == {"open"}, "one seed decides nothing"
        assert all(float(row["seeds"]) == 1 for row in table("t-gaps"))

    def test_every_network_stands_beside_its_dense_one(self, table):
        rows = table("e-gaps")
        assert len(rows) > 200
        for row in rows:
            assert float(row["gap"]) == pytest.approx(float(row["accuracy"]) - float(row["dense"]), abs=1e-9)

    def test_no_claim_about_accuracy_is_judged_on_one_seed(self, record):
        judged = {item["id"]: item["verdict"] for item in record["claims"]}
        judged = {name: verdict for name, verdict in judged.items() if verdict != "not testable at this scale"}
        assert set(judged) == {"W3-labels", "W4-scores", "W5-identities"}
        assert judged["W5-identities"] == "reproduced"

    def test_the_digits_stand_in_and_the_record_says_what_was_missing(self, record):
        sources = {item["name"]: item["source"] for item in record["data"]}
        assert sources["digits"] == "embedded"
        assert sources["fashion900"] == sources["mnist"] == "absent"
        assert all(figure["data"] == ["digits"] for figure in record["figures"])

    def test_another_parameter_would_be_a_reason_to_run(self, place, done):
        told = place.tenfold("why", self.SLUG, "--scale", "smoke", "--set", "epochs=9").stdout
        assert "parameter epochs: 4 -> 9" in told
