"""Thresholds: counts by hand, limits, monotony, invariance, the grid's minimum and the exact search."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.lowrank import (
    MODES,
    kept_rank,
    kept_ranks,
    normalized_spectrum,
    rank_reduction,
    search_threshold,
    singular_values,
    uniform_rank,
)
from tests.lowrank.matrices import matrix, orthogonal

SIGMA = [5.0, 4.0, 2.0, 1.0]  # min-max: 1, 0.75, 0.25, 0


def spectra(count=8):
    """Spectra of several lengths and shapes, float64."""
    rng = np.random.default_rng(0)
    return {f"w{i}": np.sort(rng.gamma(0.3 + i % 4, size=20 + 7 * i))[::-1] for i in range(count)}


def written_out(found, threshold, mode):
    """ERR from the definition."""
    pruned = 0
    for sigma in found.values():
        s = (sigma - sigma.min()) / (sigma.max() - sigma.min())
        q = sum(value < threshold for value in s)
        pruned += q if q / len(s) > {"all": 0, "lrc": 0.4999}[mode] else 0
    return pruned / sum(map(len, found.values()))


def test_ranks_by_hand():
    for threshold, rank in ((0, 4), (1e-9, 3), (0.25, 3), (0.26, 2), (0.75, 2), (0.76, 1), (1, 1)):
        assert kept_rank(SIGMA, threshold) == rank
        assert kept_rank(normalized_spectrum(SIGMA), threshold) == rank
        assert kept_rank(torch.tensor(SIGMA), threshold) == rank
    assert kept_rank([2.0, 2.0, 2.0], 1.0) == 3
    assert kept_rank(SIGMA, 0.4, "max") == 3
    assert kept_rank(SIGMA, 4.5, "raw") == 1
    assert kept_rank(SIGMA, 99.0, "raw") == 1


def test_uniform_ranks():
    assert [uniform_rank(10, ratio) for ratio in (0, 0.05, 0.1, 0.55, 0.99)] == [10, 10, 9, 5, 1]
    assert uniform_rank(1, 0.9) == 1
    for length in (7, 64, 128):
        for ratio in (0.1, 0.3, 0.5, 0.7):
            assert length - uniform_rank(length, ratio) == math.floor(ratio * length)


def test_the_rule_of_one_half():
    spectrum = {"a": np.array([4.0, 3.0, 2.0, 1.0]), "b": np.array([9.0, 1.0, 0.5, 0.0])}
    assert kept_ranks(spectrum, 0.3) == {"a": 3, "b": 1}
    assert kept_ranks(spectrum, 0.3, "lrc") == {"a": 4, "b": 1}
    assert kept_ranks(spectrum, 0.5, "lrc") == {"a": 2, "b": 1}
    assert rank_reduction(spectrum, 0.3, "all") == pytest.approx([4 / 8])
    assert rank_reduction(spectrum, 0.3, "lrc") == pytest.approx([3 / 8])


@pytest.mark.parametrize("mode", MODES)
def test_err_is_the_definition_and_never_falls(mode):
    found, grid = spectra(), np.linspace(0, 1, 41)
    errs = rank_reduction(found, grid, mode)
    assert np.allclose(errs, [written_out(found, k, mode) for k in grid])
    assert errs[0] == 0
    assert all(a <= b for a, b in pairwise(errs))
    assert errs[-1] == 1 - len(found) / sum(map(len, found.values()))
    for k, err in zip(grid, errs, strict=True):
        ranks = kept_ranks(found, k, mode)
        assert err == pytest.approx(1 - sum(ranks.values()) / sum(map(len, found.values())))


def test_at_least_the_smallest_and_never_the_largest_value_is_pruned():
    for sigma in spectra().values():
        for k in (1e-6, 0.5, 1.0):
            assert 1 <= kept_rank(sigma, k) < len(sigma)
        assert [kept_rank(sigma, k) for k in (0, 0.2, 0.4)] == sorted(
            (kept_rank(sigma, k) for k in (0, 0.2, 0.4)), reverse=True
        )


def test_scale_and_rotations_change_no_rank():
    w = matrix(30, 20, 4).double()
    turned = 0.003 * orthogonal(30, 1) @ w @ orthogonal(20, 2)
    for k in (0.1, 0.35, 0.5, 0.8):
        assert kept_rank(singular_values(turned), k) == kept_rank(singular_values(w), k)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", [0.0, 0.1, 0.33, 0.5, 0.7, 0.9])
def test_the_grid_search_finds_the_minimum(mode, target):
    found = spectra()
    k = search_threshold(found, target, mode)
    grid = [i * 0.005 for i in range(201)]
    gaps = [abs(written_out(found, value, mode) - target) for value in grid]
    assert abs(written_out(found, k, mode) - target) == pytest.approx(min(gaps), abs=1e-12)
    assert k == pytest.approx(grid[int(np.argmin(np.round(gaps, 12)))], abs=1e-9)
    assert search_threshold(list(found.values()), target, mode) == k


@pytest.mark.parametrize("by", ["minmax", "max", "raw", "energy"])
@pytest.mark.parametrize("target", [0.0, 0.2, 0.5, 0.77])
def test_the_exact_search_comes_within_one_value(by, target):
    found = spectra()
    k = search_threshold(found, target, by=by, step=None)
    err = rank_reduction(found, k, by=by)[0]
    assert abs(err - target) <= 0.5 / sum(map(len, found.values())) + 1e-12


def test_the_exact_search_in_mode_lrc_is_the_best_of_all_values():
    found = spectra()
    pool = np.unique(np.concatenate([np.asarray(normalized_spectrum(s)) for s in found.values()]))
    for target in (0.15, 0.4, 0.6):
        k = search_threshold(found, target, "lrc", step=None)
        gaps = np.abs(rank_reduction(found, pool, "lrc") - target)
        best = pool[np.flatnonzero(gaps == gaps.min())[0]]
        assert rank_reduction(found, k, "lrc")[0] == rank_reduction(found, best, "lrc")[0]
        assert k <= best


def test_one_spectrum_rotated_in_scale_moves_only_raw_thresholds():
    found = spectra()
    scaled = found | {"w0": 100 * found["w0"]}
    for by in ("minmax", "max", "energy"):
        assert kept_ranks(scaled, 0.3, by=by) == kept_ranks(found, 0.3, by=by)
    assert kept_ranks(scaled, 0.3, by="raw") != kept_ranks(found, 0.3, by="raw")


def test_raw_values_lose_the_least_energy_at_their_total_rank():
    found = spectra()
    lost = {}
    for by in ("raw", "minmax", "max", "energy"):
        ranks = kept_ranks(found, search_threshold(found, 0.5, by=by, step=None), by=by)
        lost[by] = sum((found[name][rank:] ** 2).sum() for name, rank in ranks.items())
    assert lost["raw"] <= min(lost.values()) * (1 + 1e-9)


def test_what_is_no_threshold_and_no_target():
    for k in (-0.1, 1.01, math.nan):
        with pytest.raises(InputError, match=r"\[0, 1\]"):
            kept_rank(SIGMA, k)
    for err in (-0.1, 1.0, 50):
        with pytest.raises(InputError, match=r"share in \[0, 1\)"):
            search_threshold(spectra(), err)
        with pytest.raises(InputError, match=r"share in \[0, 1\)"):
            uniform_rank(10, err)
    with pytest.raises(InputError, match="did you mean 'lrc'"):
        search_threshold(spectra(), 0.5, "lcr")
    with pytest.raises(InputError, match="at least one matrix"):
        search_threshold({}, 0.5)
    with pytest.raises(InputError, match="grid"):
        search_threshold(spectra(), 0.5, by="raw")
    with pytest.raises(InputError, match="at least 1"):
        uniform_rank(0, 0.5)
