"""A slider that fades an activation, and one that takes weights away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLUE, WIDTH_DOUBLE
from tenfold.papers.east.networks import architecture, shapes, skeleton
from tenfold.papers.east.parameters import Parameters
from tenfold.papers.east.topology import activations
from tenfold.sparsity import erk_counts


def activation(sample: pd.DataFrame, live: bool) -> Any:
    """Show learnt activations with a slider for beta; not `live`: at beta = 0.5."""
    return _slider(lambda beta: activations(sample, (1.0, beta, 0.0)), live, 0.5, (0.0, 1.0, 0.05), "beta")


def allocation(p: Parameters, live: bool) -> Any:
    """Show the weights of each tensor by exact ERK, with a slider for the decades of density; not `live`: one."""
    tensors = shapes(skeleton(architecture(p)))
    return _slider(lambda decades: weights(tensors, 10**-decades), live, 2.0, (0.0, 2.8, 0.1), "decades")


def weights(tensors: list[tuple[int, ...]], density: float) -> Figure:
    """Draw the weights that exact ERK leaves to each tensor."""
    counts = erk_counts(tensors, density)
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 2.0))
    axes.bar(range(1, len(counts) + 1), counts, color=BLUE)
    axes.set(xlabel="tensor, from stem to classifier", ylabel="weights left")
    axes.set_title(f"{100 * (1 - density):.4g} % sparsity: {sum(counts):,} weights, {min(counts)} at least")
    return figure


def _slider(
    draw: Callable[[float], Figure], live: bool, value: float, limits: tuple[float, float, float], name: str
) -> Any:
    """Show what `draw` makes of a slider's value; without a person one picture, and no widget that waits for one."""
    from IPython.display import display

    if not live:
        figure = draw(value)
        display(figure)
        return plt.close(figure)

    import ipywidgets

    low, high, step = limits
    control = ipywidgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=name, continuous_update=False
    )
    screen = ipywidgets.Output()

    def redraw(*_: Any) -> None:
        with screen:
            screen.clear_output(wait=True)
            figure = draw(control.value)
            display(figure)
            plt.close(figure)

    control.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([control, screen])
