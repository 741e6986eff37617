"""`calliper` from end to end at smoke scale."""

import pytest

from tests.notebooks.smoke import Smoke

pytestmark = pytest.mark.xdist_group("smoke-calliper")


class TestCalliper(Smoke):
    SLUG = "calliper"
    FIGURES = frozenset(
        {
            "f-framework",
            "f-losses",
            "f-comparison",
            "f-3-calliper",
            "f-3-methods",
            "f-elbow",
            "f-colours",
            "f-similarity",
        }
        | {"f-residuals", "f-predictions", "f-tiles", "f-truth", "f-ablations", "e-land-use", "e-centroids"}
    )
    BESIDE = frozenset({"exports"})

    def test_both_splits_and_all_controls_stand_in_every_table(self, table):
        for name, metric in (("t-sdm", "kl"), ("t-luc", "f1")):
            rows = table(name)
            assert {row["method"] for row in rows} >= {
                "mean",
                "random",
                "neighbours",
                "encoding",
                "untrained",
                "counts",
            }
            assert {row["method"] for row in rows} >= {"tf_idf", "lda", "place2vec", "doc2vec", "sppe", "hgi"}
            assert {row["method"] for row in rows} >= {"space2vec", "calliper"}
            assert all(float(row[f"{metric}_{split}"]) >= 0 for row in rows for split in ("random", "blocked"))

    def test_no_claim_about_london_is_judged_on_a_simulated_city(self, record):
        judged = {item["id"] for item in record["claims"] if item["verdict"] != "not testable at this scale"}
        assert judged == {"W6-identities"}
        reasons = {item["id"]: item["reason"] for item in record["claims"]}
        assert "needs" in reasons["C1-sdm-random"]

    def test_every_map_says_what_is_simulated(self, record):
        labels = {figure["id"]: figure["label"] for figure in record["figures"]}
        assert all("simulated" in labels[name] for name in self.FIGURES)
        assert {item["name"]: item["source"] for item in record["data"]}["london_simulation"] == "synthetic"

    def test_another_parameter_would_be_a_reason_to_run(self, place, done):
        told = place.tenfold("why", self.SLUG, "--scale", "smoke", "--set", "folds=4").stdout
        assert "parameter folds: 3 -> 4" in told

    def test_the_embeddings_are_exported(self, place, done):
        assert {path.name for path in (place.result / "exports").iterdir()} == {"hexagons.parquet"}
