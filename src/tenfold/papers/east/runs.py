"""Training of a stack of plans, and everything that is measured on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from tenfold.datasets.images import Images
from tenfold.datasets.vision import images
from tenfold.nets import initialise, set_beta, share_counts
from tenfold.papers.east.accounting import phasing
from tenfold.papers.east.networks import architecture, build, density_of, owned_density
from tenfold.papers.east.observers import Coefficients, Gradients
from tenfold.papers.east.parameters import Parameters
from tenfold.papers.east.plans import Plan
from tenfold.sparsity import Method, Phasing, Sparsifier
from tenfold.sparsity.effective import effective_sparsity
from tenfold.training import Recipe, Resident, crop_flip, device, fit, predict

OBSERVED = 60
"""How often in a run the gradients are looked at."""
TESTS = 8
"""How often in a run the test images are looked at, for the curves alone: nothing is chosen by them."""
COLOURED = {"cifar10": "reflect", "cifar100": "zeros", "tinyimagenet": "zeros", "imagenet": "zeros"}
"""Data sets whose images are cropped and flipped, with the padding; a flipped digit is another one."""


def settings(p: Parameters) -> dict[str, Any]:
    """Return what all trainings of a run share, as plain values."""
    names = (
        "dataset", "images_folder", "image_size", "images", "epochs", "batch", "lr", "lr_drops", "weight_decay", "clip",
        "rigl_updates", "set_updates", "cycle_updates", "cycles", "cycle_share", "multiplier", "cycle_shape",
        "device",
    )  # fmt: skip
    chosen = {name: getattr(p, name) for name in names}
    return {**chosen, "lr_drops": list(p.lr_drops), "architecture": architecture(p)}


def train(
    plans: list[dict[str, Any]], settings: dict[str, Any], checkpoint: Path | None = None
) -> dict[str, pd.DataFrame]:
    """Train the networks of `plans` as one stack and return tables, the plan of each row in its first columns.

    summary: accuracies, densities and what became of each network; history: by epoch; trace: density at each mask
    update; layers: weights of each tensor before and after; gradients: norm by stage; phasing: beta and deviation of
    the activations; sample: learnt coefficients; deployed: logits with and without dynamic activations.
    """
    plans = [Plan(**plan) for plan in plans]
    data = load(settings)
    model = network(plans[0], len(plans), settings, data)
    initialise(model, [torch.Generator().manual_seed(plan.seed) for plan in plans])
    sample = data.train_x[: settings["batch"]].float() / 255, data.train_y[: settings["batch"]]
    sparsifier = Sparsifier([method(plan, model, settings) for plan in plans], sample)
    recipe = recipe_of(plans, settings)
    watch = Gradients(recipe.epochs * -(-len(data.train_y) // recipe.batch) // OBSERVED)
    rules, coefficients = [sparsifier, watch], None
    if plans[0].dyrelu:
        coefficients = Coefficients(sample[0])
        rules = [Phasing(*phasing(recipe.epochs)), sparsifier, watch, coefficients]
    history = fit(
        model,
        Resident(data.train_x, data.train_y, augment=augmentation(settings["dataset"])),
        recipe,
        [plan.seed for plan in plans],
        rules=rules,
        checkpoint=checkpoint / "training.pt" if checkpoint else None,
        test=(data.test_x, data.test_y),
        test_every=max(1, recipe.epochs // TESTS),
    )
    found = {
        "summary": summary(model, sparsifier, history, data),
        "history": history.drop(columns="seed"),
        "trace": sparsifier.trace,
        "layers": layers(sparsifier),
        "gradients": watch.frame(),
        "phasing": pd.DataFrame(coefficients.rows if coefficients else []),
        "sample": learnt(coefficients),
        "deployed": deployed(plans, model, settings, data) if plans[0].dyrelu else pd.DataFrame(),
    }
    return {name: labelled(table, plans) for name, table in found.items()}


def load(settings: dict[str, Any]) -> Images:
    """Return the images of a run; of CIFAR's training images the last tenth is left out, as in the paper."""
    data = images(
        settings["dataset"],
        settings["images"] or None,
        settings["image_size"] or None,
        settings["images_folder"] or None,
    )
    if settings["dataset"] not in ("cifar10", "cifar100"):
        return data
    kept = data.validation()
    return replace(data, train_x=kept.train_x, train_y=kept.train_y)


def network(plan: Plan, replicas: int, settings: dict[str, Any], data: Images) -> nn.Module:
    """Return a stack of the architecture of a plan, which standardises its input by the training images."""
    return build(settings["architecture"], plan.dyrelu, plan.share, replicas, data.moments())


