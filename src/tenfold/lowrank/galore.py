"""GaLore: Adam on gradients projected to their strongest directions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

from tenfold.errors import InputError
from tenfold.language.llama import LINEARS
from tenfold.lowrank.factors import principal
from tenfold.lowrank.spectra import check_matrix, check_rank
from tenfold.training import Recipe, Rule, Run


class GaLoreProjector:
    """The strongest r directions of a gradient G (m, n), found anew every `update_gap` steps.

    m >= n: P (r, n) holds the top right singular vectors, R = G P^T (m, r), and back(R) = scale R P; else P (m, r)
    holds the left ones, R = P^T G (r, n), and back(R) = scale P R. basis: P, None before the first gradient. Raises
    InputError for a rank or a gap below 1. Source: arXiv 2403.03507.
    """

    def __init__(self, rank: int, update_gap: int = 200, scale: float = 1.0, basis: Tensor | None = None):
        if rank < 1 or update_gap < 1:
            raise InputError(f"a projection needs a rank and a gap of at least 1, not {rank} and {update_gap}")
        self.rank, self.update_gap, self.scale, self.basis = rank, update_gap, scale, basis
        self._right = True

    @torch.no_grad()
    def project(self, G: Tensor, step: int) -> Tensor:
        """Return R of a gradient G (m, n); where step is a multiple of the gap, P follows G first.

        Raises InputError for a rank above min(m, n), and a gradient that is not finite when P follows it.
        """
        check_rank(self.rank, G)
        self._right = G.shape[0] >= G.shape[1]
        if self.basis is None or step % self.update_gap == 0:
            check_matrix(G, "a gradient")
            thin = principal(G)[1][:, : self.rank]
            self.basis = (thin.mT if self._right else thin).to(G.dtype).contiguous()
        return G @ self.basis.mT if self._right else self.basis.mT @ G

    def project_back(self, R: Tensor) -> Tensor:
        """Return the matrix (m, n) that a projected one stands for; raises InputError before the first gradient."""
        if self.basis is None:
            raise InputError("nothing has been projected yet")
        return self.scale * (R @ self.basis if self._right else self.basis @ R)


class GaLoreAdamW(torch.optim.Optimizer):
    """AdamW whose moments live in the projected space of each matrix.

    W <- (1 - lr decay) W - lr scale back(M / (sqrt(V) + eps)), M and V the moments of R, both debiased. A group
    with a `rank` projects its matrices (others, and those of no greater rank, follow plain AdamW): moments of 2 r
    max(m, n) numbers and a basis of r min(m, n), in place of 2 m n. groups: parameters or groups; rank None: no
    projection. Raises InputError for impossible settings. Source: arXiv 2403.03507.
    """

    def __init__(
        self,
        groups: Iterable,
        lr: float = 1e-3,
        rank: int | None = None,
        update_gap: int = 200,
        scale: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        if not (lr > 0 and all(0 <= beta < 1 for beta in betas) and eps > 0 and weight_decay >= 0):
            raise InputError(f"Adam needs lr, eps > 0, betas in [0, 1) and decay >= 0, not {lr}, {eps}, {betas}")
        defaults = {"lr": lr, "rank": rank, "update_gap": update_gap, "scale": scale, "betas": betas, "eps": eps}
        super().__init__(groups, defaults | {"weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step with the gradients that are there."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step(group, [p for p in group["params"] if p.grad is not None])
        return loss

    def _step(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Step one group: the moments of all its parameters at once, by torch's own Adam with a rate of 1."""
        projectors = [self._projector(group, p) for p in parameters]
        gradients, states = [], []
        for p, projector in zip(parameters, projectors, strict=True):
            state = self.state[p]
            state.setdefault("step", torch.tensor(0.0))
            gradient = p.grad
            if projector is not None:
                gradient = projector.project(gradient, int(state["step"]))
                state["basis"] = projector.basis
            for moment in ("exp_avg", "exp_avg_sq"):
                state.setdefault(moment, torch.zeros_like(gradient))
            gradients.append(gradient)
            states.append(state)
        moves = [torch.zeros_like(gradient) for gradient in gradients]
        moments = [[state[key] for state in states] for key in ("exp_avg", "exp_avg_sq", "step")]
        beta1, beta2 = group["betas"]
        options = {"amsgrad": False, "beta1": beta1, "beta2": beta2, "weight_decay": 0.0, "eps": group["eps"]}
        adam(moves, gradients, moments[0], moments[1], [], moments[2], lr=1.0, maximize=False, **options)
        for p, projector, move in zip(parameters, projectors, moves, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(move if projector is None else projector.project_back(move), alpha=group["lr"])

    def _projector(self, group: dict[str, Any], p: Tensor) -> GaLoreProjector | None:
        """Return the projector of a matrix, with the basis in its state, which a checkpoint can hold."""
        if group["rank"] is None or p.ndim != 2 or group["rank"] >= min(p.shape):
            return None
        return GaLoreProjector(group["rank"], group["update_gap"], group["scale"], self.state[p].get("basis"))


class GaLore(Rule):
    """Trains with `GaLoreAdamW` in place of the recipe's Adam or AdamW, from the start.

    Matrices whose module has a last name in `names` are projected; rates, betas and decay are the recipe's. Raises
    InputError for a recipe with another optimiser and where no trained matrix has such a name. Defaults of rank, gap
    and scale: those that arXiv 2407.11239 compares with. Source: arXiv 2403.03507.
    """

    def __init__(self, rank: int = 128, update_gap: int = 50, scale: float = 1.0, names: Sequence[str] = LINEARS):
        GaLoreProjector(rank, update_gap)
        self.settings = {"rank": rank, "update_gap": update_gap, "scale": scale}
        self.names = tuple(names)

    def start(self, run: Run) -> None:
        """Replace the optimiser."""
        run.optimizer = galore(run.model, run.recipe, **self.settings, names=self.names)

    def identity(self) -> dict[str, Any]:
        """Return the settings."""
        return self.settings | {"names": list(self.names)}


def galore(
    model: torch.nn.Module,
    recipe: Recipe,
    rank: int,
    update_gap: int = 200,
    scale: float = 1.0,
    names: Sequence[str] = LINEARS,
) -> GaLoreAdamW:
    """Return the optimiser of a recipe's trained parameters, the named matrices projected; see `GaLore`."""
    if recipe.optimizer == "sgd" or (recipe.optimizer == "adam" and recipe.weight_decay):
        raise InputError(f"GaLore needs a recipe with adamw, or adam without decay, not {recipe.optimizer}")
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    chosen = {name for name, p in trained.items() if p.ndim == 2 and set(name.split(".")) & set(names)}
    if not chosen:
        raise InputError(f"no trained matrix is named {', '.join(names)}")
    settings = {"rank": rank, "update_gap": update_gap, "scale": scale}
    groups = []
    for projected in (True, False):
        for decayed in (True, False):
            part = [
                p
                for name, p in trained.items()
                if (name in chosen) == projected and (recipe.decay == "all" or p.ndim >= 2) == decayed
            ]
            group = {"params": part, "weight_decay": recipe.weight_decay if decayed else 0.0}
            groups += [group | (settings if projected else {"rank": None})] if part else []
    return GaLoreAdamW(groups, lr=recipe.lr, betas=recipe.betas)
