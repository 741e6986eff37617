"""Paired intervals and TOST against scipy's own t tests."""

import numpy as np
import pytest
from scipy import stats

from tenfold.errors import InputError
from tenfold.sparsity.equivalence import equivalent, paired


@pytest.fixture(params=[2, 5, 40])
def difference(request):
    return np.random.default_rng(request.param).normal(0.2, 0.8, request.param)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_the_interval_is_that_of_the_paired_t_test(difference, confidence):
    summary = paired(difference, confidence)
    low, high = stats.ttest_1samp(difference, 0).confidence_interval(confidence)
    assert (summary.low, summary.high) == pytest.approx((low, high), rel=1e-10)
    assert (summary.mean, summary.median) == pytest.approx((difference.mean(), np.median(difference)))
    assert summary.deviation == pytest.approx(np.sqrt(((difference - difference.mean()) ** 2).sum() / (summary.n - 1)))
    assert summary.n == len(difference)


@pytest.mark.parametrize("margin", [0.1, 1.0, 3.0])
def test_tost_is_the_worse_of_two_one_sided_tests(difference, margin):
    above = stats.ttest_1samp(difference, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(difference, margin, alternative="less").pvalue
    result = equivalent(difference, margin)
    assert result.p == pytest.approx(max(above, below), rel=1e-9)
    assert result.equivalent == (result.p < 0.05)


def test_equivalent_where_the_interval_lies_inside_the_margin():
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(200):
        d = rng.normal(rng.uniform(-1.5, 1.5), rng.uniform(0.1, 1), 6)
        result = equivalent(d, 1.0, 0.05)
        low, high = paired(d, 0.9).low, paired(d, 0.9).high
        assert (result.low, result.high) == (low, high)
        assert result.equivalent == (max(-low, high) < 1)
        verdicts.append(result.equivalent)
    assert 0.2 < np.mean(verdicts) < 0.8


def test_the_level_is_kept_at_the_margin():
    """Of differences whose true mean is the margin, at most alpha are called equivalent."""
    draws = np.random.default_rng(1).normal(1.0, 0.3, (2000, 5))
    called = np.mean([equivalent(d, 1.0).equivalent for d in draws])
    assert 0.03 < called < 0.07


def test_equal_differences_leave_no_doubt():
    assert paired([0.1] * 3).low == paired([0.1] * 3).high == pytest.approx(0.1)  # whose mean is not 0.1 exactly
    assert equivalent([0.3] * 4, 0.5).p == 0 and equivalent([0.3] * 4, 0.5).equivalent
    assert equivalent([0.3] * 4, 0.2).p == 1 and not equivalent([0.3] * 4, 0.2).equivalent
    assert equivalent([0.5] * 4, 0.5).p == 0.5


def test_sign_and_unit_do_not_matter(difference):
    one, other = equivalent(difference, 1.0), equivalent(-100 * difference, 100.0)
    assert one.p == pytest.approx(other.p) and one.mean == pytest.approx(-other.mean / 100)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: paired([1.0]), "at least two"),
        (lambda: paired([[1.0, 2.0]]), "one row"),
        (lambda: paired([1.0, np.nan]), "finite"),
        (lambda: paired([1.0, 2.0], 1.0), "confidence"),
        (lambda: equivalent([1.0, 2.0], 0), "margin > 0"),
        (lambda: equivalent([1.0, 2.0], 1, 0.5), "alpha < 0.5"),
    ],
)
def test_bad_input_is_refused(call, word):
    with pytest.raises(InputError, match=word):
        call()
