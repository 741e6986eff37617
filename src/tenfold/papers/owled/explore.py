"""Things to play with: M and lambda of OWL's ratios, and what drivers say of a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLACK, SKY, VERMILLION, WIDTH_DOUBLE
from tenfold.errors import InputError
from tenfold.papers.owled import street
from tenfold.papers.owled.looks import SUBJECT
from tenfold.papers.owled.parameters import HALF, HIGH
from tenfold.papers.owled.results import Results
from tenfold.pruning import owl_ratios

STRENGTHS = [0.08, 0.0, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2]


def widget_ratios(found: Results, live: bool) -> Any:
    """Show D and OWL's ratios of a model, with lists of models, M, lambda and target to choose from."""
    table = found.proxies("blocks")
    thresholds = sorted(set(table.M), key=lambda value: value != found.p.threshold)
    choices = {
        "name": ("model", [name for name in SUBJECT if name in set(table.subject)]),
        "threshold": ("M", thresholds),
        "strength": ("lambda", STRENGTHS),
        "target": ("target", [HIGH, HALF, 0.3]),
    }
    return _shown(lambda **chosen: ratios(table, **chosen), choices, live)


def ratios(
    table: pd.DataFrame, name: str, threshold: float, strength: float, target: float
) -> tuple[Figure, pd.DataFrame]:
    """Return picture and table of D and of OWL's sparsity of every block, D a mean over seeds.

    Raises InputError for a model or an M that was not measured, and where lambda asks for a sparsity of 1.
    """
    rows = table[(table.subject == name) & (threshold == table.M)]
    if rows.empty:
        raise InputError(f"D of the {name} was not measured at M = {threshold:g}")
    d = rows.groupby("block").D.mean()
    plan = owl_ratios(d.to_numpy(), target, strength)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.0))
    left.bar(d.index, d, color=SKY)
    left.set(xlabel="block", ylabel="D in %", title=f"{SUBJECT[name]}, M = {threshold:g}")
    right.plot(d.index, plan, "D-", color=VERMILLION, ms=4)
    right.axhline(target, color=BLACK, lw=0.9, ls="--")
    right.set(
        xlabel="block", ylabel="sparsity", title=rf"$\lambda$ = {strength:g}: {plan.min():.3f} to {plan.max():.3f}"
    )
    for axes in (left, right):
        axes.set_xticks(d.index)
    shown = pd.DataFrame({"block": d.index, "D": d.to_numpy(), "sparsity": plan})
    return figure, shown.assign(above_target=np.sign(shown.sparsity - target).astype(int))


def widget_scenes(found: Results, live: bool) -> Any:
    """Show a held-out scene from above, with what the driver says of it dense and pruned."""
    return _shown(lambda scene: street.viewed(found, scene), {"scene": ("scene", list(range(len(found.test))))}, live)


def _shown(make: Callable[..., tuple[Figure, pd.DataFrame]], choices: dict[str, tuple[str, list]], live: bool) -> Any:
    """Show a picture and a table for what is chosen; not `live`: for the first choice alone.

    Without a person there are no widgets either: a headless run that waits for an answer waits for ever.
    """
    from IPython.display import display

    def show(**chosen: Any) -> None:
        try:
            figure, table = make(**chosen)
        except InputError as error:
            print(error)
            return
        display(figure)
        plt.close(figure)
        display(table.round(3))

    if not live:
        return show(**{name: values[0] for name, (_, values) in choices.items()})

    import ipywidgets

    boxes = {}
    for name, (words, values) in choices.items():
        # A slider for what has an order, a list for names.
        ordered = not isinstance(values[0], str)
        kind, options = (ipywidgets.SelectionSlider, sorted(values)) if ordered else (ipywidgets.Dropdown, values)
        boxes[name] = kind(options=options, value=values[0], description=words)
    return display(*boxes.values(), ipywidgets.interactive_output(show, boxes))
