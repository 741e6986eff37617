"""Checks: what must come out on any corpus, each with the tolerance to which it must."""

from __future__ import annotations

import itertools

import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.lowrank import LowRankLinear, rank_mapping, singular_values
from tenfold.papers.lr_sms import accounts
from tenfold.papers.lr_sms.cells import Cell, factory
from tenfold.speech import (
    RelPositionMultiheadAttention,
    band_centres,
    build,
    collapse,
    ctc_loss,
    log_mel,
    shift,
    sizes,
    word_error_rate,
)
from tenfold.speech.transcription import BANDS

Row = tuple[str, float, float, float]
# Millions of parameters of the audio model at rho 0.25 and 0.12, both modules, counted by hand from its layer sizes.
PUBLISHED = 243_049_202
HALVES = {0.5: 190.0, 0.25: 117.4, 0.12: 79.6}


def identities(seed: int) -> pd.DataFrame:
    """Return numbers that must come out, what did, and the residual in units of the tolerance."""
    numbers = torch.Generator().manual_seed(seed)
    rows = [*maps(numbers), *budgets(), *networks(seed, numbers), *hearing(numbers)]
    table = pd.DataFrame(rows, columns=["quantity", "expected", "found", "tolerance"])
    return table.assign(residual=(table.found - table.expected) / table.tolerance, seed=seed)


def maps(numbers: torch.Generator) -> list[Row]:
    """Return what a single map of low rank gives where the answer is known."""
    dense, x = nn.Linear(48, 32), torch.randn(9, 48, generator=numbers)
    start = LowRankLinear.start(dense, 8)
    full = (LowRankLinear.start(dense, 32)(x) - dense(x)).abs().max().item()
    sigma = singular_values(dense.weight.detach()).double()
    lost = (dense.weight - start.product()).square().sum().item()
    balance = max((p - torch.diag(sigma[:8])).abs().max().item() for p in (start.A.T @ start.A, start.B @ start.B.T))
    # y = U (V x): with W = U V and G = dL/dW, dL/dU = G V^T and dL/dV = U^T G.
    start(x).square().sum().backward()
    gradient = 2 * start(x).detach().T @ x
    u = (start.A.grad - gradient @ start.B.detach().T).abs().max().item()
    v = (start.B.grad - start.A.detach().T @ gradient).abs().max().item()
    square = LowRankLinear(64, 64, 32)
    return [
        ("full rank, SVD start: largest difference from the dense map", 0, full, 1e-5),
        ("SVD start: |W - UV|^2 beyond the discarded sigma^2", float(sigma[8:].square().sum()), lost, 1e-4),
        ("SVD start: U^T U and V V^T beside diag(sigma)", 0, balance, 1e-5),
        ("gradients of U and V beside G V^T and U^T G, relative", 0, max(u, v) / gradient.norm().item(), 1e-5),
        ("weights of a square map, rho 0.5", 64 * 64, accounts.weights(square), 0.5),
        ("weights of 32 x 48 at rank 8: r (m + n)", 8 * 80, accounts.weights(start), 0.5),
    ]


def budgets() -> list[Row]:
    """Return how mappings keep the budget, and the published model's size."""
    shapes = ("increasing", "decreasing", "triangle", "inverse-triangle")
    over = max(abs(int(rank_mapping(0.12, 12, shape, 768).sum()) - 12 * 92) for shape in shapes)
    up, down = (rank_mapping(0.12, 12, shape, 768) for shape in shapes[:2])
    model = accounts.base()
    halves = max(abs(model.held(rho, rho) / 1e6 - held) for rho, held in HALVES.items())
    return [
        ("mappings of 12 layers: sum of ranks beyond the uniform budget", 0, over, 0.5),
        ("increasing beside decreasing, mirrored: largest difference", 0, abs(up - down[::-1]).max(), 0.5),
        ("parameters of the published audio model", PUBLISHED, model.parameters, 0.5),
        ("the same with rho 0.5, 0.25, 0.12: millions beside 190.0, 117.4, 79.6", 0, halves, 0.05),
    ]


