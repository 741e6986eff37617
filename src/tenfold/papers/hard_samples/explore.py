"""Things to play with: the hardest images of a class, and how layers thin out with sparsity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import WIDTH_SINGLE
from tenfold.datasets.images import Images
from tenfold.errors import InputError
from tenfold.papers.hard_samples import examples, layers
from tenfold.papers.hard_samples.conditions import Condition
from tenfold.papers.hard_samples.methods import LOOKS
from tenfold.papers.hard_samples.results import Results
from tenfold.sparsity.erk import erk_counts, uniform_counts

COUNTED = {"static": erk_counts, "uniform": uniform_counts}
"""Methods whose budgets follow from the shapes of the layers alone."""


def widget_images(found: Images, scores: pd.DataFrame, live: bool) -> Any:
    """Show the hardest images of a class and the table of their scores, with a list of classes to choose from."""
    names = list(found.class_names)
    return _shown(lambda name: examples.hardest(found, scores, name), {"name": ("class", names)}, live)


def widget_layers(found: Results, condition: Condition, live: bool) -> Any:
    """Show the density of every layer, with a list of sparsities to choose from; see `thinned`."""
    grid = [round(0.05 * step, 2) for step in range(1, 20)]
    start = sorted(grid, key=lambda value: abs(value - 0.8))
    return _shown(lambda sparsity: thinned(found, condition, sparsity), {"sparsity": ("sparsity", start)}, live)


def thinned(found: Results, condition: Condition, sparsity: float) -> tuple[Figure, pd.DataFrame]:
    """Return picture and table of layer densities: ERK and uniform by arithmetic, the others where they were trained.

    Of what was trained the nearest sparsity is taken, and the table says which. Raises InputError for a sparsity
    outside (0, 1).
    """
    if not 0 < sparsity < 1:
        raise InputError(f"a sparsity is between 0 and 1, not {sparsity:g}")
    rows = found.under(condition, found.frame("layers"))
    shapes = found.shapes(condition)
    sizes = layers.layout(rows)
    frames = []
    for name, count in COUNTED.items():
        counts = count([*shapes.values()], 1 - sparsity)
        frames.append(sizes.assign(method=name, density=counts / sizes.weights, sparsity=sparsity))
    trained = rows[~rows.method.isin(["dense", "set", "omp-erk", *COUNTED])]
    nearest = min(set(trained.sparsity), key=lambda value: abs(value - sparsity))
    frames.append(layers.one(trained[trained.sparsity == nearest]).assign(sparsity=nearest))
    table = pd.concat(frames, ignore_index=True)
    figure, axes = plt.subplots(figsize=(WIDTH_SINGLE + 1.2, 2.6))
    layers.lines(axes, table, sparsity)
    axes.set(ylim=(-0.03, 1.05), xlabel="layer, from the input", ylabel="density")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    table = table.assign(method=[f"{LOOKS[row.method].label} at {row.sparsity:g}" for row in table.itertuples()])
    return figure, table.pivot(index=["layer", "name", "weights"], columns="method", values="density").reset_index()


def _shown(make: Callable[..., tuple[Figure, pd.DataFrame]], choices: dict[str, tuple[str, list]], live: bool) -> Any:
    """Show a picture and a table for what is chosen; not `live`: for the first choice alone.

    Without a person there are no widgets either: their messages have nobody to answer them, and a headless run that
    waits for an answer waits for ever.
    """
    from IPython.display import display

    def show(**chosen: Any) -> None:
        figure, table = make(**chosen)
        display(figure)
        plt.close(figure)
        display(table.round(3))

    if not live:
        return show(**{name: values[0] for name, (_, values) in choices.items()})

    import ipywidgets

    boxes = {name: ipywidgets.Dropdown(options=values, description=words) for name, (words, values) in choices.items()}
    return display(*boxes.values(), ipywidgets.interactive_output(show, boxes))
