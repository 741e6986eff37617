"""Tiny language models trained from scratch on a mixture of domains, in a form that can be stored."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from tenfold.errors import InputError, unknown
from tenfold.language.domains import Domain, domain
from tenfold.language.llama import tiny
from tenfold.language.perplexity import losses
from tenfold.language.tokenizer import from_json, to_json, train_tokenizer
from tenfold.language.windows import Windows, pack, stream_windows
from tenfold.training import Recipe, fit, generator

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from tenfold.training import Run

# Arguments of `pretrained` at each size, shared by every paper that needs a tiny model, so that one stored training
# serves all. On one thread: smoke 1 s, laptop 55 s. With batches of 32 and half the steps the held-out loss is 0.3 nats
# higher on prose and code for the same time; rates of 2e-3 and 4e-3 differ by less than 0.06 nats.
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "hidden": 64,
        "intermediate": 176,
        "layers": 2,
        "heads": 2,
        "vocabulary": 512,
        "context": 512,
        "length": 64,
        "steps": 30,
        "batch": 16,
        "warmup": 5,
        "characters": 60_000,
    },
    "laptop": {
        "hidden": 128,
        "intermediate": 344,
        "layers": 4,
        "heads": 4,
        "vocabulary": 1024,
        "context": 512,
        "length": 128,
        "steps": 340,
        "batch": 16,
        "warmup": 50,
        "characters": 470_000,
    },
}
EPOCH = 20  # steps between two rows of the history
HELD_OUT = 8  # windows of each domain measured in every row of the history


def pretrained(
    domains: Sequence[str],
    seed: int = 0,
    hidden: int = 128,
    intermediate: int = 344,
    layers: int = 4,
    heads: int = 4,
    vocabulary: int = 1024,
    context: int = 512,
    length: int = 128,
    steps: int = 340,
    batch: int = 16,
    lr: float = 3e-3,
    warmup: int = 50,
    characters: int = 470_000,
    checkpoint: str | Path | None = None,
) -> dict[str, Any]:
    """Train a Llama from scratch on domains, drawn with equal probability, and return it as plain values.

    "weights" {name: array}, "tokenizer" (JSON text), "config" (all arguments but the checkpoint), "history" (a data
    frame: one row per 20 steps with loss and held_out_<domain>, nats per token); see `restore`. A step sees `batch`
    windows of `length` tokens, each predicting the next. AdamW (0.9, 0.95), decay 0.1 on matrices, clipped at norm 1,
    `warmup` steps, then a cosine to 5 % of lr. The corpora (`characters` of each domain) and the tokenizer do not
    depend on the seed; the weights and what is drawn do. checkpoint: a folder to resume from. Raises InputError for an
    unknown domain and sizes that do not fit.
    """
    config = dict(locals(), domains=list(domains))
    del config["checkpoint"]
    if not domains or len(set(domains)) < len(domains):
        raise InputError(f"a model is trained on one domain or more, each once, not {list(domains)}")
    if min(steps, length, batch) < 1 or length > context:
        raise InputError(f"a training needs steps, batch >= 1 and a length in 1 ... {context}, not {length}")
    corpus = [domain(name, characters=characters, seed=0) for name in domains]
    tokenizer = train_tokenizer([document.text for part in corpus for document in part.train], vocabulary)
    model = tiny(len(tokenizer), hidden, intermediate, layers, heads, context, seed)
    period = math.gcd(steps, EPOCH)
    data = Mixture([pack(part.train, tokenizer) for part in corpus], length, period)
    recipe = _recipe(steps, period, batch, lr, warmup)
    test = partial(_tested, held_out={part.name: _held_out(part, tokenizer, length) for part in corpus})
    path = Path(checkpoint) / "training.pt" if checkpoint else None
    history = fit(model, data, recipe, [seed], objective=next_token, checkpoint=path, test=test, test_every=1)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    return {"weights": weights, "tokenizer": to_json(tokenizer), "config": config, "history": history}


def _recipe(steps: int, period: int, batch: int, lr: float, warmup: int) -> Recipe:
    """Return the recipe of so many steps, `period` of them in an epoch."""
    return Recipe(
        epochs=steps // period,
        batch=batch,
        lr=lr,
        optimizer="adamw",
        betas=(0.9, 0.95),
        weight_decay=0.1,
        decay="matrices",
        schedule="cosine",
        lr_end=0.05,
        warmup=min(warmup, steps) / period,
        clip=1.0,
        channels_last=False,
    )


def restore(stored: Mapping[str, Any]) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Return model and tokenizer of what `pretrained` returned, or of what was read back from where it was stored."""
    tokenizer, config = from_json(stored["tokenizer"]), stored["config"]
    sizes = {name: config[name] for name in ("hidden", "intermediate", "layers", "heads", "context", "seed")}
    model = tiny(len(tokenizer), **sizes)
    # Copies: training the model again must not change what is stored.
    weights = {name: torch.tensor(value) for name, value in stored["weights"].items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError("the stored weights do not fit the stored configuration") from error
    return model, tokenizer


def sizes(scale: str) -> dict[str, Any]:
    """Return the arguments of `pretrained` at a size, "smoke" or "laptop"; raises InputError for another."""
    if scale not in SIZES:
        raise unknown("size of a language model", scale, SIZES)
    return dict(SIZES[scale])


def next_token(run: Run, ids: Tensor) -> Tensor:
    """Return the mean cross entropy (1,) in nats of the next token, for ids (1, B, T + 1)."""
    inputs, targets = ids[0, :, :-1], ids[0, :, 1:]
    logits = run.model(input_ids=inputs, use_cache=False).logits
    return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())[None]


