"""Arithmetic: the value of an expression, read by a grammar and never run."""

from __future__ import annotations

import math
import re

LONGEST = 1000  # characters
DEEPEST = 50  # parentheses and signs within one another

TOKEN = re.compile(r"\s*(?:(\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d*)?|\.\d+)|([-+*/()]))", re.ASCII)


def evaluate(expression: str) -> float:
    """Return the value of an expression of numbers, + - * / and parentheses; 1,234.5 is a number too.

    Products bind before sums, equal operators from the left, signs most of all. Raises ValueError for anything else,
    for a division by zero, values beyond the range of floats, more than 1000 characters and depths beyond 50.
    """
    if len(expression) > LONGEST:
        raise ValueError(f"an expression of {len(expression)} characters is too long")
    reader = _Reader(_tokens(expression))
    value = reader.sum(0)
    if reader.next is not None:
        raise ValueError(f"'{reader.next}' cannot stand there")
    if not math.isfinite(value):
        raise ValueError("the value is beyond the range of numbers")
    return value


def _tokens(expression: str) -> list[str]:
    found, place, text = [], 0, expression.rstrip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"'{text[place : place + 20]}' is no arithmetic")
        found.append(match[1] or match[2])
        place = match.end()
    return found


class _Reader:
    """A reader of tokens by recursive descent: sums of products of signed factors."""

    def __init__(self, tokens: list[str]):
        self.tokens, self.place = tokens, 0

    @property
    def next(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def taken(self) -> str | None:
        token = self.next
        self.place += 1
        return token

    def sum(self, depth: int) -> float:
        value = self.product(depth)
        while self.next in ("+", "-"):
            value += self.product(depth) if self.taken() == "+" else -self.product(depth)
        return value

    def product(self, depth: int) -> float:
        value = self.factor(depth)
        while self.next in ("*", "/"):
            if self.taken() == "*":
                value *= self.factor(depth)
            elif (divisor := self.factor(depth)) == 0:
                raise ValueError("division by zero")
            else:
                value /= divisor
        return value

    def factor(self, depth: int) -> float:
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} parentheses or signs within one another")
        token = self.taken()
        if token == "-":
            return -self.factor(depth + 1)
        if token == "+":
            return self.factor(depth + 1)
        if token == "(":
            value = self.sum(depth + 1)
            if self.taken() != ")":
                raise ValueError("a parenthesis is not closed")
            return value
        if token is None or token in "*/)":
            raise ValueError(f"'{token}' where a number should stand" if token else "the expression ends too early")
        return float(token.replace(",", ""))
