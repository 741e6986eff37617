"""Compression of a trained network: ranks from one threshold, factors in place of matrices."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.language.llama import LINEARS
from tenfold.lowrank.decomposition import Decomposition, decompose
from tenfold.lowrank.factors import Factors
from tenfold.lowrank.layers import LowRankLinear
from tenfold.lowrank.maps import Names, dense_maps, put
from tenfold.lowrank.spectra import check_rank
from tenfold.lowrank.thresholds import check_err, check_mode


def compress(
    model: nn.Module,
    err: float,
    mode: str = "lrc",
    *,
    by: str = "minmax",
    decomposition: Decomposition | None = None,
    names: Names = LINEARS,
    inplace: bool = False,
) -> nn.Module:
    """Return a network compressed to a target effective rank reduction; `accounting` tells ERR and parameters of it.

    r_l(k) = #{i : s_i >= k} with one k for all matrices, ERR(k) closest to `err` after the rule: mode "all" factorises
    every matrix that loses rank, "lrc" only those that lose more than 0.4999 of it, and leaves the others dense.
    by: see `Decomposition.ranks`. decomposition: that of this model, by default found here. names: see `maps`.
    inplace: change the model itself; else a copy, which shares no weight with it. Raises InputError for an ERR
    outside [0, 1), weights that are not finite, a model that is compressed already or has no such maps, and a
    decomposition of others. Source: arXiv 2407.11239.
    """
    # Before the work, not after it.
    check_err(err)
    check_mode(mode)
    dense_maps(model, names)
    held = decompose(model, names) if decomposition is None else decomposition
    return truncate(model, held, held.ranks(err, mode, by), inplace=inplace)


def truncate(
    model: nn.Module, decomposition: Mapping[str, Factors], ranks: Mapping[str, int], *, inplace: bool = False
) -> nn.Module:
    """Return a network whose matrices are truncated to given ranks, by full name; a full rank leaves one dense.

    y = A (B x) + b with A and B of `Factors.pair`, of the type of the weight and where it is. Raises InputError for a
    rank that does not fit and a name or shape that the model does not have.
    """
    found = dense_maps(model, lambda name: name in ranks)
    for name, rank in ranks.items():
        if name not in found or name not in decomposition or decomposition[name].shape != found[name].weight.shape:
            raise InputError(f"{name} is no matrix of this model with a decomposition of its shape")
        check_rank(rank, found[name].weight)
    low = {name: linear for name, linear in found.items() if ranks[name] < min(linear.weight.shape)}
    if not inplace:
        # What is replaced is not copied first.
        model = copy.deepcopy(model, {id(linear): linear for linear in low.values()})
    layers = {name: pair_of(linear, decomposition[name], ranks[name]) for name, linear in low.items()}
    return put(model, layers)


@torch.no_grad()
def pair_of(linear: nn.Linear, factors: Factors, rank: int) -> LowRankLinear:
    """Return the map of low rank that takes the place of a dense one."""
    bias = None if linear.bias is None else linear.bias.detach().clone()
    layer = LowRankLinear.of(*(part.to(linear.weight) for part in factors.pair(rank)), bias)
    return layer.train(linear.training)
