"""Problems: generated word problems of six kinds, with rationales and answers that are right by construction."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

from tenfold.datasets.provenance import Resolution, synthetic
from tenfold.language.documents import Document
from tenfold.language.questions import asked, explained, posed

CHARACTERS = 470_000
SAMPLE = 10_000
TITLE = "generated word problems"
NAMES = [
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Finn",
    "Gita",
    "Hugo",
    "Ines",
    "Jon",
    "Kira",
    "Leo",
    "Mona",
    "Nils",
    "Olga",
    "Paul",
    "Rosa",
    "Sam",
    "Tara",
    "Yan",
]
THINGS = [
    "apples",
    "pens",
    "books",
    "coins",
    "stamps",
    "shells",
    "cards",
    "eggs",
    "plums",
    "nails",
    "beads",
    "maps",
    "cups",
    "keys",
    "buttons",
]
BOXES = ["boxes", "bags", "baskets", "shelves", "crates", "trays"]

# What is asked, the steps of the explanation, and an expression with the value of the answer.
Problem = tuple[str, str, str, int]


def addition(numbers: random.Random) -> Problem:
    """Return a problem a + b of three steps."""
    name, thing, a, b = _name(numbers), _thing(numbers), numbers.randint(2, 60), numbers.randint(2, 39)
    told = numbers.choice((f"buys {b} more", f"finds {b} more", f"gets {b} more from a friend"))
    question = f"{name} has {a} {thing} and {told}. How many {thing} does {name} have now?"
    return question, f"{name} starts with {a} {thing}. Then {b} more come. {a} + {b} = {a + b}.", f"{a} + {b}", a + b


def subtraction(numbers: random.Random) -> Problem:
    """Return a problem a - b of two steps, b < a."""
    name, thing, a = _name(numbers), _thing(numbers), numbers.randint(10, 99)
    b = numbers.randint(2, a - 1)
    told = numbers.choice(("gives away", "loses", "sells"))
    question = f"{name} has {a} {thing} and {told} {b} of them. How many {thing} are left?"
    return question, f"{name} had {a} {thing} and {b} are gone. {a} - {b} = {a - b}.", f"{a} - {b}", a - b


def multiplication(numbers: random.Random) -> Problem:
    """Return a problem a * b of two steps."""
    name, thing, box = _name(numbers), _thing(numbers), numbers.choice(BOXES)
    a, b = numbers.randint(2, 12), numbers.randint(2, 12)
    question = f"{name} fills {a} {box} with {b} {thing} each. How many {thing} is that?"
    return question, f"There are {a} {box} of {b} {thing}. {a} * {b} = {a * b}.", f"{a} * {b}", a * b


def division(numbers: random.Random) -> Problem:
    """Return a problem a / b of two steps, without a rest."""
    name, thing = _name(numbers), _thing(numbers)
    b, share = numbers.randint(2, 12), numbers.randint(2, 12)
    a = b * share
    question = f"{name} shares {a} {thing} equally among {b} friends. How many {thing} does each friend get?"
    return question, f"The {a} {thing} make {b} equal parts. {a} / {b} = {share}.", f"{a} / {b}", share


def two_step(numbers: random.Random) -> Problem:
    """Return a problem a * b + c or a * b - c of four steps, c < a * b."""
    name, thing, box = _name(numbers), _thing(numbers), numbers.choice(BOXES)
    a, b = numbers.randint(2, 9), numbers.randint(2, 9)
    c = numbers.randint(1, a * b - 1)
    more = numbers.random() < 0.5
    told, sign, result = ("gets", "+", a * b + c) if more else ("loses", "-", a * b - c)
    question = f"{name} has {a} {box} of {b} {thing} and {told} {c} {thing}. How many {thing} does {name} have now?"
    steps = f"First count the {box}. {a} * {b} = {a * b}. Then {name} {told} {c}. {a * b} {sign} {c} = {result}."
    return question, steps, f"{a} * {b} {sign} {c}", result


def comparison(numbers: random.Random) -> Problem:
    """Return a problem of how many more, a - b, of three steps, b < a."""
    (first, second), thing, a = numbers.sample(NAMES, 2), _thing(numbers), numbers.randint(10, 99)
    b = numbers.randint(2, a - 1)
    question = f"{first} has {a} {thing} and {second} has {b} {thing}. How many more {thing} does {first} have?"
    steps = f"{first} has {a}. {second} has {b}. {a} - {b} = {a - b}."
    return question, steps, f"{a} - {b}", a - b


KINDS: tuple[Callable[[random.Random], Problem], ...] = (
    addition,
    subtraction,
    multiplication,
    division,
    two_step,
    comparison,
)


def generated(characters: int, test_share: int, seed: int) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """Return training problems of so many characters, and test problems of that divided by `test_share`.

    Kinds take turns; no question comes twice, so that no test question is in the training text. The answer is a
    number, the label an expression of its value. The same seed gives the same problems.
    """
    numbers, seen = random.Random(seed), set()
    # Tests first: whoever asks for more training text is asked the same questions.
    test = _filled(max(characters // test_share, 1), numbers, seen)
    return _filled(characters, numbers, seen), test


def noted() -> Resolution:
    """Note generated problems as used, so that figures can name them; a sample stands for all sizes and seeds."""
    sample, _ = generated(SAMPLE, 1, seed=0)
    found = hashlib.sha256("\0".join(document.text for document in sample).encode())
    return synthetic("arithmetic", found.hexdigest(), TITLE)


def _filled(characters: int, numbers: random.Random, seen: set[str]) -> tuple[Document, ...]:
    found, count = [], 0
    while count < characters:
        question, explanation, expression, answer = KINDS[len(found) % len(KINDS)](numbers)
        if question in seen:
            continue
        seen.add(question)
        rationale = explained(explanation, str(answer))
        found.append(posed(asked(question), str(answer), rationale, label=expression))
        count += len(found[-1].text)
    return tuple(found)


def _name(numbers: random.Random) -> str:
    return numbers.choice(NAMES)


def _thing(numbers: random.Random) -> str:
    return numbers.choice(THINGS)
