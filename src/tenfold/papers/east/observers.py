"""What is written down during a training: gradient norms by stage, and how dynamic the activations still are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.nets import DyReLU, hyperfunction_parameters, stages
from tenfold.training import Rule, Run, forward


class Gradients(Rule):
    """The norm of the gradient of each stage and replica, before clipping, every so many steps."""

    def __init__(self, every: int) -> None:
        self.every = max(1, every)
        self.steps: list[int] = []
        self.norms: list[Tensor] = []
        self.names: list[str] = []

    def start(self, run: Run) -> None:
        """Sort the parameters into stages; those of DyReLU come and go and do not count."""
        dynamic = {id(value) for value in hyperfunction_parameters(run.model)}
        place = stages(run.model)
        self._groups: dict[str, list[nn.Parameter]] = {}
        for name, value in run.model.named_parameters():
            if id(value) not in dynamic:
                self._groups.setdefault(place[name], []).append(value)
        self.names = list(self._groups)

    def after_backward(self, run: Run) -> None:
        """Keep the norms (stages, S) on the device."""
        if run.step % self.every:
            return
        self.steps.append(run.step + 1)
        found = []
        for group in self._groups.values():
            parts = [value.grad.reshape(run.replicas, -1) for value in group if value.grad is not None]
            found.append(torch.linalg.vector_norm(torch.cat(parts, dim=1), dim=1))
        self.norms.append(torch.stack(found))

    def frame(self) -> pd.DataFrame:
        """Return one row for each step, stage and replica."""
        values = torch.stack(self.norms).cpu()
        rows = [
            (step, stage, replica, float(values[i, j, replica]))
            for i, step in enumerate(self.steps)
            for j, stage in enumerate(self.names)
            for replica in range(values.shape[2])
        ]
        return pd.DataFrame(rows, columns=["step", "stage", "replica", "norm"])

    def state_dict(self) -> dict[str, Any]:
        """Return what was written down so far."""
        return {"steps": self.steps, "norms": self.norms}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.steps, self.norms = list(state["steps"]), list(state["norms"])


class Coefficients(Rule):
    """The mean |coefficient - ReLU's| of all dynamic activations at the start of each epoch, on a fixed batch.

    `deviation` is what is in use, beta times `full_deviation`. `sample` holds the coefficients (C, 4) of the first
    activation of the first replica, mean over the batch, from the last epoch before they fade.
    """

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.rows: list[dict[str, float]] = []
        self.sample: Tensor | None = None

    def epoch(self, run: Run) -> None:
        """Look at every activation once."""
        modules = [module for module in run.model.modules() if isinstance(module, DyReLU)]
        seen: list[Tensor] = []
        hooks = [module.register_forward_hook(lambda m, args, out: seen.append(full(m, args[0]))) for module in modules]
        run.model.eval()
        with torch.no_grad():
            forward(run.model, self.x.to(run.device).expand(run.replicas, *self.x.shape))
        run.model.train()
        for hook in hooks:
            hook.remove()
        origin = torch.tensor([1.0, 0.0, 0.0, 0.0], device=seen[0].device)
        parts = [(found - origin).abs().unflatten(1, (run.replicas, -1)).mean((0, 2, 3)) for found in seen]
        deviation = torch.stack(parts).mean(0).tolist()
        beta = modules[0].beta
        for replica, value in enumerate(deviation):
            row = {"epoch": run.epoch, "replica": replica, "beta": beta, "full_deviation": value}
            self.rows.append(row | {"deviation": beta * value})
        if beta == 1 or self.sample is None:
            self.sample = seen[0].unflatten(1, (run.replicas, -1))[:, 0].mean(0).cpu()

    def state_dict(self) -> dict[str, Any]:
        """Return what was written down so far."""
        return {"rows": self.rows, "sample": self.sample}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.rows, self.sample = list(state["rows"]), state["sample"]


def full(module: DyReLU, x: Tensor) -> Tensor:
    """Return the coefficients (B, S C, 4) that a dynamic activation would use were it not phased out at all."""
    beta, module.beta = module.beta, 1.0
    found = module.coefficients(x)
    module.beta = beta
    return found
