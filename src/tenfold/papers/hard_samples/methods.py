"""The methods that are compared: how each is written and drawn, and how it prunes."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION


class Look(NamedTuple):
    """A row of the tables: its label, colour and marker, and what it says of where the weights lie."""

    label: str
    colour: str
    marker: str
    note: str


LOOKS = {
    "dense": Look("dense", BLACK, "s", "every weight"),
    "set": Look("SET", BLUE, "o", "ERK budgets, positions that move"),
    "snip": Look("SNIP", GREEN, "^", "sensitivity at birth, fixed"),
    "gmp": Look("GMP", ORANGE, "D", "magnitude, during training"),
    "omp": Look("OMP", PURPLE, "v", "magnitude after training, weights kept"),
    "lth": Look("LTH", VERMILLION, "X", "the same mask, weights as they were born"),
    "static": Look("random ERK", SKY, "P", "ERK budgets, random positions, fixed"),
    "snip-resampled": Look("SNIP budgets", GREEN, "<", "SNIP's budgets, random positions (the official code)"),
    "omp-erk": Look("OMP, ERK budgets", PURPLE, ">", "magnitude inside each layer, ERK budgets, weights kept"),
    "uniform": Look("uniform", GREY, "h", "one density for all layers, random positions, fixed"),
}
PUBLISHED = ("set", "snip", "gmp", "omp", "lth")
"""The sparse methods of the paper's Figures 2, 4, 5, 6, 9 and 10."""
VARIANTS = ("static", "snip-resampled", "omp-erk", "uniform")
"""What Figures 8, 13 and 14 add, with both readings of SNIP."""
TWICE = ("omp", "lth", "omp-erk")
"""Methods that train a dense network first."""


def table() -> pd.DataFrame:
    """Return the methods with what each says of the weights, and whether the paper's main figures have it."""
    rows = [
        {"method": name, "label": look.label, "weights": look.note, "main": name in PUBLISHED}
        for name, look in LOOKS.items()
    ]
    return pd.DataFrame(rows)


def column(method: str) -> str:
    """Return a method's name as a column of tables that claims read."""
    return method.replace("-", "_")


def labels(names) -> list[str]:
    """Return how methods are written in figures."""
    return [LOOKS[name].label for name in names]
