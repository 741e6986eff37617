"""Traps: an adapter added after pruning, outlier channels planted on purpose, and a decoy that fools OWL."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from tenfold.language import lora
from tenfold.language.llama import ATTENTION, blocks, linears
from tenfold.papers.owled.parameters import HALF, HIGH
from tenfold.papers.owled.proxies import pruned, under
from tenfold.papers.owled.subjects import Subject, speaking
from tenfold.pruning import block_sensitivity, inject_outliers, kept, outlier_distribution, owl_ratios, prune
from tenfold.pruning.protocol import zero_share

RANK, SHARE = 8, 0.3
"""Rank of the adapter, and its norm against that of the map it stands beside."""
FACTORS = (1, 4, 16, 64)
CHANNELS = 4
"""Planted channels behind every norm: powers of two as factors are exact in binary."""
DECOY_ROWS, DECOY_FACTOR = 0.1, 8.0
"""Share of rows of v and up that a decoy stretches, and by how much."""


def adapter(seed: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return zeros and token loss after merging an adapter before and after Wanda at sparsity 0.5.

    The trained driver is taken apart into a base and a random adapter of rank 8 whose sum it is, so that both orders
    start from the same function.
    """
    found = speaking(seed, settings)
    rows = []
    for order in ("dense", "merge, then prune", "prune, then merge"):
        model = found.model if order == "dense" else ordered(found, order, seed)
        maps = [each for block in blocks(model) for each in linears(block).items()]
        adapted = [each for name, each in maps if name in ATTENTION]
        row = {
            "order": order,
            "seed": seed,
            "zeros_adapted": zero_share(adapted),
            "zeros": zero_share([each for _, each in maps]),
        }
        rows.append(row | {"token_loss": found.loss(model)})
    return pd.DataFrame(rows)


def ordered(found: Subject, order: str, seed: int) -> nn.Module:
    """Return the model pruned before or after its adapter is merged."""
    taken = apart(found.model, seed)
    if order == "merge, then prune":
        return prune(lora.merge(taken), found.windows, "wanda", HALF, inplace=True)
    low_rank = {name: part for name, part in taken.named_modules() if isinstance(part, lora.LoRALinear)}
    base = lora.merge(_without(taken, low_rank))
    base = prune(base, found.windows, "wanda", HALF, inplace=True)
    for name, part in low_rank.items():
        with torch.no_grad():
            base.get_submodule(name).weight.add_(part.scale * part.B @ part.A)
    return base


def apart(model: nn.Module, seed: int) -> nn.Module:
    """Return a copy in which q, k, v, o are a base and an adapter whose sum they were."""
    rank = min(RANK, model.config.hidden_size)
    generator = torch.Generator().manual_seed(seed)
    taken = lora.attach(copy.deepcopy(model), rank, rank, ATTENTION, generator=generator)
    for part in taken.modules():
        if isinstance(part, lora.LoRALinear):
            with torch.no_grad():
                part.B.copy_(torch.randn(part.B.shape, generator=generator))
                norm = torch.linalg.norm(part.B @ part.A)
                part.B.mul_(SHARE * torch.linalg.norm(part.base.weight) / norm)
                part.base.weight.sub_(part.scale * part.B @ part.A)
    return taken


def _without(model: nn.Module, low_rank: dict[str, lora.LoRALinear]) -> nn.Module:
    """Return a copy of the model whose adapters add nothing."""
    bare = copy.deepcopy(model)
    for name in low_rank:
        nn.init.zeros_(bare.get_submodule(name).B)
    return bare


def planted(seed: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return what outlier channels do that change no output: to D, to masks, and to the pruned driver.

    One row per factor: largest change of D (percent points), share of kept weights that a method then prunes, token
    loss dense and at sparsity 0.5.
    """
    found = speaking(seed, settings)
    rows: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for factor in FACTORS:
        count = min(CHANNELS, found.model.config.hidden_size)
        model = inject_outliers(found.model, count, factor)
        row = {"factor": factor, "seed": seed, "dense_loss": found.loss(model)}
        d = outlier_distribution(model, found.windows, [settings["threshold"]]).D.to_numpy()
        for method in ("magnitude", "wanda"):
            sparse = prune(model, found.windows, method, HALF)
            row[f"{method}_loss"], masks = found.loss(sparse), kept(sparse)
            row[f"{method}_changed"] = _changed(before.setdefault(method, masks), masks)
        rows.append(row | {"outliers_moved": float(np.abs(d - before.setdefault("d", d)).max())})
    return pd.DataFrame(rows)


def _changed(first: dict, second: dict) -> float:
    """Return the share of kept weights that another mask does not keep."""
    lost = sum(int((mask & ~second[key]).sum()) for key, mask in first.items())
    return lost / sum(int(mask.sum()) for mask in first.values())


def decoy(model: nn.Module, block: int, share: float = DECOY_ROWS, factor: float = DECOY_FACTOR) -> nn.Module:
    """Return a copy that computes the same, in which one block looks full of outliers.

    Some rows of v grow by a factor and the columns of o that read them shrink by it, likewise up and down, and
    W_o (a v) / a is W_o v. The scores of o and down stay, those of the stretched rows grow: D rises, sensitivity not.
    """
    model = copy.deepcopy(model)
    maps = linears(blocks(model)[block])
    for writer, reader in (("v_proj", "o_proj"), ("up_proj", "down_proj")):
        rows = max(1, int(share * maps[writer].out_features))
        with torch.no_grad():
            maps[writer].weight[:rows] *= factor
            maps[reader].weight[:, :rows] /= factor
    return model


def fooled(seed: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return OWL's loss at sparsity 0.7 before and after a decoy in the least sensitive block, one ratio beside it."""
    found = speaking(seed, settings)
    alone = block_sensitivity(found.model, found.windows, found.loss, settings["probe"]).sort_values("block")
    least = int(alone.excess.to_numpy().argmin())
    rows = []
    for name, model in (("as trained", found.model), ("with a decoy", decoy(found.model, least))):
        dressed = Subject(name, model, found.windows, found.loss)
        table = outlier_distribution(model, found.windows, [settings["threshold"]]).sort_values("block")
        ratios = owl_ratios(table.D.to_numpy(), HIGH, settings["strength"])
        row = {"model": name, "seed": seed, "block": least, "D": table.D.iloc[least], "ratio": ratios[least]}
        row |= {"dense": found.loss(model), "owl": under(dressed, "wanda", ratios)}
        rows.append(row | {"uniform": found.loss(pruned(dressed, "wanda", None))})
    return pd.DataFrame(rows)
