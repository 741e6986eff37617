"""Training: one recogniser for a cell and a seed, in a form that can be stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tenfold.datasets.places import at_hand
from tenfold.datasets.registry import dataset
from tenfold.lowrank import LowRankLinear
from tenfold.papers.lr_sms.cells import Cell, factory, rank_of
from tenfold.papers.lr_sms.parameters import AUTO, Parameters
from tenfold.speech import Recognizer, restore_recognizer, train_recognizer
from tenfold.speech.attention import LinearFactory
from tenfold.speech.recognition import build, material
from tenfold.speech.transcription import Heard
from tenfold.speech.vocabulary import Vocabulary

PLAIN = ("utterances", "tests", "units", "d", "heads", "ff", "blocks", "kernel", "dropout", "decoder_blocks")
PLAIN += ("epochs", "batch", "lr", "precision", "device")


def settings(p: Parameters) -> dict[str, Any]:
    """Return the arguments of `train_recognizer` that all cells of a run have in common, as plain values."""
    plain = {name: getattr(p, name) for name in PLAIN}
    data = p.data
    if data == AUTO:
        data = "fsdd" if p.folder or at_hand(dataset("fsdd")) else "formant-digits"
    return plain | {
        "data": data,
        "folder": p.folder or None,
        "snr": list(p.snr) if p.noise else None,
        "strides": list(p.strides),
    }


def arguments(cell: Cell, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a cell's training: widths, learning rate and epochs of its own."""
    own = {"d": cell.width, "ff": cell.inside} if cell.width else {}
    return settings | own | {"lr": cell.rate * settings["lr"], "epochs": cell.epochs * settings["epochs"]}


def depths(settings: dict[str, Any]) -> tuple[int, int]:
    """Return the numbers of blocks of encoder and decoder."""
    return settings["blocks"], settings["decoder_blocks"]


def trained(
    seed: int, cell: dict[str, Any], settings: dict[str, Any], checkpoint: str | Path | None = None
) -> dict[str, Any]:
    """Train the network of a cell from a seed; returns what `tenfold.speech.train_recognizer` does."""
    one = Cell(**cell)
    linear = factory(one, seed, depths(settings))
    return train_recognizer(seed, **arguments(one, settings), linear=linear, checkpoint=checkpoint)


def restored(stored: dict[str, Any], cell: Cell, settings: dict[str, Any]) -> Recognizer:
    """Return the trained network of a cell."""
    return restore_recognizer(stored, factory(cell, stored["config"]["seed"], depths(settings)))[0]


def fresh(seed: int, cell: Cell, settings: dict[str, Any], outputs: int) -> Recognizer:
    """Return the network of a cell as it is before training."""
    return build(arguments(cell, settings) | {"seed": seed}, outputs, factory(cell, seed, depths(settings)))


def heard(settings: dict[str, Any]) -> tuple[dict[str, Heard], Vocabulary]:
    """Return features and transcripts of train, test and unseen, and the units."""
    return material(*(settings[name] for name in ("data", "utterances", "tests", "snr", "units", "folder")))


def hollow(cell: Cell, depths: tuple[int, int]) -> LinearFactory:
    """Return what builds maps of a cell's shapes without numbers, to count them."""

    def build(name: str, inputs: int, outputs: int) -> nn.Module:
        full, empty = min(inputs, outputs), lambda *size: torch.empty(*size, device="meta")
        rank = rank_of(name, full, cell, depths)
        if rank == full:
            return nn.Linear(inputs, outputs, device="meta")
        return LowRankLinear.of(empty(outputs, rank), empty(rank, inputs), empty(outputs))

    return build


def parameters(cell: Cell, settings: dict[str, Any], outputs: int) -> int:
    """Return the number of parameters of a cell's network."""
    with torch.device("meta"):
        model = build(arguments(cell, settings) | {"seed": 0}, outputs, hollow(cell, depths(settings)))
    return sum(parameter.numel() for parameter in model.parameters())


def narrowed(budget: int, settings: dict[str, Any], outputs: int) -> Cell:
    """Return the dense network of a number of parameters: all its widths smaller, by about one factor.

    d is the multiple of the heads (even) whose network with feed-forwards of ff d / d_run is nearest to the budget;
    then the feed-forwards' width is set so that the numbers of parameters differ by less than one unit of that width.
    """
    step = settings["heads"] * (1 if settings["heads"] % 2 == 0 else 2)
    ratio = settings["ff"] / settings["d"]
    cells = [Cell(width=d, inside=round(ratio * d)) for d in range(step, settings["d"] + 1, step)]
    near = min(cells, key=lambda cell: abs(parameters(cell, settings, outputs) - budget))
    # A unit of width holds a row of W_1, its bias and a column of W_2; an encoder's block has two feed-forwards.
    unit = (2 * near.width + 1) * (2 * settings["blocks"] + settings["decoder_blocks"])
    missing = budget - parameters(near, settings, outputs)
    return Cell(width=near.width, inside=max(1, near.inside + round(missing / unit)))
