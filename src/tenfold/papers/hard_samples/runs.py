"""The experiments: train all networks of a condition with one seed, and score the training images by EL2N."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tenfold.active import pgd
from tenfold.nets import Network, prunable
from tenfold.papers.hard_samples.conditions import Condition
from tenfold.papers.hard_samples.methods import TWICE
from tenfold.papers.hard_samples.parameters import Parameters
from tenfold.papers.hard_samples.subjects import Material, augmentation, material, network
from tenfold.sparsity.hardness import el2n
from tenfold.sparsity.methods import Method
from tenfold.sparsity.sparsifier import Sparsifier
from tenfold.training import Recipe, Resident, Run, cross_entropy, device, fit, predict, scaled

FAR = 1000
"""Scoring models have seeds of their own, this far from those of the networks that are compared."""
LONG = 50
"""Epochs from which on a training is worth checkpoints; a shorter one is done in seconds."""
PLAIN = ("folder", "images", "hidden", "corruption", "epochs", "robust_epochs", "score_epochs", "batch")
PLAIN += ("updates", "stack", "device", "epsilon")
PLAIN += ("attack_steps", "test_attack_steps", "fewest_steps", "robust_steps")


def settings(p: Parameters) -> dict[str, Any]:
    """Return what all experiments of a run have in common, as plain values."""
    scoring = [p.seed + FAR + number for number in range(p.score_models)]
    return {name: getattr(p, name) for name in PLAIN} | {"score_seeds": scoring}


def recipe(settings: dict[str, Any], epochs: int, **changes: Any) -> Recipe:
    """Return the paper's recipe: SGD with Nesterov momentum 0.9, the rate a tenth after half and three quarters."""
    precision = "bf16" if device(settings["device"]).type == "cuda" else "fp32"
    place = {"device": settings["device"], "precision": precision}
    return Recipe(epochs, settings["batch"], lr=0.1, weight_decay=5e-4, **place, **changes)


def passes(settings: dict[str, Any], condition: Condition, rows: int) -> int:
    """Return the epochs of a training on so many rows: more where they are few, so that the fewest steps are taken."""
    epochs, fewest = ("robust_epochs", "robust_steps") if condition.attacked else ("epochs", "fewest_steps")
    return max(settings[epochs], math.ceil(settings[fewest] / math.ceil(rows / settings["batch"])))


def score(subject: str, label_noise: float, settings: dict[str, Any]) -> pd.DataFrame:
    """Score all training images by models trained on all of them, for the first epochs at the first learning rate.

    Returns a row per image: label, the label as given, whether that is wrong, el2n (mean over models of the norm),
    the share of models that are right, and el2n_k and right_k of each model k.
    """
    seen = material(Condition(subject, label_noise=label_noise), settings)
    seeds = settings["score_seeds"]
    model = network(subject, seen.images, settings, seeds)
    data = Resident(seen.train_x, seen.train_y)
    fit(model, data, recipe(settings, settings["score_epochs"], schedule="constant"), seeds)
    logits = predict(model, seen.train_x).cpu()
    right = logits.argmax(-1) == seen.train_y
    columns = {
        "row": np.arange(len(seen.train_y)),
        "label": seen.images.train_y.numpy(),
        "given": seen.train_y.numpy(),
        "wrong": seen.wrong,
        "el2n": el2n(logits, seen.train_y).numpy(),
        "right": right.double().mean(0).numpy(),
    }
    for number, (one, hit) in enumerate(zip(logits, right, strict=True)):
        columns |= {f"el2n_{number}": el2n(one, seen.train_y).numpy(), f"right_{number}": hit.numpy()}
    return pd.DataFrame(columns)


def train(
    condition: dict[str, Any],
    seed: int,
    runs: list[tuple[str, float]],
    rows: list[int] | None,
    settings: dict[str, Any],
    checkpoint: Path | None = None,
) -> dict[str, pd.DataFrame]:
    """Train every (method, sparsity) of `runs` under a condition, the dense network first, on training rows `rows`.

    Returns `scores`, a row per network (accuracies in percent at the last epoch), and `layers`, a row per network and
    layer (weights, and how many of them are active).
    """
    condition = Condition(**condition)
    seen = material(condition, settings)
    trainer = Trainer(condition, seen, rows, seed, settings, checkpoint)
    dense = [run for run in runs if run[0] == "dense"]
    sparse = [run for run in runs if run[0] != "dense"]
    found = [trainer.stack(dense), *(trainer.stack(part) for part in parts(sparse, settings["stack"]))]
    keys = condition.record() | {"seed": seed}
    frames = {name: pd.concat([one[name] for one in found], ignore_index=True) for name in found[0]}
    return {name: frame.assign(**keys) for name, frame in frames.items()}


