"""Arithmetic that needs no training: budgets, sharing, floors, schedules, and the recipe."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from tenfold import datasets
from tenfold.nets import resnet, share_counts
from tenfold.papers.east.networks import architecture, density_of, owned_density, shapes, skeleton
from tenfold.papers.east.parameters import Parameters
from tenfold.sparsity import cyclic_density, east_floor_counts, erk_counts, phase_beta

PUBLISHED_NETS = {
    "ResNet-34": {"depth_or_blocks": 34},
    "ResNet-50": {"depth_or_blocks": 50},
    "ResNet-50, ImageNet": {"depth_or_blocks": 50, "classes": 1000, "stem": "imagenet"},
}
# The code's history: three floors of the density of a layer, the first absolute, the others a share of d.
FLOORS = {
    "exact ERK": None,
    "absolute 0.001": lambda d: 0.001,
    "0.7 d": lambda d: 0.7 * d,
    "0.01 d": lambda d: 0.01 * d,
}


def pure() -> list[str]:
    """Register that what follows is arithmetic, and return the name under which figures show it."""
    datasets.synthetic("equations", "", "equations alone, no data")
    return ["equations"]


def sharing(p: Parameters, density: float) -> pd.DataFrame:
    """Return Table 3: weights with and without sharing, and the two densities of each network at one budget.

    The learnt density counts a weight once, the effective one once for each use; `budget_difference` is that of
    the learnt weights to the unshared network's, relative.
    """
    rows = []
    with torch.device("meta"):
        models = {
            name: (resnet(**how), resnet(**how, share_ratio=p.share_ratio)) for name, how in PUBLISHED_NETS.items()
        }
    mine = architecture(p)
    models |= {f"this run ({p.net})": (skeleton(mine), skeleton(mine, share=True))}
    for name, (plain, shared) in models.items():
        owned, uses, total = share_counts(shared)
        counts = erk_counts(shapes(shared), owned_density(shared, density))
        budget = sum(erk_counts(shapes(plain), density))
        rows.append(
            {
                "network": name,
                "weights": total,
                "owned": owned,
                "shared_uses": uses,
                "raised_by": total / owned,
                "density": density,
                "budget": budget,
                "learnt": sum(counts),
                "budget_difference": sum(counts) / budget - 1,
                "not_raised": owned / total - 1,
            }
        )
    return pd.DataFrame(rows)


def floors(p: Parameters, sparsities: tuple[float, ...] = (0.9, 0.99, 0.999, 0.9999)) -> pd.DataFrame:
    """Return the weights that each allocation of the code's history leaves, over the budget d N."""
    with torch.device("meta"):
        nets = {"ResNet-34": shapes(resnet(34)), f"this run ({p.net})": shapes(skeleton(architecture(p)))}
    rows = []
    for net, tensors in nets.items():
        total = sum(int(np.prod(shape)) for shape in tensors)
        for sparsity in sparsities:
            density = density_of(sparsity)
            budget = round(density * total)
            if budget < len(tensors):
                continue
            for name, floor in FLOORS.items():
                counts = east_floor_counts(tensors, density, floor(density)) if floor else erk_counts(tensors, density)
                rows.append((net, sparsity, name, budget, sum(counts), sum(counts) / budget))
    return pd.DataFrame(rows, columns=["net", "sparsity", "floor", "budget", "weights", "ratio"])


def per_layer(p: Parameters) -> pd.DataFrame:
    """Return how many weights ERK leaves to each tensor of ResNet-34 at 99.99 %: few enough to count on fingers."""
    with torch.device("meta"):
        nets = {"ResNet-34": (shapes(resnet(34)), 0.9999), p.net: (shapes(skeleton(architecture(p))), p.sparsities[-1])}
    frames = []
    for name, (tensors, sparsity) in nets.items():
        counts = erk_counts(tensors, density_of(sparsity))
        frames.append(
            pd.DataFrame(
                {
                    "network": f"{name} at {100 * sparsity:g} %",
                    "tensor": range(1, len(tensors) + 1),
                    "shape": ["x".join(map(str, shape)) for shape in tensors],
                    "weights": counts,
                    "density": [count / np.prod(shape) for count, shape in zip(counts, tensors, strict=True)],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def phasing(epochs: int) -> tuple[float, float]:
    """Return the epochs s and e between which beta falls: half the first milestone, and one before it."""
    milestone = epochs / 2
    return milestone / 2, max(milestone - 1, milestone / 2)


def schedules(p: Parameters) -> pd.DataFrame:
    """Return the schedules of a run: beta by epoch and the density over its target, in shares of the run."""
    start, end = phasing(p.epochs)
    share = np.linspace(0, 1, 1001)
    cycle = p.cycle_share / p.cycles
    position = np.where(share < p.cycle_share, share / cycle % 1, 0.0)
    return pd.DataFrame(
        {
            "share_of_run": share,
            "beta": [phase_beta(s * p.epochs, start, end) for s in share],
            "density_over_target": [cyclic_density(at, 1.0, p.multiplier, p.cycle_shape) for at in position],
            "lr": p.lr * 0.1 ** np.sum([share > drop for drop in p.lr_drops], axis=0),
        }
    )


def recipe(p: Parameters) -> pd.DataFrame:
    """Return the recipe of the paper beside that of this run, with what the paper says in two ways."""
    rows = [
        ("epochs", "250", p.epochs, "text and Table B.1"),
        ("batch", "128", p.batch, "text and Table B.1"),
        ("optimiser", "SGD, Nesterov, momentum 0.9", "the same", "code"),
        ("learning rate", "0.1", p.lr, "text and Table B.1"),
        ("rate falls tenfold after", "125 and 187 (text), 75 and 150 (Table B.1)", drops(p), "the paper differs"),
        ("weight decay", "1e-4", p.weight_decay, "Table B.1; the code's default is 5e-4"),
        ("gradient norm at most", "1.0", p.clip or "unlimited", "code alone: a hidden trick"),
        ("mask updates, RigL", "22 (every 4000 steps)", p.rigl_updates, "Table B.1"),
        ("mask updates, SET", "58 (every 1500 steps)", p.set_updates, "Table B.1"),
        ("mask updates in the cycles", "not found (code: every 100 steps)", p.cycle_updates, "code"),
        ("density cycles", "2 of 50 epochs", f"{p.cycles} of {p.cycle_share / p.cycles * p.epochs:g} epochs", "code"),
        ("largest over target density", "3", p.multiplier, "code"),
        ("drop fraction", "0.5 to 0.005, cosine", "the same", "code"),
        ("owning blocks of a stage", "2", p.share_ratio, "code"),
        ("DyReLU reduction", "4", p.reduction, "code"),
        ("seeds", "3", p.replicates, "text"),
    ]
    table = pd.DataFrame(rows, columns=["what", "paper", "this run", "source"])
    return table.astype(str)


def drops(p: Parameters) -> str:
    """Return the epochs after which the learning rate falls, in words."""
    return " and ".join(f"{int(drop * p.epochs)}" for drop in p.lr_drops)
