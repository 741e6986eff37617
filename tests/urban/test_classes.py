"""Classes of choropleths: bounds that a legend prints are the bounds that are drawn."""

from itertools import combinations

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.urban.classes import SCHEMES, classify, symmetric

SHARES = np.random.default_rng(0).beta(2, 12, 4000)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_value_lies_in_the_class_that_its_label_names(scheme):
    classes = classify(SHARES, scheme)
    found = classes.of(SHARES)
    for index, label in enumerate(classes.labels()):
        low, high = map(float, label.split(" to "))
        inside = SHARES[found == index]
        assert len(inside)
        assert low <= inside.min() and inside.max() <= high
    assert (found >= 0).all() and len(classes) == 5


def test_quantiles_are_as_large_as_rounding_allows():
    """Bounds move by an eighth of the narrowest class at most."""
    counts = np.bincount(classify(SHARES, "quantiles").of(SHARES))
    assert len(counts) == 5
    assert np.abs(counts - 800).max() < 250
    assert np.abs(np.bincount(classify(SHARES, "quantiles", 3).of(SHARES)) - 1333).max() < 400


def test_natural_breaks_have_the_least_spread():
    """Against all partitions of a few values into three runs."""
    values = np.array([1.0, 1.4, 2.0, 5.0, 5.5, 5.9, 11.0, 12.0, 12.5])

    def spread(cuts):
        return sum(((run - run.mean()) ** 2).sum() for run in np.split(values, cuts))

    best = min(combinations(range(1, len(values)), 2), key=spread)
    found = classify(values, "natural breaks", 3).of(values)
    assert np.flatnonzero(np.diff(found)).tolist() == [cut - 1 for cut in best]


def test_natural_breaks_ask_no_global_generator():
    np.random.seed(1)  # noqa: NPY002
    first = classify(SHARES, "natural breaks").bounds
    np.random.seed(2)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert np.array_equal(first, classify(SHARES, "natural breaks").bounds)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_bounds_are_short():
    assert classify(SHARES).labels("%", hundredths=True)[1] == "7 to 11 %"
    assert classify(1e4 * SHARES).labels()[1] == "700 to 1100"


def test_missing_values_have_no_class_and_make_no_bound():
    classes = classify(np.array([0.1, 0.2, np.nan, 0.3, 0.4]), k=2)
    assert classes.of(np.array([np.nan, 0.1, 0.4])).tolist() == [-1, 0, 1]
    assert np.isfinite(classes.bounds).all()


def test_what_lies_beyond_joins_the_ends():
    classes = classify(np.linspace(0, 1, 101), "equal intervals", 4)
    assert classes.of(np.array([-3.0, 0.0, 0.25, 0.26, 9.0])).tolist() == [0, 0, 0, 1, 3]


def test_fewer_values_than_classes_have_fewer_classes():
    assert len(classify(np.array([1.0, 2.0, 2.0, 3.0]), "equal intervals", 9)) <= 3


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0], [np.nan, 1.0]])
def test_nothing_to_tell_apart_is_refused(values):
    with pytest.raises(InputError, match="two different values"):
        classify(np.array(values))


def test_an_unknown_scheme_gets_the_nearest_right_one():
    with pytest.raises(InputError, match="did you mean 'quantiles'"):
        classify(SHARES, "quantile")


@pytest.mark.parametrize("size", [0.013, 0.03, 0.7, 1.0, 42.0])
def test_residuals_have_symmetric_classes_about_zero(size):
    values = np.random.default_rng(3).normal(0, size, 5000)
    classes = symmetric(values)
    assert np.array_equal(classes.bounds, -classes.bounds[::-1])
    counts = np.bincount(classes.of(values), minlength=5)
    assert counts.argmax() == 2 and counts[2] < 0.75 * 5000
    assert 0 < counts[0] + counts[4] < 0.2 * 5000
    middle = classes.labels()[2].replace("−", "-").split(" to ")
    assert [float(word) for word in middle] == classes.bounds[2:4].tolist()


def test_open_classes_say_so():
    labels = symmetric(np.random.default_rng(3).normal(0, 0.03, 5000)).labels(hundredths=True)
    assert labels == ["under −6", "−6 to −2", "−2 to 2", "2 to 6", "over 6"]


def test_residuals_of_zero_are_refused():
    with pytest.raises(InputError, match="all zero"):
        symmetric(np.zeros(5))
