"""One threshold for all matrices: kept ranks, the effective rank reduction it gives, and its search."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from tenfold.errors import InputError, unknown
from tenfold.lowrank.spectra import normalized_spectrum, spectrum

Spectra = Mapping[str, Tensor | ArrayLike] | Sequence[Tensor | ArrayLike]
# A matrix is factorised where more than this share of its rank is pruned; the rest stays dense. Where a square matrix
# breaks even, half of the rank is pruned: r (m + n) = m n.
MODES = {"all": 0.0, "lrc": 0.4999}
STEP = 0.005


def kept_rank(sigma: Tensor | ArrayLike, threshold: float, by: str = "minmax") -> int:
    """Return r(k) = #{i : s_i >= k}, at least 1, of a spectrum sigma (p,) with normalised values s.

    A spectrum that is min-max normalised already gives the same. Raises InputError for a threshold outside [0, 1]
    ("raw": below 0). Source: code of arXiv 2407.11239.
    """
    check_threshold(threshold, by)
    return max(1, int((np.asarray(normalized_spectrum(spectrum(sigma), by)) >= threshold).sum()))


def uniform_rank(length: int, ratio: float) -> int:
    """Return the rank p - floor(ERR p) that every matrix keeps alike, p = `length` values and ERR = `ratio` in [0, 1).

    Raises InputError for another ratio or length. Source: code of arXiv 2407.11239.
    """
    if length < 1:
        raise InputError(f"a matrix has a rank of at least 1, not {length}")
    return length - math.floor(check_err(ratio) * length)


def kept_ranks(
    spectra: Mapping[str, Tensor | ArrayLike], threshold: float, mode: str = "all", by: str = "minmax"
) -> dict[str, int]:
    """Return the rank of each matrix by name, after the rule of the mode: the full rank where it stays dense.

    "all": every matrix that loses any rank is factorised; "lrc": those that lose more than 0.4999 of it. Raises
    InputError as `kept_rank`, and for an unknown mode. Source: code of arXiv 2407.11239.
    """
    check_mode(mode)
    found = {name: (kept_rank(sigma, threshold, by), len(sigma)) for name, sigma in spectra.items()}
    return {name: ruled(rank, full, mode) for name, (rank, full) in found.items()}


def ruled(rank: int, full: int, mode: str) -> int:
    """Return a rank where the mode factorises a matrix of full rank `full`, else the full rank."""
    return rank if (full - rank) / full > MODES[mode] else full


def rank_reduction(
    spectra: Spectra, thresholds: float | Sequence[float], mode: str = "all", by: str = "minmax"
) -> np.ndarray:
    """Return the effective rank reduction ERR (K,) at each of K thresholds, after the rule of the mode.

    ERR(k) = sum_l q_l(k) / sum_l p_l, q_l = #{i : s_i < k} where the mode factorises matrix l, else 0. Raises
    InputError as `kept_ranks`. Source: arXiv 2407.11239.
    """
    thresholds = np.atleast_1d(np.asarray(thresholds, dtype=float))
    for threshold in thresholds:
        check_threshold(threshold, by)
    return _Pool(spectra, mode, by).err(thresholds)


def search_threshold(
    spectra: Spectra,
    target_err: float,
    mode: str = "all",
    *,
    by: str = "minmax",
    step: float | None = STEP,
) -> float:
    """Return the threshold whose ERR, after the rule of the mode, is closest to the target; the smallest of several.

    k = argmin |ERR(k) - target| over 0, step, ..., 1; with step None over the values of all spectra, where ERR comes
    within 1 / sum_l p_l of the target in mode "all" unless values coincide (in mode "lrc" a matrix that joins brings
    half its rank at once). spectra: singular values of each matrix, by name or in a sequence. Raises InputError for a
    target outside [0, 1), a step that does not fit, "raw" with a step, an unknown mode and no spectrum at all.
    Source: arXiv 2407.11239.
    """
    check_err(target_err)
    pool = _Pool(spectra, mode, by)
    if step is None:
        return pool.closest(target_err)
    if by == "raw" or not 0 < step <= 1:
        raise InputError(f"a grid from 0 to 1 needs normalised values and a step in (0, 1], not '{by}' and {step}")
    grid = np.linspace(0, 1, round(1 / step) + 1)
    return float(grid[np.abs(pool.err(grid) - target_err).argmin()])


class _Pool:
    """The normalised values of all matrices, each in ascending order."""

    def __init__(self, spectra: Spectra, mode: str, by: str):
        check_mode(mode)
        parts = list(spectra.values() if isinstance(spectra, Mapping) else spectra)
        if not parts:
            raise InputError("a threshold needs the spectrum of at least one matrix")
        self.values = [np.sort(np.asarray(normalized_spectrum(spectrum(part), by))) for part in parts]
        self.mode, self.total = mode, sum(map(len, self.values))

    def err(self, thresholds: np.ndarray) -> np.ndarray:
        """Return ERR at each threshold (K,)."""
        pruned = np.zeros(len(thresholds), dtype=int)
        for values in self.values:
            # The largest value is never pruned, so that a rank is at least 1.
            gone = np.minimum(np.searchsorted(values, thresholds, side="left"), len(values) - 1)
            pruned += np.where(gone / len(values) > MODES[self.mode], gone, 0)
        return pruned / self.total

    def closest(self, target: float) -> float:
        """Return the value whose ERR is closest: ERR never falls with the threshold, so half of them is left out."""
        pool = np.unique(np.concatenate([[0.0], *self.values]))
        places = range(len(pool))

        def err(place: int) -> float:
            return float(self.err(pool[place : place + 1])[0])

        above = bisect_right(places, target, key=err)
        best = min(map(err, places[above - 1 : above + 1]), key=lambda found: abs(found - target))
        return float(pool[bisect_left(places, best, key=err)])


def check_mode(mode: str) -> None:
    """Raise InputError for an unknown mode."""
    if mode not in MODES:
        raise unknown("mode of compression", mode, MODES)


def check_err(err: float) -> float:
    """Return a share of the rank to remove; raise InputError unless it lies in [0, 1)."""
    if not 0 <= err < 1:
        raise InputError(f"an effective rank reduction is a share in [0, 1), not {err}")
    return float(err)


def check_threshold(threshold: float, by: str) -> None:
    """Raise InputError for a threshold that prunes everything or is no number."""
    if not 0 <= threshold <= (math.inf if by == "raw" else 1):
        raise InputError(f"a threshold lies in [0, 1], above which nothing is left, not {threshold}")
