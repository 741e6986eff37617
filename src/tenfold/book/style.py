"""The look of figures: the journal's column widths, the named colours, the one style file."""

from __future__ import annotations

from tenfold import project

WIDTH_SINGLE = 3.4
"""Width of one journal column in inches (86 mm)."""

WIDTH_DOUBLE = 7.0
"""Width of two journal columns in inches (178 mm)."""

# Okabe and Ito (2008), "Color Universal Design".
BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
YELLOW = "#F0E442"
BLACK = "#000000"
GREY = "#777777"
"""Grey is for what is not data: baselines, nulls, footers."""

CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""The order in which `notebooks/matplotlibrc` hands out colours."""


def apply() -> None:
    """Put `notebooks/matplotlibrc` into force for every figure made from now on."""
    import matplotlib

    matplotlib.rc_file(project.root() / "notebooks" / "matplotlibrc")
