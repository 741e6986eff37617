"""One sparse model out of several that were pruned from the same dense one, each with its own calibration data."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears
from tenfold.pruning.masks import check_groups

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def merge_masks(masks: Sequence[Tensor], weight: Tensor, nm: tuple[int, int] | None = None) -> Tensor:
    """Return the mask of the weights that most of several masks keep.

    In each row, as in Wanda, the kept are those of most votes v_ij = sum_k m^k_ij, of equal votes those of largest
    |W_ij|, of equal |W_ij| the first. As many are kept as the masks keep of that row on average, rounded half to even;
    so no weight comes back that no mask keeps, and equal masks give themselves. With nm = (N, M), M consecutive inputs
    take the place of the row. masks K x bool (d_out, d_in), weight (d_out, d_in); bool (d_out, d_in), True = kept.
    Raises InputError for no mask, shapes that differ, and a d_in that M does not divide. Source: our own.
    """
    if not masks or any(mask.shape != weight.shape for mask in masks):
        raise InputError("merging needs at least one mask, and all of them in the shape of the weight")
    group = weight.shape[1] if nm is None else check_groups(nm)[1]
    if weight.shape[1] % group:
        raise InputError(f"{weight.shape[1]} inputs do not divide into groups of {group}")
    votes = torch.stack([mask.reshape(-1, group) for mask in masks]).sum(0)
    counts = (votes.sum(1, keepdim=True) / len(masks)).round()
    # Two stable sorts, the lesser criterion first, order by both.
    by_size = weight.abs().reshape(-1, group).sort(dim=1, descending=True, stable=True).indices
    by_votes = votes.gather(1, by_size).sort(dim=1, descending=True, stable=True).indices
    places = torch.arange(group, device=weight.device).expand_as(votes)
    chosen = torch.zeros_like(votes, dtype=torch.bool).scatter_(1, by_size.gather(1, by_votes), places < counts)
    return chosen.view(weight.shape)


def merge(models: Sequence[PreTrainedModel], dense: PreTrainedModel, nm: tuple[int, int] | None = None):
    """Return a copy of the dense model with the weights and zeros that its pruned models agree on.

    W_ij = m_ij sum_k W^k_ij / v_ij with the mask m of `merge_masks` (ties by the dense |W_ij|) and the votes v: the
    mean over the models that keep a weight, so that those that do not, do not shrink it. Everything but the linear maps
    of the blocks is the dense model's. Raises InputError for no model and for models of other shapes. Source: our own.
    """
    if not models:
        raise InputError("merging needs at least one pruned model")
    merged = copy.deepcopy(dense)
    counts = {len(blocks(model)) for model in (dense, *models)}
    if len(counts) > 1:
        raise InputError(f"models of {sorted(counts)} blocks do not merge")
    for target, *parts in zip(blocks(merged), *map(blocks, models), strict=True):
        pruned = [linears(part) for part in parts]
        for name, linear in linears(target).items():
            weights = [maps[name].weight.detach().to(linear.weight.device) for maps in pruned]
            linear.weight.data = _merged(weights, linear.weight.detach(), nm)
    return merged


def _merged(weights: list[Tensor], dense: Tensor, nm: tuple[int, int] | None) -> Tensor:
    """Return the mean of the weights over those that keep them, in the type of the dense weight."""
    masks = [weight != 0 for weight in weights]
    mask, votes = merge_masks(masks, dense, nm), torch.stack(masks).sum(0)
    mean = torch.stack([weight.float() for weight in weights]).sum(0) / votes.clamp(min=1)
    return torch.where(mask, mean, 0).to(dense.dtype)
