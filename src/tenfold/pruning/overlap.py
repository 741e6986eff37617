"""How far two pruned models agree on which weights to prune, beside what chance would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
from torch import Tensor

from tenfold.errors import InputError, unknown
from tenfold.language.llama import blocks, linears

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SIDES = ("pruned", "kept")
Kept = Mapping[tuple[int, str], Tensor]


def kept(model: PreTrainedModel) -> dict[tuple[int, str], Tensor]:
    """Return which weights of every linear map of the blocks are not zero.

    Keys (block, name of the map), values bool (d_out, d_in), True = kept.
    """
    maps = ((i, name, linear) for i, block in enumerate(blocks(model)) for name, linear in linears(block).items())
    return {(i, name): linear.weight.detach() != 0 for i, name, linear in maps}


def overlap(first: PreTrainedModel | Kept, second: PreTrainedModel | Kept, what: str = "pruned") -> pd.DataFrame:
    """Return the Jaccard overlap of what two models prune (or keep), map by map.

    J = |A and B| / |A or B|, 1 where both sets are empty; `expected` is J of independent sets of the same sizes, see
    `expected_jaccard`. One row per map: block, linear, jaccard, expected. Models may be given by what `kept` returns
    of them. Raises InputError for models of different maps or shapes, and for an unknown side.
    """
    if what not in SIDES:
        raise unknown("side of a mask", what, SIDES)
    first, second = (masks if isinstance(masks, Mapping) else kept(masks) for masks in (first, second))
    if first.keys() != second.keys() or any(first[key].shape != second[key].shape for key in first):
        raise InputError("masks overlap only where models have the same linear maps")
    rows = []
    for (block, linear), mask in first.items():
        a, b = (m if what == "kept" else ~m for m in (mask, second[block, linear].to(mask.device)))
        both, in_a, in_b = (int(m.count_nonzero()) for m in (a & b, a, b))
        jaccard = both / (in_a + in_b - both) if in_a + in_b else 1.0
        rows.append((block, linear, jaccard, expected_jaccard(in_a / a.numel(), in_b / b.numel())))
    return pd.DataFrame(rows, columns=["block", "linear", "jaccard", "expected"])


def expected_jaccard(p: float, q: float) -> float:
    """Return the Jaccard overlap of two independent random sets of shares p and q of many weights.

    J = p q / (p + q - p q), a ratio of expectations, exact as the number of weights grows; 1 for two empty sets.
    Raises InputError for a share outside [0, 1].
    """
    if not (0 <= p <= 1 and 0 <= q <= 1):
        raise InputError(f"shares of weights lie in [0, 1], not {p} and {q}")
    return p * q / (p + q - p * q) if p + q else 1.0