def networks(seed: int, numbers: torch.Generator) -> list[Row]:
    """Return how a network of full shares differs from the dense one, and how attention sees offsets."""
    config = sizes("smoke") | {"seed": seed, "kernel": 15, "strides": (2, 2, 2)}
    plain, full = build(config, 11), build(config, 11, factory(Cell(), seed, (config["blocks"], 0)))
    moved = sum(not torch.equal(a, b) for a, b in zip(plain.parameters(), full.parameters(), strict=True))
    scores = torch.randn(1, 1, 5, 9, generator=numbers)
    # Column k of the table is offset T - 1 - k; entry (i, j) must be that of offset i - j.
    picked = torch.stack([torch.stack([scores[0, 0, i, 4 - (i - j)] for j in range(5)]) for i in range(5)])
    offsets = (shift(scores)[0, 0] - picked).abs().max().item()
    return [
        ("rho = 1: tensors that differ from the dense network's", 0, moved, 0.5),
        ("shift: largest difference from the score at offset i - j", 0, offsets, 1e-6),
        ("padding: largest change of what is heard", 0, padded(plain, numbers), 1e-4),
        ("masked key: attention that it gets", 0, masked(numbers), 1e-12),
    ]


@torch.no_grad()
def padded(model: nn.Module, numbers: torch.Generator) -> float:
    """Return how far posteriors of an utterance change when a longer one stands beside it."""
    model = model.eval()
    x, longer = (torch.randn(1, size, BANDS, generator=numbers) for size in (80, 120))
    alone, frames = model(x, torch.tensor([80]))
    both = torch.cat([nn.functional.pad(x, (0, 0, 0, 40)), longer])
    return (model(both, torch.tensor([80, 120]))[0][0, : frames[0]] - alone[0]).abs().max().item()


@torch.no_grad()
def masked(numbers: torch.Generator) -> float:
    """Return by how much the output of attention depends on the values of a masked key."""
    layer = RelPositionMultiheadAttention(8, 2)
    x, codes = torch.randn(1, 6, 8, generator=numbers), torch.randn(1, 11, 8, generator=numbers)
    mask, other = torch.arange(6)[None, None] < 4, x.clone()
    other[:, 4:] += 100
    return (layer(x, x, x, codes, mask) - layer(x, x, other, codes, mask)).abs().max().item()


def hearing(numbers: torch.Generator) -> list[Row]:
    """Return what CTC, error rates and features give where the answer is known."""
    table = torch.randn(1, 5, 3, generator=numbers).log_softmax(-1)
    found = ctc_loss(table, torch.tensor([[1, 1]]), torch.tensor([5]), torch.tensor([2])).item()
    centre = float(band_centres(8000, BANDS)[20])
    tone = torch.sin(2 * torch.pi * centre * torch.arange(8000) / 8000)
    peak = int(log_mel(tone, 8000, BANDS).mean(0).argmax())
    silence = int((~log_mel(torch.zeros(4000), 8000, BANDS).isfinite()).sum())
    return [
        ("CTC of 5 frames beside the sum over all paths, nats", paths(table[0], [1, 1]), found, 1e-4),
        ("word error rate of what was said", 0, word_error_rate("one two two", "one two two"), 1e-9),
        ("word error rate of silence", 1, word_error_rate("one two two", ""), 1e-9),
        ("log-mel: band in which a tone at the centre of band 20 peaks", 20, peak, 0.5),
        ("log-mel of silence: values that are not finite", 0, silence, 0.5),
    ]


def paths(log_probs: Tensor, target: list[int]) -> float:
    """Return -ln of the summed probability of all paths that collapse to a target, one after the other."""
    frames, units = log_probs.shape
    every = (path for path in itertools.product(range(units), repeat=frames) if collapse(path) == target)
    return -torch.stack([log_probs[range(frames), path].sum() for path in every]).logsumexp(0).item()
