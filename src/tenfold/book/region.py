"""The region of effects that a claim accepts, and where an interval lies against it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """The effects that a claim accepts: (low, high) without its ends, or [low, high] with them when `closed`.

    `above` and `below` are open, so that a null of 0 can stand against "above 0";
    `within` and `between` are closed.
    """

    low: float
    high: float
    closed: bool

    @classmethod
    def above(cls, bound: float) -> Region:
        """Return the region of everything larger than `bound`."""
        return cls(bound, math.inf, closed=False)

    @classmethod
    def below(cls, bound: float) -> Region:
        """Return the region of everything smaller than `bound`."""
        return cls(-math.inf, bound, closed=False)

    @property
    def empty(self) -> bool:
        """Tell whether no effect lies inside."""
        return self.low > self.high or (self.low == self.high and not self.closed)

    def holds(self, value: float) -> bool:
        """Tell whether one value lies inside."""
        return self.covers(value, value)

    def covers(self, low: float, high: float) -> bool:
        """Tell whether the interval [low, high] lies wholly inside."""
        if self.closed:
            return self.low <= low and high <= self.high
        return self.low < low and high < self.high

    def excludes(self, low: float, high: float) -> bool:
        """Tell whether the interval [low, high] lies wholly outside."""
        if self.closed:
            return high < self.low or low > self.high
        return high <= self.low or low >= self.high

    def ends(self) -> list[float | None]:
        """Return [low, high] as JSON can hold it: None stands for no bound."""
        return [end if math.isfinite(end) else None for end in (self.low, self.high)]

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"above {self.low:g}"
        if math.isinf(self.low):
            return f"below {self.high:g}"
        return f"{self.low:g} to {self.high:g}"
