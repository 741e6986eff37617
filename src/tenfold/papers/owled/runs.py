"""The experiments on the driver: every cell pruned, measured and heard; and the dense driver on real scenes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from tenfold.datasets.driving import scenes as published_scenes
from tenfold.language.llama import blocks, linears
from tenfold.language.windows import Windows
from tenfold.papers.owled import voice
from tenfold.papers.owled.cells import Cell
from tenfold.papers.owled.subjects import calibration_scenes, driver, scenes
from tenfold.pruning import outlier_distribution, owl_ratios
from tenfold.pruning.driving import Driver, Scenes, driving_metrics, language_score, prune_driver
from tenfold.pruning.driving.encoder import linears as encoder_maps
from tenfold.pruning.protocol import zero_share


def score(seed: int, cells: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Prune the driver of a seed as each cell says, and measure it on the held-out scenes.

    Returns `scores`, a row per cell (token_loss in nats, share of zeros, and where the driver was heard its errors,
    counts of parsed items and offline language scores), and `said`, a row per cell that was heard and scene.
    """
    bench = Bench(seed, settings)
    rows, said = [], []
    for cell in (Cell(**record) for record in cells):
        row, texts = bench.measured(cell)
        rows.append(row)
        said += [cell.record() | {"seed": seed, "scene": number, "text": text} for number, text in enumerate(texts)]
    return {"scores": pd.DataFrame(rows), "said": pd.DataFrame(said)}


class Bench:
    """A dense driver, the scenes that test it, and what calibrates its pruning."""

    def __init__(self, seed: int, settings: dict[str, Any]):
        self.seed, self.settings = seed, settings
        self.dense = driver(seed, settings)
        self.test = scenes(settings)

    @cached_property
    def calibration(self) -> Scenes:
        """The scenes behind the statistics."""
        return calibration_scenes(self.seed, self.settings)

    @cached_property
    def windows(self) -> Windows:
        """The same with the dense encoder's vector tokens."""
        return voice.windows(self.dense, self.calibration)

    @cached_property
    def outliers(self) -> np.ndarray:
        """D of every block of the dense LLM, in percent."""
        found = outlier_distribution(self.dense.llm, self.windows, [self.settings["threshold"]])
        return found.D.to_numpy()

    def source(self, cell: Cell) -> Windows:
        """Return the windows that calibrate the language model of a cell behind the dense encoder."""
        if cell.calibration == "driving":
            return self.windows
        return voice.silent(self.dense, self.calibration, cell.calibration, self.seed, self.settings)

    def pruned(self, cell: Cell) -> Driver:
        """Return the driver of a cell; the dense one itself where nothing is pruned."""
        if cell.part == "dense":
            return self.dense
        ratios = None
        if cell.allocation == "owl":
            ratios = owl_ratios(self.outliers, cell.sparsity, self.settings["strength"])
        found = self.dense
        if cell.part != "llm":
            kept = {"keep_input_layers": cell.inputs == "kept"}
            found = prune_driver(found, "encoder", cell.method, cell.sparsity, self.calibration, **kept)
        if cell.part != "encoder":
            # After the encoder: the language model is calibrated on the tokens that it will see.
            source = self.source(cell) if cell.part == "llm" else voice.windows(found, self.calibration)
            found = prune_driver(found, "llm", cell.method, cell.sparsity, source, layer_ratios=ratios)
        return found

    def measured(self, cell: Cell) -> tuple[dict[str, Any], list[str]]:
        """Return the row of a cell, and what its driver says of each scene, nothing where it is not heard."""
        pruned = self.pruned(cell)
        row = cell.record() | {"seed": self.seed, "token_loss": voice.loss(pruned, self.test)}
        row |= {"zeros": zeros(pruned, cell)}
        if not cell.heard:
            return row, []
        said = voice.texts(pruned, self.test, self.settings)
        return row | heard(self.test, said), said


def heard(test: Scenes, said: list[str]) -> dict[str, float]:
    """Return errors, counts of parsed items, and offline language scores of texts; `language` is 1 - F1 of tokens."""
    graded = language_score(said, test.texts)
    scores = {f"score_{name}": value for name, value in graded.items()}
    return {**driving_metrics(test.texts, said), **scores, "language": 1 - graded["token_f1"]}


def zeros(pruned: Driver, cell: Cell) -> float:
    """Return the share of zeros in the maps that a cell prunes."""
    maps: list[nn.Linear] = []
    if cell.part in ("encoder", "both"):
        maps += encoder_maps(pruned.encoder, project=False, keep_input_layers=cell.inputs == "kept").values()
    if cell.part in ("llm", "both", "dense"):
        maps += [each for block in blocks(pruned.llm) for each in linears(block).values()]
    return zero_share(maps)


def transfer(seed: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return the dense driver's errors on the real scenes, which a small driver has never seen."""
    test = voice.shortened(published_scenes())
    found = driver(seed, settings)
    said = voice.texts(found, test, settings)
    return pd.DataFrame([{"seed": seed, "token_loss": voice.loss(found, test), **heard(test, said)}])


def spoken(seed: int, numbers: list[int], cells: list[dict[str, Any]], settings: dict[str, Any]) -> pd.DataFrame:
    """Return what drivers, dense and pruned as each cell says, say of some real scenes: columns as in `score`."""
    bench = Bench(seed, settings)
    real = voice.shortened(published_scenes())[numbers]
    rows = []
    for cell in (Cell(**record) for record in cells):
        texts = voice.texts(bench.pruned(cell), real, settings)
        named = zip(numbers, texts, strict=True)
        rows += [cell.record() | {"seed": seed, "scene": number, "text": text} for number, text in named]
    return pd.DataFrame(rows)
