"""Which weights of one linear map stay: masks from magnitude, from Wanda's score and by chance.

A mask is bool, True where a weight is kept, of the weight's shape (d_out, d_in). The sparsity s in [0, 1) is the share
of zeros; s = 0 keeps everything. nm = (N, M): of every M consecutive inputs of a row N are zeroed; s is then not used.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tenfold.errors import InputError
from tenfold.pruning.ranks import kth_smallest, smallest, smallest_in_groups

TOLERANCE = 0.001  # of the bisection of the Wanda variant, in sparsity and in alpha
START, BRACKET = 0.4, (0.0, 0.8)
GREATEST_GROUP = 256


def magnitude_mask(weight: Tensor, sparsity: float, nm: tuple[int, int] | None = None) -> Tensor:
    """Return the mask of the weights of large |W_ij|, compared inside the whole matrix.

    Kept are |W| > t, t the element number floor(s numel), counted from 0, of the sorted |W|: floor(s numel) + 1 zeros,
    one more than s asks for, as in the published code, and more where values tie with t. N:M: the N smallest |W| of
    each group go, of equal ones the first, exactly N. Raises InputError for s outside [0, 1), groups that do not fit,
    and a weight that is not a finite matrix. Source: the baseline of arXiv 2306.11695.
    """
    check(weight, sparsity, nm)
    size = _widened(weight).abs()
    if nm is not None:
        return ~smallest_in_groups(size, *nm)
    if sparsity == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return size > kth_smallest(size.reshape(1, -1), int(sparsity * size.numel()))


def random_mask(
    weight: Tensor, sparsity: float, generator: torch.Generator, nm: tuple[int, int] | None = None
) -> Tensor:
    """Return a mask drawn from `generator`: each choice of floor(s numel) zeros, or of N in each group, as likely.

    Raises InputError as `magnitude_mask`.
    """
    check(weight, sparsity, nm)
    draw = torch.rand(weight.shape, generator=generator, device=generator.device).to(weight.device)
    if nm is not None:
        return ~smallest_in_groups(draw, *nm)
    return ~smallest(draw.view(1, -1), int(sparsity * draw.numel())).view(weight.shape)


def wanda_mask(weight: Tensor, input_sq_norm: Tensor, sparsity: float, nm: tuple[int, int] | None = None) -> Tensor:
    """Return Wanda's mask: in each row the floor(s d_in) smallest scores go, of equal ones the first.

    S_ij = |W_ij| ||X_j||_2. weight (d_out, d_in); input_sq_norm (d_in,): the sum over tokens, or their mean, of
    x_j^2; any positive scale gives the same mask. N:M: the N smallest scores of each group of a row go. Raises
    InputError as `magnitude_mask`, and for norms that are negative or not finite. Source: arXiv 2306.11695.
    """
    check(weight, sparsity, nm)
    score = wanda_scores(weight, input_sq_norm)
    if nm is not None:
        return ~smallest_in_groups(score, *nm)
    return ~smallest(score, int(sparsity * score.shape[1]))


def wanda_variant_mask(weight: Tensor, input_sq_norm: Tensor, sparsity: float) -> Tensor:
    """Return the mask of Wanda's variant: in each row go the smallest scores that make up the share alpha of its sum.

    The scores of a row, in rising order, are added up; those whose sum is at most alpha times that of the row go. One
    alpha for the matrix is found by bisection, from 0.4 in [0, 0.8], until the share of zeros is within 0.001 of s or
    the bracket is narrower than 0.001; rows then differ in sparsity. Raises InputError as `wanda_mask`.
    Source: code of arXiv 2306.11695.
    """
    check(weight, sparsity)
    if sparsity == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    ordered, place = wanda_scores(weight, input_sq_norm).sort(dim=1, stable=True)
    running, total = ordered.cumsum(1), ordered.sum(1, keepdim=True)
    (low, high), alpha = BRACKET, START
    while True:
        gone = running <= alpha * total
        achieved = gone.double().mean().item()
        if abs(achieved - sparsity) <= TOLERANCE or high - low < TOLERANCE:
            return torch.ones_like(gone).scatter_(1, place, ~gone)
        low, high = (low, alpha) if achieved > sparsity else (alpha, high)
        alpha = (low + high) / 2


def wanda_scores(weight: Tensor, input_sq_norm: Tensor) -> Tensor:
    """Return Wanda's scores S_ij = |W_ij| ||X_j||_2, (d_out, d_in), in float32 or better.

    Raises InputError for norms of another length, negative or not finite. Source: arXiv 2306.11695.
    """
    if input_sq_norm.shape != weight.shape[1:]:
        raise InputError(f"a weight {tuple(weight.shape)} needs a norm per input, not {tuple(input_sq_norm.shape)}")
    if not bool(((input_sq_norm >= 0) & input_sq_norm.isfinite()).all()):
        raise InputError("the squared norms of the inputs are negative or not finite")
    return _widened(weight).abs() * _widened(input_sq_norm).sqrt().to(weight.device)


def check(weight: Tensor, sparsity: float, nm: tuple[int, int] | None = None) -> None:
    """Raise InputError unless the weight is a finite matrix and the sparsity, or the groups, fit it."""
    if weight.ndim != 2 or not weight.is_floating_point():
        raise InputError(f"a weight is a matrix of floats, not {weight.dtype} {tuple(weight.shape)}")
    if not bool(weight.isfinite().all()):
        raise InputError("a weight holds NaN or infinite values")
    if nm is None:
        check_sparsity(sparsity)
        return
    _, group = check_groups(nm)
    if weight.shape[1] % group:
        raise InputError(f"{weight.shape[1]} inputs do not divide into groups of {group}")


def check_sparsity(sparsity: float) -> None:
    """Raise InputError for a share of zeros outside [0, 1)."""
    if not 0 <= sparsity < 1:
        raise InputError(f"a sparsity lies in [0, 1), not {sparsity}")


def check_groups(nm: tuple[int, int]) -> tuple[int, int]:
    """Return (N, M), N zeros in every M inputs; raises InputError unless 1 <= N < M."""
    zeros, group = nm
    if not 1 <= zeros < group <= GREATEST_GROUP:
        raise InputError(f"of a group of {group} inputs (at most {GREATEST_GROUP}), {zeros} zeros are not possible")
    return zeros, group


def _widened(tensor: Tensor) -> Tensor:
    """Return the values in float32, or in their own type where that is more."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))
