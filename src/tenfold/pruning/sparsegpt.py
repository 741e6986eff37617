"""SparseGPT: one map, or several that share their inputs, pruned column by column with compensation in what follows.

Everything is laid out with columns as rows, (d_in, rows), and maps that share a Hessian side by side: one factor, and
per column one product of a matrix with a vector and one multiplication, whatever the number of maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tenfold.errors import InputError
from tenfold.pruning.masks import check
from tenfold.pruning.precision import full_float32
from tenfold.pruning.ranks import kth_smallest, smallest_of_each

BLOCKSIZE, PERCDAMP = 128, 0.01


def sparsegpt(
    weight: Tensor,
    hessian: Tensor,
    sparsity: float,
    nm: tuple[int, int] | None = None,
    blocksize: int = BLOCKSIZE,
    percdamp: float = PERCDAMP,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the weight pruned by SparseGPT: zeros where it costs least, the rest adjusted to make up for them.

    Where H_jj = 0: H_jj = 1, W_:j = 0. H += percdamp mean(diag H) I; H^-1 = U^T U, U upper triangular. In blocks of
    `blocksize` columns, with the current weights: zeros are the entries with W_ij^2 / U_jj^2 <= t, t the element
    number floor(s numel), counted from 0, of the sorted scores of the block, all rows together (so floor(s numel) + 1
    zeros); N:M: the N smallest of each group of M columns, chosen from the weights as they are when the group is
    reached. Column j: q = w with its zeros, e = (w - q)/U_jj, and w_k -= e U_jk for all later columns k.
    weight (d_out, d_in); hessian (d_in, d_in), H = (2/n) X^T X at any positive scale; `mask`, True = kept, fixes the
    zeros instead. s = 0 changes nothing. Computed in float32, TF32 off, and returned in the weight's own type. Raises
    InputError for shapes that differ, values that are not finite, s outside [0, 1), groups that do not fit, and a
    Hessian that is not positive semidefinite. Source: arXiv 2301.00774.
    """
    masks = None if mask is None else [mask]
    return sparsegpt_jointly([weight], hessian, [sparsity], nm, blocksize, percdamp, masks)[0]


def sparsegpt_jointly(
    weights: Sequence[Tensor],
    hessian: Tensor,
    sparsities: Sequence[float],
    nm: tuple[int, int] | None = None,
    blocksize: int = BLOCKSIZE,
    percdamp: float = PERCDAMP,
    masks: Sequence[Tensor] | None = None,
) -> list[Tensor]:
    """Return several maps of the same inputs (q, k, v; gate, up) pruned as `sparsegpt` prunes each of them.

    weights: matrices (d_out, d_in) of one d_in; one sparsity, and one mask if any, for each.
    """
    for weight, sparsity in zip(weights, sparsities, strict=True):
        check(weight, sparsity, nm)
    _check_blocks(weights, hessian, nm, blocksize, percdamp, masks)
    if nm is None and masks is None and not any(sparsities):
        return [weight.detach().clone() for weight in weights]
    kind = torch.promote_types(weights[0].dtype, torch.float32)
    rows = [len(weight) for weight in weights]
    columns = torch.cat([weight.detach().to(kind).T for weight in weights], dim=1)
    fixed = None if masks is None else torch.cat([~mask.bool().T for mask in masks], dim=1)
    with torch.no_grad(), full_float32():
        dead, factor = _factor(hessian.detach().to(kind), percdamp)
        columns[dead] = 0
        for start in range(0, len(columns), blocksize):
            stop = min(start + blocksize, len(columns))
            block, diagonal = columns[start:stop], factor[start:stop, start:stop]
            if fixed is not None:
                gone = fixed[start:stop]
            elif nm is None:
                gone = _cheapest(_scores(block, diagonal), rows, sparsities)
            else:
                gone = None
            errors = _compensate(block, diagonal, gone, nm)
            columns[stop:].addmm_(factor[start:stop, stop:].T, errors, alpha=-1)
    pruned = zip(weights, columns.split(rows, dim=1), sparsities, strict=True)
    keep = nm is None and masks is None  # s = 0 for one map of several leaves that one as it was
    return [w.detach().clone() if keep and s == 0 else new.T.to(w.dtype).contiguous() for w, new, s in pruned]


