"""Numbers in tables: a few digits, and still the same number."""

import numpy as np
import pytest

from tenfold.book.numerals import interval, published, rounded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0327869, "0.03279"),
        (-125.4321, "-125.4"),
        (98765.4, "98765"),
        (12345678.9, "1.235e+07"),
        (1.23456e-9, "1.235e-09"),
        (2024.0, "2024"),
        (3, "3"),
        (10**9, "1000000000"),
        (-100.0, "-100.0"),
        (0.99999, "1.0000"),
        (float("inf"), "inf"),
        (float("nan"), ""),
        (None, ""),
    ],
)
def test_numbers_are_rounded_as_a_reader_wants_them(value, text):
    assert rounded(value) == text


def test_rounding_never_loses_more_than_half_a_digit():
    rng = np.random.default_rng(0)
    for value in rng.normal(size=500) * 10.0 ** rng.integers(-12, 12, 500):
        assert float(rounded(float(value))) == pytest.approx(value, rel=0.5001e-3)


def test_intervals_and_published_values_are_told_in_one_piece():
    assert interval(2.613, 1.79, 3.2) == "2.61 [1.79, 3.20]"
    assert interval(2.613, None, None, "dex") == "2.61 dex"
    assert interval(None, None, None, "dex") == ""
    assert interval(-14.5902, -14.5912, -14.5893, "dex") == "-14.5902 [-14.5912, -14.5893] dex"
    assert interval(2.0, 2.0, 2.0) == "2.00 [2.00, 2.00]"
    assert interval(0.0, 0.0, 0.0) == "0 [0, 0]"
    assert published(1.8, 0.3, 0.2) == "1.8 +0.3 -0.2"
    assert published(1.8) == "1.8"
    assert published(None) == ""
