"""Speed of sparse training, beside the same work done as the official code does it.

    OMP_NUM_THREADS=1 python benchmarks/sparsity.py

Mask updates and masking on the 37 tensors of a ResNet-34 for CIFAR and on stacks of a tiny ResNet; the dynamic
activation on (128, 64, 32, 32); a whole training step, stacked and network by network; at last the layers that skip
their zeros. The official way sorts whole tensors for every drop and every growth, makes new masked tensors in a loop
over the layers, and permutes activations to five dimensions: written here from its description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stopwatch import best_time
from tenfold.nets import DyReLU, Network, prunable, resnet
from tenfold.sparsity import Masks, Method, Sparsifier, erk_counts, random_mask, rigl_update
from tenfold.sparsity.compute import time_layers
from tenfold.sparsity.scores import prune_by_score
from tenfold.training import Recipe, Resident, fit

FRACTION, SAMPLES, BATCH, EPOCHS = 0.3, 1437, 64, 5
INTERVAL = 23  # steps between updates: one in each epoch


def line(what: str, ours: float, theirs: float) -> None:
    """Print two wall times in ms and their ratio."""
    print(f"{what:44s} {ours * 1e3:9.2f} ms   official way {theirs * 1e3:9.2f} ms   ratio {theirs / ours:6.1f}")


def tiny(replicas: int) -> Network:
    """Return a stack of the ResNet of widths 8, 16, 32 with 67,848 prunable weights."""
    return resnet([3, 3, 3], (8, 16, 32), in_channels=1, replicas=replicas)


def masked(model: Network, density: float) -> tuple[Masks, torch.optim.Optimizer]:
    """Mask a stack at random with ERK counts, and give it gradients and a momentum as after a step."""
    generator, masks = torch.Generator().manual_seed(0), Masks(model)
    counts = erk_counts(masks.shapes, density)
    for i in range(masks.replicas):
        layers = zip(masks.names, masks.shapes, counts, strict=True)
        masks.set(i, {name: random_mask(shape, count, generator) for name, shape, count in layers})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    masks.apply(optimizer)
    return masks, optimizer


def sorted_update(weight: Tensor, grad: Tensor, mask: Tensor) -> Tensor:
    """Drop and grow with two sorts of the whole tensor."""
    removed = int(torch.ceil(FRACTION * mask.sum()))
    order = torch.sort(weight.abs().view(-1)).values
    kept = (weight.abs() > order[int((mask == 0).sum()) + removed - 1]).float()
    score = grad.abs() * (kept == 0).float()
    ranked = torch.sort(score.flatten(), descending=True).indices
    kept.view(-1)[ranked[: int(mask.sum() - kept.sum())]] = 1.0
    return kept


def compare_updates() -> None:
    """Print one RigL update of all layers."""
    for name, model, density in (
        ("ResNet-34", resnet(34), 0.1),
        ("ResNet-34", resnet(34), 0.001),
        ("10 tiny", tiny(10), 0.01),
    ):
        masks, _ = masked(model, density)
        layers = [
            tuple(map(masks.split, (weight.detach(), weight.grad, masks.values[name])))
            for name, weight in masks.weights.items()
        ]
        fractions = [FRACTION] * masks.replicas
        ours = partial(each, layers, lambda w, g, m, f=fractions: rigl_update(w, g, m, f))
        alone = [parts for layer in layers for parts in zip(*layer, strict=True)]
        theirs = partial(each, alone, sorted_update)
        line(f"RigL update, {name} at density {density}", best_time(ours, 3), best_time(theirs, 3))


def each(layers: list[tuple[Tensor, ...]], update: Callable[..., Tensor]) -> None:
    """Update layer by layer."""
    for layer in layers:
        update(*layer)


def remask(pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Make a new masked tensor for each tensor."""
    for tensor, mask in pairs:
        tensor.data = tensor.data * mask


def compare_masking() -> None:
    """Print the masking of weights and momentum."""
    for name, replicas, make in (("ResNet-34", 1, lambda: resnet(34)), ("10 tiny", 10, lambda: tiny(10))):
        masks, optimizer = masked(make(), 0.01)
        ours = best_time(lambda m=masks, o=optimizer: m.apply(o), 10)
        pairs = []
        for _ in range(replicas):
            single, state = masked(resnet(34) if replicas == 1 else tiny(1), 0.01)
            for key, weight in single.weights.items():
                moment = state.state[weight]["momentum_buffer"]
                pairs += [(weight, single.values[key]), (moment, single.values[key])]
        line(f"masking, {name}", ours, best_time(partial(remask, pairs), 10))


