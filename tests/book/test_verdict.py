"""Verdicts: each can be reached, the statistics are the textbook's, and what is missing never passes."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tenfold.book import claims
from tenfold.book.measure import evidence, student_interval
from tenfold.book.verdict import judge
from tenfold.errors import InputError, unknown


@pytest.fixture
def verdict(write, entry):
    """Judge the toy claim, with keys changed, on one table of columns."""

    def verdict(columns, scale="smoke", real=(), **changes):
        write(entry(**changes))
        frame = pd.DataFrame(columns)

        def tables(name):
            if name != "runs":
                raise unknown("table", name, ["runs"])
            return frame

        return judge(claims.load("toy")[0], tables, scale, real)

    return verdict


def pairs(*differences):
    b = np.linspace(1, 2, len(differences))
    return {"seed": range(len(differences)), "a": b + differences, "b": b}


@pytest.mark.parametrize("n", [2, 3, 5, 40])
def test_the_interval_is_that_of_the_t_test(n):
    values = np.random.default_rng(n).normal(3, 2, n)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert student_interval(values) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(size=(4000, 3))
    covered = np.mean([low < 0 < high for low, high in map(student_interval, draws)])
    assert covered == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors


def test_paired_differences_need_no_small_spread_between_seeds(verdict):
    columns = {"seed": [0, 1, 2], "a": [1.1, 50.2, 99.1], "b": [0, 49, 98]}
    found = verdict(columns)
    assert found.verdict == "reproduced"
    assert found.effect == pytest.approx(1.1)
    expected = stats.ttest_rel(columns["a"], columns["b"]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("differences", "word"),
    [
        ((1.0, 1.1, 0.9), "reproduced"),
        ((-1.0, -1.1, -0.9), "not reproduced"),
        ((1.0, -1.1, 0.4), "inconclusive"),
        ((1.0, 1.1), "inconclusive"),
        ((0.0, 0.0, 0.0), "not reproduced"),
    ],
)
def test_an_ordering_gets_every_verdict(verdict, differences, word):
    assert verdict(pairs(*differences)).verdict == word


def test_two_replicates_are_told_to_be_too_few(verdict):
    found = verdict(pairs(1.0, 1.1))
    assert (found.low, found.high, found.n) == (None, None, 2)
    assert found.effect == pytest.approx(1.05)
    assert "needs 3" in found.reason


def test_a_closed_region_ends_where_it_says(verdict):
    value = {"kind": "value", "measure": {"table": "runs", "column": "a", "by": "seed"}}
    rows = {"seed": [0, 1, 2], "a": [2.0, 2.0, 2.0]}
    published = {"value": 1, "provenance": "Table 1"}
    assert verdict(rows, accept={"between": [1, 2]}, published=published, **value).verdict == "reproduced"
    assert verdict(rows, accept={"between": [1, 1.9]}, published=published, **value).verdict == "not reproduced"
    assert verdict(rows, accept={"above": 2}, published=published, **value).verdict == "not reproduced"
    assert verdict(rows, accept={"below": -1}, null=3, published=published, **value).verdict == "not reproduced"


def test_another_scale_is_not_judged_and_needs_no_table(verdict):
    found = verdict({}, scale="laptop", scales=["paper"])
    assert (found.verdict, found.effect, found.n) == ("not testable at this scale", None, 0)
    assert "paper" in found.reason


@pytest.mark.parametrize("published", [None, {"value": None, "provenance": "[unverified] Table 2"}])
def test_a_value_without_a_published_number_shows_ours(verdict, published):
    measure = {"table": "runs", "column": "a", "by": "seed"}
    found = verdict(
        pairs(1.0, 1.1, 0.9), kind="value", measure=measure, accept={"within": 1}, null=0, published=published
    )
    assert found.verdict == "no published number"
    assert found.effect == pytest.approx(2.5, abs=0.2) and found.n == 3
    assert found.region is None


def test_a_ratio_is_a_ratio(verdict):
    measure = {"table": "runs", "column": "a", "over": "b", "by": "seed"}
    columns = {"seed": [0, 1, 2], "a": [2.0, 4.2, 5.8], "b": [1.0, 2.0, 3.0]}
    found = verdict(columns, kind="ratio", measure=measure, accept={"between": [1.5, 2.5]}, null=1)
    assert (found.effect, found.verdict) == (pytest.approx(2), "reproduced")


def test_a_slope_is_that_of_polyfit_within_each_replicate(verdict):
    rng = np.random.default_rng(3)
    x = np.tile(np.arange(6.0), 4)
    seed = np.repeat(range(4), 6)
    y = 100.0 * seed + (-2 + 0.01 * seed) * x + rng.normal(0, 0.01, 24)
    measure = {"table": "runs", "column": "y", "against": "x", "by": "seed"}
    columns = {"seed": seed, "x": x, "y": y}
    found = verdict(columns, kind="slope", measure=measure, accept={"below": -1}, null=0)
    slopes = [np.polyfit(x[seed == s], y[seed == s], 1)[0] for s in range(4)]
    assert found.effect == pytest.approx(np.median(slopes), rel=1e-10)
    assert (found.low, found.high) == pytest.approx(student_interval(np.array(slopes)), rel=1e-9)
    assert (found.n, found.verdict) == (4, "reproduced")


def test_an_identity_must_hold_in_every_row(verdict):
    identity = {"kind": "identity", "accept": {"within": 1e-9}, "null": 1}
    identity["measure"] = {"table": "runs", "column": "a", "minus": "b"}
    exact = {"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0 + 1e-12]}
    assert verdict(exact, **identity).verdict == "reproduced"
    assert verdict({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 4.0]}, **identity).verdict == "inconclusive"
    wrong = verdict({"a": [1.0, 2.0], "b": [2.0, 4.0]}, **identity)
    assert (wrong.verdict, wrong.low, wrong.high, wrong.n) == ("not reproduced", -2, -1, 2)


def test_a_posterior_interval_is_taken_as_given(verdict):
    given = {"kind": "value", "measure": {"table": "runs", "column": "n_t", "interval": ["low", "high"]}}
    given |= {"accept": {"between": [1, 3]}, "null": 0, "published": {"value": 1.8, "provenance": "abstract"}}
    row = {"n_t": [2.0], "low": [1.2], "high": [2.9]}
    found = verdict(row, **given)
    assert (found.verdict, found.effect, found.low, found.high, found.n) == ("reproduced", 2.0, 1.2, 2.9, 1)
    assert verdict({**row, "high": [3.1]}, **given).verdict == "inconclusive"
    assert verdict({"n_t": [5.0], "low": [4.0], "high": [6.0]}, **given).verdict == "not reproduced"
    with pytest.raises(InputError, match="lies outside its own interval"):
        verdict({**row, "low": [2.5]}, **given)
    with pytest.raises(InputError, match="needs one row, and 2 rows"):
        verdict({"n_t": [2.0, 2], "low": [1.0, 1], "high": [3.0, 3]}, **given)


def test_rows_are_chosen_by_value_or_by_list(verdict):
    columns = {"set": ["x", "x", "x", "y", "z"], "seed": [0, 1, 2, 3, 4], "a": [1, 1, 1, 9, 5], "b": [0.0] * 5}
    measure = {"table": "runs", "column": "a", "minus": "b", "by": "seed"}
    assert verdict(columns, measure={**measure, "where": {"set": "x"}}).n == 3
    both = verdict(columns, measure={**measure, "where": {"set": ["y", "z"]}})
    assert (both.n, both.effect) == (2, 7)


@pytest.mark.parametrize(
    ("columns", "changes", "problem"),
    [
        (pairs(1, 1, 1), {"table": "run"}, "unknown table 'run'; did you mean 'runs'"),
        (pairs(1, 1, 1), {"column": "aa"}, "unknown column of table 'runs': 'aa'; did you mean 'a'"),
        (pairs(1, 1, 1), {"minus": "c"}, "unknown column of table 'runs': 'c'"),
        (pairs(1, 1, 1), {"by": "sed"}, "unknown column of table 'runs': 'sed'; did you mean 'seed'"),
        (pairs(1, 1, 1), {"where": {"sed": 1}}, "unknown column of table 'runs': 'sed'"),
        (pairs(1, 1, 1), {"where": {"seed": 7}}, "has no row seed = 7 (rows here: 0, 1, 2)"),
        (pairs(1, np.nan, 1), {}, "column 'a' of table 'runs': 1 of 3 values are not finite"),
        (pairs(1, np.inf, 1), {}, "column 'a' of table 'runs': 1 of 3 values are not finite"),
        ({**pairs(1, 1, 1), "a": ["u", "v", "w"]}, {}, "column 'a' of table 'runs' holds no numbers"),
        ({**pairs(1, 1, 1), "seed": [0, 0, 1]}, {}, "2 rows have seed = 0: narrow 'where'"),
        ({**pairs(1, 1, 1), "seed": [0, None, 1]}, {}, "column 'seed' of table 'runs' has gaps"),
        ({"seed": [], "a": [], "b": []}, {}, "table 'runs' has no rows"),
    ],
)
def test_what_is_missing_or_not_finite_is_an_error_that_names_it(verdict, columns, changes, problem):
    measure = {"table": "runs", "column": "a", "minus": "b", "by": "seed", **changes}
    with pytest.raises(InputError) as caught:
        verdict(columns, measure=measure)
    assert str(caught.value).startswith("claim C1 (data/claims/toy.yaml): ")
    assert problem in str(caught.value)


def test_a_ratio_over_nothing_is_an_error(verdict):
    measure = {"table": "runs", "column": "a", "over": "b", "by": "seed"}
    with pytest.raises(InputError, match="a over b: 1 of 3 values are not finite"):
        verdict({**pairs(1, 1, 1), "b": [1.0, 0.0, 1.0]}, kind="ratio", measure=measure, accept={"above": 1}, null=1)


def test_a_slope_over_one_point_is_an_error(verdict):
    measure = {"table": "runs", "column": "a", "against": "b", "by": "seed"}
    with pytest.raises(InputError, match="seed = 0 has no two different 'b'"):
        verdict(pairs(1, 1, 1), kind="slope", measure=measure, accept={"above": 0})


def test_the_null_itself_is_never_reproduced(write, entry):
    """Data drawn from the null of each kind of region get 'reproduced' no more often than chance allows."""
    write(entry(accept={"above": 0}), entry(id="C2", accept={"between": [0.5, 1.5]}))
    rng, wrong = np.random.default_rng(5), np.zeros(2)
    for _ in range(400):
        frame = pd.DataFrame({"seed": range(5), "a": rng.normal(size=5), "b": np.zeros(5)})
        found = [judge(claim, lambda name, frame=frame: frame, "smoke").verdict for claim in claims.load("toy")]
        wrong += [word == "reproduced" for word in found]
    assert wrong[0] / 400 == pytest.approx(0.025, abs=0.025)
    assert wrong[1] == 0


def test_evidence_is_the_same_whatever_the_order_of_rows(write, entry):
    write(entry())
    (claim,) = claims.load("toy")
    frame = pd.DataFrame(pairs(1.0, 1.2, 0.7, 0.9))
    shuffled = evidence(claim, lambda name: frame.sample(frac=1, random_state=0))
    straight = evidence(claim, lambda name: frame)
    assert (shuffled.effect, shuffled.n) == (straight.effect, straight.n)
    assert (shuffled.low, shuffled.high) == pytest.approx((straight.low, straight.high), rel=1e-14)


def test_a_claim_is_not_judged_on_stand_ins_for_the_data_that_it_needs(verdict):
    columns = pairs(1.0, 1.1, 1.2)
    found = verdict(columns, needs=["survey", "map"], real={"map"})
    assert (found.verdict, found.effect) == ("not testable at this scale", None)
    assert "needs survey" in found.reason
    assert "map" not in found.reason
    assert verdict(columns, needs=["survey", "map"], real={"map", "survey"}).verdict == "reproduced"
