"""OWL: sparsity per block from the share of outliers among Wanda's scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.language.llama import blocks, evaluating, linears
from tenfold.language.windows import Windows
from tenfold.pruning.activations import block_inputs, forward_block
from tenfold.pruning.masks import check_sparsity, wanda_scores
from tenfold.pruning.statistics import collect

if TYPE_CHECKING:
    import pandas as pd

LEAST = 0.01  # sparsity of a block whose ratio would be zero or less, as in the published code
POOLED = "all"


def outlier_percent(scores: Tensor | Iterable[Tensor], M: float) -> float:
    """Return D = 100 share of scores > M mean(scores), in percent, of one tensor or several pooled.

    Raises InputError for no scores, scores that are not finite and an M that is not positive. Source: arXiv
    2310.05175.
    """
    parts = [scores] if isinstance(scores, Tensor) else list(scores)
    numbers = sum(part.numel() for part in parts)
    if not numbers or not M > 0:
        raise InputError(f"outliers need scores and a positive factor, not {numbers} scores and M = {M}")
    mean = sum(part.sum(dtype=torch.float64).item() for part in parts) / numbers
    if not np.isfinite(mean):
        raise InputError("scores hold NaN or infinite values")
    return 100 * sum(int((part > M * mean).sum()) for part in parts) / numbers


def allocation(values: Sequence[float], target: float, lam: float) -> np.ndarray:
    """Return a sparsity s_l for each block, lower where a value v_l is higher, of mean S = `target`.

    d_l = (v_l - min v)/(max v - min v) 2 lambda, s_l = S - (d_l - mean d): the range is exactly 2 lambda, not centred
    on S; equal values give S for all. A ratio of zero or less becomes 0.01, as in the published code, and then the
    mean is no longer S. Raises InputError for values that are not finite, S outside [0, 1), lambda below 0, and a
    ratio of 1 or more. Source: arXiv 2310.05175.
    """
    check_sparsity(target)
    shifts = _centred(values, 2 * lam)
    if not shifts.any():
        return np.full(len(shifts), float(target))
    ratios = target - shifts
    if (ratios >= 1).any():
        raise InputError(f"lambda = {lam} asks for a sparsity of {ratios.max():.3f} in one block: take less")
    return np.where(ratios <= 0, LEAST, ratios)


def owl_ratios(outlier_percent: Sequence[float], target: float, lam: float) -> np.ndarray:
    """Return OWL's sparsity of each block: `allocation` by its outliers D_l, more of them, lower sparsity.

    outlier_percent (L,): D_l of the dense model, see `outlier_distribution`. Raises InputError as `allocation`.
    Source: arXiv 2310.05175.
    """
    return allocation(outlier_percent, target, lam)


def owl_nm(outlier_percent: Sequence[float], keep: int, group: int = 8, lam: float = 2.0) -> np.ndarray:
    """Return how many weights of every `group` each block keeps: `keep` on average, more where D_l is higher.

    k_l = keep + round(d_l - mean d), d_l = (D_l - min D)/(max D - min D) lambda: here the range is lambda before
    rounding, not 2 lambda. At least 1 and at most group - 1 are kept, so that nm = (group - k_l, group) always holds.
    Raises InputError as `allocation`, and for `keep` outside 1 ... group - 1. Source: code of arXiv 2310.05175, less
    its replacement of a rise by 1 with one by 2, which misses the average.
    """
    if not 1 <= keep <= group - 1:
        raise InputError(f"of every {group} weights {keep} cannot be kept")
    return np.clip(keep + np.round(_centred(outlier_percent, lam)).astype(int), 1, group - 1)


def _centred(values: Sequence[float], span: float) -> np.ndarray:
    """Return the values scaled to a range of `span` and shifted to mean 0; equal ones become 0."""
    v = np.asarray(values, dtype=float)
    if v.ndim != 1 or not len(v) or not np.isfinite(v).all() or not span >= 0:
        raise InputError(
            f"an allocation needs a finite value for each block and lambda >= 0, not {v} and a range of {span}"
        )
    spread = v.max() - v.min()
    if spread == 0:
        return np.zeros_like(v)
    scaled = (v - v.min()) / spread * span
    return scaled - scaled.mean()


def outlier_distribution(
    model: nn.Module,
    windows: Tensor | Windows,
    Ms: Sequence[float],
    per_linear: bool = False,
    *,
    batch: int = 16,
) -> pd.DataFrame:
    """Return the layerwise outlier distribution of a dense model: columns block, linear, M, D (percent).

    Every block sees dense inputs; D is `outlier_percent` of the scores |W_ij| ||X_j||_2 of all seven maps of a block
    pooled (linear "all"), or of each map. Raises InputError as `prune`. Source: arXiv 2310.05175.
    """
    import pandas as pd

    windows, rows = Windows.of(windows), []
    flow = block_inputs(model, windows)
    with evaluating(model):
        for index, block in enumerate(blocks(model)):
            maps = linears(block)
            found = collect(maps, lambda block=block: forward_block(block, *flow, batch=batch), False, windows.count)
            scores = {name: wanda_scores(linear.weight, found[name].sq_norm) for name, linear in maps.items()}
            sets = {name: [score] for name, score in scores.items()} if per_linear else {POOLED: [*scores.values()]}
            rows += [(index, name, M, outlier_percent(s, M)) for name, s in sets.items() for M in Ms]
    return pd.DataFrame(rows, columns=["block", "linear", "M", "D"])
