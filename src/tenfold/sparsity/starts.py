"""The masks with which a training begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.nets import assemble, replica
from tenfold.sparsity.erk import allocate, random_mask
from tenfold.sparsity.masks import Masks
from tenfold.sparsity.methods import SCORED, TRAINED, Method
from tenfold.sparsity.scores import grasp_scores, prune_by_score, snip_scores, synflow_masks
from tenfold.sparsity.updates import magnitude_mask

Named = dict[str, Tensor]
State = Mapping[str, Tensor]


class Starts:
    """First masks of the replicas of a stack that is initialised and not yet masked, one method for each.

    batch: (x, y), x (B, ...) for all replicas or (S, B, ...), for the methods that score weights; pretrained: for
    each replica the state of its trained dense network, or None. Scores are computed for the whole stack at once.
    Raises InputError unless there is one method per replica, and where one lacks its batch or its trained network.
    """

    def __init__(
        self,
        model: nn.Module,
        masks: Masks,
        methods: Sequence[Method],
        batch: tuple[Tensor, Tensor] | None = None,
        pretrained: Sequence[State | None] | None = None,
    ):
        self.model, self.masks, self.methods, self.batch = model, masks, list(methods), batch
        self.pretrained = list(pretrained or [None] * masks.replicas)
        if len(self.methods) != masks.replicas:
            raise InputError(f"{len(self.methods)} methods for {masks.replicas} replicas")
        if len(self.pretrained) != masks.replicas:
            raise InputError(f"{len(self.pretrained)} trained networks for {masks.replicas} replicas")
        self._grasp: dict[float, Named] = {}

    def masks_of(self, number: int, generator: torch.Generator) -> Named:
        """Return the first masks of a replica, each (O, I, ...), random ones drawn from `generator`."""
        method = self.methods[number]
        if method.name in SCORED:
            return self._scored(number, generator)
        if method.name in TRAINED:
            return self._trained(number)
        if method.name == "random":
            return self._anywhere(method.density, generator)
        allocation = "uniform" if method.name == "uniform" else method.allocation
        return self._random(allocate(self.masks.shapes, method.first, allocation, method.floor), generator)

    def load(self, number: int) -> None:
        """Give a replica the parameters and buffers of its trained dense network."""
        state = self._state(number)
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                rows = value.view(self.masks.replicas, -1)[number]
                rows.copy_(state[name].reshape(rows.shape))

    def _layers(self) -> Iterable[tuple[str, tuple[int, ...]]]:
        return zip(self.masks.names, self.masks.shapes, strict=True)

    def _random(self, counts: Sequence[int], generator: torch.Generator) -> Named:
        """Return as many ones as each layer's count at random positions."""
        layers = zip(self._layers(), counts, strict=True)
        return {name: random_mask(shape, count, generator) for (name, shape), count in layers}

    def _anywhere(self, density: float, generator: torch.Generator) -> Named:
        """Return d sum N ones at random positions of the whole network."""
        sizes = self.masks.sizes
        flat = random_mask((sum(sizes),), round(density * sum(sizes)), generator)
        return {name: part.view(shape) for (name, shape), part in zip(self._layers(), flat.split(sizes), strict=True)}

    def _scored(self, number: int, generator: torch.Generator) -> Named:
        """Return the mask of the largest scores; for snip-resampled a random one with the counts of it."""
        method = self.methods[number]
        if method.name == "synflow":
            return self._synflow[number]
        scores = self._grasp_scores(method.temperature) if method.name == "grasp" else self._snip
        own = {name: self.masks.split(score)[number] for name, score in scores.items()}
        masks = prune_by_score(own, method.density)
        if method.name == "snip-resampled":
            return self._random([int(mask.sum()) for mask in masks.values()], generator)
        return masks

    @cached_property
    def _data(self) -> tuple[Tensor, Tensor]:
        """The batch, where the model is."""
        if self.batch is None:
            name = next(method.name for method in self.methods if method.name in SCORED)
            raise InputError(f"{name} scores weights on a batch of data, and none was given")
        where = next(self.model.parameters()).device
        return tuple(torch.as_tensor(part).to(where) for part in self.batch)

    @cached_property
    def _snip(self) -> Named:
        return snip_scores(self.model, *self._data)

    def _grasp_scores(self, temperature: float) -> Named:
        if temperature not in self._grasp:
            self._grasp[temperature] = grasp_scores(self.model, *self._data, temperature)
        return self._grasp[temperature]

    @cached_property
    def _synflow(self) -> dict[int, Named]:
        """Masks of all replicas that begin with SynFlow, in one stack of their own for each number of rounds."""
        x, y = self._data
        found = {}
        for rounds in {method.rounds for method in self.methods if method.name == "synflow"}:
            chosen = [i for i, m in enumerate(self.methods) if m.name == "synflow" and m.rounds == rounds]
            stack = assemble([replica(self.model, i) for i in chosen])
            masks = synflow_masks(stack, x.shape[y.ndim :], [self.methods[i].density for i in chosen], rounds)
            for row, i in enumerate(chosen):
                found[i] = {name: mask.chunk(len(chosen))[row] for name, mask in masks.items()}
        return found

    def _trained(self, number: int) -> Named:
        """Return the mask of the largest |w| of the trained network, of all layers together or each with its ERK."""
        method, state = self.methods[number], self._state(number)
        sizes = {name: state[name].reshape(shape).abs() for name, shape in self._layers()}
        if method.name != "omp-erk":
            return prune_by_score(sizes, method.density)
        counts = allocate(self.masks.shapes, method.density, method.allocation, method.floor)
        return {name: magnitude_mask(size, k) for (name, size), k in zip(sizes.items(), counts, strict=True)}

    def _state(self, number: int) -> State:
        state = self.pretrained[number]
        if state is None:
            name = self.methods[number].name
            raise InputError(f"{name} needs the state of a trained dense network, and replica {number} has none")
        return state
