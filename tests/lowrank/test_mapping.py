"""Mappings of ranks over depth: closed forms, exact budgets, mirror images, limits."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.lowrank import SHAPES, equal_rank, rank_mapping


def test_the_line_written_out():
    assert np.allclose(rank_mapping(0.4, 5, "increasing"), [0.2, 0.3, 0.4, 0.5, 0.6])
    assert np.allclose(rank_mapping(0.4, 5, "decreasing"), [0.6, 0.5, 0.4, 0.3, 0.2])
    assert np.allclose(rank_mapping(0.4, 5, "uniform"), 0.4)
    # A triangle 0, 1/2, 1, 1/2, 0 has the mean 0.4: from -0.4 to 0.6, scaled to a largest deviation of 0.2.
    assert np.allclose(rank_mapping(0.4, 5, "triangle"), 0.4 + 0.2 * np.array([-2, 0.5, 3, 0.5, -2]) / 3)
    triangle, inverse = (rank_mapping(0.4, 5, shape) for shape in ("triangle", "inverse-triangle"))
    assert np.allclose(triangle + inverse, 0.8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layers", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("rho", [0.01, 0.12, 0.5, 0.75, 0.97, 1.0])
def test_budgets_are_exact(shape, layers, rho):
    shares = rank_mapping(rho, layers, shape)
    assert shares.shape == (layers,)
    assert shares.mean() == pytest.approx(rho)
    assert 0 < shares.min() <= shares.max() <= 1 + 1e-12
    for full in (1, 7, 64, 768):
        ranks = rank_mapping(rho, layers, shape, full)
        assert ranks.dtype.kind == "i"
        assert ranks.sum() == layers * max(1, round(rho * full))
        assert 1 <= ranks.min() <= ranks.max() <= full


@pytest.mark.parametrize("layers", [1, 2, 5, 8, 12])
@pytest.mark.parametrize("full", [10, 64, 100])
@pytest.mark.parametrize("rho", [0.12, 0.3, 0.55])
def test_mirror_images(layers, full, rho):
    up, down = (rank_mapping(rho, layers, shape, full) for shape in ("increasing", "decreasing"))
    assert (up == down[::-1]).all()
    assert (np.diff(up) >= 0).all()


def test_ranks_are_near_their_shares():
    for shape in SHAPES:
        ranks = rank_mapping(0.37, 9, shape, 200)
        assert np.abs(ranks - 200 * rank_mapping(0.37, 9, shape)).max() < 1


def test_one_layer_and_small_matrices():
    for shape in SHAPES:
        assert rank_mapping(0.3, 1, shape) == [0.3]
        assert rank_mapping(0.3, 1, shape, 10) == [3]
        assert (rank_mapping(0.01, 4, shape, 8) == 1).all()
        assert (rank_mapping(1.0, 4, shape, 8) == 8).all()
    assert equal_rank(0.12, 64) == 8
    assert equal_rank(0.001, 64) == 1


def test_what_is_no_mapping():
    for rho in (0, 1.1, -0.2, float("nan")):
        with pytest.raises(InputError, match=r"\(0, 1\]"):
            rank_mapping(rho, 3, "uniform")
    with pytest.raises(InputError, match="at least one layer"):
        rank_mapping(0.5, 0, "uniform")
    with pytest.raises(InputError, match="did you mean 'triangle'"):
        rank_mapping(0.5, 3, "triangel")
    with pytest.raises(InputError, match="at least 1"):
        rank_mapping(0.5, 3, "uniform", 0)
