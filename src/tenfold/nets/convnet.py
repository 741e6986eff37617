"""A small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.nets.initialisation import initialise, seeded
from tenfold.nets.stack import BatchNorm2d, Conv2d, Linear, Network, Normalise, build, standardise


class ConvNet(Network):
    """3x3 convolutions, BN and ReLU, the second and third of stride 2; mean over H and W; linear."""

    def __init__(self, widths: Sequence[int], classes: int, in_channels: int, replicas: int, normalise: Normalise):
        super().__init__(classes, replicas)
        self.normalise = standardise(normalise, in_channels, replicas)
        layers: list[nn.Module] = []
        channels = in_channels
        for number, width in enumerate(widths):
            stride = 2 if number in (1, 2) else 1
            layers += [
                Conv2d(channels, width, 3, stride, 1, replicas=replicas),
                BatchNorm2d(width, replicas),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = Linear(channels, classes, replicas=replicas)

    def scores(self, x: Tensor) -> Tensor:
        """Return the logits (B, S K) of images (B, S C, H, W)."""
        return self.classifier(self.features(self.normalise(x)).mean((2, 3)))


def convnet(
    widths: Sequence[int] = (8, 16, 32, 32),
    classes: int = 10,
    in_channels: int = 1,
    replicas: int = 1,
    normalise: tuple | None = None,
) -> ConvNet:
    """Build a stack of small convolutional networks with the weights of the seeds 0, 1, ...

    `widths` are the filters of the convolutions; `normalise` = (mean, sd) of the input channels. Raises InputError
    for sizes below 1.
    """
    if not widths or min(*widths, in_channels) < 1:
        raise InputError(f"a convolutional network needs sizes of at least 1, not {in_channels} and {tuple(widths)}")
    options = {"widths": tuple(widths), "classes": classes, "in_channels": in_channels}
    return initialise(build(ConvNet, **options, replicas=replicas, normalise=normalise), seeded(replicas))
