"""Gradients of one fixed batch along a training: their directions, their spectra, and those of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.language.llama import LINEARS
from tenfold.lowrank.factors import principal
from tenfold.lowrank.maps import Names, dense_maps
from tenfold.lowrank.spectra import check_rank, entropy_rank, singular_values, stable_rank
from tenfold.training import Rule, Run

if TYPE_CHECKING:
    import pandas as pd

Loss = Callable[[nn.Module], Tensor]


def gradients(model: nn.Module, loss: Loss, names: Names = LINEARS) -> dict[str, Tensor]:
    """Return G = dL/dW (m, n) of each linear map by full name; gradients that the model holds stay as they are.

    loss: of the model, a scalar, on one fixed batch; the model is in evaluation mode meanwhile. Raises InputError as
    `maps`, and for a map that the loss does not depend on.
    """
    found = {name: linear.weight for name, linear in dense_maps(model, names).items()}
    frozen, training = [w for w in found.values() if not w.requires_grad], model.training
    model.eval()
    try:
        for weight in frozen:
            weight.requires_grad_(True)
        with torch.enable_grad():
            parts = torch.autograd.grad(loss(model), list(found.values()), allow_unused=True)
    finally:
        for weight in frozen:
            weight.requires_grad_(False)
        model.train(training)
    idle = [name for name, part in zip(found, parts, strict=True) if part is None]
    if idle:
        raise InputError(f"the loss does not depend on {idle[0]}")
    return dict(zip(found, parts, strict=True))


def cosine_map(snapshots: Tensor | Sequence[Tensor]) -> Tensor:
    """Return C_ab = <vec G_a, vec G_b> / (|G_a| |G_b|), (T, T), of T gradients of one shape.

    The cosine with a gradient of zeros is 0. Raises InputError for no gradient and several shapes. Source: arXiv
    2407.11239.
    """
    rows = _flat(snapshots)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
    return (rows @ rows.mT).clamp(-1, 1)


def adjacent_cosine(snapshots: Tensor | Sequence[Tensor]) -> Tensor:
    """Return the cosines (T - 1,) of gradients that follow one another."""
    return cosine_map(snapshots).diagonal(1)


def subspace_map(snapshots: Tensor | Sequence[Tensor], count: int = 100) -> Tensor:
    """Return the largest `count` singular values of each of T matrices of one shape, (T, min(count, p)).

    Source: arXiv 2407.11239.
    """
    parts = _stacked(snapshots)
    return torch.stack([singular_values(part) for part in parts])[:, :count]


def subspace_overlap(first: Tensor, second: Tensor, rank: int) -> float:
    """Return |U_{1,r}^T U_{2,r}|_F^2 / r, the share of one left subspace in the other, in [0, 1], of two matrices.

    1: the same subspace; r / m: that of random ones. Raises InputError for a rank that does not fit.
    """
    one, two = (_left(part.detach(), check_rank(rank, part)) for part in (first, second))
    return ((one.mT @ two).square().sum() / rank).item()


def _left(matrix: Tensor, rank: int) -> Tensor:
    """Return the left singular vectors U_r (m, r)."""
    thin = principal(matrix)[1][:, :rank]
    return torch.linalg.qr(matrix.to(thin) @ thin)[0] if matrix.shape[0] >= matrix.shape[1] else thin


class Snapshots(Rule):
    """Records weights' and gradients' spectra along a training, at step 0 and every so many steps.

    loss: see `gradients`; names: the maps; count: singular values of a map kept for the pictures; directions: keep the
    gradients themselves too, in float32 on the CPU, for `cosine`. Random numbers of the training are not used.
    """

    def __init__(self, loss: Loss, every: int, names: Names = LINEARS, *, count: int = 100, directions: bool = True):
        if every < 1 or count < 1:
            raise InputError(f"snapshots are due every 1 step or more, of 1 value or more, not {every} and {count}")
        self.loss, self.every, self.names, self.count, self.directions = loss, every, names, count, directions
        self.steps: list[int] = []
        self.records: list[dict[str, Any]] = []
        self.held: dict[str, dict[str, list[Tensor]]] = {"weight": {}, "gradient": {}, "direction": {}}

    def start(self, run: Run) -> None:
        """Take the first snapshot, of the network as it was drawn."""
        self.take(run.model, run.step)

    def after_step(self, run: Run) -> None:
        """Take a snapshot when one is due."""
        if run.step % self.every == 0:
            self.take(run.model, run.step)

    def take(self, model: nn.Module, step: int) -> None:
        """Take a snapshot of a network."""
        weights = {name: linear.weight.detach() for name, linear in dense_maps(model, self.names).items()}
        self.steps.append(step)
        for name, gradient in gradients(model, self.loss, self.names).items():
            w, g = singular_values(weights[name]).cpu(), singular_values(gradient).cpu()
            row = {"step": step, "name": name, "stable_rank": stable_rank(w), "entropy_rank": entropy_rank(w)}
            row |= {"gradient_stable_rank": stable_rank(g), "gradient_norm": g.norm().item()}
            self.records.append(row)
            kept = {"weight": w[: self.count].clone(), "gradient": g[: self.count].clone()}
            kept |= {"direction": gradient.detach().float().cpu()} if self.directions else {}
            for kind, value in kept.items():
                self.held[kind].setdefault(name, []).append(value)

    def table(self) -> pd.DataFrame:
        """Return columns step, name, stable_rank, entropy_rank (of W), gradient_stable_rank and gradient_norm."""
        import pandas as pd

        return pd.DataFrame(self.records)

    def weight_map(self, name: str) -> Tensor:
        """Return singular values of W (T, count), a row per snapshot."""
        return torch.stack(self._of("weight", name))

    def gradient_map(self, name: str) -> Tensor:
        """Return singular values of G (T, count), a row per snapshot."""
        return torch.stack(self._of("gradient", name))

    def cosine(self, name: str) -> Tensor:
        """Return the cosine map (T, T) of the gradients."""
        return cosine_map(self._of("direction", name))

    def _of(self, kind: str, name: str) -> list[Tensor]:
        if name not in self.held[kind]:
            raise InputError(f"no snapshot holds the {kind} of {name}")
        return self.held[kind][name]

    def identity(self) -> dict[str, Any]:
        """Return how often snapshots are taken."""
        names = [] if callable(self.names) else list(self.names)
        return {"every": self.every, "count": self.count, "directions": self.directions, "names": names}

    def state_dict(self) -> dict[str, Any]:
        """Return all snapshots."""
        return {"steps": list(self.steps), "records": list(self.records), "held": self.held}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the snapshots of a checkpoint."""
        self.steps, self.records, self.held = state["steps"], state["records"], state["held"]


def _stacked(snapshots: Tensor | Sequence[Tensor]) -> Tensor:
    """Return T matrices of one shape as a tensor (T, m, n), at least in float32."""
    parts = list(snapshots)
    if not parts or any(part.shape != parts[0].shape for part in parts):
        raise InputError("a map over a training needs at least one matrix, and all of one shape")
    stack = torch.stack([part.detach() for part in parts])
    return stack.to(torch.promote_types(stack.dtype, torch.float32))


def _flat(snapshots: Tensor | Sequence[Tensor]) -> Tensor:
    return _stacked(snapshots).flatten(1)
