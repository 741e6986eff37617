"""The masks of a stack of networks: which of its prunable weights are active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.nets import prunable


class BudgetError(RuntimeError):
    """A mask with another number of ones than it should have, or a masked number that is not zero."""


class Masks:
    """One mask of zeros and ones, float, for each prunable tensor of a stack, all ones at first.

    Each has the shape, order in memory and device of its tensor, (S O, I, ...), so that applying all of them is one
    operation. `view` and `set` speak of single replicas. Raises InputError for a model without prunable weights.
    """

    def __init__(self, model: nn.Module):
        self.replicas: int = getattr(model, "replicas", 1)
        self.weights = prunable(model)
        if not self.weights:
            raise InputError("the model has no weights that could be pruned")
        self.values = {name: torch.ones_like(weight.detach()) for name, weight in self.weights.items()}

    @property
    def names(self) -> list[str]:
        """The names of the tensors, in the order of definition."""
        return list(self.weights)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the tensors of one replica, (O, I, ...)."""
        return [tuple(self.view(name).shape[1:]) for name in self.weights]

    @property
    def sizes(self) -> list[int]:
        """The numbers N_l of weights of the tensors of one replica."""
        return [weight.numel() // self.replicas for weight in self.weights.values()]

    def split(self, tensor: Tensor) -> Tensor:
        """Return a stacked tensor (S O, I, ...) as a view of its replicas (S, O, I, ...)."""
        return tensor.unflatten(0, (self.replicas, -1))

    def view(self, name: str) -> Tensor:
        """Return the mask of a tensor as a view (S, O, I, ...). Raises InputError for an unknown name."""
        if name not in self.values:
            raise unknown("prunable tensor", name, self.values)
        return self.split(self.values[name])

    def set(self, number: int, masks: Mapping[str, Tensor]) -> None:
        """Set masks of replica `number`, each of shape (O, I, ...); tensors not named keep theirs.

        Raises InputError for an unknown name, another shape and a replica that is not there.
        """
        if not 0 <= number < self.replicas:
            raise InputError(f"no replica {number} in a stack of {self.replicas}")
        for name, mask in masks.items():
            target = self.view(name)[number]
            if mask.shape != target.shape:
                raise InputError(f"the mask of {name} is {tuple(mask.shape)}, its tensor {tuple(target.shape)}")
            target.copy_(mask)

    def apply(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Multiply the weights, and what the optimizer remembers of them, by the masks, in place: W <- M W."""
        tensors = [(weight, mask) for mask, weight in zip(self.values.values(), self.weights.values(), strict=True)]
        tensors += [(memory, self.values[name]) for name, memory in self._memories(optimizer)]
        with torch.no_grad():
            torch._foreach_mul_([tensor for tensor, _ in tensors], [mask for _, mask in tensors])

    def counts(self) -> Tensor:
        """Return the number of active weights of each replica and tensor (S, L), int64, on the CPU."""
        return torch.stack([whole_sum(self.view(name).flatten(1)) for name in self.weights], 1).cpu()

    def density(self) -> Tensor:
        """Return the active share of the prunable weights of each replica (S,), float64."""
        return self.counts().sum(1).double() / sum(self.sizes)

    def audit(
        self, counts: Sequence[Sequence[int]] | Tensor | None = None, optimizer: torch.optim.Optimizer | None = None
    ) -> None:
        """Raise BudgetError where a tensor misses its count, or a masked weight or memory of it is not exactly zero.

        counts (S, L), as `counts` returns them. NaN passes as masked: NaN times zero stays NaN, and a run that
        diverged is a result.
        """
        if counts is not None:
            self._audit_counts(torch.as_tensor(counts))
        for name, tensor in [*self.weights.items(), *self._memories(optimizer)]:
            alive = self.split((tensor.detach().abs() > 0) & (self.values[name] == 0))
            if alive.any():
                number = int(alive.flatten(1).any(1).nonzero()[0])
                what = "weight" if tensor is self.weights[name] else "memory of the optimizer"
                raise BudgetError(f"replica {number}, {name}: {int(alive[number].sum())} x masked {what} is not zero")

    def _audit_counts(self, expected: Tensor) -> None:
        found = self.counts()
        if expected.shape != found.shape:
            raise InputError(f"counts {tuple(expected.shape)} for {tuple(found.shape)} replicas and tensors")
        for number, layer in (found != expected).nonzero().tolist():
            raise BudgetError(
                f"replica {number}, {self.names[layer]}: {int(found[number, layer])} active weights, "
                f"not {int(expected[number, layer])}"
            )

    def _memories(self, optimizer: torch.optim.Optimizer | None) -> list[tuple[str, Tensor]]:
        """Return the optimizer's tensors that go with each weight (momentum, moments), by the weight's name."""
        if optimizer is None:
            return []
        return [
            (name, memory)
            for name, weight in self.weights.items()
            for memory in optimizer.state.get(weight, {}).values()
            if isinstance(memory, Tensor) and memory.shape == weight.shape
        ]


def whole_sum(rows: Tensor) -> Tensor:
    """Return the exact sum (S,), int64, of rows (S, n) of -1, 0 and 1 in float32."""
    # float32 counts without error up to 2^24, and its sum is ten times as fast as counting.
    return rows.sum(1, dtype=torch.float64 if rows.shape[1] > 1 << 24 else None).long()