def parts(runs: list[tuple[str, float]], size: int) -> list[list[tuple[str, float]]]:
    """Return the runs in stacks of at most `size`, as equal as can be."""
    parts = np.array_split(np.arange(len(runs)), max(1, -(-len(runs) // size)))
    return [[runs[place] for place in part] for part in parts if len(part)]


class Trainer:
    """Trains stacks of networks under one condition, all with the same seed: the same images in the same order."""

    def __init__(
        self,
        condition: Condition,
        seen: Material,
        rows: list[int] | None,
        seed: int,
        settings: dict[str, Any],
        checkpoint: Path | None = None,
    ):
        self.condition, self.seen, self.seed, self.settings, self.folder = condition, seen, seed, settings, checkpoint
        chosen = slice(None) if rows is None else torch.tensor(rows)
        self.x, self.y = seen.train_x[chosen], seen.train_y[chosen]
        self.data = Resident(self.x, self.y, augment=augmentation(condition))
        self.dense: dict[str, Tensor] | None = None
        self.recipe = recipe(settings, passes(settings, condition, len(self.y)))
        # A step is a quarter of the radius, as 2/255 is of 8/255.
        radius = settings["epsilon"]
        self.attack = {"eps": radius, "step": radius / 4, "steps": settings["attack_steps"]}

    def stack(self, runs: list[tuple[str, float]]) -> dict[str, pd.DataFrame]:
        """Train networks side by side and return their `scores` and `layers`; a dense one is remembered."""
        seeds = [self.seed] * len(runs)
        model = network(self.condition.subject, self.seen.images, self.settings, seeds)
        sparsifier = Sparsifier(
            [method(name, sparsity, self.settings["updates"]) for name, sparsity in runs],
            batch=self._first_batch() if needs_batch(runs) else None,
            pretrained=[self.dense if name in TWICE else None for name, _ in runs],
        )
        objective = partial(adversarial, **self.attack) if self.condition.attacked else cross_entropy
        path = self.folder / f"{runs[0][0]}-{runs[0][1]:g}.pt" if self.folder and self.recipe.epochs >= LONG else None
        history = fit(model, self.data, self.recipe, seeds, objective=objective, rules=[sparsifier], checkpoint=path)
        if runs[0][0] == "dense":
            self.dense = {name: value.detach().clone() for name, value in model.state_dict().items()}
        return {"scores": self._scores(runs, model, sparsifier, history), "layers": layers(runs, model, sparsifier)}

    def _first_batch(self) -> tuple[Tensor, Tensor]:
        """Return the images (B, ...) and labels (B,) of the first step."""
        x, y = next(self.data.batches([self.seed], 1, self.recipe.batch))
        return x[0], y[0]

    def _scores(
        self, runs: list[tuple[str, float]], model: Network, sparsifier: Sparsifier, history: pd.DataFrame
    ) -> pd.DataFrame:
        right = predict(model, self.seen.test_x).cpu().argmax(-1) == self.seen.test_y
        robust = self._attacked(model) if self.condition.attacked else torch.full((model.replicas,), torch.nan)
        columns = {
            "method": [name for name, _ in runs],
            "sparsity": [sparsity for _, sparsity in runs],
            "rows": len(self.y),
            "classes": self.seen.images.classes,
            "density": sparsifier.masks.density().numpy(),
            "train_accuracy": 100 * history[history.epoch == self.recipe.epochs].accuracy.to_numpy(),
            "accuracy": 100 * right.double().mean(-1).numpy(),
            "robust_accuracy": 100 * robust.double().cpu().numpy(),
        }
        return pd.DataFrame(columns)

    def _attacked(self, model: Network, batch: int = 500) -> Tensor:
        """Return the accuracy (S,) on attacked test images, each network attacked for itself.

        All start from the same random point, so that chance helps none of them.
        """
        model.eval()
        where = next(model.parameters()).device
        generators = [torch.Generator(where).manual_seed(self.seed) for _ in range(model.replicas)]
        attack = self.attack | {"steps": self.settings["test_attack_steps"]}
        right = torch.zeros(model.replicas, dtype=torch.float64, device=where)
        for x, y in zip(self.seen.test_x.split(batch), self.seen.test_y.split(batch), strict=True):
            x, y = scaled(x.to(where)), y.to(where)
            x_SB, y_SB = (part.expand(model.replicas, *part.shape) for part in (x, y))
            found = pgd(model, x_SB, y_SB, **attack, generator=generators)
            with torch.no_grad():
                right += (model(found).argmax(-1) == y_SB).sum(-1)
        return right / len(self.seen.test_y)


def adversarial(run: Run, x: Tensor, y: Tensor, eps: float, step: float, steps: int) -> Tensor:
    """Return the cross entropy (S,) on attacked images alone, the network attacked in the mode it trains in."""
    return cross_entropy(run, pgd(run.model, x, y, eps, step, steps, run.generators), y)


def method(name: str, sparsity: float, updates: int) -> Method:
    """Return how a network is kept sparse: the paper's SET moves as often as GMP prunes, `updates` times a run."""
    moving = {"updates_per_run": updates} if name in ("set", "gmp") else {}
    return Method(name, 1 - sparsity, **moving)


def needs_batch(runs: list[tuple[str, float]]) -> bool:
    """Tell whether a network is pruned by what it does to a batch of images."""
    return any(name.startswith("snip") for name, _ in runs)


def layers(runs: list[tuple[str, float]], model: Network, sparsifier: Sparsifier) -> pd.DataFrame:
    """Return the weights and the active weights of each layer of each network, in the order of the layers."""
    kinds = ["convolution" if weight.ndim == 4 else "linear" for weight in prunable(model).values()]
    frames = []
    for (name, sparsity), counts in zip(runs, sparsifier.masks.counts(), strict=True):
        columns = {"layer": range(len(kinds)), "name": sparsifier.masks.names, "kind": kinds}
        columns |= {"weights": sparsifier.masks.sizes, "active": counts.numpy()}
        frames.append(pd.DataFrame(columns).assign(method=name, sparsity=sparsity))
    return pd.concat(frames, ignore_index=True)
