"""Claims: every way to write one wrong is refused, with its name; the right ones read as meant."""

import math

import pytest

from tenfold.book import claims
from tenfold.errors import InputError


def measure(**changes):
    made = {"table": "runs", "column": "a", "by": "seed", **changes}
    return {key: value for key, value in made.items() if value is not ...}


def test_a_claim_reads_as_written(write, entry):
    published = {"value": 1.8, "plus": 0.3, "minus": 0.2, "provenance": "[page] abstract"}
    write(entry(published=published, unit="dex", note="mind the gap", accept={"above": 0.5}))
    (claim,) = claims.load("toy")
    assert (claim.id, claim.kind, claim.unit, claim.note) == ("C1", "ordering", "dex", "mind the gap")
    assert (claim.region.low, claim.region.high) == (0.5, math.inf)
    assert claim.measure.minus == "b" and claim.measure.by == "seed"
    assert (claim.published.value, claim.published.plus, claim.published.minus) == (1.8, 0.3, 0.2)
    assert claim.file == "data/claims/toy.yaml"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"nul": 0}, "unknown key 'nul'; did you mean 'null'"),
        ({"noise": ...}, "noise is missing"),
        ({"accept": ...}, "accept is missing"),
        ({"noise": -1}, "noise must be positive"),
        ({"noise": float("nan")}, "noise must be a finite number"),
        ({"null": "zero"}, "null must be a finite number"),
        ({"null": True}, "null must be a finite number"),
        ({"kind": "order"}, "unknown kind 'order'; did you mean 'ordering'"),
        ({"kind": "ratio"}, "'minus' has no meaning for the kind ratio"),
        ({"scales": ["labtop"]}, "unknown scale 'labtop'; did you mean 'laptop'"),
        ({"scales": []}, "scales must be a list"),
        ({"needs": "survey"}, "needs must be a list"),
        ({"needs": [1]}, "needs must be a text"),
        ({"sentence": " "}, "sentence must be a text"),
        ({"measure": "runs"}, "must be a mapping"),
        ({"measure": measure(tabel="runs")}, "unknown key of measure: 'tabel'; did you mean 'table'"),
        ({"measure": measure(column=...)}, "measure: column is missing"),
        ({"measure": measure(by=...)}, "either 'by'"),
        ({"measure": measure(interval=["low", "high"])}, "either 'by'"),
        ({"measure": measure(by=..., interval=["low"])}, "interval must name two columns"),
        ({"measure": measure(by=..., minus="b", interval=["low", "high"])}, "'minus' cannot stand beside it"),
        ({"measure": measure(where={"a": None})}, "where: a must be a value"),
        ({"measure": measure(where={"a": []})}, "where: a must be a value"),
        ({"measure": measure(where=["a"])}, "where must be a mapping"),
        ({"kind": "ratio", "measure": measure()}, "the kind ratio needs 'over'"),
        ({"kind": "slope", "measure": measure()}, "the kind slope needs 'against'"),
        ({"kind": "identity", "null": 1, "accept": {"within": 0.1}}, "an identity holds in every row"),
        ({"accept": {"above": 1, "below": 2}}, "exactly one of"),
        ({"accept": {"abov": 1}}, "unknown form of accept: 'abov'; did you mean 'above'"),
        ({"accept": {"between": [2, 1]}}, "nothing lies in the region"),
        ({"accept": {"between": [1]}}, "must be [low, high]"),
        ({"accept": {"within": 0}}, "accept: within must be positive"),
        ({"accept": {"within": 1}}, "'within' needs a published value for the kind ordering"),
        ({"published": {"value": 1}}, "published: provenance must be a text"),
        ({"published": {"value": "1.8", "provenance": "x"}}, "published: value must be a finite number"),
        ({"published": {"val": 1, "provenance": "x"}}, "unknown key of published: 'val'; did you mean 'value'"),
    ],
)
def test_a_wrong_claim_is_refused_by_name(write, entry, changes, problem):
    write(entry(id="C7", **changes))
    with pytest.raises(InputError) as caught:
        claims.load("toy")
    assert str(caught.value).startswith("claim C7 (data/claims/toy.yaml): ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("accept", "null", "refused"),
    [
        ({"above": 3}, 3.1, True),
        ({"above": 3}, 3, False),
        ({"below": -1}, -2, True),
        ({"below": -1}, -1, False),
        ({"between": [1, 2]}, 1, True),
        ({"between": [1, 2]}, 2, True),
        ({"between": [1, 2]}, 0.999, False),
        ({"within": 0.5}, 2.5, True),
        ({"within": 0.5}, 2.51, False),
    ],
)
def test_a_region_that_holds_the_null_is_refused(write, entry, accept, null, refused):
    write(entry(accept=accept, null=null, published={"value": 2, "provenance": "Table 1"}))
    if not refused:
        assert not claims.load("toy")[0].region.holds(null)
        return
    with pytest.raises(InputError, match=r"claim C1 .*lies in the accepted region .*: cannot fail"):
        claims.load("toy")


def test_an_identity_is_accepted_around_zero_whatever_was_published(write, entry):
    residual = {"table": "runs", "column": "a"}
    published = {"value": 5, "provenance": "Table 1"}
    write(entry(kind="identity", measure=residual, accept={"within": 1e-12}, null=1, published=published))
    assert claims.load("toy")[0].region.ends() == [-1e-12, 1e-12]


def test_two_claims_of_one_id_are_refused(write, entry):
    write(entry(), entry(id="C2"), entry())
    with pytest.raises(InputError, match=r"claim C1 \(data/claims/toy.yaml\): another claim has the same id"):
        claims.load("toy")


def test_a_claim_without_an_id_is_named_by_its_place(write, entry):
    write(entry(), entry(id=...))
    with pytest.raises(InputError, match=r"claim number 2 \(data/claims/toy.yaml\): id is missing"):
        claims.load("toy")


def test_missing_empty_and_broken_files_are_told(checkout):
    with pytest.raises(InputError, match=r"data/claims/toy.yaml is missing"):
        claims.load("toy")
    claims.path("toy").write_text("")
    with pytest.raises(InputError, match="must be a list of claims"):
        claims.load("toy")
    claims.path("toy").write_text("- id: C1\n  null: [\n")
    with pytest.raises(InputError, match=r"data/claims/toy.yaml, line \d"):
        claims.load("toy")
    claims.path("toy").write_text("- id: C1\n  id: C2\n")
    with pytest.raises(InputError, match="the key 'id' is written twice"):
        claims.load("toy")


def test_yaml_means_what_its_writer_means(checkout):
    text = """
- id: C1
  source: abstract
  sentence: A small number.
  kind: value
  measure: {table: runs, column: a, by: seed, where: {rate: 1e-3}}
  accept: {between: [1e-3, 2e-3]}
  null: 0
  published: {value: 1.5e-3, provenance: Table 1}
  noise: 1e-4
  scales: [smoke]
"""
    claims.path("toy").write_text(text)
    (claim,) = claims.load("toy")
    assert (claim.null, claim.noise, claim.region.high) == (0, 1e-4, 2e-3)
    assert claim.measure.where == {"rate": 1e-3}


def test_nothing_in_a_claims_file_is_executed(checkout):
    claims.path("toy").write_text("- !!python/object/apply:os.getcwd []\n")
    with pytest.raises(InputError, match=r"data/claims/toy.yaml, line 1"):
        claims.load("toy")
