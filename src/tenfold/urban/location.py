"""The location encoder: a fixed encoding of coordinates and a trainable network on it."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import nn

from tenfold.errors import InputError, unknown
from tenfold.urban.coordinates import Encoding, checked_points
from tenfold.urban.encodings import encoding as encoding_of
from tenfold.urban.layers import ResidualBlock, SineLayer, linear

_NETWORKS = ("residual", "linear", "siren")
_ROWS = 2**16  # double precision takes 200 MB for these, whatever the number of points


class LocationEncoder(nn.Module):
    """z = C h_n;  h_0 = ReLU(W0 PE(x) + b0),  h_i = h_{i-1} + ReLU(W2 Dropout(ReLU(W1 h_{i-1} + b1)) + b2).

    (N, 2) coordinates -> (N, out), not normalised; C has no bias. 592,128 parameters on a grid encoding of 128
    columns by default. The encoding is computed in double precision and cast to the type of the weights (float32;
    after `.double()` all is double, as in the official code). Weights are drawn as torch does by default, from
    `generator` where one is given. network: "residual", or for comparison "linear", z = C PE(x) + b, or "siren",
    `blocks` layers of sines of `width`, h_i = sin(w (W h_{i-1} + b)), w = 30 in the first and 1 in the others.
    Raises InputError for an unknown network, sizes below one or a dropout outside [0, 1).
    Source: FCNet of the official code, after the geographical prior of Mac Aodha et al. (2019).
    """

    def __init__(
        self,
        encoding: Encoding,
        width: int = 256,
        blocks: int = 4,
        out: int = 128,
        dropout: float = 0.5,
        *,
        network: str = "residual",
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if min(width, blocks, out) < 1 or not 0 <= dropout < 1:
            raise InputError(
                "a location encoder needs width, blocks and out >= 1 and dropout in [0, 1), not "
                f"{width}, {blocks}, {out} and {dropout}"
            )
        self.encoding, self.out = encoding, out
        self.layers = nn.ModuleList(_layers(network, encoding.width, width, blocks, out, dropout, generator))

    def forward(self, points: ArrayLike | torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return z (N, out) of coordinates (N, 2); `generator` draws what dropout removes while training."""
        return self.from_encoding(self.encode(points), generator)

    def encode(self, points: ArrayLike | torch.Tensor) -> torch.Tensor:
        """Return the encoding (N, encoding.width) of coordinates (N, 2) in the type and place of the weights."""
        weight = next(self.parameters())
        blocks = checked_points(points).split(_ROWS)
        return torch.cat([self.encoding(block).to(weight) for block in blocks])

    def from_encoding(self, encoded: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return z (N, out) of encoded points (N, encoding.width), so that an encoding is computed only once."""
        hidden = encoded
        for layer in self.layers:
            hidden = layer(hidden, generator) if isinstance(layer, ResidualBlock) else layer(hidden)
        return hidden


def _layers(
    network: str, inputs: int, width: int, blocks: int, out: int, dropout: float, generator: torch.Generator | None
) -> list[nn.Module]:
    if network == "residual":
        first = [linear(inputs, width, generator), nn.ReLU()]
        middle = [ResidualBlock(width, dropout, generator) for _ in range(blocks)]
        return [*first, *middle, linear(width, out, generator, bias=False)]
    if network == "linear":
        return [linear(inputs, out, generator)]
    if network == "siren":
        waves = [SineLayer(inputs if i == 0 else width, width, i == 0, generator) for i in range(blocks)]
        return [*waves, linear(width, out, generator, reach=(6 / width) ** 0.5)]
    raise unknown("network", network, _NETWORKS)


def location_encoder(
    encoding: str = "grid",
    *,
    network: str = "residual",
    width: int = 256,
    blocks: int = 4,
    out: int = 128,
    dropout: float = 0.5,
    generator: torch.Generator | None = None,
    **options: float,
) -> LocationEncoder:
    """Return a `LocationEncoder` from plain values; what it does not take itself goes to `encoding` by name.

    Raises InputError for an unknown encoding or network, an option that neither takes, or an impossible value.
    """
    encoder = encoding_of(encoding, **options)
    return LocationEncoder(encoder, width, blocks, out, dropout, network=network, generator=generator)
