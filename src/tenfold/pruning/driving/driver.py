"""A driver that speaks: vector tokens of a scene inside the embedded text of a language model."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from tenfold.datasets.driving import Scenes
from tenfold.errors import InputError, unknown
from tenfold.language.windows import Windows
from tenfold.pruning.driving.encoder import VectorEncoder
from tenfold.pruning.driving.metrics import IGNORED, weighted_token_loss
from tenfold.pruning.driving.words import Vocabulary

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

# The published system marks the place with the two tokens of "Input:" and a line end behind them.
BEHIND_MARKER = 3
DECODINGS = ("greedy", "sampling")
# Sampling as published: arXiv 2310.01957 evaluates with noise.
SAMPLING = {"do_sample": True, "temperature": 0.1, "top_p": 0.75, "top_k": 40}


class Inserted(NamedTuple):
    """A batch with vector tokens in it: embeds (n, T + q, d), attend and labels (n, T + q)."""

    embeds: Tensor
    attend: Tensor
    labels: Tensor | None


def insert_vectors(
    embeds: Tensor,
    ids: Tensor,
    vectors: Tensor,
    marker: tuple[int, int] | None,
    attend: Tensor | None = None,
    labels: Tensor | None = None,
) -> Inserted:
    """Return embedded text (n, T, d) of ids (n, T) with vectors (n, q, d) three positions behind the marker's start.

    The marker is the first place where its two tokens follow each other; a row without it, or a marker of None, has
    the vectors at position 1, behind <s>. There the labels are -100 and the attention 1; attend (n, T), bool, None
    for all. Raises InputError for shapes that do not fit. Source: arXiv 2310.01957.
    """
    (n, length), count = ids.shape, vectors.shape[1]
    if embeds.shape[:2] != ids.shape or vectors.shape != (n, count, embeds.shape[-1]):
        raise InputError(f"vectors {tuple(vectors.shape)} do not fit into text {tuple(embeds.shape)}")
    place = torch.ones(n, 1, dtype=torch.long, device=ids.device)
    if marker is not None and length > 1:
        found = (ids[:, :-1] == marker[0]) & (ids[:, 1:] == marker[1])
        behind = (found.int().argmax(dim=1, keepdim=True) + BEHIND_MARKER).clamp(max=length)
        place = torch.where(found.any(dim=1, keepdim=True), behind, place)
    # Where each position of text and vectors goes in the longer row.
    text = torch.arange(length, device=ids.device).expand(n, -1)
    order = torch.cat([text + count * (text >= place), place + torch.arange(count, device=ids.device)], dim=1).argsort()

    def merged(values: Tensor, extra: Tensor) -> Tensor:
        both = torch.cat([values, extra.to(values.dtype)], dim=1)
        return both.gather(1, order if both.ndim == 2 else order[..., None].expand(-1, -1, both.shape[-1]))

    attend = torch.ones_like(ids, dtype=torch.bool) if attend is None else attend
    extra = torch.ones(n, count, dtype=attend.dtype, device=ids.device)
    new_labels = None if labels is None else merged(labels, extra.to(labels.dtype) * IGNORED)
    return Inserted(merged(embeds, vectors), merged(attend, extra), new_labels)


class Driver(nn.Module):
    """An encoder of scenes and a language model that reads its vector tokens.

    encoder: VectorEncoder whose tokens have the model's width; llm: LlamaForCausalLM; words: Vocabulary, or anything
    with its encode, decode, pad, bos, eos and digits; marker: two token ids, None for vectors behind <s>;
    digit_weight: weight of the digits' tokens in the loss, kept outside the weights. Raises InputError where the
    widths differ.
    """

    def __init__(
        self,
        encoder: VectorEncoder,
        llm: LlamaForCausalLM,
        words: Vocabulary,
        marker: tuple[int, int] | None = None,
        digit_weight: float = 3.0,
    ):
        super().__init__()
        width, tokens = llm.config.hidden_size, encoder.project.out_features
        if width != tokens:
            raise InputError(f"vector tokens of width {tokens} do not fit a language model of width {width}")
        self.encoder, self.llm, self.words = encoder, llm, words
        self.marker, self.digit_weight = marker, digit_weight

    @property
    def device(self) -> torch.device:
        """Where the encoder lies."""
        return self.encoder.queries.device

    def class_weight(self, digit_weight: float | None = None) -> Tensor:
        """Return the weights (V,) of the tokens in the loss: digit_weight for digits, 1 otherwise."""
        weight = torch.ones(self.llm.config.vocab_size, device=self.device)
        weight[list(self.words.digits)] = self.digit_weight if digit_weight is None else digit_weight
        return weight

    def embedded(self, vectors: Tensor, ids: Tensor) -> Inserted:
        """Return the embedded batch of vector tokens (n, q, d) and texts ids (n, T), with labels."""
        real = ids != self.words.pad
        # <s> is given, never asked for; what is filled up is neither.
        labels = ids.masked_fill(~real | (ids == self.words.bos), IGNORED)
        return insert_vectors(self.llm.get_input_embeddings()(ids), ids, vectors, self.marker, real, labels)

    def loss(self, vectors: Tensor, ids: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted token cross entropy, a scalar, of ids (n, T) that follow vector tokens (n, q, d)."""
        batch = self.embedded(vectors, ids)
        # Filled up on the right: causal attention alone keeps it out of what counts, and needs no mask.
        logits = self.llm(inputs_embeds=batch.embeds[:, :-1], use_cache=False).logits
        return weighted_token_loss(logits, batch.labels[:, 1:], weight)

    def clone(self) -> Driver:
        """Return a copy with weights of its own."""
        return copy.deepcopy(self)


