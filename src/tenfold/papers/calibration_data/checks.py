"""Checks: what must come out on any model, each with the tolerance to which it must."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.language.llama import blocks, linears
from tenfold.language.perplexity import losses, perplexity
from tenfold.language.windows import Windows
from tenfold.papers.calibration_data.bench import Bench
from tenfold.papers.calibration_data.cells import Cell
from tenfold.pruning import inject_outliers, kept, prune, sparsegpt, wanda_mask

BLOCK = 128
"""Columns of a block of SparseGPT."""
Row = tuple[str, float, float, float]


def identities(seed: int, cell: dict[str, Any], settings: dict[str, Any]) -> pd.DataFrame:
    """Return numbers that must come out of the model of a seed, what did, and the residual in units of the tolerance.

    cell: Wanda on the data that calibrate. `changed`, of the last row, is the share of the magnitude masks that planted
    outlier channels change: no identity, but what the outlier channels are for.
    """
    bench, wanda = Bench.of(seed, settings), Cell(**cell)
    windows = bench.windows(wanda)
    rows = [*counts(bench.dense, windows, wanda.sparsity), *untouched(bench.dense, windows), *formulas(seed)]
    rows += planted(bench, windows, wanda)
    table = pd.DataFrame(rows, columns=["quantity", "expected", "found", "tolerance"])
    return table.assign(residual=(table.found - table.expected) / table.tolerance, seed=seed)


def weights(model: nn.Module) -> Iterator[Tensor]:
    """Yield the weight of every map that is pruned."""
    for block in blocks(model):
        yield from (linear.weight.detach() for linear in linears(block).values())


def counts(dense: nn.Module, windows: Windows, sparsity: float) -> list[Row]:
    """Return how far the zeros are from what each method must make."""
    wanda = prune(dense, windows, "wanda", sparsity)
    rows = max(((w == 0).sum(1) - math.floor(sparsity * w.shape[1])).abs().max().item() for w in weights(wanda))
    half = prune(dense, windows, "wanda", 0.5, (2, 4))
    groups = max(((w == 0).view(-1, 4).sum(1) - 2).abs().max().item() for w in weights(half))
    found = prune(dense, windows, "sparsegpt", sparsity)
    blocked = max(
        abs(int((part == 0).sum()) - math.floor(sparsity * part.numel()))
        for w in weights(found)
        for part in w.split(BLOCK, dim=1)
    )
    return [
        ("Wanda: zeros of a row beyond floor(s d_in)", 0, rows, 0.5),
        ("Wanda 2:4: zeros of a group beyond 2", 0, groups, 0.5),
        ("SparseGPT: zeros of 128 columns beyond floor(s n)", 0, blocked, 1.5),
    ]


def untouched(dense: nn.Module, windows: Windows) -> list[Row]:
    """Return how much pruning changes what it must not: all but the maps of the blocks, and all at sparsity 0."""
    maps = {id(weight) for weight in (m.weight for b in blocks(dense) for m in linears(b).values())}
    fixed = [name for name, parameter in dense.named_parameters() if id(parameter) not in maps]
    pruned, before = dict(prune(dense, windows, "sparsegpt", 0.5).named_parameters()), dict(dense.named_parameters())
    moved = sum(not torch.equal(pruned[name], before[name]) for name in fixed)
    nothing = zip(weights(prune(dense, windows, "sparsegpt", 0.0)), weights(dense), strict=True)
    return [
        ("embeddings, norms and outputs that pruning changes", 0, moved, 0.5),
        ("SparseGPT at sparsity 0: largest change", 0, max((a - b).abs().max().item() for a, b in nothing), 1e-5),
    ]


def formulas(seed: int) -> list[Row]:
    """Return what masks and perplexity give where the answer is known."""
    numbers = torch.Generator().manual_seed(seed)
    weight, norms = torch.randn(64, 256, generator=numbers), torch.rand(256, generator=numbers) + 0.1
    mask = wanda_mask(weight, norms, 0.5)
    scaled = int((wanda_mask(weight, 49 * norms, 0.5) != mask).sum())
    order = torch.randperm(64, generator=numbers)
    turned = int((wanda_mask(weight[order], norms, 0.5) != mask[order]).sum())
    found = sparsegpt(weight, torch.diag(norms), 0.5)
    away = (found - weight)[found != 0].abs().max().item()
    size = 1024
    ids = torch.randint(size, (2000,), generator=numbers)
    uniform = perplexity(lambda tokens: torch.zeros(*tokens.shape, size), ids, 64)
    return [
        ("Wanda: mask entries that a scale of the inputs changes", 0, scaled, 0.5),
        ("Wanda: mask entries that an order of the rows changes", 0, turned, 0.5),
        ("SparseGPT, independent inputs: change of kept weights", 0, away, 1e-5),
        ("perplexity of equal chances for 1024 tokens", size, uniform, 0.1),
    ]


def planted(bench: Bench, windows: Windows, wanda: Cell) -> list[Row]:
    """Return what outlier channels that are put in change, which must be nothing."""
    test = next(iter(bench.tests.values()))
    model = inject_outliers(bench.dense, min(8, bench.dense.config.hidden_size))
    moved = (losses(model, test) - losses(bench.dense, test)).abs().max().item()
    changed = difference(prune(bench.dense, windows, "wanda", 0.5), prune(model, windows, "wanda", 0.5))
    return [
        ("planted outlier channels: change of a loss", 0, moved, 1e-3),
        ("planted outlier channels: share of Wanda's masks changed", 0, changed, 1e-3),
    ]


def difference(first: nn.Module, second: nn.Module) -> float:
    """Return the share of weights that one model keeps and the other does not."""
    one, other = kept(first), kept(second)
    return sum(int((one[key] != other[key]).sum()) for key in one) / sum(mask.numel() for mask in one.values())
