"""Cells: which network is trained how; the factory that builds its maps; and which networks are wanted."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from tenfold.lowrank import SHAPES, LowRankLinear, rank_mapping
from tenfold.lowrank.layers import INITS
from tenfold.lowrank.maps import block_of
from tenfold.papers.lr_sms.parameters import Parameters
from tenfold.speech.attention import LinearFactory

ATTENTION, FEED_FORWARD = 0.12, 0.5
"""Kept rank shares of the abstract: attention may go down to the first, feed-forwards suffer at the second."""


@dataclass(frozen=True)
class Cell:
    """One network to train.

    attention, ff: kept share rho = r / r_full of the rank of the attention and of the feed-forward maps, 1 is dense;
    init: see `tenfold.lowrank.INITS`; mapping: how rho changes over the blocks, see `tenfold.lowrank.SHAPES`;
    width, inside: d and feed-forward width of a narrower encoder, 0 is the run's own; rate, epochs: learning rate and
    epochs over the run's own.
    """

    attention: float = 1.0
    ff: float = 1.0
    init: str = "svd"
    mapping: str = "uniform"
    width: int = 0
    inside: int = 0
    rate: float = 1.0
    epochs: int = 1

    @property
    def dense(self) -> bool:
        """Whether every map is dense."""
        return self.attention == self.ff == 1.0

    def record(self) -> dict[str, Any]:
        """Return the cell as plain values, the first columns of every table."""
        return asdict(self)


def is_attention(name: str) -> bool:
    """Tell a map of self- or source attention from one of a feed-forward, by its full name."""
    return "_attn." in name


def factorised(name: str) -> bool:
    """Tell whether a map is one that may be factorised: of attention (not of positions) or of a feed-forward."""
    last = name.rpartition(".")[2]
    return last in ("w_1", "w_2") or (is_attention(name) and last != "linear_pos")


def rank_of(name: str, full: int, cell: Cell, depths: tuple[int, int]) -> int:
    """Return the rank of a map: rho_l full, rho_l over the blocks of the encoder or of the decoder (their numbers)."""
    rho = cell.attention if is_attention(name) else cell.ff
    layers = depths[1] if name.startswith("decoder.") else depths[0]
    return int(rank_mapping(rho, layers, cell.mapping, full)[block_of(name)])


def factory(cell: Cell, seed: int, depths: tuple[int, int]) -> LinearFactory:
    """Return what builds each map of a cell's network: dense, or y = U (V x) + b started from the dense one's draw.

    A dense map is always drawn first, so that networks of one seed share every weight that no map replaces.
    """

    def build(name: str, inputs: int, outputs: int) -> nn.Module:
        linear = nn.Linear(inputs, outputs)
        full = min(inputs, outputs)
        rank = rank_of(name, full, cell, depths)
        if rank == full:
            return linear
        # Its own stream for each map: layers of one shape must not begin alike.
        numbers = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
        return LowRankLinear.start(linear, rank, cell.init, numbers)

    return build


class Plan:
    """Which networks a run trains, and with how many seeds."""

    def __init__(self, p: Parameters, narrow: Cell) -> None:
        self.p, self.narrow = p, narrow
        self.both = uniform(p)

    @property
    def main(self) -> dict[str, Cell]:
        """Networks that the claims compare, all seeds; `least` is the control: both modules at the smallest share."""
        least = self.p.shares[0]
        return {
            "dense": Cell(),
            "attention": Cell(attention=ATTENTION),
            "ff": Cell(ff=FEED_FORWARD),
            "both": self.both,
            "rand": replace(self.both, init="rand"),
            "increasing": replace(self.both, mapping="increasing"),
            "decreasing": replace(self.both, mapping="decreasing"),
            "narrow": self.narrow,
            "least": Cell(least, least),
        }

    @property
    def sweep(self) -> list[Cell]:
        """Attention alone and feed-forwards alone at every share."""
        return [Cell(attention=rho) for rho in self.p.shares] + [Cell(ff=rho) for rho in self.p.shares]

    @property
    def inits(self) -> list[Cell]:
        """Both modules from every start."""
        return [replace(self.both, init=name) for name in INITS]

    @property
    def mappings(self) -> list[Cell]:
        """Both modules with every mapping; of two blocks, a triangle is uniform, of three it is little else."""
        return [replace(self.both, mapping=name) for name in (SHAPES if self.p.blocks > 3 else SHAPES[:3])]

    @property
    def rates(self) -> list[Cell]:
        """Dense and both at every learning rate."""
        return [replace(cell, rate=rate) for cell in (Cell(), self.both) for rate in (1.0, *self.p.rates)]

    @property
    def longer(self) -> list[Cell]:
        """Dense and both, trained for as long as all others and longer."""
        return [replace(cell, epochs=times) for cell in (Cell(), self.both) for times in (1, self.p.longer)]

    def points(self) -> list[tuple[Cell, int]]:
        """Return every network with the number of its replicate; what other jobs wait for comes first."""
        found = [(cell, k) for k in range(self.p.replicates) for cell in self.main.values()]
        # The longest first, then the dense ones that others are cut from.
        found.sort(key=lambda point: point[0] != Cell())
        found = [(cell, 0) for cell in self.longer if cell.epochs > 1] + found
        found += [(cell, 0) for cell in (*self.sweep, *self.inits, *self.mappings, *self.rates)]
        return list(dict.fromkeys(found))


def uniform(p: Parameters) -> Cell:
    """Return low rank in both modules, as in LR-SMS but with one rank for all blocks."""
    return Cell(p.rho_attention, p.rho_ff)
