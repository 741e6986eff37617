"""What fine-tuning costs, counted: multiply-adds, bytes, parameters; and what the paper's own bars say of it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from torch import nn

from tenfold import datasets
from tenfold.language.llama import LINEARS, shape
from tenfold.language.lora import LoRALinear
from tenfold.lowrank import accounting, break_even, optimizer_bytes, trainable, uniform_rank
from tenfold.papers.welore.published import ABSTRACT, FIGURE, FIGURES, READ, TUNED

FORWARD, BACKWARD = 1, 1
"""Products of a map forward, and backward to its inputs, which every training needs; a third one gives a gradient."""
MODELS = {"LLaMA-2 7B": "llama-2-7b", "LLaMA-2 13B": "llama-2-13b"}


def noted() -> list[str]:
    """Return the data of figures that show the paper's numbers beside what is counted, and note that they are used."""
    return [datasets.synthetic("published numbers", "", "numbers of the paper and counting alone, no data").name]


def maps(model: nn.Module) -> pd.DataFrame:
    """Return the accounting of a compressed model: ranks beside parameters."""
    return accounting(model)


def macs(model: nn.Module) -> dict[str, int]:
    """Return multiply-adds per token of the maps and the head: all, and those whose weights train.

    Adapters count beside their base. Attention itself, alike for all methods, is left out.
    """
    found = {"all": 0, "trained": 0}
    for name, p in model.named_parameters():
        if p.ndim == 2 and "embed" not in name:
            found["all"] += p.numel()
            found["trained"] += p.numel() if p.requires_grad else 0
    return found


def counted(model: nn.Module, galore_rank: int | None = None) -> dict[str, Any]:
    """Return what a step of training costs: trainable, total, share; work, in forward passes of this model; bytes.

    work = 2 + (multiply-adds of trained maps) / (all): forward, backward to the inputs, gradients of weights. macs:
    work times the multiply-adds of a forward pass, per token. bytes = weights + gradients + optimiser_bytes; those of
    activations are left out.
    """
    found, sums = trainable(model), macs(model)
    work = FORWARD + BACKWARD + sums["trained"] / sums["all"]
    weights = sum(p.nbytes for p in model.parameters())
    gradients = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    each = next(model.parameters()).element_size()
    names = (*LINEARS, "A", "B")
    kind = "adamw" if galore_rank is None else "galore"
    moments = optimizer_bytes(model, kind, galore_rank, names=names, each=each)
    adapters = any(isinstance(module, LoRALinear) for module in model.modules())
    about = {"work": work, "macs": work * sums["all"], "adapters": adapters}
    return found | about | {"optimizer_bytes": moments, "bytes": weights + gradients + moments}


def honesty() -> pd.DataFrame:
    """Return what the abstract says of LRC-only against full fine-tuning, beside the paper's bars and plain counting.

    quantity, claimed, figure, low, high (as far as the bars can be read), counted. Throughput by counting: 3 P / (2 P +
    P_LRC), P trained numbers of the full model, at most 3/2 whatever is frozen; memory: weights, gradients and two
    moments of 2 bytes each, activations left out.
    """
    full, lrc = FIGURES["full"], FIGURES["welore"]
    P, Q = full["parameters"], lrc["parameters"]
    work, bytes_ = 3 * P / (2 * P + Q), (P + 3 * Q) / (P + 3 * P)
    rows = [
        {"quantity": "throughput", **ratio("throughput", lrc, full), "counted": work},
        {"quantity": "throughput, against GaLore", **ratio("throughput", lrc, FIGURES["galore"]), "counted": work},
        {"quantity": "trainable parameters", **ratio("parameters", lrc, full), "counted": Q / (Q + 3.1)},
        {"quantity": "memory", "counted": bytes_},
    ]
    table = pd.DataFrame(rows)
    claimed = table.quantity.map(
        {"throughput": 3.0, "trainable parameters": ABSTRACT["parameters"], "memory": ABSTRACT["memory"]}
    )
    return table.assign(claimed=claimed, seen=[FIGURE] * 3 + ["no bar"])


def ratio(what: str, first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    """Return the ratio of two bars, and the least and largest that they can be read as."""
    a, b, off = first[what], second[what], READ[what]
    return {"figure": a / b, "low": (a - off) / (b + off), "high": (a + off) / (b - off)}


def shares() -> pd.DataFrame:
    """Return the published shares of parameters of Table 4 beside those of uniform ranks at the same ERR, counted.

    share_l = r (m + n) / (m n) of the seven maps of a block; embeddings, head and norms stay as they are. Above the
    break-even rank factors are larger than the matrix: `kept` leaves such a matrix dense.
    """
    rows = []
    for (model, err), (share, _, _) in TUNED.items():
        s = shape(MODELS[model])
        d, f, rest = s["hidden"], s["intermediate"], 2 * s["vocabulary"] * s["hidden"] / s["layers"]
        sizes = [(d, d)] * 4 + [(f, d)] * 3
        r = uniform_rank(d, err)
        dense, factors = sum(m * n for m, n in sizes), sum(r * (m + n) for m, n in sizes)
        kept = sum(min(r * (m + n), m * n) for m, n in sizes)
        row = {"model": model, "err": err, "published": share, "uniform": (factors + rest) / (dense + rest)}
        row |= {"kept": (kept + rest) / (dense + rest), "break_even_square": break_even(d, d) / d}
        rows.append(row | {"break_even_mlp": break_even(f, d) / d})
    return pd.DataFrame(rows)
