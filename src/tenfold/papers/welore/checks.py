"""Checks: what must come out on any model, each with the tolerance to which it must."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from tenfold.language.perplexity import losses
from tenfold.lowrank import (
    Decomposition,
    GaLoreProjector,
    LowRankLinear,
    decompose_scaled,
    factorize,
    kept_ranks,
    maps,
    normalized_spectrum,
    rank_reduction,
    singular_values,
    train_only,
    truncate,
    uniform_rank,
)
from tenfold.papers.welore.bench import Bench
from tenfold.papers.welore.parameters import MAIN

Row = tuple[str, float, float, float]
RELATIVE = 1e-4
"""Of a norm: float32 leaves 1e-6 a matrix, and maps of some thousand columns add."""


def identities(seed: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Return numbers that must come out of a seed's model, what did, and the residual in units of the tolerance."""
    bench = Bench.of(seed, settings)
    held = bench.held()
    rows = [*thresholds(held), *invariances(seed), *factors(bench, held), *untouched(bench, held)]
    rows += [*galore(seed), *whitened(bench)]
    table = pd.DataFrame(rows, columns=["quantity", "expected", "found", "tolerance"])
    return table.assign(residual=(table.found - table.expected) / table.tolerance, seed=seed)


def thresholds(held: Decomposition) -> list[Row]:
    """Return what normalised spectra, ERR(k) and its search must give."""
    every = [np.asarray(normalized_spectrum(s.cpu().double().numpy())) for s in held.spectra.values()]
    err = rank_reduction(held.spectra, np.linspace(0, 1, 201))
    total = sum(map(len, every))
    exact = abs(float(rank_reduction(held.spectra, held.threshold(MAIN, step=None))[0]) - MAIN)
    grid = held.threshold(MAIN)
    nearest = np.abs(err - MAIN).min() - abs(float(rank_reduction(held.spectra, grid)[0]) - MAIN)
    pruned = sum(len(s) - r for s, r in zip(every, held.ranks(MAIN, by="uniform").values(), strict=True))
    return [
        ("largest |s_1 - 1| and |s_p| of min-max values", 0, max(abs(s[0] - 1) + abs(s[-1]) for s in every), 1e-9),
        ("ERR at k = 0", 0, float(err[0]), 1e-9),
        ("largest fall of ERR(k) from one k to the next", 0, float(max(0.0, (-np.diff(err)).max())), 1e-9),
        ("matrices of rank 0 at k = 1", 0, sum(r < 1 for r in kept_ranks(held.spectra, 1.0).values()), 0.5),
        ("exact search: |ERR - 50 %|, in values", 0, exact * total, 1.5),
        ("grid search: distance from the grid's nearest ERR", 0, nearest, 1e-9),
        (
            "uniform: values pruned, against the floors",
            sum(len(s) - uniform_rank(len(s), MAIN) for s in every),
            pruned,
            0.5,
        ),
        ("rank kept of a constant spectrum", 7, kept_ranks({"w": np.ones(7)}, 0.9)["w"], 0.5),
    ]


def invariances(seed: int) -> list[Row]:
    """Return how ranks and spectra change where they must not: by scale, rotation, and way of computing."""
    numbers = torch.Generator().manual_seed(seed)
    weight = torch.randn(60, 40, generator=numbers, dtype=torch.float64) @ torch.diag(
        0.9 ** torch.arange(40.0).double()
    )
    turn = torch.linalg.qr(torch.randn(60, 60, generator=numbers, dtype=torch.float64))[0]
    ranks = [kept_ranks({"w": singular_values(w)}, 0.3)["w"] for w in (weight, 7 * weight, turn @ weight)]
    gram, svd = singular_values(weight), singular_values(weight, "svd")
    return [
        ("rank of 7 W less that of W", 0, ranks[1] - ranks[0], 0.5),
        ("rank of Q W less that of W, Q orthogonal", 0, ranks[2] - ranks[0], 0.5),
        ("singular values by Gram matrix and by SVD, over sigma_1", 0, float((gram - svd).abs().max() / svd[0]), 1e-5),
    ]


