"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.nets.initialisation import initialise, seeded
from tenfold.nets.stack import BatchNorm1d, Linear, Network, Normalise, build, standardise


class MLP(Network):
    """Hidden layers h = ReLU(BN(W x)), or ReLU(W x + b) without batch normalisation, then logits W h + b."""

    flat = True

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        classes: int,
        replicas: int,
        batch_norm: bool,
        normalise: Normalise,
    ):
        super().__init__(classes, replicas)
        self.normalise = standardise(normalise, inputs, replicas)
        layers: list[nn.Module] = []
        features = inputs
        for units in hidden:
            layers += [Linear(features, units, bias=not batch_norm, replicas=replicas)]
            layers += [BatchNorm1d(units, replicas)] * batch_norm + [nn.ReLU(inplace=True)]
            features = units
        self.layers = nn.Sequential(*layers)
        self.classifier = Linear(features, classes, replicas=replicas)

    def scores(self, x: Tensor) -> Tensor:
        """Return the logits (B, S K) of rows (B, S F)."""
        return self.classifier(self.layers(self.normalise(x)))


def mlp(
    inputs: int,
    hidden: Sequence[int] = (256, 256),
    classes: int = 10,
    replicas: int = 1,
    batch_norm: bool = True,
    normalise: tuple | None = None,
) -> MLP:
    """Build a stack of perceptrons with the weights of the seeds 0, 1, ...

    Inputs are rows (S, B, F) or (B, F), or images, which it flattens. `normalise` = (mean, sd) of the inputs.
    Raises InputError for sizes below 1.
    """
    if min(inputs, *hidden, 1) < 1:
        raise InputError(f"a perceptron needs sizes of at least 1, not {inputs} and {tuple(hidden)}")
    options = {"inputs": inputs, "hidden": tuple(hidden), "classes": classes, "batch_norm": batch_norm}
    return initialise(build(MLP, **options, replicas=replicas, normalise=normalise), seeded(replicas))
