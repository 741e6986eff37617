"""One update of the masks of a layer: which weights go and which positions come in their place.

A layer is one tensor, or the same layer of S networks, stacked along the first dimension: then the drop fraction, the
count and the generator are sequences of S, and each network is updated as if it were alone. Nothing is modified: the
caller multiplies weights by the new mask, so a weight dropped and regrown keeps its value, and a new one, masked
until now, is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from tenfold.errors import InputError, unknown

RIGL_RULES, SET_RULES = ("itop", "rigl"), ("set", "itop")
NOISE = 1e-5  # standard deviation of what the original RigL adds to |w|, so that ties fall by chance
FRACTION = "drop fraction"
BLOCK = 64  # scores looked at together by their largest, see `_largest`

Generators = torch.Generator | Sequence[torch.Generator] | None


def rigl_update(
    weight: Tensor,
    grad: Tensor,
    mask: Tensor,
    drop_fraction: float | Sequence[float],
    rule: str = "itop",
    generator: Generators = None,
) -> Tensor:
    """Return the mask after one RigL update: small weights go, positions of large gradient come.

    a active weights, r = ceil(f a): keep |w| > the r-th smallest active |w|, so ties go together; then activate as
    many inactive positions as went, the just dropped among them, of the largest |dL/dw|. Rule "rigl" drops exactly
    r = floor(f a) of the smallest |w| + N(0, 1e-5), drawn from `generator`. f = 0 leaves the mask as it is.
    weight, grad, mask of one shape; the result has the mask's shape and type. Raises InputError for a fraction
    outside [0, 1], shapes that differ, an unknown rule, and "rigl" without a generator.
    Source: arXiv 2411.13545 in the form of arXiv 2102.02887 ("itop"); arXiv 1911.11134 ("rigl").
    """
    if rule not in RIGL_RULES:
        raise unknown("rule of RigL", rule, RIGL_RULES)
    w, g, active, fractions = _rows(mask, drop_fraction, FRACTION, weight, grad)
    weights = _Active(w, active)
    if rule == "rigl":
        kept = _drop_noisy(weights, fractions, _generators(generator, len(active)))
    else:
        kept = _drop_magnitude(weights, fractions)
    return _grow(g.abs(), weights, kept).to(mask.dtype).view(mask.shape)


def set_update(
    weight: Tensor,
    mask: Tensor,
    drop_fraction: float | Sequence[float],
    generator: Generators,
    rule: str = "set",
) -> Tensor:
    """Return the mask after one SET update: weights near zero go, as many random positions come.

    Rule "set" looks at positive and negative weights apart: of n_neg negatives it keeps the int((1 - f) n_neg) lowest,
    of n_pos positives the n_pos - int(f n_pos) - 1 highest; zeros and ties with the last to go, go too. Rule "itop"
    drops as RigL does. Growth draws exactly as many inactive positions as went, each as likely, the just dropped among
    them. f = 0 leaves the mask as it is. Raises InputError as `rigl_update`.
    Source: code of arXiv 2409.09196 ("set"); arXiv 2102.02887 with an exact draw ("itop").
    """
    if rule not in SET_RULES:
        raise unknown("rule of SET", rule, SET_RULES)
    w, active, fractions = _rows(mask, drop_fraction, FRACTION, weight)
    generators, weights = _generators(generator, len(active)), _Active(w, active)
    kept = (_drop_signed if rule == "set" else _drop_magnitude)(weights, fractions)
    return _grow(_uniform(w, generators), weights, kept).to(mask.dtype).view(mask.shape)


def magnitude_mask(weight: Tensor, count: int) -> Tensor:
    """Return the mask, float, of the `count` largest |w|.

    Raises InputError for a count outside [0, N]. Source: arXiv 2409.09196.
    """
    if not 0 <= count <= weight.numel():
        raise InputError(f"of {weight.numel()} weights, {count} cannot be kept")
    return _largest(weight.reshape(1, -1).abs(), [count]).to(torch.float32).view(weight.shape)


def resize_mask(weight: Tensor, grad: Tensor, mask: Tensor, count: int | Sequence[int]) -> Tensor:
    """Return the mask with `count` ones: the active weights of largest |w|, or all of them and the largest |dL/dw|.

    Raises InputError for a count outside [0, N] and shapes that differ. Source: arXiv 2411.13545.
    """
    w, g, active, counts = _rows(mask, count, "count of weights", weight, grad)
    surplus = active.sum(1, keepdim=True) > torch.tensor(counts, device=mask.device)[:, None]
    kept = torch.where(surplus, w.abs(), math.inf)  # where weights are missing, every active one stays
    score = torch.where(active, kept, torch.where(surplus, -1.0, g.abs()))
    return _largest(score, counts).to(mask.dtype).view(mask.shape)


def _rows(mask: Tensor, values: Real | Sequence[Real], kind: str, *tensors: Tensor) -> tuple:
    """Return tensors and mask (as bool) as rows (S, n), one per network, and one value for each row."""
    for tensor in tensors:
        if tensor.shape != mask.shape:
            raise InputError(f"shapes differ: {tuple(tensor.shape)}, and {tuple(mask.shape)} of the mask")
    alone = isinstance(values, Real)
    values = [values] if alone else list(values)
    if not alone and len(values) != len(mask):
        raise InputError(f"{len(values)} values of {kind} for {len(mask)} networks")
    limit = 1 if kind == FRACTION else mask.numel() // len(values)
    if not all(0 <= value <= limit for value in values):
        raise InputError(f"a {kind} lies in [0, {limit}], not {values[0] if alone else values}")
    rows = len(values)
    return *(tensor.detach().reshape(rows, -1) for tensor in tensors), mask.reshape(rows, -1).bool(), values


class _Active:
    """The active weights of S networks, in one list: what drops is decided among them alone."""

    def __init__(self, w: Tensor, active: Tensor):
        self.active, self.place = active, active.flatten().nonzero().flatten()
        self.values, self.row = w.flatten()[self.place], self.place // active.shape[1]
        self.lengths = torch.bincount(self.row, minlength=len(active))
        self.counts: list[int] = self.lengths.tolist()

    def smallest(self, sizes: Tensor, ranks: Sequence[int]) -> Tensor:
        """Return for each weight the rank-th smallest of the sizes in its network; minus infinity for rank 0."""
        if not max(ranks):
            return torch.full_like(sizes, -math.inf)
        begin = self.lengths.cumsum(0) - self.lengths
        table = sizes.new_full((len(ranks), max(self.counts)), math.inf)
        table[self.row, torch.arange(len(sizes), device=sizes.device) - begin[self.row]] = sizes
        index = torch.tensor(ranks, device=sizes.device)[:, None]
        lowest = table.topk(max(ranks), largest=False).values.gather(1, (index - 1).clamp(min=0))
        return torch.where(index > 0, lowest, -math.inf).flatten()[self.row]

    def kept(self, marks: Tensor) -> Tensor:
        """Return the active positions (S, n) less those not marked."""
        left = self.active.flatten().clone()
        left[self.place[~marks]] = False
        return left.view_as(self.active)


def _drop_magnitude(weights: _Active, fractions: list[float]) -> Tensor:
    """Keep |w| > the r-th smallest active |w|, r = ceil(f a)."""
    size = weights.values.abs()
    ranks = [math.ceil(f * a) for f, a in zip(fractions, weights.counts, strict=True)]
    return weights.kept(size > weights.smallest(size, ranks))


def _drop_noisy(weights: _Active, fractions: list[float], generators: list[torch.Generator]) -> Tensor:
    """Drop exactly r = floor(f a) of the smallest |w| + noise; in float64, where no two sums are equal."""
    drawn = [
        torch.randn(a, generator=g, device=g.device, dtype=torch.float64)
        for a, g in zip(weights.counts, generators, strict=True)
    ]
    size = weights.values.abs() + NOISE * torch.cat(drawn).to(weights.values.device)
    ranks = [math.floor(f * a) for f, a in zip(fractions, weights.counts, strict=True)]
    return weights.kept(size > weights.smallest(size, ranks))


def _drop_signed(weights: _Active, fractions: list[float]) -> Tensor:
    """Drop the share f of the positive and of the negative weights nearest to zero, and all that are zero."""
    w, marks = weights.values, torch.tensor([f == 0 for f in fractions], device=weights.row.device)[weights.row]
    for sign in (1, -1):
        size = torch.where(sign * w > 0, sign * w, math.inf)
        counts = torch.bincount(weights.row[sign * w > 0], minlength=len(fractions)).tolist()
        ranks = [_signed_rank(f, n, sign) for f, n in zip(fractions, counts, strict=True)]
        marks = marks | ((size > weights.smallest(size, ranks)) & (size < math.inf))
    return weights.kept(marks)


def _signed_rank(fraction: float, count: int, sign: int) -> int:
    """Return how many of the positive, or negative, weights of a network go."""
    return min(int(fraction * count) + 1, count) if sign > 0 else count - int((1 - fraction) * count)


def _grow(score: Tensor, weights: _Active, kept: Tensor) -> Tensor:
    """Activate, in each row, as many positions as went, those of the largest score among the inactive."""
    missing = (weights.lengths - kept.count_nonzero(1)).tolist()
    return kept | _largest(score.masked_fill(kept, -1.0), missing)


def _largest(score: Tensor, counts: Sequence[int]) -> Tensor:
    """Return where the `count` largest scores of each row are, as bool; of equal scores the first ones."""
    chosen, k = torch.zeros_like(score, dtype=torch.bool), min(max(counts) + 1, score.shape[1])
    if max(counts) == 0:
        return chosen
    wanted = torch.tensor(counts, device=score.device)[:, None]
    values, place = _sorted(score, k)
    chosen.scatter_(1, place, torch.arange(k, device=score.device) < wanted)
    # Without this, what a tie (zero gradients of dead channels) is broken by would depend on the other rows.
    last, following = values.gather(1, (wanted - 1).clamp(min=0)), values.gather(1, wanted.clamp(max=k - 1))
    tied = ((last == following) & (wanted > 0) & (wanted < score.shape[1])).flatten()
    if tied.any():
        above, equal = score[tied] > last[tied], score[tied] == last[tied]
        chosen[tied] = above | (equal & (equal.cumsum(1) <= wanted[tied] - above.sum(1, keepdim=True)))
    return chosen


def _sorted(score: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest scores of each row in order, and their places.

    They lie in the k blocks of 64 with the largest maxima: where these are few, only they are searched, which is 20
    times as fast for the layers of a ResNet-34.
    """
    blocks = score.shape[1] // BLOCK
    if 4 * k > blocks:
        return score.topk(k)
    best = score[:, : blocks * BLOCK].unflatten(1, (blocks, BLOCK)).amax(2).topk(k).indices
    inside = torch.arange(BLOCK, device=score.device)
    rest = torch.arange(blocks * BLOCK, score.shape[1], device=score.device).expand(len(score), -1)
    place = torch.cat([(best[:, :, None] * BLOCK + inside).flatten(1), rest], 1)
    values, found = score.gather(1, place).topk(k)
    return values, place.gather(1, found)


def _generators(generator: Generators, networks: int) -> list[torch.Generator]:
    """Return one generator for each network."""
    generators = [generator] if isinstance(generator, torch.Generator) else list(generator or [])
    if len(generators) != networks:
        raise InputError(f"random choices need a generator for each network: {len(generators)} for {networks}")
    return generators


def _uniform(rows: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Return random numbers in [0, 1) like `rows`, each row from its own generator."""
    drawn = [torch.rand(rows.shape[1], generator=g, device=g.device) for g in generators]
    return torch.stack(drawn).to(rows.device)