def _factor(hessian: Tensor, percdamp: float) -> tuple[Tensor, Tensor]:
    """Return which inputs are dead and the upper triangular U with U^T U the inverse of the damped Hessian.

    With the order of rows and columns reversed, H = L L^T; reversed back, L is the upper triangular R = U^-1. That is
    one factor and one triangular inverse instead of a factor, an inverse and a second factor.
    """
    damped = hessian.T.flip(0, 1)  # a copy, of which only the lower triangle is read: that of H
    diagonal = damped.diagonal()
    dead = diagonal == 0
    diagonal[dead] = 1
    diagonal += percdamp * diagonal.mean()
    lower, failed = torch.linalg.cholesky_ex(damped)
    if failed.item():
        raise InputError(f"the Hessian is not positive definite with damping {percdamp}; give more windows or damping")
    del damped, diagonal  # for 11,008 inputs every matrix here takes 485 MB
    upper = lower.flip(0, 1)
    del lower
    unit = torch.eye(len(upper), dtype=upper.dtype, device=upper.device)
    return dead.flip(0), torch.linalg.solve_triangular(upper, unit, upper=True)


def _scores(columns: Tensor, factor: Tensor) -> Tensor:
    """Return W_ij^2 / U_jj^2 for columns (k, rows) and their square of the factor."""
    return columns.square() / factor.diagonal().square()[:, None]


def _cheapest(scores: Tensor, rows: Sequence[int], sparsities: Sequence[float]) -> Tensor:
    """Return the zeros (k, rows) of a block: for each map all scores up to its own threshold."""
    limits = torch.full_like(scores[0], -1.0)
    parts = zip(scores.split(rows, dim=1), limits.split(rows), sparsities, strict=True)
    for part, limit, sparsity in parts:
        if sparsity:
            limit.copy_(kth_smallest(part.reshape(1, -1), int(sparsity * part.numel())))
    return scores <= limits


def _compensate(block: Tensor, factor: Tensor, gone: Tensor | None, nm: tuple[int, int] | None) -> Tensor:
    """Prune the columns of a block in place, in their order, and return the errors e (k, rows).

    Column j as it is when its turn comes is w_j - sum over i < j of e_i U_ij: it is brought up to date at once, from
    the errors so far, which reads them once; pushing each error into all later columns would write these k times.
    """
    errors, share = torch.empty_like(block), torch.empty_like(block)
    scale, above = 1 / factor.diagonal(), factor.T.contiguous()  # above[j, :j]: column j of U above its diagonal
    if gone is not None:
        torch.mul(gone, scale[:, None], out=share)  # so that e = w * share, zero where a weight stays
    columns = zip(block.unbind(), share.unbind(), errors.unbind(), above.unbind(), strict=True)
    for j, (now, factors, error, coupling) in enumerate(columns):
        if gone is None and j % nm[1] == 0:
            group = slice(j, j + nm[1])
            ahead = torch.addmm(block[group], above[group, :j], errors[:j], alpha=-1)
            chosen = smallest_of_each(_scores(ahead, factor[group, group]), nm[0])
            torch.mul(chosen, scale[group, None], out=share[group])
        if j:
            now.addmv_(errors[:j].T, coupling[:j], alpha=-1)
        torch.mul(now, factors, out=error)
    block.masked_fill_(share != 0, 0)
    return errors


def _check_blocks(weights, hessian, nm, blocksize, percdamp, masks) -> None:
    """Raise InputError for a Hessian, blocks or masks that do not fit the weights."""
    inputs = weights[0].shape[1]
    if any(weight.shape[1] != inputs for weight in weights) or hessian.shape != (inputs, inputs):
        shapes = ", ".join(str(tuple(weight.shape)) for weight in weights)
        raise InputError(f"a Hessian {tuple(hessian.shape)} does not fit weights {shapes}")
    if not bool(hessian.isfinite().all()) or bool((hessian.diagonal() < 0).any()):
        raise InputError("a Hessian is finite, with no negative diagonal")
    if blocksize < 1 or not percdamp >= 0:
        raise InputError(f"blocks have at least one column and damping is not negative: {blocksize}, {percdamp}")
    if nm is not None and blocksize < inputs and blocksize % nm[1]:
        raise InputError(f"blocks of {blocksize} columns do not divide into groups of {nm[1]}")
    shapes = [weight.shape for weight in weights]
    if masks is not None and [mask.shape for mask in masks] != shapes:
        raise InputError("a mask has the shape of its weight")
