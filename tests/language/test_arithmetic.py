"""The value of expressions: against known values, against fractions on random expressions, and what is refused."""

import random
from fractions import Fraction

import pytest

from tenfold.language.arithmetic import evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("72", 72),
        (" 7 ", 7),
        ("( 8 - 3 )", 5),
        ("( 76.0 - 25.0 )", 51),
        ("48 + 48 / 2", 72),
        ("12 / 60 * 50", 10),
        ("100 - 100 / 2 - 15 * 2 - 15", 5),
        ("8 / 4 / 2", 1),
        ("8 - 4 - 2", 2),
        ("2 * 3 + 4 * 5", 26),
        ("2 * (3 + 4) * 5", 70),
        ("-3 + 5", 2),
        ("2 * -3", -6),
        ("--2", 2),
        ("+2", 2),
        ("-(2 - 5) * 2", 6),
        ("1,234,567.5 + 1", 1234568.5),
        ("1,450", 1450),
        ("80,000+50,000", 130000),
        (".5 + 1.", 1.5),
        ("((((1))))", 1),
        ("007", 7),
    ],
)
def test_known_values(expression, value):
    assert evaluate(expression) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " ",
        "1 +",
        "* 2",
        "1 2",
        "(1",
        "1)",
        "()",
        "1 / 0",
        "1 / (2 - 2)",
        "2 ** 3",
        "2 // 3",
        "7 % 2",
        "2^3",
        "1e5",
        "0x10",
        "1_000",
        "12,34",
        "1,2345",
        "1,234,5",
        "1.2.3",
        "nan",
        "inf",
        "x + 1",
        "abs(-1)",
        "__import__('os').getcwd()",
        "[].__class__",
        "1 if 1 else 2",
        "1; 2",
        "$72",
        "72 dollars",
        "3 = 3",
        "٣",
        "9" * 400,
        "1 + " * 300 + "1",
        "(" * 200 + "1" + ")" * 200,
        "-" * 500 + "1",
    ],
)
def test_everything_else_is_refused(expression):
    with pytest.raises(ValueError):
        evaluate(expression)


def grown(numbers, depth):
    """A random expression and its exact value."""
    if depth == 0 or numbers.random() < 0.2:
        value = numbers.randint(0, 2000)
        return f"{value:,}" if numbers.random() < 0.5 else str(value), Fraction(value)
    kind = numbers.choice(["sign", *"+-*/"])
    left, a = grown(numbers, depth - 1)
    if kind == "sign":
        return f"-({left})", -a
    right, b = grown(numbers, depth - 1)
    while kind == "/" and b == 0:
        right, b = grown(numbers, depth - 1)
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[kind]
    return f"({left}) {kind} ({right})", value


@pytest.mark.parametrize("seed", range(60))
def test_random_expressions_have_their_exact_value(seed):
    expression, value = grown(random.Random(seed), 4)
    assert evaluate(expression) == pytest.approx(float(value), rel=1e-9, abs=1e-6)


def test_sums_and_products_without_parentheses_bind_as_they_should():
    """Plain sums of products, whose exact value is found term by term."""
    numbers = random.Random(0)
    for _ in range(200):
        terms = [[numbers.randint(1, 99) for _ in range(numbers.randint(1, 4))] for _ in range(numbers.randint(1, 6))]
        signs = [numbers.choice((1, -1)) for _ in terms]
        written = "".join(
            f" {'+' if sign > 0 else '-'} {' * '.join(map(str, term))}" for sign, term in zip(signs, terms, strict=True)
        )
        expected = 0
        for sign, term in zip(signs, terms, strict=True):
            product = 1
            for factor in term:
                product *= factor
            expected += sign * product
        assert evaluate(written) == expected
