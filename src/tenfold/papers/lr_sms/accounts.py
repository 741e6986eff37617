"""Accounts: parameters, operations and break-even ranks, at the size of this run and at the published one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from tenfold.lowrank import break_even, equal_rank, maps
from tenfold.papers.lr_sms.cells import Cell, factorised, is_attention
from tenfold.papers.lr_sms.training import fresh
from tenfold.speech import base_recognizer
from tenfold.speech.transcription import BANDS

SECOND = 100
"""Frames of features in a second."""
RHOS = (0.5, 0.25, 0.2, 0.12, 0.1, 0.06)
PARTS = ("encoder attention", "encoder feed-forward", "encoder both", "attention", "feed-forward", "both")


@dataclass(frozen=True)
class Base:
    """The published model's size: parameters in all, and rows m and columns n of each map that may be factorised."""

    parameters: int
    maps: tuple[tuple[str, int, int], ...]

    def held(self, attention: float, ff: float, encoder_only: bool = False) -> int:
        """Return the parameters left when maps keep shares of their rank, r (m + n) in place of m n; 1 is dense."""
        total = self.parameters
        for name, m, n in self.maps:
            rho = attention if is_attention(name) else ff
            if rho < 1 and not (encoder_only and name.startswith("decoder.")):
                total += equal_rank(rho, min(m, n)) * (m + n) - m * n
        return total


@functools.cache
def base() -> Base:
    """Return the base model of the public code mpc001/auto_avsr, counted without making a number of it."""
    with torch.device("meta"):
        model = base_recognizer()
    found = maps(model, factorised)
    total = sum(parameter.numel() for parameter in model.parameters())
    return Base(total, tuple((name, part.out_features, part.in_features) for name, part in found.items()))


def sizes() -> pd.DataFrame:
    """Return the parameters of the published audio model, factorised in part: a row per part and share of the rank."""
    model, rows = base(), []
    for part in PARTS:
        for rho in RHOS:
            attention, ff = (1.0 if part.endswith(other) else rho for other in ("feed-forward", "attention"))
            held = model.held(attention, ff, part.startswith("encoder"))
            rows.append({"part": part, "rho": rho, "parameters": held, "times_fewer": model.parameters / held})
    return pd.DataFrame(rows)


def account(seed: int, cells: list[dict[str, Any]], settings: dict[str, Any], outputs: int) -> pd.DataFrame:
    """Count parameters and floating-point operations of each cell's network: a row per cell.

    flops: of a forward pass over a second of speech, as PyTorch counts them (two for a multiply-add); map_flops: those
    of the maps that may be factorised, 2 r (m + n) or 2 m n a frame.
    """
    x, lengths, rows = torch.zeros(1, SECOND, BANDS), torch.tensor([SECOND]), []
    for record in cells:
        model = fresh(seed, Cell(**record), settings, outputs).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(x, lengths)
        held = sum(parameter.numel() for parameter in model.parameters())
        frames = model.frontend.frames(SECOND)
        macs = sum(weights(part) for part in maps(model, factorised).values())
        rows.append(record | {"parameters": held, "flops": counter.get_total_flops(), "map_flops": 2 * macs * frames})
    return pd.DataFrame(rows)


def weights(part: Any) -> int:
    """Return the numbers of a map but its bias, each of which is one multiply-add a frame."""
    return sum(parameter.numel() for name, parameter in part.named_parameters() if name != "bias")


def limits(widths: list[tuple[int, int]]) -> pd.DataFrame:
    """Return for maps (m, n) the rank below which factors are fewer numbers, and its share of the full rank."""
    rows = [{"m": m, "n": n, "rank": break_even(m, n), "rho": break_even(m, n) / min(m, n)} for m, n in widths]
    return pd.DataFrame(rows)
