"""Diagrams: the three parts of EAST on the time line of a run, and how kernels are shared."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from tenfold.book.style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILLION, WIDTH_DOUBLE


def sharing(blocks: tuple[int, ...], ratio: int) -> Figure:
    """Draw the stages of a residual network: blocks that own kernels, and blocks that borrow the last owner's."""
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 1.9))
    x = 0.0
    for stage, count in enumerate(blocks):
        centres = []
        for block in range(count):
            owns = block < ratio
            face = BLUE if owns else "white"
            axes.add_patch(
                FancyBboxPatch(
                    (x, 0), 0.8, 1, boxstyle="round,pad=0.02", fc=face, ec=BLUE, lw=1.0, ls="-" if owns else "--"
                )
            )
            words = "owns" if owns else "k W"
            axes.text(x + 0.4, 0.5, words, ha="center", va="center", fontsize=6.5, color="white" if owns else BLUE)
            centres.append(x + 0.4)
            x += 1.0
        for borrower in centres[ratio:]:
            bow = FancyArrowPatch(
                (centres[ratio - 1], 1.05),
                (borrower, 1.05),
                connectionstyle="arc3,rad=-0.45",
                arrowstyle="-|>",
                mutation_scale=7,
                color=VERMILLION,
                lw=0.8,
            )
            axes.add_patch(bow)
        axes.text(sum(centres) / count, -0.35, f"stage {stage + 1}", ha="center", fontsize=7)
        x += 0.5
    axes.set(xlim=(-0.3, x - 0.2), ylim=(-0.6, 2.2))
    axes.axis("off")
    axes.set_title("Solid: kernels of its own. Dashed: the kernels of the block before, times a learnt scalar k")
    return figure


def overview(table: pd.DataFrame, p_cycles: float, phase: tuple[float, float]) -> Figure:
    """Draw what EAST does when: cycles, phasing, sharing, and RigL's updates, along the run.

    `table` holds the schedules; `p_cycles` is the share of the run with cycles, `phase` that of the phasing.
    """
    figure, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 2.4))
    lanes = {"density cycles": 3, "DyReLU to ReLU": 2, "shared kernels": 1, "RigL: drop and grow": 0}
    t = table.share_of_run
    height = 0.75 / table.density_over_target.max()
    axes.fill_between(t, 3, 3 + height * table.density_over_target, color=ORANGE, lw=0)
    axes.fill_between(t, 2, 2 + 0.75 * table.beta, color=SKY, lw=0)
    axes.add_patch(Rectangle((0, 1), 1, 0.6, fc=BLUE, alpha=0.7, lw=0))
    axes.add_patch(Rectangle((p_cycles, 0), 1 - p_cycles, 0.6, fc=GREEN, alpha=0.7, lw=0))
    # The two moments may lie close together: their words stand on either side.
    moments = sorted([(p_cycles, "target density"), (phase[1], "plain ReLU")])
    for (at, text), side, shift in zip(moments, ("right", "left"), (-0.006, 0.006), strict=True):
        axes.axvline(at, color=GREY, lw=0.8, ls=":")
        axes.text(at + shift, 4.0, text, fontsize=6.5, color=GREY, va="top", ha=side)
    axes.text(0.5, 1.3, "one tensor serves several blocks: same number of learnt weights", ha="center", va="center")
    axes.set_yticks([place + 0.3 for place in lanes.values()], lanes)
    axes.set(xlim=(0, 1), ylim=(-0.1, 4.05), xlabel="share of the run")
    axes.tick_params(axis="y", length=0)
    axes.spines.left.set_visible(False)
    return figure
