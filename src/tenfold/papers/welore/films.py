"""The film: gradients and weights of one training, picture by picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.language.llama import LINEARS, tiny
from tenfold.language.pretraining import next_token
from tenfold.lowrank import Snapshots, decompose, subspace_overlap
from tenfold.papers.welore.bench import Bench
from tenfold.papers.welore.compressions import place
from tenfold.papers.welore.parameters import MAIN
from tenfold.training import Recipe, fit

SHAPES: dict[str, dict[str, int]] = {
    "smoke": {"hidden": 64, "intermediate": 176, "layers": 2, "heads": 2, "context": 64},
    "laptop": {"hidden": 128, "intermediate": 344, "layers": 4, "heads": 4, "context": 128},
    "130m": {"hidden": 768, "intermediate": 2048, "layers": 12, "heads": 12, "context": 1024},
}
"""Shapes of the filmed model; "130m" is the paper's LLaMA-130M."""
# Tokens of a window, windows of a batch, peak rate. Those of "130m" are GaLore's, but for the rate, which is ours.
TRAINED = {"smoke": (32, 8, 3e-3), "laptop": (128, 8, 3e-3), "130m": (256, 512, 1e-3)}
FIXED, COUNT, OVERLAP = 8, 100, 8
"""Windows of the fixed batch; singular values in a picture; directions whose overlap is measured."""
WARMUP = 0.1


def filmed(depth: int) -> dict[str, str]:
    """Return the full names of the four maps of the paper's Figures 2 and 3: block 0, and the eighth of twelve."""
    inner = min(depth - 1, math.floor(7 / 12 * depth))
    return {
        "q, block 0": "model.layers.0.self_attn.q_proj",
        "k, block 0": "model.layers.0.self_attn.k_proj",
        f"down, block {inner}": f"model.layers.{inner}.mlp.down_proj",
        f"up, block {inner}": f"model.layers.{inner}.mlp.up_proj",
    }


class Fixed:
    """The mean cross entropy of the next token on one batch of windows (B, T + 1) that never changes."""

    def __init__(self, ids: Tensor):
        self.ids = ids

    def __call__(self, model: nn.Module) -> Tensor:
        """Return the loss of a model, a scalar, in nats."""
        ids = self.ids.to(next(model.parameters()).device)
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        return functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())


def film(
    seed: int, shape: str, steps: int, every: int, settings: dict[str, Any], checkpoint: Path | str | None = None
) -> dict[str, Any]:
    """Train a Llama from scratch and take a picture every so many steps.

    table: see `Snapshots.table`; maps {name: {cosine (T, T), gradient (T, 100), weight (T, 100)}} of the four maps of
    the figures; adjacent: name, block, linear, step, cosine with the picture before; overlap: name, step, share of the
    gradient's 8 strongest left directions that the next picture has too; ranks: name, block, linear, kept (share of the
    rank at ERR 50 % in the end); history: step, loss.
    """
    bench = Bench.of(seed, settings)
    length, batch, rate = TRAINED[shape]
    names, model = settings["texts"], tiny(len(bench.tokenizer), seed=seed, **SHAPES[shape])
    data = bench.mixture(names, length, every)
    joined = torch.cat(data.streams)
    starts = torch.randint(len(joined) - length, (FIXED,), generator=torch.Generator().manual_seed(seed))
    snaps = Snapshots(Fixed(joined[starts[:, None] + torch.arange(length + 1)]), every, count=COUNT)
    recipe = Recipe(
        epochs=steps // every,
        batch=batch,
        lr=rate,
        optimizer="adamw",
        betas=(0.9, 0.95),
        weight_decay=0.1,
        decay="matrices",
        schedule="cosine",
        lr_end=0.1,
        warmup=WARMUP * steps / every,
        clip=1.0,
        device=settings["device"],
        channels_last=False,
    )
    path = Path(checkpoint) / "film.pt" if checkpoint else None
    history = fit(model, data, recipe, [seed], objective=next_token, rules=[snaps], checkpoint=path)
    found = {"table": _placed(snaps.table()), "maps": _maps(snaps, SHAPES[shape]["layers"])}
    found |= {"adjacent": _adjacent(snaps), "overlap": _overlap(snaps, SHAPES[shape]["layers"]), "ranks": _ranks(model)}
    return found | {"history": pd.DataFrame({"step": history.epoch * every, "loss": history.loss})}


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    places = pd.DataFrame([place(name) for name in table.name])
    return table.assign(block=places.block.to_numpy(), linear=places.linear.to_numpy())


def _maps(snaps: Snapshots, depth: int) -> dict[str, dict[str, np.ndarray]]:
    kinds = {"cosine": snaps.cosine, "gradient": snaps.gradient_map, "weight": snaps.weight_map}
    return {label: {kind: take(name).numpy() for kind, take in kinds.items()} for label, name in filmed(depth).items()}


def _adjacent(snaps: Snapshots) -> pd.DataFrame:
    frames = []
    for name in snaps.held["direction"]:
        cosines = snaps.cosine(name).diagonal(1).numpy()
        frames.append(pd.DataFrame({**place(name), "step": snaps.steps[1:], "cosine": cosines}))
    return pd.concat(frames, ignore_index=True)


def _overlap(snaps: Snapshots, depth: int) -> pd.DataFrame:
    rows = []
    for label, name in filmed(depth).items():
        pictures = snaps.held["direction"][name]
        for step, before, after in zip(snaps.steps[1:], pictures[:-1], pictures[1:], strict=True):
            rank = min(OVERLAP, *after.shape)
            row = {"map": label, "step": step, "overlap": subspace_overlap(before, after, rank)}
            rows.append(row | {"chance": rank / after.shape[0]})
    return pd.DataFrame(rows)


def _ranks(model: nn.Module) -> pd.DataFrame:
    held = decompose(model, LINEARS)
    ranks = held.ranks(MAIN, step=None)
    return pd.DataFrame([place(name) | {"kept": rank / len(held.spectra[name])} for name, rank in ranks.items()])
