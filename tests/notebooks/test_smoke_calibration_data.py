"""`calibration-data` from end to end at smoke scale."""

import pytest

from tests.notebooks.smoke import Smoke

pytestmark = pytest.mark.xdist_group("smoke-calibration-data")


class TestCalibrationData(Smoke):
    SLUG = "calibration-data"
    FIGURES = frozenset(
        {
            "f-1-formats",
            "f-a-sources",
            "f-b-matrix",
            "f-c-formats",
            "f-c-padding",
            "f-c-thoughts",
            "f-d-pairs",
            "f-e-windows",
            "f-f-sparsity",
            "f-g-nonsense",
            "f-h-models",
            "f-i-mixtures",
        }
    )

    def test_every_identity_holds(self, table, record):
        rows = table("e-identities")
        assert len(rows) == 11 and all(abs(float(row["residual"])) <= 1 for row in rows)
        judged = {item["id"]: item["verdict"] for item in record["claims"]}
        judged = {name: verdict for name, verdict in judged.items() if verdict != "not testable at this scale"}
        assert judged == {"W1-identities": "reproduced"}, "a barely trained model says nothing about quality"

    def test_every_set_mixture_and_nonsense_is_in_the_table_of_perplexities(self, table):
        named = {row["calibration"] for row in table("t-perplexity")}
        assert named >= {"dense model", "all sets, mixed", "only dots", "random letters", "random tokens"}
        assert len(named) == 1 + 3 + 1 + 3 and all(float(row["GM"]) > 1 for row in table("t-perplexity"))

    def test_every_method_has_every_pattern(self, table):
        ways = {(row["method"], row["sparsity"], row["nm"]) for row in table("t-methods")}
        assert len(ways) == 1 + 4 * 5

    def test_sets_are_ranked_by_what_they_add(self, table):
        rows = table("t-ranking")
        assert {(row["method"], float(row["sparsity"])) for row in rows} == {
            (method, sparsity) for method in ("wanda", "sparsegpt") for sparsity in (0.6, 0.7)
        }
        assert all(float(row["low"]) <= float(row["mean"]) <= float(row["high"]) for row in rows)

    def test_nothing_is_ours_beside_the_published_perplexities(self, table):
        assert len(table("t-wanda")) == 10 and not [row for row in table("t-wanda") if row["ours"]]

    def test_texts_are_embedded_and_problems_synthetic(self, record):
        sources = {item["name"]: item["source"] for item in record["data"]}
        assert {"embedded", "synthetic"} == set(sources.values()), sources

    def test_another_parameter_would_be_a_reason_to_run(self, place, done):
        told = place.tenfold("why", self.SLUG, "--scale", "smoke", "--set", "sparsity=0.65").stdout
        assert "parameter sparsity: 0.6 -> 0.65" in told