def tensors(scenes: Scenes) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return route, vehicles, pedestrians and own car as tensors, without rows that are empty in all scenes."""
    objects = []
    for rows in (scenes.vehicles, scenes.pedestrians):
        used = (rows[..., 0] != 0).any(axis=0).nonzero()[0]
        objects.append(rows[:, : int(used[-1]) + 1 if used.size else 1])
    return tuple(torch.tensor(part) for part in (scenes.route, *objects, scenes.ego))


def token_loss(driver: Driver, scenes: Scenes, digit_weight: float | None = None, batch: int = 128) -> float:
    """Return the weighted token cross entropy of the labels in nats: L of `weighted_token_loss` over all tokens.

    digit_weight: that of the driver unless given; 1 gives the plain mean. Raises InputError without scenes.
    """
    weight = driver.class_weight(digit_weight)
    losses, weights = [], []
    with torch.no_grad():
        for vectors, texts in _batches(driver, scenes, batch):
            ids = driver.words.encode(texts).to(driver.device)
            losses.append(driver.loss(vectors, ids, weight))
            asked = ids[(ids != driver.words.pad) & (ids != driver.words.bos)]
            weights.append(weight[asked].sum())
    losses, weights = torch.stack(losses).double(), torch.stack(weights).double()
    return float((losses * weights).sum() / weights.sum())


def describe(driver: Driver, scenes: Scenes, decoding: str = "greedy", seed: int = 42, batch: int = 200) -> list[str]:
    """Return what the driver says of each scene, decoded with a key-value cache.

    decoding: "greedy", or "sampling" as published (temperature 0.1, top-p 0.75, top-k 40) from `seed`. Raises
    InputError for another decoding and without scenes.
    """
    if decoding not in DECODINGS:
        raise unknown("decoding", decoding, DECODINGS)
    words, texts = driver.words, []
    settings = SAMPLING if decoding == "sampling" else {"do_sample": False}
    settings |= {"pad_token_id": words.pad, "eos_token_id": words.eos, "max_new_tokens": words.longest}
    # transformers draws from the global state: restored afterwards.
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for vectors, rows in _batches(driver, scenes, batch):
            ids = torch.full((len(rows), 1), words.bos, device=driver.device)
            start = driver.embedded(vectors, ids)
            made = driver.llm.generate(inputs_embeds=start.embeds, attention_mask=start.attend.long(), **settings)
            texts += words.decode(made)
    return texts


def driving_windows(driver: Driver, scenes: Scenes) -> Windows:
    """Return the embedded labels of scenes with the vector tokens of the driver's encoder, padding left out.

    What fills up a shorter text is neither attended to nor counted. Raises InputError without scenes.
    """
    with torch.no_grad():
        vectors = torch.cat([vectors for vectors, _ in _batches(driver, scenes, 128)])
        batch = driver.embedded(vectors, driver.words.encode(scenes.texts).to(driver.device))
    return Windows(embeds=batch.embeds, attend=batch.attend, count=batch.attend, real=batch.attend)


def _batches(driver: Driver, scenes: Scenes, batch: int) -> Iterator[tuple[Tensor, Sequence[str]]]:
    """Yield vector tokens (b, q, d) and label texts of so many scenes at a time."""
    if not len(scenes):
        raise InputError("a driver needs at least one scene")
    for start in range(0, len(scenes), batch):
        part = scenes[start : start + batch]
        yield driver.encoder(*(x.to(driver.device) for x in tensors(part))), part.texts
