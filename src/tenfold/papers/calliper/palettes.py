"""The colours of the maps, safe for every kind of colour vision."""

from __future__ import annotations

from matplotlib import colormaps

from tenfold.book.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW

# The paper takes the first four of Accent: its green and its orange are one colour to protanopes (difference 2.7 in
# CIELAB, Machado et al. 2009, where 2.3 is just noticeable), and alike in grey. These differ by 20 at least.
ZONES = {
    "green space": "#7db58b",
    "industry and infrastructure": "#4a5a8a",
    "residential": "#f3e6c4",
    "centre and commercial": "#d9542b",
}
CLASSES = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
# "Muted" of Paul Tol (2021), for eight kinds and more.
MANY = ("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499", "#8a857c")
LUMINOUS = (ORANGE, SKY, PURPLE, YELLOW, GREEN, "#ffffff", VERMILLION)
"""Colours that shine on `NIGHT`."""

LAND_USE = {"park": GREEN, "water": BLUE, "built or other": VERMILLION}
REST = "#b5b1a9"
"""What has no class of its own: the rarest, and what is not significant."""

NIGHT = "#1b222b"
"""Ground on which thousands of points shine."""

# The words of `tenfold.urban.autocorrelation`: a place, then its neighbours.
QUADRANTS = {
    "high-high": VERMILLION,
    "low-low": BLUE,
    "high-low": "#f2b48f",
    "low-high": "#9ccbe8",
    "not significant": "#eeebe4",
}
SEQUENTIAL = colormaps["YlGnBu"]
DIVERGING = colormaps["PuOr_r"]
SIMILARITY = colormaps["viridis"]


def steps(count: int, diverging: bool = False) -> list[tuple[float, ...]]:
    """Return `count` colours from low to high, lightest first, or lightest in the middle."""
    if diverging:
        return [DIVERGING(0.08 + 0.84 * k / max(count - 1, 1)) for k in range(count)]
    return [SEQUENTIAL(0.08 + 0.84 * k / max(count - 1, 1)) for k in range(count)]
