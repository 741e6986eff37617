"""Layers that really skip their zeros on a CPU, and their time beside dense and masked ones."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import conv2d, linear

from tenfold.errors import InputError

GATHERED = 1 << 18  # numbers gathered at a time, 1 MiB: they stay in the cache until the product reads them
ALIGNED = 16  # the sparse product takes half the time on rows that are whole vectors


@dataclass(frozen=True)
class Layer:
    """A layer to time: "linear" of `width` inputs and outputs, or "conv" 3x3 on `width` channels of size x size.

    `batch` samples. Raises InputError for another kind or numbers below 1.
    """

    kind: str
    width: int
    size: int = 1
    batch: int = 32

    def __post_init__(self):
        if self.kind not in ("linear", "conv") or min(self.width, self.size, self.batch) < 1:
            raise InputError(f"a layer is 'linear' or 'conv' with width, size and batch of at least 1, not {self}")

    def __str__(self):
        square = f"{self.width}x{self.width}"
        return square if self.kind == "linear" else f"{square}x3x3 on {self.size}x{self.size}"


LAYERS = (
    Layer("linear", 512, batch=128),
    Layer("linear", 2048, batch=128),
    Layer("conv", 64, 32),
    Layer("conv", 128, 16),
    Layer("conv", 256, 8),
    Layer("conv", 512, 4),
)


def csr(weight: Tensor) -> Tensor:
    """Return a matrix (O, I) in compressed sparse rows; raises InputError for another shape."""
    if weight.ndim != 2:
        raise InputError(f"only a matrix has compressed rows, not a tensor {(*weight.shape,)}")
    with warnings.catch_warnings():  # once per process torch calls its compressed rows a beta feature
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return weight.detach().to_sparse_csr()


def csr_linear(weight_csr: Tensor, x: Tensor) -> Tensor:
    """Return y = W x (O, B) from a weight (O, I) of `csr` and x (I, B): features first, as in `GatheredConv`.

    Raises InputError for an x that does not fit.
    """
    if x.ndim != 2 or len(x) != weight_csr.shape[1]:
        raise InputError(f"a weight {(*weight_csr.shape,)} needs x ({weight_csr.shape[1]}, B), not {(*x.shape,)}")
    return weight_csr @ x


class GatheredConv:
    """A convolution that reads only the (input channel, row, column) entries of its kernel that are not zero.

    y_o = sum over i, h, w of W_oihw * x_i shifted by (h, w), for x (C, B, H, W): with channels first a shifted plane
    is one contiguous piece of the padded one, so the pieces with a nonzero in some W_o are copied below each other,
    and one product with compressed rows yields all y (O, B, H', W'). The batch goes through in parts that fit the
    cache. With a stride s the padded planes are first split into s x s planes of every s-th row and column.

    weight: (O, C, kh, kw), kept as it is now. Equals torch's conv2d on (B, C, H, W). Raises InputError for other
    shapes, and for an input of other channels or smaller than the kernel. Layout: arXiv 2411.13545 has no such kernel.
    """

    def __init__(self, weight: Tensor, stride: int = 1, padding: int = 0):
        if weight.ndim != 4 or stride < 1 or padding < 0:
            raise InputError(f"a kernel is (O, C, kh, kw), stride >= 1, padding >= 0; not {(*weight.shape,)}")
        self.shape, self.stride, self.padding = weight.shape, stride, padding
        used = (weight != 0).any(0)
        self.channels = used.flatten(1).any(1).nonzero().flatten()
        entries, kept = used[self.channels], weight.flatten(1).any(1)
        self.outputs = None if kept.all() else kept.nonzero().flatten()
        self.product = csr(weight[kept][:, self.channels][:, entries])
        channel, row, column = entries.nonzero(as_tuple=True)
        self.plane = (channel * stride + row % stride) * stride + column % stride
        self.row, self.column = row // stride, column // stride
        self.input_shape, self.padded, self.columns = None, torch.empty(0), torch.empty(0)

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        _, batch, height, width = self._check(x)
        kernel = self.shape[2:]
        out_size = [(n + 2 * self.padding - k) // self.stride + 1 for n, k in zip((height, width), kernel, strict=True)]
        make = x.new_empty if self.outputs is None else x.new_zeros
        out = make(self.shape[0], batch, *out_size)
        if len(self.plane) == 0:
            return out
        rows, columns = self._pad(x)
        plane = rows * columns
        offsets = self.plane * (batch * plane) + self.row * columns + self.column
        part = max(1, min(batch, GATHERED // (max(self.product.shape) * plane)))
        for start in range(0, batch, part):
            count = min(part, batch - start)
            y = self.product @ self._gather(start * plane, offsets, count * plane)
            y = y.as_strided((len(y), count, *out_size), (y.shape[1], plane, columns, 1))
            whole = out[:, start : start + count]
            whole.copy_(y) if self.outputs is None else whole.index_copy_(0, self.outputs, y)
        return out

    def _check(self, x: Tensor) -> torch.Size:
        short = x.ndim == 4 and min(n + 2 * self.padding - k for n, k in zip(x.shape[2:], self.shape[2:], strict=True))
        if x.ndim != 4 or x.shape[0] != self.shape[1] or short < 0:
            raise InputError(f"input (C, B, H, W) = {(*x.shape,)} does not fit the kernel {(*self.shape,)}")
        return x.shape

    def _pad(self, x: Tensor) -> tuple[int, int]:
        """Copy the used channels, padded and split by the stride, into the workspace; return the size of a plane."""
        _, batch, height, width = x.shape
        s, p, used = self.stride, self.padding, len(self.channels)
        rows, columns = (math.ceil((n + 2 * p) / s) for n in (height, width))
        if self.input_shape != (x.shape, x.dtype):  # the border is written once
            slack = max(self.shape[2:]) * (columns + 1) + ALIGNED
            self.padded = x.new_zeros(used * s * s * batch * rows * columns + slack)
            self.input_shape = x.shape, x.dtype
        planes = self.padded[: used * s * s * batch * rows * columns].view(used, s, s, batch, rows, columns)
        x = x if used == len(x) else x[self.channels]
        for i in range(s):
            for j in range(s):
                first = [-(-(p - k) // s) if p > k else 0 for k in (i, j)]
                part = x[:, :, first[0] * s + i - p :: s, first[1] * s + j - p :: s]
                high, wide = part.shape[2:]
                planes[:, i, j, :, first[0] : first[0] + high, first[1] : first[1] + wide] = part
        return rows, columns

    def _gather(self, start: int, offsets: Tensor, length: int) -> Tensor:
        """Return the pieces (entries, length), filled up to whole vectors with values that nobody reads."""
        length = -(-length // ALIGNED) * ALIGNED
        padded = self.padded[start:]
        pieces = padded.as_strided((len(padded) - length + 1, length), (1, 1))
        if self.columns.shape != (len(offsets), length) or self.columns.dtype != padded.dtype:
            self.columns = padded.new_empty(len(offsets), length)
        return torch.index_select(pieces, 0, offsets, out=self.columns)


def time_layers(
    layers: Sequence[Layer] = LAYERS,
    densities: Sequence[float] = (0.1, 0.02, 0.01, 0.001, 0.0001),
    repeats: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Time the forward pass of layers at random masks, dense, masked (weight * mask, then dense) and sparse.

    Columns kind, shape, batch, density, path, milliseconds (the least of `repeats`; the paths take turns, so that a
    busy machine disturbs them alike) and speedup (of dense over the path). Dense and masked convolutions use the
    faster of torch's two layouts, each path the layout it likes best. Raises InputError for a density outside (0, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    records = []
    for layer in layers:
        for density in densities:
            if not 0 < density <= 1:
                raise InputError(f"a density must be in (0, 1], not {density}")
            times = _turns(_paths(layer, density, generator), repeats)
            dense = min(value for name, value in times.items() if name.startswith("dense"))
            for path in ("dense", "masked", "sparse"):
                best = min(value for name, value in times.items() if name.startswith(path))
                records.append((layer.kind, str(layer), layer.batch, density, path, best * 1e3, dense / best))
    return pd.DataFrame(records, columns=["kind", "shape", "batch", "density", "path", "milliseconds", "speedup"])


def _paths(layer: Layer, density: float, generator: torch.Generator) -> dict[str, Callable[[], Tensor]]:
    """Return the calls to time, by path, with a suffix where a path has two layouts."""
    square, conv = (layer.width, layer.width), layer.kind == "conv"
    weight = torch.randn(*square, *[3, 3] * conv, generator=generator)
    mask = (torch.rand(weight.shape, generator=generator) < density).float()
    x = torch.randn(layer.batch, layer.width, *[layer.size] * 2 * conv, generator=generator)
    if not conv:
        sparse, first_x = csr(weight * mask), x.mT.contiguous()
        return {
            "dense": lambda: linear(x, weight),
            "masked": lambda: linear(x, weight * mask),
            "sparse": lambda: csr_linear(sparse, first_x),
        }
    last_x, last, last_mask = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight, mask))
    gathered, first_x = GatheredConv(weight * mask, padding=1), x.transpose(0, 1).contiguous()
    return {
        "dense": lambda: conv2d(x, weight, padding=1),
        "dense, channels last": lambda: conv2d(last_x, last, padding=1),
        "masked": lambda: conv2d(x, weight * mask, padding=1),
        "masked, channels last": lambda: conv2d(last_x, last * last_mask, padding=1),
        "sparse": lambda: gathered(first_x),
    }


@torch.no_grad()
def _turns(calls: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, float]:
    """Return the least seconds of each call, from three in a row per turn: the first finds the caches of another."""
    times = dict.fromkeys(calls, math.inf)
    for name, call in [*calls.items()] * repeats:
        for _ in range(3):
            start = time.perf_counter()
            call()
            times[name] = min(times[name], time.perf_counter() - start)
    return times
