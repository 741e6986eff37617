"""Training of the small driver on synthetic scenes, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.datasets.driving import Scenes, scenes
from tenfold.errors import InputError
from tenfold.language.llama import linears as maps_of
from tenfold.language.llama import tiny
from tenfold.pruning.driving.captions import STATES, parse_caption
from tenfold.pruning.driving.driver import Driver, tensors
from tenfold.pruning.driving.encoder import VectorEncoder, input_layers, linears
from tenfold.pruning.driving.scenes import generate, shortened
from tenfold.pruning.driving.words import vocabulary
from tenfold.training import Recipe, Resident, Run, fit

# Arguments of `train_driver`.
SIZES = {
    "smoke": {"steps": 0, "model_dim": 32, "self_blocks": 1, "hidden": 64, "intermediate": 176, "layers": 2},
    "laptop": {"steps": 300, "guide_steps": 800, "batch": 48},
}
SETTINGS = {
    "betas": (0.9, 0.95),
    "schedule": "cosine",
    "lr_end": 0.05,
    "warmup": 0.5,
    "weight_decay": 0.1,
    "decay": "matrices",
    "clip": 1.0,
    "drop_last": True,
}
TRAINING_SEED = 1_000_000  # far from the seeds of scenes that a reader draws
TRUTHS = 6 + len(STATES)
GUIDE = 0.3  # weight of the heads' error at the first step of the second stage
REAL_TRAIN = 800  # of the 990 real scenes, the first; neighbours are alike, so that a shuffled split would leak


def build_driver(
    seed: int,
    model_dim: int = 64,
    latents: int = 16,
    self_blocks: int = 2,
    queries: int = 8,
    hidden: int = 96,
    intermediate: int = 256,
    layers: int = 4,
    heads: int = 4,
    digit_weight: float = 3.0,
) -> Driver:
    """Return an untrained driver whose weights follow from the seed alone; the arguments are its sizes."""
    words = vocabulary()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = VectorEncoder(model_dim, latents, self_blocks, queries, hidden)
    # Twice the room that a label needs: other calibration data may be longer.
    llm = tiny(len(words), hidden, intermediate, layers, heads, 2 * (queries + words.longest), seed)
    driver = Driver(encoder, llm, words, digit_weight=digit_weight)
    _scale(driver, torch.Generator().manual_seed(seed))
    return driver.eval()


@torch.no_grad()
def _scale(driver: Driver, generator: torch.Generator) -> None:
    """Draw the weights anew at the scale of a narrow model.

    Standard deviations 0.02 are made for a width of thousands; at a width of 96 the latents stay alike and the blocks
    pass on next to nothing for hundreds of steps. Maps get 1/sqrt(d_in), those of the language model that write into
    the residual stream 1/sqrt(2 L d_in), those of raw features, most of which are zero, 0.5, as embeddings, latents
    and queries; biases are zero.
    """

    def draw(values: Tensor, deviation: float) -> None:
        values.normal_(0, deviation, generator=generator)

    for embedding in (driver.encoder.latents, driver.encoder.queries, driver.llm.model.embed_tokens.weight):
        draw(embedding, 0.5)
    raw = input_layers(driver.encoder)
    for name, linear in linears(driver.encoder).items():
        draw(linear.weight, 0.5 if name in raw else linear.in_features**-0.5)
        if linear.bias is not None:
            linear.bias.zero_()
    layers = driver.llm.model.layers
    for block in layers:
        for name, linear in maps_of(block).items():
            writes = 2 * len(layers) if name in ("o_proj", "down_proj") else 1
            draw(linear.weight, (writes * linear.in_features) ** -0.5)


def train_driver(
    seed: int,
    steps: int = 300,
    batch: int = 48,
    lr: float = 2e-3,
    guide_steps: int = 800,
    guide_lr: float = 1.5e-3,
    chapters: int = 10,
    light_share: float = 0.6,
    real_scenes: bool = False,
    checkpoint: Path | str | None = None,
    **sizes: Any,
) -> dict[str, Any]:
    """Train a small driver and return what can be kept of it: weights (numpy), config (plain) and history (a table).

    Two stages, as published: `guide_steps` of the encoder alone, with linear heads that read the truth off the mean
    of its vector tokens; `steps` of encoder and language model with the token loss, to which the heads' error is added
    with a weight that falls from 0.3 to zero. AdamW (0.9, 0.95), cosine to 5 % of the rate (`guide_lr`, then `lr`),
    weight decay 0.1 on matrices, clip 1; each step sees `batch` scenes that no other step has seen, generated from the
    seed. history: one row per stage and chapter, equal parts of the stage's steps. real_scenes: every chapter also has
    the first 800 real scenes, labels shortened. sizes: arguments of `build_driver`. steps = 0 gives untrained weights.
    checkpoint: a folder from which the second stage resumes. Raises InputError for sizes and steps that do not fit.
    Source: arXiv 2310.01957 (stages, token loss); the heads are ours.
    """
    driver, history = build_driver(seed, **sizes), []
    real = shortened(scenes()[:REAL_TRAIN]) if real_scenes and steps else None
    if steps:
        taught = _Taught(driver, seed)
        for stage, count in enumerate((guide_steps, steps)):
            if count:
                made = generate(_scenes(count, batch, chapters, real), TRAINING_SEED + 2 * seed + stage, light_share)
                data = _Chapters(made if real is None else made + real, driver.words.encode, len(made) // chapters)
                found = fit(
                    taught if stage else nn.ModuleDict({"encoder": driver.encoder, "heads": taught.heads}),
                    data,
                    Recipe(chapters, batch, lr if stage else guide_lr, "adamw", **SETTINGS),
                    [seed],
                    objective=_together if stage else _encoder_alone,
                    checkpoint=Path(checkpoint) / "training.pt" if checkpoint and stage else None,
                )
                history.append(found.assign(stage=stage + 1))
    weights = {name: value.detach().cpu().numpy() for name, value in driver.state_dict().items()}
    config = {"seed": seed, "steps": steps, "batch": batch, "sizes": sizes}
    return {"weights": weights, "config": config, "history": pd.concat(history) if history else pd.DataFrame()}


def _scenes(steps: int, batch: int, chapters: int, real: Scenes | None) -> int:
    """Return the number of scenes that a stage needs, the same for each chapter."""
    each = steps * batch // chapters - (len(real) if real else 0)
    if each < 1:
        raise InputError(f"{steps} steps of {batch} scenes leave none for each of {chapters} chapters")
    return each * chapters


def restore_driver(stored: dict[str, Any]) -> Driver:
    """Return the driver of what `train_driver` returned; raises InputError where the weights do not fit the sizes."""
    driver = build_driver(stored["config"]["seed"], **stored["config"]["sizes"])
    weights = {name: torch.tensor(value) for name, value in stored["weights"].items()}
    try:
        driver.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"the stored weights are not those of this driver: {str(error).splitlines()[-1]}") from error
    return driver.eval()


class _Taught(nn.Module):
    """A driver in training, with linear heads that read the truth off the mean of its vector tokens.

    Without them encoder and language model wait for each other: the one has nothing to say that the other would hear,
    and the loss stays on a plateau for hundreds of steps. The heads are left behind with the training.
    """

    def __init__(self, driver: Driver, seed: int):
        super().__init__()
        self.driver, self.weight = driver, driver.class_weight()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = nn.Linear(driver.encoder.project.out_features, TRUTHS)


def _error(heads: nn.Linear, vectors: Tensor, truth: Tensor) -> Tensor:
    return (heads(vectors.mean(dim=1)) - truth).square().sum(dim=1).mean()


def _encoder_alone(run: Run, *batch: Tensor) -> Tensor:
    """Return the heads' squared error, summed over the truths."""
    *scene, _, truth = (part[0] for part in batch)
    return _error(run.model["heads"], run.model["encoder"](*scene), truth)[None]


