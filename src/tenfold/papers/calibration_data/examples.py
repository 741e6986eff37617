"""What a calibration window looks like in every format, and which documents are long enough for one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from tenfold.book.style import BLACK, GREY, SKY, WIDTH_DOUBLE
from tenfold.language.llama import load_tokenizer
from tenfold.language.pretraining import restore
from tenfold.papers.calibration_data import windows
from tenfold.papers.calibration_data.cells import Cell
from tenfold.papers.calibration_data.looks import colour, key, label
from tenfold.papers.calibration_data.parameters import PRETRAINING
from tenfold.papers.calibration_data.plans import Plan

KINDS = {"padding": "#cccccc", "beginning of a text": BLACK, "text": SKY}
SHADES = ListedColormap(list(KINDS.values()))
STRIP = 0.45
"""Height of a strip; its text has the rest of the row."""
LETTERS = {"fontsize": 6, "family": "monospace"}
CHARACTERS = 96
"""Of a window, shown beside it."""
PAPER = 2048
"""Tokens of a window in the paper."""
DOCUMENTS = 400
"""Documents whose lengths are counted, of each set."""


@dataclass(frozen=True)
class Examples:
    """Windows of a run, and the tokenizer that made them."""

    plan: Plan
    tokenizer: Any
    settings: dict[str, Any]

    @classmethod
    def of(cls, found: Any) -> Examples:
        """Return the examples of a run's results, with the tokenizer of its first model."""
        if found.p.model:
            return cls(found.plan, load_tokenizer(found.p.model), found.fixed)
        return cls(found.plan, restore(found.trained()[0])[1], found.fixed)

    @cached_property
    def shown(self) -> dict[str, Cell]:
        """A cell for each format of Figure 1, by its words."""
        asked, reasoned = self.plan.asked[0], self.plan.reasoned[:1]
        cells = {
            f"running text, {label(self.plan.prose)}": self.plan.cell("wanda", self.plan.prose),
            f"question, {label(asked)}": self.plan.cell("wanda", asked, fmt="zero"),
            f"question and answer, {label(asked)}": self.plan.cell("wanda", asked, fmt="single"),
            f"pairs, packed, {label(asked)}": self.plan.cell("wanda", asked),
        }
        cells |= {f"with chain of thought, {label(n)}": self.plan.cell("wanda", n, rationale=True) for n in reasoned}
        return cells | {"only dots": self.plan.cell("wanda", "ellipses")}

    def formats(self, seed: int) -> pd.DataFrame:
        """Return the window of every format with about the mean padding.

        Columns: format, tokens, padding (share), beginnings (texts that begin in it), kinds (of its tokens), text.
        """
        rows = []
        for words, cell in self.shown.items():
            found = windows.drawn(cell, seed, self.tokenizer, self.settings)
            marks = torch.ones_like(found.ids, dtype=torch.bool) if found.real is None else found.real
            typical = int((marks.float().mean(1) - marks.float().mean()).abs().argmin())
            ids, real = found.ids[typical].numpy(), marks[typical].numpy()
            text = self.tokenizer.decode(ids[real], skip_special_tokens=True)
            begins = ids == self.tokenizer.bos_token_id
            row = {"format": words, "tokens": len(ids), "padding": found.pad_share, "beginnings": int(begins.sum())}
            rows.append(row | {"kinds": np.where(real, np.where(begins, 1, 2), 0).tolist(), "text": text})
        return pd.DataFrame(rows)

    def lengths(self) -> pd.DataFrame:
        """Return how long training documents are: a row per set of running text and document, at most 400 a set."""
        rows = []
        for name in (name for name in self.plan.sources if name in PRETRAINING):
            texts = [document.text for document in windows.read(name, self.settings).train[:DOCUMENTS]]
            counts = [len(ids) for ids in self.tokenizer(texts)["input_ids"]]
            rows += [{"source": name, "tokens": count} for count in counts]
        return pd.DataFrame(rows)


def figure(table: pd.DataFrame) -> Figure:
    """Draw a window of every format as a strip of tokens, with the beginning of its text."""
    panel, axes = plt.subplots(figsize=(WIDTH_DOUBLE, 0.7 + 0.4 * len(table)))
    width = max(table.tokens)
    for row, (kinds, text) in enumerate(zip(table.kinds, table.text, strict=True)):
        strip = np.array([kinds + [0] * (width - len(kinds))])
        axes.imshow(strip, extent=(0, width, row + STRIP, row), cmap=SHADES, vmin=0, vmax=2, aspect="auto")
        words = " ".join(text.split())
        words = words[:CHARACTERS] + ("…" if len(words) > CHARACTERS else "")
        axes.text(0, row + STRIP + 0.08, words, va="top", color="#333333", parse_math=False, **LETTERS)
    axes.set_ylim(len(table), -0.15)
    axes.set_xlim(0, width)
    axes.set_yticks(np.arange(len(table)) + STRIP / 2, table.format)
    axes.tick_params(left=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlabel("tokens of the window")
    handles = [plt.Rectangle((0, 0), 1, 1, color=c, label=w) for w, c in KINDS.items()]
    panel.legend(handles=handles, loc="outside upper center", ncols=3)
    return panel


def eligible(table: pd.DataFrame, length: int) -> Figure:
    """Draw the share of documents, and of tokens, that a window of so many tokens can be cut from."""
    grid = np.unique(np.geomspace(8, max(table.tokens.max(), 2 * PAPER), 80).astype(int))
    panel, axes = plt.subplots(figsize=(WIDTH_DOUBLE * 0.6, 2.3))
    for name, rows in table.groupby("source", sort=False):
        tokens = rows.tokens.to_numpy()
        axes.plot(
            grid, [np.mean(tokens > n) for n in grid], color=colour(name), lw=1.2, label=f"{label(name)}: documents"
        )
        share = [tokens[tokens > n].sum() / tokens.sum() for n in grid]
        axes.plot(grid, share, color=colour(name), lw=1.2, ls="--", label=f"{label(name)}: tokens")
    for place, line in {length: "-", PAPER: ":"}.items():
        axes.axvline(place, color=GREY, lw=0.9, ls=line)
    axes.set(xscale="log", xlabel="tokens of a window", ylabel="share long enough", ylim=(-0.03, 1.03))
    key(axes, 2)
    return panel
