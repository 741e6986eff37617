"""Things to play with: a calibration text of one's own, and how the masks move."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLUE, GREY, VERMILLION, WIDTH_DOUBLE
from tenfold.errors import InputError
from tenfold.language.documents import Document
from tenfold.language.llama import LINEARS
from tenfold.language.perplexity import losses
from tenfold.language.windows import calibration_windows
from tenfold.papers.calibration_data.bench import Bench
from tenfold.papers.calibration_data.looks import label
from tenfold.papers.calibration_data.results import Results
from tenfold.pruning import kept, overlap, prune

TEXT = """The ferry left at dawn. Nobody on the pier had slept, and the gulls were louder than the engine. "We will be
late," said the captain, "but we will be there." By noon the island had become a thin grey line between two blues, and
the letters that they carried had begun to smell of salt. An old woman counted the waves until she lost her place, then
began again; her grandson counted gulls. Neither of them told the other what the sum was."""
WINDOWS = 8


class Playground:
    """A dense model and its mixture of all sets, to compare any text with."""

    def __init__(self, found: Results) -> None:
        self.bench = Bench.of(found.seeds[0], found.fixed)
        self.sparsity, self.length = found.p.sparsity, found.p.length
        windows = self.bench.windows(found.plan.cell("wanda", found.plan.mix))
        self.usual = prune(self.bench.dense, windows, "wanda", self.sparsity)

    def compare(self, text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the overlap of masks by map, and the losses by test set: a text's calibration beside the mixture.

        The text is repeated until a window can be cut from it. Raises InputError for a text without words.
        """
        if not text.strip():
            raise InputError("write a text of at least one word")
        tokens = len(self.bench.tokenizer(text)["input_ids"])
        texts = [Document(text)] * (self.length // tokens + 2)
        windows = calibration_windows(texts, self.bench.tokenizer, "text", WINDOWS, self.length, 0, join=True)
        mine = prune(self.bench.dense, windows.to(self.bench.dense.device), "wanda", self.sparsity)
        masks = overlap(kept(mine), kept(self.usual))
        rows = [
            {"test": name}
            | {
                words: float(losses(model, tests).double().mean())
                for words, model in {"dense": self.bench.dense, "mixture": self.usual, "your text": mine}.items()
            }
            for name, tests in self.bench.tests.items()
        ]
        return masks, pd.DataFrame(rows)


def picture(masks: pd.DataFrame, table: pd.DataFrame) -> Figure:
    """Draw the overlap by map and block, and the loss that each calibration adds."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH_DOUBLE, 2.5))
    grid = masks.pivot(index="linear", columns="block", values="jaccard").loc[list(LINEARS)]
    drawn = left.imshow(grid, vmin=masks.expected.mean(), vmax=1, cmap="viridis", aspect="auto")
    left.set_yticks(range(len(grid)), grid.index)
    left.set(xlabel="block", title="Jaccard overlap with the mixture")
    left.set_xticks(range(len(grid.columns)))
    figure.colorbar(drawn, ax=left)
    places = np.arange(len(table))
    for shift, name, shade in ((-0.18, "mixture", BLUE), (0.18, "your text", VERMILLION)):
        right.barh(places + shift, table[name] - table["dense"], height=0.34, color=shade, label=name)
    right.set_yticks(places, [label(name) for name in table.test])
    right.invert_yaxis()
    right.axvline(0, color=GREY, lw=0.6)
    right.set_xlabel("loss added by pruning, nats per token")
    right.legend()
    return figure


def widget(found: Results, live: bool) -> Any:
    """Show what a text of one's own does as calibration; not `live`: for the text given here."""
    from IPython.display import display

    play = Playground(found)

    def show(text: str) -> None:
        try:
            masks, table = play.compare(text)
        except InputError as error:
            print(error)
            return
        figure = picture(masks, table)
        display(figure)
        plt.close(figure)
        display(table.round(3))

    if not live:
        return show(TEXT)

    import ipywidgets

    box = ipywidgets.Textarea(value=TEXT, layout=ipywidgets.Layout(width="95%", height="8em"))
    button, shown = ipywidgets.Button(description="prune with it"), ipywidgets.Output()

    def press(_: Any) -> None:
        with shown:
            shown.clear_output(wait=True)
            show(box.value)

    button.on_click(press)
    press(None)
    return display(ipywidgets.VBox([box, button, shown]))
