"""Clocks: how long layers, a Conformer block and training steps take, dense and factorised."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from tenfold.lowrank import LowRankLinear, equal_rank
from tenfold.papers.lr_sms.cells import Cell, factory
from tenfold.papers.lr_sms.training import fresh, heard
from tenfold.speech import Batches, base_recognizer, synthetic_video
from tenfold.speech.attention import RelPositionalEncoding
from tenfold.speech.conformer import ConformerBlock
from tenfold.speech.recognizer import BASE
from tenfold.training import device as chosen

WIDTHS = ((768, 768), (3072, 768))
"""Rows m and columns n of the maps of attention and of a feed-forward in the published model."""
LAYERS = (1.0, 0.75, 0.5, 0.25, 0.12, 0.06)
"""Kept shares of the rank that are timed; 1 is the dense map."""
SECONDS = 4
"""Length of the utterances of the timed steps of the published model."""


def timed(steps: dict[Any, Callable[[], None]], repeats: int, where: torch.device) -> dict[Any, list[float]]:
    """Return the seconds of each step, `repeats` of them; all take turns, so that a busy moment hits all alike."""
    for step in steps.values():
        step()  # the first one allocates
    found: dict[Any, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            wait(where)
            begin = time.perf_counter()
            step()
            wait(where)
            found[name].append(time.perf_counter() - begin)
    return found


def wait(where: torch.device) -> None:
    """Wait for what a GPU still has to do."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def layers(seed: int, frames: int, repeats: int, device: str) -> pd.DataFrame:
    """Time forward and backward pass of a dense map and of its factors: a row per shape and kept share.

    seconds: median; low, high: quartiles; counted: m n / (r (m + n)), by which the factors need fewer operations;
    faster: dense over factorised, by medians.
    """
    numbers, where, frame = torch.Generator().manual_seed(seed), chosen(device), []
    for m, n in WIDTHS:
        x = torch.randn(frames, n, generator=numbers).to(where).requires_grad_()
        dense = nn.Linear(n, m)
        ranks = {rho: equal_rank(rho, min(m, n)) for rho in LAYERS}
        parts = {rho: LowRankLinear.start(dense, r, "rand", numbers) if rho < 1 else dense for rho, r in ranks.items()}
        parts = {rho: part.to(where) for rho, part in parts.items()}
        found = timed({rho: _step(part, x) for rho, part in parts.items()}, repeats, where)
        for rho, seconds in found.items():
            counted = 1.0 if rho == 1 else m * n / (ranks[rho] * (m + n))
            faster = statistics.median(found[1.0]) / statistics.median(seconds)
            frame.append({"m": m, "n": n, "rho": rho, "rank": ranks[rho], "counted": counted, "faster": faster})
            frame[-1] |= quartiles(seconds)
    return pd.DataFrame(frame).assign(device=name_of(where))


def block(seed: int, frames: int, repeats: int, cells: list[dict[str, Any]], device: str) -> pd.DataFrame:
    """Time forward and backward pass of one Conformer block of the published size, `frames` long: a row per cell."""
    where, numbers = chosen(device), torch.Generator().manual_seed(seed)
    x = torch.randn(1, frames, BASE["d"], generator=numbers).to(where)
    codes = RelPositionalEncoding(BASE["d"]).to(where)(x)[1]
    sizes = [BASE[name] for name in ("d", "heads", "ff", "kernel")]
    steps, held = {}, {}
    for number, record in enumerate(cells):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            linear = factory(Cell(**record), seed, (1, 0))
            model = ConformerBlock(*sizes, norm="layer", linear=linear, name="encoders.0.").to(where)
        steps[number] = lambda model=model: _backward(model, model(x, codes).square().mean())
        held[number] = sum(parameter.numel() for parameter in model.parameters())
    found = timed(steps, repeats, where)
    rows = [cells[k] | {"parameters": held[k]} | quartiles(found[k]) for k in steps]
    return pd.DataFrame(rows).assign(device=name_of(where))


def steps(seed: int, cells: list[dict[str, Any]], settings: dict[str, Any], repeats: int) -> pd.DataFrame:
    """Time a training step (forward, backward) of each cell's network on the first batch of the corpus."""
    parts, known = heard(settings)
    where = chosen(settings["device"])
    spoken = Batches(parts["train"].features, [known.encode(text) for text in parts["train"].texts]).to(where)
    features, lengths, targets, counts = spoken.gathered(torch.arange(min(settings["batch"], len(spoken.units))))
    todo = {}
    for number, record in enumerate(cells):
        model = fresh(seed, Cell(**record), settings, len(known)).to(where)
        todo[number] = lambda model=model: _backward(model, model.losses((features, lengths), targets, counts))
    found = timed(todo, repeats, where)
    return pd.DataFrame([cells[k] | quartiles(found[k]) for k in todo]).assign(device=name_of(where))


def published(seed: int, modality: str, cells: list[dict[str, Any]], repeats: int, device: str) -> pd.DataFrame:
    """Time training steps of the published model on `SECONDS` of noise: a row per repeat, a column per cell.

    In the video nobody speaks; noise takes the time that faces do. Columns: repeat, dense, low_rank.
    """
    where, numbers = chosen(device), torch.Generator().manual_seed(seed)
    frames = 25 * SECONDS
    lengths = torch.full((4,), frames).to(where)
    audio = torch.randn(4, 640 * frames, generator=numbers).to(where)
    inputs = (audio, 640 * lengths)
    if modality == "audiovisual":
        inputs = (synthetic_video(4, frames, seed, device=where), audio, lengths)
    targets = torch.randint(1, 5000, (4, 20), generator=numbers).to(where)
    counts, todo = torch.full((4,), 20).to(where), {}
    for name, record in zip(("dense", "low_rank"), cells, strict=True):
        linear = factory(Cell(**record), seed, (BASE["blocks"], BASE["blocks"] // 2))
        model = base_recognizer(modality, linear=linear).to(where)
        todo[name] = lambda model=model: _backward(model, model.losses(inputs, targets, counts))
    found = timed(todo, repeats, where)
    return pd.DataFrame(found).rename_axis("repeat").reset_index().assign(device=name_of(where), modality=modality)


def quartiles(seconds: list[float]) -> dict[str, float]:
    """Return median and quartiles."""
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return {"seconds": float(middle), "low": float(low), "high": float(high)}


def name_of(where: torch.device) -> str:
    """Return what a figure calls a device."""
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "CPU, one thread"


def _step(part: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    return lambda: _backward(part, part(x).square().mean())


def _backward(model: nn.Module, loss: torch.Tensor) -> None:
    model.zero_grad(set_to_none=True)
    loss.backward()
