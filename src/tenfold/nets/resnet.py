"""Residual networks, with plain or dynamic activations and, if asked, shared kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.nets.dyrelu import DyReLU
from tenfold.nets.initialisation import initialise, seeded
from tenfold.nets.sharing import SharedConv
from tenfold.nets.stack import BatchNorm2d, Conv2d, Linear, Network, Normalise, build, standardise

WIDTHS = (64, 128, 256, 512)
STEMS = {"cifar": (3, 1, 1), "imagenet": (7, 2, 3), "tiny64": (7, 2, 3)}  # kernel, stride, padding
ACTIVATIONS = ("relu", "dyrelu", "dyrelu-legacy")

Activation = Callable[[int], nn.Module]


class BasicBlock(nn.Module):
    """y = act(BN(conv3 act(BN(conv3 x))) + shortcut(x)), the shortcut a 1x1 convolution where the shape changes."""

    expansion = 1
    layout = ((3, 1), (3, 1))  # kernel and share of the width of each convolution
    strided = 0  # which of them takes the stride

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int,
        activation: Activation,
        replicas: int,
        owner: BasicBlock | None = None,
    ):
        super().__init__()
        inputs, self.count = channels, len(self.layout)
        for i, (kernel, factor) in enumerate(self.layout):
            filters, step = factor * width, stride if i == self.strided else 1
            if owner is None:
                conv = Conv2d(inputs, filters, kernel, step, kernel // 2, replicas=replicas)
            else:
                conv = SharedConv(getattr(owner, f"conv{i + 1}"))
            self.add_module(f"conv{i + 1}", conv)
            self.add_module(f"bn{i + 1}", BatchNorm2d(filters, replicas))
            self.add_module(f"act{i + 1}", activation(filters))
            inputs = filters
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != inputs:
            projection = Conv2d(channels, inputs, 1, stride, replicas=replicas)
            self.shortcut = nn.Sequential(projection, BatchNorm2d(inputs, replicas))

    def forward(self, x: Tensor) -> Tensor:
        """Return y (B, S C', H', W') of x (B, S C, H, W)."""
        y = x
        for i in range(1, self.count):
            y = self._act(i, self._conv(i, y))
        return self._act(self.count, self._conv(self.count, y) + self.shortcut(x))

    def _conv(self, i: int, x: Tensor) -> Tensor:
        return getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))

    def _act(self, i: int, x: Tensor) -> Tensor:
        return getattr(self, f"act{i}")(x)


class Bottleneck(BasicBlock):
    """y = act(BN(conv1 act(BN(conv3 act(BN(conv1 x))))) + shortcut(x)), four times wider outside than inside."""

    expansion = 4
    layout = ((1, 1), (3, 1), (1, 4))
    strided = 1


BLOCKS = {18: (BasicBlock, (2, 2, 2, 2)), 34: (BasicBlock, (3, 4, 6, 3)), 50: (Bottleneck, (3, 4, 6, 3))}


class ResNet(Network):
    """Stem, stages `layer1`, `layer2`, ... of residual blocks, mean over H and W, classifier without bias."""

    def __init__(
        self,
        block: type[BasicBlock],
        blocks: Sequence[int],
        widths: Sequence[int],
        share_ratio: int | None,
        activation: str,
        classes: int,
        in_channels: int,
        stem: str,
        reduction: int,
        replicas: int,
        normalise: Normalise,
    ):
        super().__init__(classes, replicas)
        act = activation_factory(activation, reduction, replicas)
        self.normalise = standardise(normalise, in_channels, replicas)
        kernel, stride, padding = STEMS[stem]
        self.stem = nn.Sequential(
            Conv2d(in_channels, widths[0], kernel, stride, padding, replicas=replicas),
            BatchNorm2d(widths[0], replicas),
            act(widths[0]),
            *[nn.MaxPool2d(3, 2, 1)] * (stem == "imagenet"),
        )
        channels = widths[0]
        self.layers = []
        for i, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            stage = _stage(block, channels, width, 1 if i == 0 else 2, count, share_ratio, act, replicas)
            self.add_module(f"layer{i + 1}", stage)
            self.layers.append(f"layer{i + 1}")
            channels = width * block.expansion
        self.classifier = Linear(channels, classes, bias=False, replicas=replicas)

    def scores(self, x: Tensor) -> Tensor:
        """Return the logits (B, S K) of images (B, S C, H, W)."""
        x = self.stem(self.normalise(x))
        for layer in self.layers:
            x = getattr(self, layer)(x)
        return self.classifier(x.mean((2, 3)))