class Mixture:
    """Random windows of T + 1 tokens from several streams, each stream as likely as the others.

    streams: token ids (N_k,); an epoch has `period` batches. The same seed and epoch give the same windows. Raises
    InputError for a stream that is shorter than a window.
    """

    def __init__(self, streams: Sequence[Tensor], length: int, period: int):
        self.streams, self.length, self.period = list(streams), length, period
        shortest = min(map(len, self.streams))
        if shortest <= length:
            raise InputError(f"a domain of {shortest} tokens does not fill a window of {length} and the token after it")

    def to(self, device: torch.device | str, channels_last: bool = False) -> Mixture:
        """Return the same streams on a device."""
        return Mixture([stream.to(device) for stream in self.streams], self.length, self.period)

    def steps(self, batch: int, drop_last: bool = False, processes: int = 1) -> int:
        """Return the number of batches in an epoch; raises InputError where processes outnumber the windows."""
        if batch < processes:
            raise InputError(f"a batch of {batch} windows cannot be shared by {processes} processes")
        return self.period

    def batches(
        self, seeds: Sequence[int], epoch: int, batch: int, drop_last: bool = False, share: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[Tensor, ...]]:
        """Yield batches of windows (S, B, T + 1)."""
        rank, processes = share
        drawn = torch.stack([self._starts(seed, epoch, batch) for seed in seeds], dim=1)
        joined = torch.cat(self.streams)
        offsets = torch.arange(self.length + 1, device=joined.device)
        for starts in drawn[:, :, rank::processes].to(joined.device):
            yield (joined[starts[..., None] + offsets],)

    def _starts(self, seed: int, epoch: int, batch: int) -> Tensor:
        """Return where the windows (period, B) of an epoch begin in the joined streams."""
        numbers = generator(seed, epoch, "order")
        lengths = torch.tensor([len(stream) for stream in self.streams])
        which = torch.randint(len(lengths), (self.period, batch), generator=numbers)
        place = torch.rand(self.period, batch, generator=numbers, dtype=torch.float64)
        begin = lengths.cumsum(0) - lengths
        return begin[which] + (place * (lengths[which] - self.length)).long()

    def digest(self) -> str:
        """Return the SHA-256 of all that is drawn from."""
        found = hashlib.sha256(f"{self.length} {self.period} {[len(s) for s in self.streams]}".encode())
        for stream in self.streams:
            found.update(stream.cpu().numpy())
        return found.hexdigest()


def _held_out(part: Domain, tokenizer: PreTrainedTokenizerFast, length: int) -> Windows:
    ids = pack(part.test, tokenizer)
    if len(ids) <= length:
        raise InputError(f"the held-out documents of {part.name}, {len(ids)} tokens, do not fill a window of {length}")
    return stream_windows(ids, length + 1, min(HELD_OUT, len(ids) // (length + 1)))


def _tested(run: Run, held_out: Mapping[str, Windows]) -> dict[str, Tensor]:
    means = {name: losses(run.model, windows).mean() for name, windows in held_out.items()}
    return {f"held_out_{name}": value[None] for name, value in means.items()}
