"""Schedules: closed forms, ends, symmetry."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.sparsity.schedules import (
    cosine_drop_fraction,
    cubic_sparsity,
    cycle_lengths,
    cycle_position,
    cyclic_density,
    phase_beta,
)


def test_cosine_drop_fraction_of_the_paper():
    total = 88_000
    assert cosine_drop_fraction(0, total) == 0.5
    assert cosine_drop_fraction(total / 2, total) == pytest.approx(0.2525, abs=1e-15)
    assert cosine_drop_fraction(total, total) == 0.005
    assert cosine_drop_fraction(total / 4, total) == pytest.approx(0.2525 + 0.2475 * np.sqrt(0.5))
    assert cosine_drop_fraction(2 * total, total) == 0.005  # held


def test_cosine_between_other_ends():
    assert cosine_drop_fraction(0, 10, 0.2, 0.001) == pytest.approx(0.2)
    assert cosine_drop_fraction(10, 10, 0.2, 0.001) == 0.001
    values = [cosine_drop_fraction(t, 100, 0.2, 0.001) for t in range(101)]
    assert (np.diff(values) < 0).all()
    assert np.array(values) + values[::-1] == pytest.approx(0.201)  # odd about the middle


def test_cubic_sparsity_is_steep_first_and_flat_last():
    assert cubic_sparsity(5, 10, 20, 0.0, 0.9) == 0.0
    assert cubic_sparsity(10, 10, 20, 0.0, 0.9) == 0.0
    assert cubic_sparsity(15, 10, 20, 0.0, 0.8) == pytest.approx(0.8 * 7 / 8)
    assert cubic_sparsity(20, 10, 20, 0.1, 0.9) == 0.9
    assert cubic_sparsity(25, 10, 20, 0.1, 0.9) == 0.9
    assert cubic_sparsity(15, 10, 20, 0.2, 1.0) == pytest.approx(1 - 0.8 / 8)
    steps = np.diff([cubic_sparsity(t, 0, 50, 0, 0.95) for t in range(51)])
    assert (steps > 0).all() and (np.diff(steps) < 0).all()


def test_cubic_sparsity_at_once():
    assert [cubic_sparsity(t, 3, 3, 0.0, 0.9) for t in (2, 3, 4)] == [0.0, 0.9, 0.9]


@pytest.mark.parametrize("shape", ["cosine", "triangular"])
def test_cycles_begin_and_end_at_the_target(shape):
    low, high = 0.001, 0.003
    assert cyclic_density(0, low, high, shape) == low
    assert cyclic_density(1, low, high, shape) == pytest.approx(low, rel=1e-12)
    assert cyclic_density(0.5, low, high, shape) == pytest.approx(high, rel=1e-12)
    positions = np.linspace(0, 1, 101)
    values = np.array([cyclic_density(p, low, high, shape) for p in positions])
    assert values == pytest.approx(values[::-1])
    assert values.max() <= high and values.min() >= low


def test_the_two_shapes_of_a_cycle():
    assert cyclic_density(0.125, 0, 1, "cosine") == pytest.approx((1 - np.sqrt(0.5)) / 2)
    assert cyclic_density(0.125, 0, 1, "triangular") == 0.25
    for shape in ("cosine", "triangular"):
        assert cyclic_density(0.25, 0, 1, shape) == pytest.approx(0.5)


def test_cycle_lengths_grow():
    assert cycle_lengths(2, 50) == [50, 50]
    assert cycle_lengths(3, 50, 2.0) == [50, 100, 200]


def test_cycle_positions_count_from_the_first_step():
    lengths = [4, 8]
    assert [cycle_position(t, lengths) for t in (1, 2, 4)] == [0, 0.25, 0.75]
    assert [cycle_position(t, lengths) for t in (5, 9, 12)] == [0, 0.5, 0.875]
    assert [cycle_position(t, lengths) for t in (13, 1000)] == [1, 1]


def test_phasing_of_the_paper():
    """250 epochs, first drop of the rate after 125: s = 62.5, e = 124."""
    beta = [phase_beta(epoch, 62.5, 124) for epoch in range(1, 251)]
    assert beta[:62] == [1.0] * 62
    assert beta[62] == pytest.approx(0.99187, abs=5e-6)
    assert beta[122] == pytest.approx(1 / 61.5)
    assert beta[123:] == [0.0] * 127
    assert phase_beta(7, 7, 7) == 0 and phase_beta(6, 7, 7) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: cosine_drop_fraction(1, 0),
        lambda: cubic_sparsity(1, 5, 4, 0, 0.5),
        lambda: cyclic_density(1.1, 0.1, 0.3),
        lambda: cyclic_density(0.5, 0.3, 0.1),
        lambda: cyclic_density(0.5, 0.1, 0.3, "square"),
        lambda: cycle_lengths(0, 5),
        lambda: cycle_lengths(2, 0),
        lambda: cycle_position(0, [4]),
        lambda: phase_beta(1, 5, 4),
    ],
)
def test_impossible_schedules_are_refused(call):
    with pytest.raises(InputError):
        call()
