"""How methods, allocations, parts and calibrations look and are called in every figure."""

from __future__ import annotations

from dataclasses import dataclass

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

METHOD = {
    "magnitude": ("magnitude", ORANGE, "s"),
    "wanda": ("Wanda", BLUE, "o"),
    "sparsegpt": ("SparseGPT", GREEN, "^"),
}
"""Label, colour and marker of each way to prune."""
LINE = {"uniform": (":", "one ratio"), "owl": ("-", "OWL's ratios")}
PART = {"encoder": ("encoder", VERMILLION, "D"), "llm": ("LLM", BLUE, "o"), "both": ("both", GREY, "v")}
CALIBRATION = {
    "driving": ("scenes: vectors and captions", BLUE),
    "captions": ("captions, no vectors", SKY),
    "words": ("their words in random order", ORANGE),
    "tokens": ("random tokens", VERMILLION),
}
ALLOCATION = {
    "uniform": ("one ratio", BLACK, "o"),
    "owl": ("OWL", BLUE, "D"),
    "reversed": ("OWL reversed", VERMILLION, "v"),
    "sensitivity": ("from sensitivity", GREEN, "^"),
    "per_linear": ("OWL per map", PURPLE, "s"),
}
SUBJECT = {"driver": "driver's LLM", "text": "text model"}


@dataclass(frozen=True)
class Look:
    """Label, colour, marker and line of a curve."""

    label: str
    colour: str
    marker: str
    line: str


def look(method: str, allocation: str) -> Look:
    """Return how a method with an allocation of ratios is drawn."""
    label, colour, marker = METHOD[method]
    owl = allocation == "owl"
    return Look(f"OWL + {label}" if owl else label, colour, marker, LINE[allocation][0])
