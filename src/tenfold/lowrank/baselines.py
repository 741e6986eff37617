"""What the paper compares with: ranks by outliers, and decompositions that know the inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears
from tenfold.language.windows import Windows
from tenfold.lowrank.decomposition import Decomposition, decompose_weights
from tenfold.lowrank.maps import block_of, dense_maps
from tenfold.lowrank.scaling import ALPHA, DAMPING, check_kind, map_scalings
from tenfold.pruning import block_inputs, forward_block, outlier_distribution, owl_ratios
from tenfold.pruning.protocol import evaluating

# Kept shares of the rank that the published code tries, in falling order.
KEPT = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35, 0.3, 0.2, 0.1)


def decompose_scaled(
    model: nn.Module,
    windows: Tensor | Windows,
    kind: str,
    *,
    alpha: float = ALPHA,
    damping: float = DAMPING,
    batch: int = 16,
) -> Decomposition:
    """Return the decompositions of W T of a Llama or Mistral model, T from the inputs that windows give to each map.

    kind: "asvd", T = diag((mean_t |X_tj|)^alpha), or "whitened", T T^T = X^T X + d I (see `asvd`, `whitened`). T^-1
    is multiplied back, so that `truncate` and `compress` take them like others; spectra are those of W T. Every
    block has the inputs of the dense model, one block's products are in memory at a time; tokens count as
    `windows.count` says. Raises InputError for an unknown kind, windows that do not fit, and as `decompose`. Sources:
    arXiv 2312.05821 (asvd), arXiv 2403.07378 (whitened).
    """
    check_kind(kind)
    windows, found = Windows.of(windows), {}
    flow, names = block_inputs(model, windows), {id(module): name for name, module in dense_maps(model).items()}
    with evaluating(model):
        for block in blocks(model):
            part = {names[id(linear)]: linear for linear in linears(block).values()}
            # Passing a block on replaces its inputs by its outputs: dense, since nothing has been truncated yet.
            scaled = map_scalings(
                part,
                lambda block=block: forward_block(block, *flow, batch=batch),
                kind,
                windows.count,
                alpha=alpha,
                damping=damping,
            )
            found |= decompose_weights({name: linear.weight.detach() for name, linear in part.items()}, scalings=scaled)
    return Decomposition(found)


def owl_ranks(
    model: nn.Module,
    windows: Tensor | Windows,
    decomposition: Decomposition,
    err: float,
    *,
    M: float = 5.0,
    lam: float = 0.08,
    batch: int = 16,
) -> dict[str, int]:
    """Return the ranks of OWL: floor(S_l p) values pruned of every matrix of block l, fewer where outliers abound.

    S_l of mean ERR from the outliers D_l, see `owl_ratios`; M and lambda are those usual for sparsity, since the paper
    states none. Raises InputError as `outlier_distribution` and `owl_ratios`. Sources: arXiv 2310.05175, arXiv
    2407.11239.
    """
    table = outlier_distribution(model, windows, [M], batch=batch)
    ratios = owl_ratios(table.sort_values("block")["D"].to_numpy(), err, lam)
    return decomposition.rates({name: float(ratios[block_of(name)]) for name in decomposition})


def budget_ranks(
    model: nn.Module, decomposition: Decomposition, budget: float = 5e-4, shares: Sequence[float] = KEPT
) -> dict[str, int]:
    """Return the least rank floor(share p) of each matrix whose mean |W - W_r| stays within a budget, else p.

    Down the falling list of shares until the first that exceeds the budget. Raises InputError for a budget that is
    not positive and shares that do not fall within (0, 1). Source: code of arXiv 2407.11239, where it is not used.
    """
    if not budget > 0 or list(shares) != sorted(set(shares), reverse=True) or not 0 < shares[-1] <= shares[0] < 1:
        raise InputError(f"a budget is positive and shares fall within (0, 1), not {budget} and {list(shares)}")
    ranks = {}
    for name, linear in dense_maps(model, lambda name: name in decomposition).items():
        weight, ranks[name] = linear.weight.detach().float(), len(decomposition.spectra[name])
        for share in shares:
            rank = max(1, int(share * len(decomposition.spectra[name])))
            a, b = decomposition[name].pair(rank)
            if torch.addmm(weight, a.to(weight), b.to(weight), alpha=-1).abs().mean().item() > budget:
                break
            ranks[name] = rank
    return ranks