def resnet(
    depth_or_blocks: int | Sequence[int],
    widths: Sequence[int] | None = None,
    share_ratio: int | None = None,
    *,
    activation: str = "relu",
    classes: int = 10,
    in_channels: int = 3,
    stem: str = "cifar",
    reduction: int = 4,
    replicas: int = 1,
    normalise: tuple | None = None,
) -> ResNet:
    """Build a stack of residual networks with the weights of the seeds 0, 1, ...

    `depth_or_blocks`: 18, 34 (basic blocks), 50 (bottlenecks) or the number of basic blocks of each stage; `widths`
    of the stages, 64, 128, 256, 512 by default; strides 1, 2, 2, ... With `share_ratio` r >= 2 the blocks r, r + 1, ...
    of a stage (from 0) use the kernels of block r - 1, each times a learnable factor, and own their normalisation and
    activations. `stem`: "cifar" 3x3, "imagenet" 7x7 stride 2 and max-pool, "tiny64" 7x7 stride 2. `reduction` is
    R of the dynamic activations; "dyrelu-legacy" is ReLU until the phasing starts. `normalise` = (mean, sd) of the
    input channels. Raises InputError for anything else. arXiv 2411.13545.
    """
    block, blocks = _blocks(depth_or_blocks)
    widths = tuple(widths or WIDTHS[: len(blocks)])
    for kind, name, known in (("stem", stem, STEMS), ("activation", activation, ACTIVATIONS)):
        if name not in known:
            raise unknown(kind, name, known)
    if not blocks or len(blocks) != len(widths) or min(*blocks, *widths, in_channels) < 1:
        raise InputError(f"a ResNet needs one width per stage, all numbers at least 1; not {blocks} and {widths}")
    if share_ratio is not None and share_ratio < 2:
        raise InputError("the share ratio must be 2 or more: the first block of a stage has kernels of another shape")
    model = build(
        ResNet,
        block=block,
        blocks=blocks,
        widths=widths,
        share_ratio=share_ratio,
        activation=activation,
        classes=classes,
        in_channels=in_channels,
        stem=stem,
        reduction=reduction,
        replicas=replicas,
        normalise=normalise,
    )
    return initialise(model, seeded(replicas))


def stages(model: nn.Module) -> dict[str, str]:
    """Return the stage of each parameter by name: stem, layer1, layer2, ..., classifier."""
    return {name: name.split(".")[0] for name, _ in model.named_parameters()}


def activation_factory(name: str, reduction: int, replicas: int) -> Activation:
    """Return the function that makes an activation for a number of channels."""
    if name == "relu":
        return lambda channels: nn.ReLU(inplace=True)
    return partial(DyReLU, reduction=reduction, replicas=replicas, legacy_off=name == "dyrelu-legacy")


def _blocks(given: int | Sequence[int]) -> tuple[type[BasicBlock], tuple[int, ...]]:
    if not isinstance(given, int):
        return BasicBlock, tuple(given)
    if given not in BLOCKS:
        raise unknown("depth of ResNet", str(given), map(str, BLOCKS))
    return BLOCKS[given]


def _stage(
    block: type[BasicBlock],
    channels: int,
    width: int,
    stride: int,
    count: int,
    share_ratio: int | None,
    activation: Activation,
    replicas: int,
) -> nn.Sequential:
    """Return the blocks of a stage; those from `share_ratio` on use the kernels of the block before them."""
    owned = min(share_ratio or count, count)
    blocks: list[BasicBlock] = []
    for i in range(count):
        owner = blocks[owned - 1] if i >= owned else None
        first = i == 0
        inputs = channels if first else width * block.expansion
        blocks.append(block(inputs, width, stride if first else 1, activation, replicas, owner))
    return nn.Sequential(*blocks)
