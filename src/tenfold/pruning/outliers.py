"""Outlier channels put into a language model on purpose, without changing what it computes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.language.llama import blocks, linears

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CHOICES = ("largest", "random")
READERS = {
    "input_layernorm": ("q_proj", "k_proj", "v_proj"),
    "post_attention_layernorm": ("gate_proj", "up_proj"),
}


def inject_outliers(
    model: PreTrainedModel, count: int, factor: float = 20.0, seed: int | None = None, choose: str = "largest"
) -> PreTrainedModel:
    """Return a copy of a model in which `count` channels behind every RMSNorm of its blocks are outliers.

    g_j <- a g_j and W_ij <- W_ij / a for the chosen channels j of a gain g and all maps W that read it (q, k, v, or
    gate, up): W (g * x) stays what it was, so do the Wanda scores |W_ij| ||X_j||, and |W_ij| alone does not. The
    rounding of the products is all that changes; for a power of two as factor a, nothing is rounded. Chosen are the
    channels of largest |g_j| ||W_.j|| ("largest"; the norm is over all rows of all those maps) or, with a seed, random
    ones. Raises InputError for a count outside [0, d], a factor that is not positive and finite, an unknown choice,
    and "random" without a seed. Source: outlier features as in arXiv 2306.11695; their injection is our own.
    """
    if choose not in CHOICES:
        raise unknown("choice of channels", choose, CHOICES)
    if choose == "random" and seed is None:
        raise InputError("random outlier channels need a seed")
    if not 0 < factor < float("inf"):
        raise InputError(f"the gain of an outlier channel grows by a positive finite factor, not {factor}")
    if not 0 <= count <= model.config.hidden_size:
        raise InputError(f"of {model.config.hidden_size} channels, {count} cannot be outliers")
    model = copy.deepcopy(model)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for gain, weights in _norms(model):
        scores = _importance(gain, weights) if choose == "largest" else torch.rand(len(gain), generator=generator)
        channels = scores.argsort(descending=True, stable=True)[:count].to(gain.device)
        gain[channels] *= factor
        for weight in weights:
            weight[:, channels] /= factor
    return model


def _norms(model: nn.Module) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Yield the gain (d,) of every norm of the blocks, and the weights (d_out, d) of the maps that read it."""
    for block in blocks(model):
        maps = linears(block)
        for norm, readers in READERS.items():
            yield getattr(block, norm).weight.detach(), [maps[name].weight.detach() for name in readers]


def _importance(gain: Tensor, weights: list[Tensor]) -> Tensor:
    """Return |g_j| ||W_.j|| of every channel."""
    squares = sum(weight.float().square().sum(0) for weight in weights)
    return gain.float().abs() * squares.sqrt()