def factors(bench: Bench, held: Decomposition) -> list[Row]:
    """Return what factors must give: error of the truncation, balance, the dense model at full rank, gradients."""
    name, linear = next(iter(maps(bench.dense).items()))
    weight, r = linear.weight.detach().float(), max(1, len(held.spectra[name]) // 3)
    a, b = held[name].pair(r)
    off, sigma = weight - (a @ b).to(weight), held.spectra[name].to(weight)
    lost = math.sqrt(held[name].lost(r))
    balance = ((a.mT @ a) - torch.diag(sigma[:r].to(a))).norm() + ((b @ b.mT) - torch.diag(sigma[:r].to(b))).norm()
    dense = next(iter(bench.tests.values()))
    full = LowRankLinear.of(*(part.to(weight) for part in held[name].pair(len(sigma))))
    same = truncate(bench.dense, held, {n: len(s) for n, s in held.spectra.items()})
    with bench.placed(same):
        moved = losses(same, dense)
    with bench.placed(bench.dense):
        moved = (moved - losses(bench.dense, dense)).abs().max().item()
    norm = weight.norm().item()
    return [
        (
            "|W - A B|_F less the root of the discarded squares, over |W|_F",
            0,
            (off.norm().item() - lost) / norm,
            RELATIVE,
        ),
        ("|W - A B|_2 over sigma_(r+1)", 1, (torch.linalg.matrix_norm(off, 2) / sigma[r]).item(), 1e-3),
        ("A^T A and B B^T less diag(sigma), over sigma_1", 0, (balance / sigma[0]).item(), RELATIVE),
        ("|W - A B|_F at full rank, over |W|_F", 0, ((full.product() - weight).norm() / norm).item(), RELATIVE),
        ("ERR 0: largest change of a loss", 0, moved, 1e-6),
        *chain(weight, r),
    ]


def chain(weight: Tensor, r: int) -> list[Row]:
    """Return how far autograd's gradients of A and B are from G B^T and A^T G."""
    a, b = factorize(weight.double(), r)
    layer = LowRankLinear.of(a, b)
    x = torch.linspace(-1, 1, 3 * weight.shape[1], dtype=torch.float64, device=weight.device).view(3, -1)
    out = layer(x)
    out.square().sum().backward()
    g = (2 * out.mT @ x).detach()
    first = (layer.A.grad - g @ b.mT).norm() / layer.A.grad.norm()
    second = (layer.B.grad - a.mT @ g).norm() / layer.B.grad.norm()
    return [("dL/dA - G B^T and dL/dB - A^T G, relative", 0, (first + second).item(), 1e-9)]


def untouched(bench: Bench, held: Decomposition) -> list[Row]:
    """Return how many dense maps, embeddings and heads a step on the LRCs changes, which must be none."""
    model = train_only(truncate(bench.dense, held, _alternate(held)), "lrc")
    fixed = {name: p.detach().clone() for name, p in model.named_parameters() if p.ndim == 2 and not p.requires_grad}
    ids = next(iter(bench.tests.values())).ids[:1].to(bench.where)
    free = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(free, lr=1e-3, weight_decay=0.1)
    with bench.placed(model):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten()).backward()
        optimizer.step()
    changed = sum(not torch.equal(p, fixed[name]) for name, p in model.named_parameters() if name in fixed)
    factors = sum(isinstance(m, LowRankLinear) for m in model.modules())
    return [
        ("dense maps and embeddings that a step on the LRCs changes", 0, changed, 0.5),
        ("trained factors less two for each map of low rank", 2 * factors, sum(p.ndim == 2 for p in free), 0.5),
    ]


def _alternate(held: Decomposition) -> dict[str, int]:
    """Return ranks that leave every other map dense."""
    return {name: max(1, len(s) // (1 + 2 * (i % 2))) for i, (name, s) in enumerate(held.spectra.items())}


def galore(seed: int) -> list[Row]:
    """Return what GaLore's projection must give: an orthonormal basis, the best approximation, a basis that stays."""
    g = torch.randn(24, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    projector = GaLoreProjector(5, update_gap=10, scale=0.25)
    back = projector.project_back(projector.project(g, 0))
    basis = projector.basis.clone()
    projector.project(g.flip(0), 3)
    u, s, vh = torch.linalg.svd(g, full_matrices=False)
    least = 0.25 * (u[:, :5] * s[:5]) @ vh[:5]
    return [
        ("GaLore: |P P^T - I|", 0, (basis @ basis.mT - torch.eye(5)).norm().item(), 1e-5),
        ("GaLore: projected back, less scale times the best of rank r", 0, (back - least).norm().item(), 1e-5),
        ("GaLore: change of the basis between refreshes", 0, (projector.basis - basis).norm().item(), 1e-12),
    ]


def whitened(bench: Bench) -> list[Row]:
    """Return how far whitened truncation errs beyond plain truncation in |(W - A B) X|, which must not be at all."""
    name, linear = next(iter(maps(bench.dense).items()))
    found: list[Tensor] = []
    handle = linear.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].detach().float().flatten(0, 1)))
    with bench.placed(bench.dense):
        held = decompose_scaled(bench.dense, bench.calibration, "whitened")
    handle.remove()
    x, weight = torch.cat(found).to(linear.weight.device), linear.weight.detach().float()
    worst = 0.0
    for r in {max(1, len(held.spectra[name]) // k) for k in (2, 4, 8)}:
        errors = [
            ((weight - (a @ b).to(weight)) @ x.mT).norm().item()
            for a, b in (held[name].pair(r), bench.held()[name].pair(r))
        ]
        worst = max(worst, errors[0] / errors[1])
    return [("whitened SVD: |(W - A B) X| over that of plain SVD, beyond 1", 0, max(0.0, worst - 1), 1e-3)]
