"""The look of sets and methods: names, colours, markers."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from tenfold.papers.calibration_data.cells import NONSENSE
from tenfold.papers.calibration_data.parameters import FAMILIES

NAMES = {
    "c4": "C4",
    "pile": "Pile",
    "oscar": "OSCAR",
    "redpajama": "RedPajama",
    "wikitext2": "WikiText-2",
    "gsm8k": "GSM8K",
    "svamp": "SVAMP",
    "mawps": "MAWPS",
    "commonsenseqa": "CommonsenseQA",
    "race": "RACE",
    "winogrande": "WinoGrande",
    "esnli": "e-SNLI",
    "anli": "ANLI",
    "ellipses": "only dots",
    "random": "random letters",
    "tokens": "random tokens",
}
COLOURS = {"text": BLUE, "arithmetic": VERMILLION, "choice": GREEN, "inference": PURPLE}
FAMILY_WORDS = {
    "text": "running text",
    "arithmetic": "arithmetic",
    "choice": "multiple choice",
    "inference": "inference",
}
METHOD = {
    "random": ("random", GREY, "x"),
    "magnitude": ("magnitude", ORANGE, "s"),
    "wanda": ("Wanda", BLUE, "o"),
    "sparsegpt": ("SparseGPT", VERMILLION, "^"),
}
PADDING = {
    "counted": ("padding seen and counted", VERMILLION, "o"),
    "masked": ("padding counted, not seen", ORANGE, "s"),
    "excluded": ("padding left out", BLUE, "D"),
}
BAR = {"elinewidth": 0.7, "capsize": 0, "ms": 4, "lw": 1.0}
ADDED = "loss added by pruning,\nnats per token"


def label(source: str) -> str:
    """Return the words for a set, a mixture or merged models."""
    for sign, word in {"+": "mixed", "&": "merged"}.items():
        parts = source.split(sign)
        if len(parts) > 2:
            return "all sets, mixed"
        if len(parts) == 2:
            return f"{label(parts[0])} and {label(parts[1])}, {word}"
    return NAMES.get(source, source)


def colour(source: str) -> str:
    """Return the colour of a set by its family: black for several, grey for nonsense."""
    if source in NONSENSE:
        return GREY
    return next((COLOURS[family] for family, names in FAMILIES.items() if source in names), BLACK)


def key(axes: Axes, columns: int) -> None:
    """Put the legend of axes above the whole figure, where it hides nothing."""
    handles, words = axes.get_legend_handles_labels()
    axes.get_figure().legend(handles, words, loc="outside upper center", ncols=columns)


def family_handles(sources: list[str]) -> list[Line2D]:
    """Return what a legend shows of the families of sets."""
    shown = {colour(source) for source in sources}
    words = {COLOURS[family]: FAMILY_WORDS[family] for family in FAMILIES} | {BLACK: "all mixed", GREY: "nonsense"}
    return [Line2D([], [], color=c, marker="o", ls="", ms=4, label=w) for c, w in words.items() if c in shown]
