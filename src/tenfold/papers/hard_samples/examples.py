"""Images that are hard, and images that are easy: the paper's Figure 1, and the hardest of each class to look at."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import BLUE, GREEN, GREY, VERMILLION, WIDTH_DOUBLE, WIDTH_SINGLE
from tenfold.datasets.images import Images
from tenfold.errors import InputError
from tenfold.papers.hard_samples.parameters import SECOND_RATIOS
from tenfold.papers.hard_samples.results import Results
from tenfold.papers.hard_samples.subjects import label

PUBLISHED = ("apple", "bus")
"""The classes of the paper's Figure 1, of CIFAR-100."""


def classes(found: Images, scores: pd.DataFrame) -> list[int]:
    """Return the two classes of Figure 1: the paper's where there are such, else the easiest and the hardest."""
    if {*PUBLISHED} <= {*found.class_names}:
        return [found.class_names.index(name) for name in PUBLISHED]
    means = scores.groupby("label").el2n.mean()
    return [int(means.idxmin()), int(means.idxmax())]


def chosen(scores: pd.DataFrame, numbers: list[int], count: int = 5) -> pd.DataFrame:
    """Return the `count` images of highest and of lowest EL2N of each class, as `kind` and `place` say."""
    frames = []
    for number in numbers:
        mine = scores[scores.label == number].sort_values("el2n", ascending=False, kind="stable")
        for kind, rows in (("high EL2N", mine.head(count)), ("low EL2N", mine.tail(count)[::-1])):
            frames.append(rows.assign(kind=kind, place=range(len(rows))))
    return pd.concat(frames, ignore_index=True)[["label", "kind", "place", "row", "el2n", "right"]]


def figure(found: Images, table: pd.DataFrame) -> Figure:
    """Draw the images of `chosen`: a row per class and kind, each with its score below."""
    groups = [*table.groupby(["label", "kind"], sort=False)]
    count = int(table.place.max()) + 1
    made, panels = plt.subplots(len(groups), count, figsize=(WIDTH_SINGLE + 0.8, 0.82 * len(groups)), squeeze=False)
    for line, ((number, kind), rows) in zip(panels, groups, strict=True):
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, row in zip(line, rows.itertuples(), strict=False):
            axes.imshow(picture(found, row.row), cmap="gray_r", vmin=0, vmax=255)
            axes.set_xlabel(f"{row.el2n:.2f}", fontsize=6, labelpad=1.5)
        line[0].set_ylabel(f"{found.class_names[number]}\n{kind}", fontsize=7)
    return made


def picture(found: Images, row: int) -> np.ndarray:
    """Return a training image as matplotlib draws it: (H, W), or (H, W, 3)."""
    image = found.train_x[row].numpy()
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)


def shares(found: Results) -> pd.DataFrame:
    """Return the share of each class in all training images and in the hardest of them, first and second images."""
    frames = []
    for subject, ratios in ((found.p.first, found.p.ratios), (found.p.second, SECOND_RATIOS)):
        scores, names = found.hardness(subject), found.images(subject).class_names
        parts = {"all images": scores}
        parts |= {f"hardest {100 * ratio:g} %": scores.nlargest(int(len(scores) * ratio), "el2n") for ratio in ratios}
        for name, rows in parts.items():
            counted = rows.label.value_counts(normalize=True).reindex(range(len(names)), fill_value=0.0)
            columns = {"label": counted.index, "name": list(names), "share": counted.to_numpy()}
            frames.append(pd.DataFrame(columns).assign(images=label(subject), part=name))
    return pd.concat(frames, ignore_index=True)[["images", "part", "label", "name", "share"]].drop_duplicates()


def balance(table: pd.DataFrame) -> Figure:
    """Draw what `shares` returns, a panel for each set of images: how skewed the classes of the hardest are."""
    made, panels = plt.subplots(1, table.images.nunique(), figsize=(WIDTH_DOUBLE, 2.2), squeeze=False)
    colours = (GREY, BLUE, VERMILLION, GREEN)
    for axes, (title, rows) in zip(panels[0], table.groupby("images", sort=False), strict=True):
        for (part, one), colour in zip(rows.groupby("part", sort=False), colours, strict=False):
            axes.plot(one.label, 100 * one.share, "o-", color=colour, ms=3, lw=0.9, label=part)
        axes.set(title=title, ylabel="share in %", xlabel="class", ylim=(0, None))
        names = [*dict.fromkeys(rows.name.astype(str))]
        if len(names) <= FEW:
            turned = {"rotation": 30, "ha": "right"} if max(map(len, names)) > 3 else {}
            axes.set_xticks(range(len(names)), names, **turned)
        axes.legend(loc="best")
    return made


FEW = 12
"""Classes whose names fit below an axis."""


def hardest(found: Images, scores: pd.DataFrame, name: str, count: int = 12) -> tuple[Figure, pd.DataFrame]:
    """Return a picture and a table of the hardest images of a class. Raises InputError for an unknown class."""
    if name not in found.class_names:
        raise InputError(f"there is no class '{name}'; the classes are {', '.join(found.class_names)}")
    mine = scores[scores.label == found.class_names.index(name)]
    rows = mine.nlargest(min(count, len(mine)), "el2n")[["row", "el2n", "right"]].reset_index(drop=True)
    columns = min(6, len(rows))
    lines = -(-len(rows) // columns)
    made, panels = plt.subplots(lines, columns, figsize=(WIDTH_SINGLE + 0.8, 0.85 * lines), squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, row in zip(panels.flat, rows.itertuples(), strict=False):
        axes.imshow(picture(found, row.row), cmap="gray_r", vmin=0, vmax=255)
        axes.set_title(f"{row.el2n:.2f}", fontsize=6, loc="center", pad=1.5)
    return made, rows
