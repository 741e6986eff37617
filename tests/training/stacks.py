"""Small stacks and data that several tests train."""

import torch

from tenfold.nets import architecture, initialise
from tenfold.training import Recipe, Resident

ROWS = 50
RECIPE = Recipe(epochs=3, batch=16, lr=0.05)


def images(rows=ROWS, seed=0, side=6):
    """Noise as uint8 images, labels by their brightest of three columns: learnable, and never flat."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (rows, 1, side, side), generator=generator, dtype=torch.uint8)
    return x, x[:, 0, :, :3].float().sum(1).argmax(1)


def stack(seeds, kind="convnet", **options):
    """Return an initialised network, one replica for each seed."""
    defaults = {"convnet": {"widths": (4, 4, 4, 4), "in_channels": 1}, "mlp": {"inputs": 36, "hidden": (8,)}}[kind]
    model = architecture(kind, classes=3, replicas=len(seeds), **(defaults | options))
    initialise(model, [torch.Generator().manual_seed(seed) for seed in seeds])
    return model


def resident(**options):
    return Resident(*images(), **options)


def weights(model):
    return [value.clone() for value in model.state_dict().values()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
