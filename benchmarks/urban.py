"""Speed of the pre-training on London, beside the work of the official loop on the same rows.

    OMP_NUM_THREADS=1 python benchmarks/urban.py

20,000 places drawn in the frame of London with 240 texts of the template, the published sizes (32 wavelengths,
width 256, batches of 1,024). The official loop encodes the text of every row of every batch, computes encoding and
network in double precision, and all B x B logits. Its steps here are made of our own layers and of MiniLM with
tokens at hand, without its data loader and its validation: the ratio is a lower bound. Without the extra
`minilm` its steps lack the text encoder, and a line says so.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from stopwatch import best_time
from tenfold.urban import (
    GridEncoder,
    Pretraining,
    clip_loss,
    distinct_clip_loss,
    location_encoder,
    pretrain,
    sentences,
    tfidf,
)
from tenfold.urban.heads import TextHead
from tenfold.urban.pretraining import parameter_groups

ROWS, BATCH, EPOCHS, OFFICIAL_STEPS, HEXAGONS = 20_000, 1024, 5, 3, 15_041
LOW, HIGH = (503_568, 155_850), (561_958, 200_934)
GROUPS = ("eating and drinking", "public transport")
KINDS = ("small", "large", "public", "private", "open", "covered", "indoor", "outdoor", "local", "general")
PLACES = (
    "cafes",
    "pubs",
    "stops",
    "schools",
    "banks",
    "parks",
    "markets",
    "halls",
    "clinics",
    "hotels",
    "bars",
    "gyms",
)


def london() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return coordinates (N, 2), the text of each as an index (N,), and the texts, the first ones frequent."""
    rng = np.random.default_rng(0)
    texts = [f"a place of {kind} {place}, a type of {group}" for group in GROUPS for kind in KINDS for place in PLACES]
    share = 1 / np.arange(1, len(texts) + 1)
    return rng.uniform(LOW, HIGH, (ROWS, 2)), rng.choice(len(texts), ROWS, p=share / share.sum()), texts


def our_epoch(xy: np.ndarray, index: np.ndarray, features: np.ndarray) -> float:
    """Return seconds per epoch, training and validation, the first one left out."""
    ends = []
    pretrain(xy, index, features, None, Pretraining(BATCH, EPOCHS), 0, lambda row: ends.append(time.perf_counter()))
    return float(np.diff(ends).min())


def official_epoch(xy: np.ndarray, index: np.ndarray, texts: list[str], features: np.ndarray) -> float:
    """Return seconds per epoch of training steps as the official loop does them, from a few of them."""
    generator = torch.Generator().manual_seed(0)
    encoder = location_encoder(generator=generator).double()
    head = TextHead(torch.from_numpy(features), encoder.out, generator=generator)
    optimizer = torch.optim.AdamW(parameter_groups((encoder, head), 0.01), lr=1e-3)
    batch = np.random.default_rng(1).choice(ROWS, BATCH, replace=False)
    tokens = padded_tokens([texts[row] for row in index[batch]]) if sentences.installed() else None

    def step() -> None:
        text = torch.from_numpy(features[index[batch]]) if tokens is None else sentence_means(*tokens)
        loss = clip_loss(head.projection(text), encoder(xy[batch], generator).float(), head.log_scale)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return best_time(step, OFFICIAL_STEPS) * 0.9 * ROWS / BATCH


def padded_tokens(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token numbers and attention mask of a batch, padded to its longest text."""
    tokenizer = sentences.sentence_encoder().tokenizer
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(texts)
    tokenizer.no_padding()
    return torch.tensor([row.ids for row in encoded]), torch.tensor([row.attention_mask for row in encoded])


def sentence_means(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the unit mean of MiniLM's last layer over the attention mask."""
    hidden = sentences.sentence_encoder().model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[:, :, None].float()
    return torch.nn.functional.normalize((hidden * weights).sum(dim=1) / weights.sum(dim=1))


def compare_epochs() -> None:
    """Print our epoch, the official one, and their ratio."""
    xy, index, texts = london()
    features = sentences.sentence_encoder().encode(texts) if sentences.installed() else tfidf(texts, 384).features
    ours = our_epoch(xy, index, features)
    theirs = official_epoch(xy, index, texts, features)
    print(f"epoch of {ROWS:,} rows {ours:8.2f} s   official loop {theirs:8.1f} s   ratio {theirs / ours:6.0f}")
    if not sentences.installed():
        print("MiniLM is not installed: the official loop is timed without its text encoder")


def compare_losses() -> None:
    """Print the loss of one batch with its gradient, from all B x B logits and from distinct texts."""
    _, index, texts = london()
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(len(texts), 128, generator=generator, requires_grad=True)
    location = torch.randn(BATCH, 128, generator=generator, requires_grad=True)
    rows = torch.from_numpy(index[:BATCH])
    dense = best_time(lambda: clip_loss(text[rows], location, 2.0).backward(), 20)
    distinct = best_time(lambda: distinct_clip_loss(text, rows, location, 2.0).backward(), 20)
    ratio = dense / distinct
    print(f"loss of {BATCH:,} rows  {distinct * 1e3:8.2f} ms  all logits    {dense * 1e3:8.2f} ms  ratio {ratio:6.1f}")


def time_pieces() -> None:
    """Print the time of one encoding, of the embedding of a map, and of sentences."""
    xy, _, texts = london()
    grid, encoder = GridEncoder(), location_encoder(generator=torch.Generator().manual_seed(0)).eval()
    print(f"grid encoding       {best_time(lambda: grid(xy)) * 1e3:8.1f} ms  for {ROWS:,} places")
    with torch.inference_mode():
        seconds = best_time(lambda: encoder(xy[:HEXAGONS]))
    print(f"embedding           {seconds * 1e3:8.1f} ms  for {HEXAGONS:,} hexagons")
    if sentences.installed():
        seconds = best_time(lambda: sentences.sentence_encoder().encode(texts), 2)
        print(f"MiniLM              {len(texts) / seconds:8.0f} /s  of {len(texts)} texts")


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} thread(s)")
    compare_epochs()
    compare_losses()
    time_pieces()
