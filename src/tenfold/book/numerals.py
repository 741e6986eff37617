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


def interval(effect: float | None, low: float | None, high: float | None, unit: str = "") -> str:
    """Return 'effect [low, high] unit', the effect alone where there is no interval, '' where there is neither.

    A narrow interval gets as many digits as it takes to tell its ends apart, at least three.
    """
    if effect is None:
        return ""
    if low is None or high is None:
        return f"{rounded(effect, 3)} {unit}".strip()
    size, width = max(abs(low), abs(high)), high - low
    digits = 3
    if size > 0 and width > 0:
        digits = min(max(digits, math.floor(math.log10(size)) - math.floor(math.log10(width)) + 2), 12)
    texts = [rounded(number, digits) for number in (effect, low, high)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}] {unit}".strip()


def published(value: float | None, plus: float | None = None, minus: float | None = None) -> str:
    """Return a published value with its uncertainty, as '1.8 +0.3 -0.3'."""
    parts = [("", value), ("+", plus), ("-", minus)]
    return " ".join(f"{sign}{number:g}" for sign, number in parts if number is not None)
