"""Scalings of the inputs before a decomposition: by their sizes (ASVD), or to white ones (SVD-LLM)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.pruning import collect

KINDS = ("asvd", "whitened")
ALPHA, DAMPING = 0.5, 1e-6
LEAST = 1e-6  # of the largest mean size: inputs that never differ from zero are not divided by zero


@dataclass(frozen=True, eq=False)
class Scaling:
    """T of a decomposition of W T: a diagonal (n,) or a lower triangle (n, n), in float64."""

    T: Tensor

    def times(self, weight: Tensor) -> Tensor:
        """Return W T (m, n) in float64."""
        t = self.T.to(weight.device)
        return weight.double() * t if t.ndim == 1 else weight.double() @ t

    def undone(self, right: Tensor) -> Tensor:
        """Return V^T T^-1 (r, n) in float32."""
        t, right = self.T.to(right.device), right.double()
        undone = right / t if t.ndim == 1 else torch.linalg.solve_triangular(t, right, upper=False, left=False)
        return undone.float()


def asvd(means: Tensor, alpha: float = ALPHA) -> Scaling:
    """Return T = diag((mean_t |X_tj|)^alpha) of the mean sizes (n,) of the inputs.

    Raises InputError for sizes that are negative or not finite, and where all are zero. Source: arXiv 2312.05821.
    """
    sizes = means.double()
    if not bool(torch.isfinite(sizes).all()) or bool((sizes < 0).any()) or not bool(sizes.any()):
        raise InputError("a scaling by the inputs needs their mean sizes, finite and not all zero")
    return Scaling(sizes.clamp(min=LEAST * sizes.max()) ** alpha)


def whitened(gram: Tensor, damping: float = DAMPING) -> Scaling:
    """Return T = L of X^T X + d I = L L^T (n, n), with X (N, n) and d = damping * mean(diag X^T X).

    The truncated decomposition of W L, times L^-1, has the least |(W - W') X^T|_F of all of its rank (for d = 0).
    Raises InputError where X^T X is not finite, or not positive definite in spite of d. Source: arXiv 2403.07378.
    """
    products = gram.double()
    level = products.diagonal().mean()
    if not bool(torch.isfinite(products).all()) or not level > 0:
        raise InputError("whitening needs finite products of the inputs that are not all zero")
    factor, trouble = torch.linalg.cholesky_ex(products + damping * level * torch.eye(len(products)).to(products))
    if int(trouble):
        raise InputError(f"the products of the inputs are not positive definite: take more than {damping} as damping")
    return Scaling(factor)


def map_scalings(
    maps: Mapping[str, nn.Linear],
    run: Callable[[], object],
    kind: str,
    count: Tensor | None = None,
    *,
    alpha: float = ALPHA,
    damping: float = DAMPING,
) -> dict[str, Scaling]:
    """Return the scaling of each of several linear maps from the inputs that it gets while `run` runs."""
    check_kind(kind)
    if kind == "asvd":
        return {name: asvd(means, alpha) for name, means in mean_sizes(maps, run, count).items()}
    statistics = collect(maps, run, True, count)
    # Maps of the same inputs share one object, and so one factor.
    distinct = {id(found): found for found in statistics.values()}
    made = {key: whitened(found.gram, damping) for key, found in distinct.items()}
    return {name: made[id(found)] for name, found in statistics.items()}


def mean_sizes(
    maps: Mapping[str, nn.Linear], run: Callable[[], object], count: Tensor | None = None
) -> dict[str, Tensor]:
    """Return mean_t |X_tj| (n,) of the inputs of each map, in float64, over the tokens that count (n, T), bool."""
    sums: dict[str, Tensor] = {}
    seen: dict[str, list[int]] = {name: [0, 0] for name in maps}  # windows, tokens

    def take(name: str, x: Tensor) -> None:
        marks = None if count is None else count[seen[name][0] : seen[name][0] + len(x)].to(x.device)
        rows = x.reshape(-1, x.shape[-1]) if marks is None else x[marks]
        sums[name] = sums.get(name, 0) + rows.abs().sum(0, dtype=torch.float64)
        seen[name] = [seen[name][0] + len(x), seen[name][1] + len(rows)]

    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: take(name, inputs[0]))
        for name, module in maps.items()
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    idle = [name for name, (_, tokens) in seen.items() if not tokens]
    if idle:
        raise InputError(f"no data reached {idle[0]}: a scaling needs at least one window")
    return {name: sums[name] / seen[name][1] for name in maps}


def check_kind(kind: str) -> None:
    """Raise InputError for an unknown kind of scaling."""
    if kind not in KINDS:
        raise unknown("scaling of the inputs", kind, KINDS)