def permuted(module: DyReLU, x: Tensor) -> Tensor:
    """Return the dynamic activation by way of (H, W, B, C, 2)."""
    theta = module.fc2(torch.relu(module.fc1(x.mean(3).mean(2))))
    theta = (2 * torch.sigmoid(theta) - 1).view(*x.shape[:2], 4)
    coefficients = theta * torch.tensor([1.0, 1.0, 0.5, 0.5]) + torch.tensor([1.0, 0.0, 0.0, 0.0])
    branches = x.permute(2, 3, 0, 1).unsqueeze(-1) * coefficients[..., :2] + coefficients[..., 2:]
    return branches.max(dim=-1).values.permute(2, 3, 0, 1)


def compare_activations() -> None:
    """Print the dynamic activation, forward and with its backward pass, and plain ReLU."""
    generator, module = torch.Generator().manual_seed(0), DyReLU(64)
    x = torch.randn(128, 64, 32, 32, generator=generator)
    for parameter in module.parameters():
        parameter.data.normal_(0, 0.1, generator=generator)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(module(last), permuted(module, x), rtol=1e-4, atol=1e-4)

    def both(forward: Callable[[Tensor], Tensor], x: Tensor) -> None:
        x = x.detach().requires_grad_(True)
        forward(x).sum().backward()

    with torch.no_grad():
        times = [best_time(call, 5) for call in (lambda: module(last), lambda: permuted(module, x))]
    line("DyReLU forward (128, 64, 32, 32)", *times)
    times = [best_time(call, 5) for call in (lambda: both(module, last), lambda: both(partial(permuted, module), x))]
    line("DyReLU forward and backward", *times)
    plain = best_time(lambda: both(torch.relu, last), 5)
    print(f"{'':44s} plain ReLU {plain * 1e3:8.2f} ms: the dynamic one costs {times[0] / plain:4.1f} times as much")


def digits() -> Resident:
    """Return random images and labels as many and as large as the digits."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (SAMPLES, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Resident(x, torch.randint(10, (SAMPLES,), generator=generator))


def stacked_step(replicas: int) -> float:
    """Return seconds per step and network of our loop, RigL at density 0.01 included."""
    recipe = Recipe(EPOCHS, BATCH, clip=1.0)
    rule = Sparsifier([Method("rigl", 0.01, interval=INTERVAL)] * replicas)
    history = fit(tiny(replicas), digits(), recipe, range(replicas), rules=[rule])
    steps = -(-SAMPLES // BATCH)
    return float(history.groupby("epoch")["seconds"].first().min()) / steps / replicas


def official_steps(model: Network) -> Iterator[None]:
    """Train one network as the official loop does, a step at a time."""
    masks, optimizer = masked(model, 0.01)
    generator, (images, y) = torch.Generator().manual_seed(1), digits().tensors
    x = images / 255
    for step in count(1):
        rows = torch.randint(SAMPLES, (BATCH,), generator=generator)
        optimizer.zero_grad()
        loss = cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        pairs = [(weight, masks.values[name]) for name, weight in masks.weights.items()]
        pairs += [(optimizer.state[weight]["momentum_buffer"], mask) for weight, mask in pairs]
        remask(pairs)
        if step % INTERVAL == 0:
            for name, weight in masks.weights.items():
                masks.values[name] = sorted_update(weight.detach(), weight.grad, masks.values[name])
            remask([(weight, masks.values[name]) for name, weight in masks.weights.items()])
        yield


def compare_steps() -> None:
    """Print a training step of the tiny ResNet with RigL, per network."""
    steps = official_steps(tiny(1))
    for replicas in (1, 3, 6, 12):
        ours = stacked_step(replicas)
        official = best_time(lambda: [next(steps) for _ in range(INTERVAL)], EPOCHS) / INTERVAL
        line(f"training step per network, stack of {replicas}", ours, official)


def compare_scores() -> None:
    """Print a global mask from scores, against sorting them all."""
    scores = {name: weight.detach().abs() for name, weight in prunable(resnet(34)).items()}

    def by_sorting() -> dict[str, Tensor]:
        order = torch.sort(torch.cat([score.flatten() for score in scores.values()]), descending=True).values
        return {name: (score >= order[int(len(order) * 0.01) - 1]).float() for name, score in scores.items()}

    line("global mask of a ResNet-34", best_time(lambda: prune_by_score(scores, 0.01), 3), best_time(by_sorting, 3))


def compare_layers() -> None:
    """Print how much faster than dense the layers that skip their zeros are."""
    table = time_layers(repeats=5).query("path == 'sparse'")
    print("speedup over dense of layers that skip their zeros, by density")
    print(table.pivot(index=["kind", "shape"], columns="density", values="speedup").round(2).to_string())


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} thread(s)")
    compare_updates()
    compare_masking()
    compare_activations()
    compare_steps()
    compare_scores()
    compare_layers()
