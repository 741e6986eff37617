"""Figures on disk: PNG and SVG whose bytes depend on the drawing alone, with a footer that names the data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tenfold import files
from tenfold.book.style import GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

DPI = 200
SIZE = 5.5  # points; the smallest type that survives printing
# Level 4 of zlib takes two thirds of the time of 6, and one fortieth more bytes.
FORMS = {"png": {"pil_kwargs": {"compress_level": 4}}, "svg": {"metadata": {"Date": None}}}
MARGIN = 0.04  # inches around the footer


def save(figure: Figure, folder: Path, id: str, footer: str) -> None:
    """Write `folder/<id>.png` and `.svg`, each whole or not at all, with a footer below the drawing.

    No date and a fixed salt go into the SVG, so the same drawing gives the same bytes.
    """
    import matplotlib

    with footed(figure, footer) as box, matplotlib.rc_context({"svg.hashsalt": "tenfold"}):
        for form, options in FORMS.items():
            with files.atomic(folder / f"{id}.{form}") as temporary:
                figure.savefig(temporary, format=form, dpi=DPI, bbox_inches=box, **options)


@contextmanager
def footed(figure: Figure, footer: str) -> Iterator[Bbox]:
    """Give the box, in inches, of the figure with a strip of canvas added below that holds the footer.

    The strip lies outside the figure's own canvas, so no layout changes and no axes are covered.
    """
    import matplotlib
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()  # settles the layout, which decides what sticks out
    engine = figure.get_layout_engine()
    # A second pass would move the axes a little, and PNG and SVG apart. Without any engine, rather than with one
    # that does nothing, saving also needs no drawing beforehand, which is half of its time. The defaults stay off
    # while both files are written: matplotlib takes an engine from them again after each.
    with matplotlib.rc_context({"figure.constrained_layout.use": False, "figure.autolayout": False}):
        figure.set_layout_engine(None)
        canvas = Bbox.from_bounds(0, 0, *figure.get_size_inches())
        box = Bbox.union([canvas, figure.get_tightbbox()])
        width, height = canvas.size
        text = figure.text(
            (box.x0 + MARGIN) / width,
            (box.y0 - MARGIN) / height,
            "",
            verticalalignment="top",
            fontsize=SIZE,
            color=GREY,
            parse_math=False,
            in_layout=False,
        )
        try:
            _wrap(text, footer, box.width - 2 * MARGIN)
            strip = text.get_window_extent().height / figure.dpi + 2 * MARGIN
            # Whole pixels, so that the drawing above stays as sharp as without a footer.
            yield Bbox.from_extents(box.x0, box.y0 - math.ceil(strip * DPI) / DPI, box.x1, box.y1)
        finally:
            text.remove()
            figure.set_layout_engine(engine or "none")  # None would mean the default


def _wrap(text, footer: str, width: float) -> None:
    """Set the words of `footer` into lines at most `width` inches long, as measured in its own type."""
    lines: list[str] = []
    for word in footer.split():
        longer = f"{lines[-1]} {word}" if lines else word
        text.set_text(longer)
        if lines and text.get_window_extent().width / text.figure.dpi <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    text.set_text("\n".join(lines))
