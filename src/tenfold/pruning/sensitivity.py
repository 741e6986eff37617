"""What pruning one block alone costs, measured: the truth that a layerwise allocation stands in for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tenfold.language.llama import blocks, evaluating, linears
from tenfold.language.windows import Windows
from tenfold.pruning.activations import block_inputs, forward_block
from tenfold.pruning.protocol import apply_method, check_method, check_step
from tenfold.pruning.statistics import collect

if TYPE_CHECKING:
    import pandas as pd


def block_sensitivity(
    model: nn.Module,
    windows: Tensor | Windows,
    loss: Callable[[nn.Module], float],
    sparsity: float = 0.8,
    method: str = "wanda",
    *,
    batch: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the loss with one block pruned and all others dense, for each block: columns block, loss, excess.

    excess = loss - loss(dense model), in the units of `loss`, which takes the model. Every block is pruned by the
    inputs it has in the dense model, and its weights are put back bit for bit, also when `loss` fails. Raises
    InputError as `prune`.
    """
    import pandas as pd

    check_method(method)
    windows, rows = Windows.of(windows), []
    flow = block_inputs(model, windows)
    for block in blocks(model):
        check_step(linears(block), sparsity, None)
    with evaluating(model), torch.no_grad():
        dense = float(loss(model))
        for index, block in enumerate(blocks(model)):
            maps = linears(block)
            run = lambda block=block: forward_block(block, *flow, batch=batch)  # noqa: E731
            statistics = collect(maps, run, method == "sparsegpt", windows.count)
            generator = torch.Generator().manual_seed(seed)
            originals = {name: linear.weight.detach().clone() for name, linear in maps.items()}
            try:
                apply_method(maps, statistics, method, sparsity, generator=generator)
                found = float(loss(model))
            finally:
                for name, linear in maps.items():
                    linear.weight.detach().copy_(originals[name])
            rows.append((index, found, found - dense))
    return pd.DataFrame(rows, columns=["block", "loss", "excess"])
