"""What a reader sees below a cell; outside a notebook nothing is shown."""

from __future__ import annotations

import sys
from pathlib import Path

SCREEN = 110  # pixels an inch of figure takes on a screen; the file has more, for sharp screens


def live() -> bool:
    """Tell whether IPython runs this code; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def markdown(text: str) -> None:
    """Show Markdown below the cell."""
    if live():
        from IPython.display import Markdown, display

        display(Markdown(text))


def image(path: Path, inches: float) -> None:
    """Show a PNG below the cell, at the size in which it is printed."""
    if live():
        from IPython.display import Image, display

        display(Image(path.read_bytes(), format="png", width=round(inches * SCREEN)))
