"""What is pruned: the driver, small and trained here or published and read from disk, and the text model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from tenfold import language
from tenfold.datasets.driving import scenes as published_scenes
from tenfold.errors import InputError
from tenfold.language.llama import load
from tenfold.language.perplexity import losses
from tenfold.language.pretraining import SIZES as TEXT_SIZES
from tenfold.language.pretraining import pretrained, restore
from tenfold.language.windows import Windows, calibration_windows, held_out
from tenfold.papers.owled import real, voice
from tenfold.papers.owled.parameters import Parameters
from tenfold.pruning.driving import Driver, Scenes, generate, restore_driver, train_driver
from tenfold.pruning.driving.training import SIZES as DRIVER_SIZES
from tenfold.runner.store import kept
from tenfold.training import device

TEST_SEED, CALIBRATION_SEED = 90_000, 50_000
"""Scenes of the test are the same for all seeds; those of a calibration are far from them and from each other."""
PLAIN = ("checkpoint", "adapter", "encoder", "replicates", "test_scenes", "calibration", "threshold", "strength")
PLAIN += ("thresholds", "strengths", "permutations", "probe", "text_source", "text_test", "text_length")
PLAIN += ("text_windows", "decoding", "batch", "device", "scale")


def settings(p: Parameters) -> dict[str, Any]:
    """Return what all experiments of a run have in common, as plain values."""
    plain = {name: getattr(p, name) for name in PLAIN}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
    return plain | {"domains": domains(p), "driver": driver_training(p)}


def size(p: Parameters) -> str:
    """Return which of the rooms' sizes a small network has."""
    return "smoke" if p.scale == "smoke" else "laptop"


def domains(p: Parameters) -> list[str]:
    """Return the texts that the small text model learns from: embedded ones at smoke scale, else the real at hand."""
    return list(language.EMBEDDED if p.scale == "smoke" else language.at_hand())


def driver_training(p: Parameters) -> dict[str, Any]:
    """Return the arguments of a training of the small driver, but for its seed."""
    return dict(DRIVER_SIZES[size(p)])


def text_training(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a training of the small text model, but for its seed; other papers share them."""
    name = "smoke" if settings["scale"] == "smoke" else "laptop"
    return {"domains": settings["domains"], **TEXT_SIZES[name]}


def check(p: Parameters) -> None:
    """Refuse, before anything heavy starts, a run whose checkpoint or scenes are not there."""
    if p.scale == "paper" and not p.checkpoint:
        raise InputError(
            "paper scale prunes LLaMA-7B: give its folder as checkpoint=FOLDER, and that of the driver's adapter as "
            "adapter=FOLDER"
        )
    if p.checkpoint:
        language.fingerprint(p.checkpoint)
        real.prompts(p.adapter)
        published_scenes()


@dataclass
class Subject:
    """A language model that is pruned: its calibration windows, and its loss in nats on held-out data."""

    name: str
    model: nn.Module
    windows: Windows
    loss: Callable[[nn.Module], float]


def driver(seed: int, settings: dict[str, Any]) -> Driver:
    """Return the dense driver of a seed: trained by this run, or the published one, the same for all seeds."""
    if settings["checkpoint"]:
        return real.published_driver(settings)
    trained = restore_driver(kept(train_driver, seed=seed, **settings["driver"]))
    return trained.to(device(settings["device"]))


def scenes(settings: dict[str, Any]) -> Scenes:
    """Return the held-out scenes, the same for all seeds: synthetic, or the last of the real ones."""
    if settings["checkpoint"]:
        return published_scenes()[-settings["test_scenes"] :]
    return generate(settings["test_scenes"], TEST_SEED)


def calibration_scenes(seed: int, settings: dict[str, Any]) -> Scenes:
    """Return the scenes behind the statistics, drawn for each seed.

    The published training split is not at hand: a published driver is calibrated on real scenes drawn from the first
    half, of which a test on all 990 has seen them then.
    """
    if not settings["checkpoint"]:
        return generate(settings["calibration"], CALIBRATION_SEED + seed)
    import numpy as np

    found = published_scenes()
    rows = np.random.default_rng(seed).permutation(len(found) // 2)[: settings["calibration"]]
    return found[np.sort(rows)]


def speaking(seed: int, settings: dict[str, Any]) -> Subject:
    """Return the driver's language model as what is pruned."""
    found = driver(seed, settings)
    windows = voice.windows(found, calibration_scenes(seed, settings))
    return Subject("driver", found.llm, windows, voice.listener(found, scenes(settings)))


def writing(seed: int, settings: dict[str, Any]) -> Subject:
    """Return the text model as what is pruned; its loss is the mean over test texts, so exp of it a geometric mean."""
    if settings["checkpoint"]:
        where = device(settings["device"])
        model, tokenizer = load(settings["checkpoint"], "float16" if where.type == "cuda" else "float32", where)
    else:
        model, tokenizer = restore(kept(pretrained, seed=seed, **text_training(settings)))
    source = settings["text_source"] or settings["domains"]
    options = {"n": settings["calibration"], "length": settings["text_length"], "seed": seed}
    windows = calibration_windows(source, tokenizer, "text", join=True, **options)
    held = tests(tokenizer, settings)

    def loss(pruned: nn.Module) -> float:
        return sum(float(losses(pruned, test).double().mean()) for test in held) / len(held)

    return Subject("text", model, windows.to(model.device), loss)


def tests(tokenizer: Any, settings: dict[str, Any]) -> list[Windows]:
    """Return the test windows of each text."""
    names = [settings["text_test"]] if settings["text_test"] else settings["domains"]
    options = {"n": settings["text_windows"] or None, "joined": bool(settings["checkpoint"])}
    return [held_out(language.domain(name), tokenizer, settings["text_length"], **options) for name in names]


def subject(name: str, seed: int, settings: dict[str, Any]) -> Subject:
    """Return what is pruned under a name: "driver" or "text"."""
    return {"driver": speaking, "text": writing}[name](seed, settings)