def method(plan: Plan, model: nn.Module, settings: dict[str, Any]) -> Method:
    """Return how a plan is kept sparse; the density refers to the tensors that the network owns."""
    if plan.method == "dense":
        return Method("dense")
    how: dict[str, Any] = {"allocation": plan.allocation} if plan.allocation != "erk" else {}
    if plan.method in ("rigl", "set"):
        how["updates_per_run"] = settings[f"{plan.method}_updates"]
    if plan.method == "set":
        # As in the paper's tables: magnitude drop, on the same schedule as RigL.
        how |= {"rule": "itop", "drop": (0.5, 0.005)}
    if plan.cyclic:
        how |= {
            "cyclic": True,
            "cycles": (settings["cycles"], settings["cycle_share"] / settings["cycles"], 1.0),
            "multiplier": settings["multiplier"],
            "cycle_shape": settings["cycle_shape"],
            "cycle_updates": settings["cycle_updates"],
        }
    return Method(plan.method, owned_density(model, density_of(plan.sparsity)), **how)


def recipe_of(plans: list[Plan], settings: dict[str, Any]) -> Recipe:
    """Return the recipe of a stack; a plan that is not clipped has no largest norm."""
    limits = tuple(settings["clip"] or None if plan.clipped else None for plan in plans)
    return Recipe(
        epochs=settings["epochs"],
        batch=settings["batch"],
        lr=settings["lr"],
        weight_decay=settings["weight_decay"],
        milestones=tuple(settings["lr_drops"]),
        clip=limits,
        device=settings["device"],
        precision="bf16" if device(settings["device"]).type == "cuda" else "fp32",
    )


def augmentation(dataset: str) -> Any:
    """Return the augmentation of a data set, None for digits and clothes."""
    return crop_flip(4, COLOURED[dataset]) if dataset in COLOURED else None


def summary(model: nn.Module, sparsifier: Sparsifier, history: pd.DataFrame, data: Images) -> pd.DataFrame:
    """Return one row for each replica: accuracies, weights and densities at the end, and how it explored."""
    last = history[history.epoch == history.epoch.max()]
    best = history.loc[history.dropna(subset="test_accuracy").groupby("replica").test_accuracy.idxmax()]
    owned, _, total = share_counts(model)
    active = sparsifier.masks.counts().sum(1).numpy()
    labels = torch.as_tensor(data.test_y)
    return pd.DataFrame(
        {
            "replica": last.replica.to_numpy(),
            "accuracy": last.test_accuracy.to_numpy(),
            "train_accuracy": last.accuracy.to_numpy(),
            "loss": last.loss.to_numpy(),
            "best_accuracy": best.test_accuracy.to_numpy(),
            "best_epoch": best.epoch.to_numpy(),
            "chance": float(torch.bincount(labels).max() / len(labels)),
            "active": active,
            "learnt_density": active / total,
            "owned_density": active / owned,
            "live_share": live_share(model, sparsifier, data.shape),
            "itop": sparsifier.ever_active().tolist(),
            "active_share": active / owned,
            "seconds": history.groupby("replica").seconds.sum().to_numpy() / len(last),
        }
    )


def live_share(model: nn.Module, sparsifier: Sparsifier, shape: tuple[int, ...]) -> list[float]:
    """Return the share of each replica's remaining weights that lie on a path from an input to a class."""
    live = 1 - effective_sparsity(model, sparsifier.masks.values, shape).cpu()
    return (live / sparsifier.masks.density()).tolist()


def layers(sparsifier: Sparsifier) -> pd.DataFrame:
    """Return weights and densities of each tensor at the start and at the end of training, for each replica."""
    table = sparsifier.layer_counts()
    return table.assign(start_density=table.start / table.weights, end_density=table.end / table.weights)


def learnt(coefficients: Coefficients | None) -> pd.DataFrame:
    """Return learnt coefficients of dynamic activations, a row for each channel."""
    if coefficients is None:
        return pd.DataFrame()
    table = pd.DataFrame(coefficients.sample.numpy(), columns=["a1", "a2", "b1", "b2"])
    return table.assign(channel=range(len(table)), replica=0)


def deployed(plans: list[Plan], model: nn.Module, settings: dict[str, Any], data: Images) -> pd.DataFrame:
    """Return the largest difference of logits between trained networks and their copies with plain ReLU.

    `difference` as training left them; `undeployed` with the activations made dynamic again.
    """
    plain = network(Plan("rigl", 0.5, 0, share=plans[0].share), len(plans), settings, data)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if name in plain.state_dict()})
    reference = predict(plain.to(next(model.parameters()).device), data.test_x)
    columns = {"replica": range(len(plans))}
    for column, beta in (("difference", None), ("undeployed", 1.0)):
        if beta is not None:
            set_beta(model, beta)
        columns[column] = (predict(model, data.test_x) - reference).abs().amax((1, 2)).tolist()
    return pd.DataFrame(columns)


def labelled(table: pd.DataFrame, plans: list[Plan]) -> pd.DataFrame:
    """Return a table with the plan of each replica in front, in place of the replica's number."""
    if table.empty:
        return table
    known = pd.DataFrame([{"row": plan.row, **plan.record()} for plan in plans])
    whole = known.iloc[table.replica].reset_index(drop=True)
    return pd.concat([whole, table.drop(columns="replica").reset_index(drop=True)], axis=1)
