"""What a driver says and how well it predicts: the same questions to the small driver and to the published one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tenfold.language.windows import Windows, calibration_windows
from tenfold.papers.owled import real
from tenfold.pruning import driving
from tenfold.pruning.driving import Driver, Scenes

DECODING = {"greedy": "greedy", "official": "sampling"}


def items(driver: Driver, scenes: Scenes) -> Iterator[Scenes]:
    """Yield the scenes once for everything that a driver is asked of them, with the answers as texts."""
    if not isinstance(driver, real.Instructed):
        yield scenes
        return
    for item, answered in real.answers(scenes).items():
        driver.item = item
        yield answered


def loss(driver: Driver, scenes: Scenes) -> float:
    """Return L_token in nats, the mean over all that the driver is asked."""
    return float(np.mean([driving.token_loss(driver, asked) for asked in items(driver, scenes)]))


def texts(driver: Driver, scenes: Scenes, settings: dict[str, Any]) -> list[str]:
    """Return what the driver says of each scene, all its answers in one text."""
    options = {"decoding": DECODING[settings["decoding"]], "batch": settings["batch"]}
    said = [driving.describe(driver, asked, **options) for asked in items(driver, scenes)]
    return ["\n".join(parts) for parts in zip(*said, strict=True)]


def windows(driver: Driver, scenes: Scenes) -> Windows:
    """Return the embedded scenes and answers that calibrate: half of the scenes each where two things are asked."""
    asked = list(items(driver, scenes))
    if len(asked) == 1:
        return driving.driving_windows(driver, scenes)
    # One item for each scene in turn, as one training step sees them.
    parts = []
    for number, (item, answered) in enumerate(zip(real.ITEMS, asked, strict=True)):
        driver.item = item
        parts.append(driving.driving_windows(driver, answered[number :: len(asked)]))
    return joined(parts)


def joined(parts: list[Windows]) -> Windows:
    """Return embedded windows of several lengths as one, filled up on the right; what fills up counts nowhere."""
    longest = max(part.length for part in parts)
    rows = {"embeds": [], "attend": [], "count": [], "real": []}
    for part in parts:
        short = longest - part.length
        rows["embeds"].append(nn.functional.pad(part.embeds, (0, 0, 0, short)))
        for name in ("attend", "count", "real"):
            rows[name].append(nn.functional.pad(getattr(part, name), (0, short)))
    return Windows(**{name: torch.cat(values) for name, values in rows.items()})


def silent(driver: Driver, scenes: Scenes, kind: str, seed: int, settings: dict[str, Any]) -> Windows:
    """Return windows without vector tokens: "captions", their "words" in random order, or random "tokens".

    With the tokenizer of a checkpoint the words are those of the generic text `text_source`.
    """
    rng = np.random.default_rng(seed)
    if kind == "words" and isinstance(driver, real.Instructed):
        source = settings["text_source"] or settings["domains"]
        options = {"fmt": "text", "n": settings["calibration"], "length": settings["text_length"], "seed": seed}
        return calibration_windows(source, driver.words.tokenizer, join=True, **options)
    ids = driver.words.encode(scenes.texts)
    there = ids != driver.words.pad
    if kind == "words":
        for row, known in zip(ids, there, strict=True):
            inner = known.nonzero()[1:, 0]
            row[inner] = row[inner[torch.from_numpy(rng.permutation(len(inner)))]]
    elif kind == "tokens":
        drawn = torch.from_numpy(rng.integers(0, driver.llm.config.vocab_size, ids.shape))
        ids = torch.where(there, drawn, ids)
    return Windows(ids=ids, attend=there, count=there, real=there).to(driver.device)


@contextmanager
def wearing(driver: Driver, llm: nn.Module) -> Iterator[Driver]:
    """Let a driver have another language model for a while."""
    before, driver.llm = driver.llm, llm
    try:
        yield driver
    finally:
        driver.llm = before


def listener(driver: Driver, scenes: Scenes) -> Callable[[nn.Module], float]:
    """Return the token loss of the driver as a function of its language model."""

    def measured(llm: nn.Module) -> float:
        with wearing(driver, llm):
            return loss(driver, scenes)

    return measured


def shortened(scenes: Scenes) -> Scenes:
    """Return real scenes with their labels in the small driver's words."""
    return replace(driving.shortened(scenes), questions=(), answers=())
