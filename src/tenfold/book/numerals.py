"""Numbers as a reader wants them: a few significant digits, the same in every table."""

from __future__ import annotations

import math


def rounded(value: float | None, digits: int = 4) -> str:
    """Return `value` to `digits` significant digits, an int in full; None and NaN give ''.

    >>> rounded(0.0327869), rounded(-125), rounded(1.23456e-9), rounded(98765.4)
    ('0.03279', '-125', '1.235e-09', '98765')
    """
    if value is None or math.isnan(value):
        return ""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value) or value == 0 or not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits}g}"
    before = math.floor(math.log10(abs(value))) + 1
    return f"{value:.{max(digits - before, 0)}f}"


def interval(effect: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    """Return 'effect [low, high]', or the effect alone where there is no interval."""
    if low is None or high is None:
        return rounded(effect, digits)
    return f"{rounded(effect, digits)} [{rounded(low, digits)}, {rounded(high, digits)}]"


def published(value: float | None, plus: float | None = None, minus: float | None = None) -> str:
    """Return a published value with its uncertainty, as '1.8 +0.3 -0.3'."""
    parts = [("", value), ("+", plus), ("-", minus)]
    return " ".join(f"{sign}{number:g}" for sign, number in parts if number is not None)
