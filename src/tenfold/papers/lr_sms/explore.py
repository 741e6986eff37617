"""Things to play with: kept shares of each module of the published model, and what is left of it."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLUE, GREEN, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.lowrank import break_even, equal_rank
from tenfold.papers.lr_sms.accounts import Base, base
from tenfold.papers.lr_sms.cells import is_attention

START = {"attention": 0.12, "feed_forward": 0.25, "encoder_only": False}


def left(model: Base, attention: float, feed_forward: float, encoder_only: bool) -> pd.DataFrame:
    """Return for each module of the published model: rank, break-even share, parameters and multiply-adds a frame.

    A kept share of 1 leaves the maps dense. The module "all" is the whole model, without multiply-adds of the rest.
    """
    rows = []
    for words, rho, wanted in (("attention", attention, True), ("feed-forward", feed_forward, False)):
        held = [(name, m, n) for name, m, n in model.maps if is_attention(name) == wanted]
        cut = [rho < 1 and not (encoder_only and name.startswith("decoder.")) for name, _, _ in held]
        _, m, n = held[0]
        rank = equal_rank(rho, min(m, n))
        macs = sum(rank * (m + n) if low else m * n for low, (_, m, n) in zip(cut, held, strict=True))
        dense = sum(m * n for _, m, n in held)
        even = break_even(m, n) / min(m, n)
        rows.append({"module": words, "rank": rank, "break_even_rho": even, "weights": macs, "of_dense": macs / dense})
    total = model.held(attention, feed_forward, encoder_only)
    rows.append({"module": "all", "weights": total})
    rows[-1]["of_dense"] = total / model.parameters
    return pd.DataFrame(rows)


def picture(model: Base, table: pd.DataFrame) -> Figure:
    """Draw parameters by module, what is left over what the dense model has."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.75, 1.6))
    for height, (shade, row) in enumerate(zip((BLUE, VERMILLION, GREEN), table.itertuples(), strict=True)):
        axes.barh(height, row.weights / row.of_dense / 1e6, color=GREY, alpha=0.3, height=0.6)
        axes.barh(height, row.weights / 1e6, color=shade, height=0.6)
    axes.set_yticks(range(len(table)), table.module)
    axes.invert_yaxis()
    axes.axvline(model.parameters / 2e6, color=GREY, lw=0.8, ls="--")
    axes.set_xlabel("millions of parameters; grey: dense, dashed: half of the model")
    return figure


def widget(live: bool) -> Any:
    """Show what is left of the published model, with a slider for each module; not `live`: one choice."""
    from IPython.display import display

    model = base()

    def show(**chosen: Any) -> None:
        table = left(model, **chosen)
        figure = picture(model, table)
        display(figure)
        plt.close(figure)
        display(table.round(3))

    if not live:
        return show(**START)

    import ipywidgets

    boxes = {
        name: ipywidgets.FloatSlider(
            START[name], min=0.02, max=1.0, step=0.01, description=words, continuous_update=False
        )
        for name, words in (("attention", "attention"), ("feed_forward", "feed-forward"))
    }
    boxes["encoder_only"] = ipywidgets.Checkbox(START["encoder_only"], description="encoder only")
    return display(*boxes.values(), ipywidgets.interactive_output(show, boxes))
