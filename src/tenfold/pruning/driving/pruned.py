"""Pruning of a driver: its encoder, its language model, or one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from tenfold.datasets.driving import Scenes
from tenfold.errors import InputError, unknown
from tenfold.language.windows import Windows
from tenfold.pruning.driving.driver import Driver, driving_windows, tensors
from tenfold.pruning.driving.encoder import linears
from tenfold.pruning.protocol import prune, prune_linears

PARTS = ("llm", "encoder", "both")


def prune_driver(
    driver: Driver,
    part: str,
    method: str,
    sparsity: float,
    calibration: Scenes | Windows,
    layer_ratios: Sequence[float | Mapping[str, float]] | None = None,
    keep_input_layers: bool = False,
    project: bool = False,
    seed: int = 0,
) -> Driver:
    """Return a copy of a driver whose encoder, language model or both are pruned to a sparsity s in [0, 1).

    part: "llm", "encoder" or "both": then the encoder goes first, the vector tokens are made anew, and the language
    model comes last. method: one of `tenfold.pruning.METHODS`. calibration: scenes, of which the language model sees
    vector tokens and label without what fills it up; Windows stand for other data, for the language model alone.
    layer_ratios: sparsities of the language model's blocks, such as `owl_ratios`. keep_input_layers: the maps of raw
    features stay dense; project: the map to the language model is pruned too. Raises InputError for an unknown part or
    method, Windows where scenes are needed, and ratios for a part without language model. Source: arXiv 2411.07711;
    the order of the parts is ours.
    """
    if part not in PARTS:
        raise unknown("part of a driver", part, PARTS)
    if part != "llm" and isinstance(calibration, Windows):
        raise InputError("an encoder is calibrated with scenes, not with windows of text")
    if part == "encoder" and layer_ratios is not None:
        raise InputError("layer ratios are those of the language model: the encoder has none")
    pruned = driver.clone()
    if part != "llm":
        prune_encoder(pruned, method, sparsity, calibration, keep_input_layers, project, seed)
    if part != "encoder":
        windows = calibration if isinstance(calibration, Windows) else driving_windows(pruned, calibration)
        prune(pruned.llm, windows, method, sparsity, layer_ratios=layer_ratios, seed=seed, batch=64, inplace=True)
    return pruned


def prune_encoder(
    driver: Driver,
    method: str,
    sparsity: float,
    scenes: Scenes,
    keep_input_layers: bool = False,
    project: bool = False,
    seed: int = 0,
) -> None:
    """Prune the encoder of a driver in place, part after part, each by what the pruned parts before it let through.

    The parts in the order of the forward pass: maps of the rows, mixing, reading, each self-attention block, writing,
    projection. Rows that do not exist count nowhere. Raises InputError as `prune_linears`.
    """
    inputs = [x.to(driver.device) for x in tensors(scenes)]
    chosen = linears(driver.encoder, project, keep_input_layers)
    generator = torch.Generator().manual_seed(seed)
    for names in _parts(chosen):
        group = {name: chosen[name] for name in names}
        prune_linears(group, lambda: driver.encoder(*inputs), method, sparsity, generator=generator)


def _parts(names: Mapping[str, object]) -> list[list[str]]:
    """Return the names of maps that are pruned together: "blocks.0.q" and "blocks.0.kv", but not "blocks.1.q"."""
    parts: dict[str, list[str]] = {}
    for name in names:
        first, _, rest = name.partition(".")
        parts.setdefault(f"blocks.{rest.partition('.')[0]}" if first == "blocks" else first, []).append(name)
    return list(parts.values())