def _together(run: Run, *batch: Tensor) -> Tensor:
    """Return the token loss plus a share of the heads' error that falls to zero with the steps."""
    *scene, ids, truth = (part[0] for part in batch)
    vectors = run.model.driver.encoder(*scene)
    tokens = run.model.driver.loss(vectors, ids, run.model.weight.to(ids.device))
    run.log(token_loss=tokens.detach()[None])
    return (tokens + GUIDE * (1 - run.step / run.total_steps) * _error(run.model.heads, vectors, truth))[None]


def _truths(texts: Sequence[str]) -> Tensor:
    """Return what the heads read (n, TRUTHS), scaled so that each of them weighs about the same."""
    rows = []
    for seen in map(parse_caption, texts):
        row = [
            1.5 * seen["cars"],
            seen["pedestrians"],
            2 * seen["steering"],
            3 * seen["accelerator"],
            3 * seen["brake"],
        ]
        row += [3.0 * (seen["light"] == state) for state in STATES]
        rows.append([*row, (seen["light_distance"] or 0) / 7])
    return torch.tensor(rows)


class _Chapters(Resident):
    """Scenes and their labels, of which an epoch sees a chapter of its own and all that follow the last chapter."""

    def __init__(self, found: Scenes, encode: Any, chapter: int):
        route, *others = tensors(found)
        super().__init__(route, (*others, encode(found.texts), _truths(found.texts)))
        self.chapter, self.chapters = chapter, len(found) // chapter

    @property
    def size(self) -> int:
        """Rows of an epoch."""
        return len(self.tensors[0]) - (self.chapters - 1) * self.chapter

    def order(self, seeds: Sequence[int], epoch: int) -> Tensor:
        """Return the rows (S, n) of an epoch, in an order that follows from seed and epoch."""
        order = super().order(seeds, epoch)
        # Row numbers below a chapter's length are those of this epoch's chapter; the others follow the last one.
        last = (self.chapters - 1) * self.chapter
        return torch.where(order < self.chapter, order + (epoch - 1) * self.chapter, order + last)
