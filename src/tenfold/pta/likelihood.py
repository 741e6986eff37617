"""The free-spectrum refit likelihood: one tabulated density per frequency bin, looked up and summed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError
from tenfold.pta.quantiles import FLOOR, table_from_quantiles

if TYPE_CHECKING:
    from tenfold.datasets.pta import FreeSpectrumData
    from tenfold.datasets.resolution import Resolution

# Bins below white noise, as each collaboration counts them; a folder of one's own uses all that it has.
RECOMMENDED_BINS = {
    "ng15_hd": 14,
    "ng15_cp": 14,
    "ng15_hd_dmgp": 14,
    "ng15_hdmpdp": 14,
    "epta_dr2new_hd": 9,
    "ppta_dr3_hd": 14,
    "ipta_dr2_cp": 13,
    "sim51": 10,
}
# The PPTA chains stop near log10 rho = -9.1; the empty table below would punish every weak spectrum.
CLIP_LEVEL = -9.0
CLIPPED = frozenset({"ppta_dr3_hd"})
# Eight temporaries of 14 x 4096 doubles are 3.7 MB less the boolean one: they stay in the L2 cache.
BLOCK_ROWS = 4096
# The index guess leans this fraction of a cell to the left, so that one comparison puts it right.
_LEAN = 1e-6


class LookupTable:
    """Tables p_k on one uniform grid, evaluated as sum_k [p_k(idx(x_k)) + ln db].

    idx(x) = max(0, #{edges < x} - 1), with edges = grid - db/2 and a last edge at grid[-1]; beyond the last
    edge (and for NaN) the sum is -inf. The index comes from arithmetic on the uniform grid and is corrected
    against the true edges, so that it equals a binary search for every float, edges included.
    """

    def __init__(self, grid: NDArray, log_density: NDArray):
        self.bins, self.size = log_density.shape
        step = grid[1] - grid[0]
        edges = grid - 0.5 * step
        self.edges = np.append(edges, edges[-1] + 0.5 * step)
        # The mean spacing: that of the first two points is off by 1e-8 cells at the far end.
        self._per_cell = (self.size - 1) / (edges[-1] - edges[0])
        drift = np.abs((edges - edges[0]) * self._per_cell - np.arange(self.size)).max()
        if not drift < 0.1 * _LEAN:
            raise InputError(f"the log10 rho grid is not uniform: a point is off by {drift:.2g} cells")
        self._shift = -edges[0] * self._per_cell - _LEAN
        self._right_edges = np.append(self.edges[1:], np.inf)
        padded = np.full((self.bins, self.size + 1), -np.inf)
        padded[:, :-1] = log_density + np.log(step)
        self._values = padded.ravel()
        self._offsets = (np.arange(self.bins) * (self.size + 1))[:, None]

    def __call__(self, x: NDArray) -> NDArray:
        """Return the sums (P,) for points (P, bins), block by block."""
        out = np.empty(len(x))
        rows = min(BLOCK_ROWS, len(x))
        guess, found = np.empty((2, self.bins, rows))
        index = np.empty((self.bins, rows), np.intp)
        for start in range(0, len(x), BLOCK_ROWS):
            block = np.ascontiguousarray(x[start : start + BLOCK_ROWS].T)
            n = block.shape[1]
            values = self._look_up(block, guess[:, :n], found[:, :n], index[:, :n])
            out[start : start + n] = pairwise_sum(values)
        return out

    def _look_up(self, x: NDArray, guess: NDArray, found: NDArray, index: NDArray) -> NDArray:
        np.multiply(x, self._per_cell, out=guess)
        guess += self._shift
        # fmin, not minimum: it sends NaN to the padding column, whose value is -inf.
        np.fmin(guess, self.size, out=guess)
        np.maximum(guess, 0.0, out=guess)
        np.copyto(index, guess, casting="unsafe")
        self._right_edges.take(index, out=found, mode="clip")
        index += x > found
        index += self._offsets
        return self._values.take(index, out=found, mode="clip")


def pairwise_sum(rows: NDArray) -> NDArray:
    """Add up the rows (K, P) in the order in which numpy adds K contiguous numbers, so that bits agree."""
    count = len(rows)
    if count > 128:
        half = count // 2 - (count // 2) % 8
        return pairwise_sum(rows[:half]) + pairwise_sum(rows[half:])
    if count < 8:
        total, rest = np.zeros(rows.shape[1:]), 0
    else:
        rest = count - count % 8
        a = rows[:8]
        for start in range(8, rest, 8):
            a = a + rows[start : start + 8]
        total = ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]))
    for row in rows[rest:]:
        total += row
    return total


@dataclass(frozen=True, eq=False)
class FreeSpectrum:
    """A free spectrum: the marginal posterior density of log10 rho in each frequency bin of one array.

    ln L(rho) = sum_k [p_k(log10 rho_k) + ln db], p_k natural-log densities on the grid with step db (dex),
    nearest grid point, no interpolation: ln L is piecewise constant and its gradient vanishes almost
    everywhere, so gradient samplers cannot use it. Below the grid the lowest point counts, above it
    ln L = -inf. Convention of ceffyl (Lamb, Taylor, van Haasteren, arXiv 2303.15442), equal bit for bit.

    Shapes: frequencies (bins,) in Hz, grid (grid,) of log10(rho/s), log_density (bins, grid).
    """

    name: str
    frequencies: NDArray
    t_span: float
    grid: NDArray
    log_density: NDArray
    resolution: Resolution | None = None
    clip_floor: float | None = None
    _table: LookupTable = field(init=False, repr=False)

    def __post_init__(self):
        frequencies, grid, log_density = (
            np.ascontiguousarray(a, float) for a in (self.frequencies, self.grid, self.log_density)
        )
        if grid.ndim != 1 or grid.size < 2 or log_density.shape != (frequencies.size, grid.size):
            raise InputError(
                f"free spectrum '{self.name}': density {log_density.shape} does not fit"
                f" {frequencies.size} frequencies and {grid.size} grid points"
            )
        log_density = np.where(np.isnan(log_density), FLOOR, log_density)
        for key, value in (("frequencies", frequencies), ("grid", grid), ("log_density", log_density)):
            value.flags.writeable = False
            object.__setattr__(self, key, value)
        object.__setattr__(self, "_table", LookupTable(grid, self._clipped()))

    @classmethod
    def load(
        cls, name_or_path: str | Path, bins: int | None = None, clip_floor: float | bool | None = None
    ) -> FreeSpectrum:
        """Load a registered free spectrum, or a folder of one's own, and keep its first `bins` bins.

        bins: None takes the number recommended for the set. clip_floor: the table is held constant below
        this log10 rho; None takes the default of the set (-9 for PPTA, none for the others), True is -9,
        False is none. Raises InputError for an unknown name, a bad file or too many bins.
        """
        from tenfold.datasets.pta import free_spectrum

        return cls.from_data(free_spectrum(name_or_path), bins, clip_floor)

    @classmethod
    def from_data(
        cls, data: FreeSpectrumData, bins: int | None = None, clip_floor: float | bool | None = None
    ) -> FreeSpectrum:
        """Build the free spectrum from loaded arrays: full densities, or the quantiles in their place."""
        if data.density is not None:
            grid, log_density = data.log10_rho_grid, data.density
        else:
            grid, log_density = table_from_quantiles(*data.quantiles)
        bins = _number_of_bins(data.name, bins, len(log_density))
        frequencies = np.asarray(data.frequencies, float)
        return cls(
            name=data.name,
            frequencies=frequencies[:bins],
            t_span=float(1.0 / frequencies[0]),
            grid=grid,
            log_density=log_density[:bins],
            resolution=data.resolution,
            clip_floor=_clip_level(data.name, clip_floor),
        )

    @property
    def bins(self) -> int:
        """Number of frequency bins."""
        return len(self.frequencies)

    @property
    def log_db(self) -> float:
        """ln of the grid step (dex), once per bin in ln L; subtract bins * log_db to compare grids."""
        return float(np.log(self.grid[1] - self.grid[0]))

    def log_likelihood(self, log10_rho: ArrayLike) -> NDArray | float:
        """Return ln L = sum_k [p_k(log10 rho_k) + ln db] for log10(rho/s) of shape (..., bins) -> (...).

        Raises InputError when the last axis is not `bins` long.
        """
        x = np.asarray(log10_rho, float)
        if x.ndim == 0 or x.shape[-1] != self.bins:
            raise InputError(
                f"log10_rho of shape {x.shape} does not fit '{self.name}': its last axis must be {self.bins}"
            )
        values = self._table(x.reshape(-1, self.bins))
        return float(values[0]) if x.ndim == 1 else values.reshape(x.shape[:-1])

    def density(self, k: int) -> NDArray:
        """Return the marginal density (grid,) of log10 rho in bin k, per dex: the outline of a violin."""
        return np.exp(self.log_density[self._bin(k)])

    def quantile(self, q: ArrayLike) -> NDArray:
        """Return quantiles (bins, len(q)) of log10 rho; a scalar q gives (bins,).

        Raises InputError when q leaves [0, 1].
        """
        q = np.asarray(q, float)
        if not np.all((q >= 0) & (q <= 1)):
            raise InputError(f"quantiles lie in [0, 1], not {q}")
        mass = np.exp(self.log_density)
        # Each cell carries its mass evenly: the distribution function is linear between cell edges.
        cumulative = np.cumsum(mass, axis=1) / mass.sum(axis=1, keepdims=True)
        right = self.grid + 0.5 * (self.grid[1] - self.grid[0])
        return np.array([np.interp(q, c, right) for c in cumulative])

    def drop(self, k: int | Iterable[int]) -> FreeSpectrum:
        """Return the free spectrum without bin k (or bins k); the time span stays that of the array."""
        dropped = [self._bin(j) for j in ([k] if np.ndim(k) == 0 else list(k))]
        keep = np.setdiff1d(np.arange(self.bins), dropped)
        if not keep.size:
            raise InputError(f"'{self.name}': no bin would be left")
        return replace(self, frequencies=self.frequencies[keep], log_density=self.log_density[keep])

    def _bin(self, k: int) -> int:
        if not -self.bins <= k < self.bins:
            raise InputError(f"'{self.name}' has bins 0 to {self.bins - 1}, not {k}")
        return int(k) % self.bins

    def _clipped(self) -> NDArray:
        if self.clip_floor is None:
            return self.log_density
        edges = self.grid - 0.5 * (self.grid[1] - self.grid[0])
        cell = int(np.clip(np.searchsorted(edges, self.clip_floor) - 1, 0, self.grid.size - 1))
        clipped = self.log_density.copy()
        clipped[:, :cell] = clipped[:, cell, None]
        return clipped


def _number_of_bins(name: str, bins: int | None, available: int) -> int:
    if bins is None:
        return min(RECOMMENDED_BINS.get(name, available), available)
    if isinstance(bins, bool) or int(bins) != bins or not 1 <= bins <= available:
        raise InputError(f"bins = {bins}: '{name}' has 1 to {available} bins")
    return int(bins)


def _clip_level(name: str, clip_floor: float | bool | None) -> float | None:
    if clip_floor is None:
        clip_floor = name in CLIPPED
    if isinstance(clip_floor, bool):
        return CLIP_LEVEL if clip_floor else None
    return float(clip_floor)
