"""Spectra: plateau, slopes, round trips, limits, shapes, and the same numbers from a naive implementation."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.pta import cosmology
from tenfold.pta.cosmology import A_S, F_CMB_HZ, F_YEAR_HZ, H0_HZ, HUBBLE, OMEGA_R
from tenfold.pta.spectrum import (
    PLATEAU,
    h2omega_from_rho2,
    igw_h2omega,
    log10_igw_h2omega,
    log10_power_law_rho2,
    log10_turnover_rho2,
    power_law_h2omega,
    power_law_rho2,
    reheating_transfer,
    rho2_from_h2omega,
    turnover_rho2,
)

T_SPAN = 16 * 3.15576e7
F = np.arange(1, 15) / T_SPAN


@pytest.fixture
def parameters():
    rng = np.random.default_rng(3)
    return rng.uniform(0, 6, 300), rng.uniform(-40, 0, 300), rng.uniform(-3, 3, 300)


def naive_igw(f, n_t, log10_r, log10_T_rh):
    """The published formula for one frequency and one parameter set, step by step."""
    f_rh = cosmology.frequency_at_temperature(10**log10_T_rh)
    power = 10**log10_r * A_S * (f / F_CMB_HZ) ** n_t
    x = f / f_rh
    transfer = cosmology.relativistic_factor(min(f, f_rh)) / (1 - 0.22 * x**1.5 + 0.65 * x**2)
    return HUBBLE**2 * OMEGA_R / 24 * power * transfer


def local_slope(function, f, step=1e-4):
    return np.log(function(f * (1 + step)) / function(f * (1 - step))) / np.log((1 + step) / (1 - step))


def test_equals_the_formula_term_by_term(parameters):
    fast = igw_h2omega(F, *parameters)
    slow = [[naive_igw(f, *row) for f in F] for row in zip(*parameters, strict=True)]
    np.testing.assert_allclose(fast, slow, rtol=1e-12)


def test_plateau_of_the_radiation_era():
    f = 1e-9
    power = 1e-3 * A_S * (f / F_CMB_HZ) ** 0.3
    plateau = igw_h2omega(f, 0.3, -3, 6) / (power * cosmology.relativistic_factor(f))
    assert plateau == pytest.approx(1.744950e-6, rel=1e-6)
    assert pytest.approx(1.744950e-6, rel=1e-6) == PLATEAU


@pytest.mark.parametrize("n_t", [-0.02, 0.0, 1.8, 4])
def test_slopes_on_both_sides_of_reheating(n_t):
    below = local_slope(lambda f: igw_h2omega(f, n_t, -8, 6) / cosmology.relativistic_factor(f), 1e-9)
    assert below == pytest.approx(n_t, abs=1e-5)
    # x = 1e3: the x^1.5 term still bends the slope by 0.5 * 0.22/0.65 / sqrt(x).
    assert local_slope(lambda f: igw_h2omega(f, n_t, -8, 0), 2.4e-5) == pytest.approx(n_t - 2, abs=6e-3)
    assert local_slope(lambda f: igw_h2omega(f, n_t, -8, 0), 2.4e1) == pytest.approx(n_t - 2, abs=1e-4)


def test_timing_slope_is_five_minus_tilt():
    f = np.array([1e-9, 1e-9 * (1 + 1e-6)])
    omega = igw_h2omega(f, 1.3, -8, 6) / cosmology.relativistic_factor(f)
    rho2 = rho2_from_h2omega(f, omega, T_SPAN)
    assert np.log(rho2[1] / rho2[0]) / np.log(f[1] / f[0]) == pytest.approx(-(5 - 1.3), abs=1e-4)


def test_reheating_transfer():
    x = np.geomspace(1e-8, 1e8, 100001)
    assert reheating_transfer(0) == 1
    assert (reheating_transfer(x) > 0).all()
    peak = x[np.argmax(reheating_transfer(x))]
    assert peak == pytest.approx((0.33 / 1.3) ** 2, rel=1e-3)
    assert reheating_transfer(0.0644) == pytest.approx(1.00090, abs=5e-6)
    assert reheating_transfer(1e8) == pytest.approx(1 / (0.65 * 1e16), rel=1e-4)


def test_standard_slow_roll_level():
    # The published level carries three digits of the g table; the embedded nodes move it by less than 1 %.
    assert igw_h2omega(F_YEAR_HZ, -0.036 / 8, np.log10(0.036), 3) == pytest.approx(5.4e-17, rel=1e-2)


def test_kuroyanagi_plateau_is_four_percent_lower():
    f = 1e-9
    ratio = igw_h2omega(f, 0.5, -4, 6, transfer="kuroyanagi") / igw_h2omega(f, 0.5, -4, 6)
    assert ratio == pytest.approx(1.674e-6 / 1.744950e-6, rel=3e-4)


def test_kuroyanagi_reheats_near_the_same_frequency():
    # f_rh differs by a few percent, so far above it the two part by its square and the plateau's 4 %.
    ratio = igw_h2omega(1e-3, 1, -8, 2, transfer="kuroyanagi") / igw_h2omega(1e-3, 1, -8, 2)
    assert 0.85 < ratio < 1.05
    assert abs(ratio - 1) > 1e-3


def test_kuroyanagi_falls_as_matter_era_modes_do():
    # Omega ~ k^2 T1^2/k^4 ~ 1/k^2 below k_eq = 1e-2/Mpc, where the matter era sets the transfer.
    slope = local_slope(lambda f: igw_h2omega(f, 0, -2, 6, transfer="kuroyanagi"), 1e-18)
    assert -2 < slope < -1.7


def test_the_ratio_shifts_the_spectrum_and_the_tilt_turns_it_about_the_pivot():
    base = log10_igw_h2omega(F, 1.0, -5, 1)
    np.testing.assert_allclose(log10_igw_h2omega(F, 1.0, -3, 1), base + 2, rtol=1e-13)
    np.testing.assert_allclose(log10_igw_h2omega(F, 2.5, -5, 1), base + 1.5 * np.log10(F / F_CMB_HZ), rtol=1e-13)


def test_log_core_survives_where_numbers_underflow():
    value = log10_igw_h2omega(1e-9, -40, -100, 0)
    assert np.isfinite(value) and value < -330
    assert igw_h2omega(1e-9, -40, -100, 0) == 0
    assert log10_igw_h2omega(1e-9, 1, -np.inf, 0) == -np.inf


def test_cut_is_sharp_and_per_parameter():
    f = np.array([1e-9, 1e-8, 1e-7])
    full = igw_h2omega(f, [1.0, 1.0], -5, 1)
    cut = igw_h2omega(f, 1.0, -5, 1, f_end=[1e-8, 1e-9])
    np.testing.assert_array_equal(cut, full * [[1, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(igw_h2omega(f, 1.0, -5, 1, f_end=1e-8), full[0] * [1, 1, 0])


def test_shapes_follow_parameters_then_frequencies():
    assert np.ndim(igw_h2omega(1e-8, 1, -5, 1)) == 0
    assert igw_h2omega([1e-8, 2e-8], 1, -5, 1).shape == (2,)
    assert igw_h2omega(1e-8, [1, 2, 3], -5, 1).shape == (3,)
    assert igw_h2omega(F, [1, 2, 3], -5.0, np.zeros(3)).shape == (3, 14)
    assert igw_h2omega(F, np.ones((2, 1)), -5, np.zeros(3)).shape == (2, 3, 14)
    assert igw_h2omega(F, np.empty(0), -5, 1).shape == (0, 14)
    for function in (power_law_rho2, lambda f, a, g, _: power_law_h2omega(f, a, g)):
        assert np.ndim(function(1e-8, -14, 4, T_SPAN)) == 0
        assert function(F, [-14, -15], 4, T_SPAN).shape == (2, 14)
    assert turnover_rho2(F, [-14, -15], 4, -8, T_SPAN).shape == (2, 14)
    assert np.ndim(turnover_rho2(1e-8, -14, 4, -8, T_SPAN)) == 0


def test_batch_loop_and_permutation_agree_exactly(parameters):
    batch = log10_igw_h2omega(F, *parameters)
    loop = np.array([log10_igw_h2omega(F, *row) for row in zip(*parameters, strict=True)])
    np.testing.assert_array_equal(batch, loop)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(log10_igw_h2omega(F, *(p[order] for p in parameters)), batch[order])
    np.testing.assert_array_equal(log10_igw_h2omega(F[::-1], *parameters), batch[:, ::-1])


def test_energy_timing_energy_round_trip():
    omega = igw_h2omega(F, [1.0, 3.0], -9, 0)
    np.testing.assert_allclose(h2omega_from_rho2(F, rho2_from_h2omega(F, omega, T_SPAN), T_SPAN), omega, rtol=1e-12)


def test_conversion_through_strain():
    omega = igw_h2omega(F, 1.0, -9, 0)
    strain = H0_HZ / HUBBLE * np.sqrt(1.5 * omega) / (np.pi * F)
    expected = strain**2 / (12 * np.pi**2 * F**3) / T_SPAN
    np.testing.assert_allclose(rho2_from_h2omega(F, omega, T_SPAN), expected, rtol=1e-13)


def test_power_law_energy_at_one_per_year():
    assert power_law_h2omega(F_YEAR_HZ, np.log10(2.4e-15), 13 / 3) == pytest.approx(3.6235e-9, rel=2e-5)
    assert power_law_h2omega(F_YEAR_HZ, np.log10(2.4e-15), 2.2) == pytest.approx(3.6235e-9, rel=2e-5)


@pytest.mark.parametrize("gamma", [0, 13 / 3, 5, 7])
def test_power_law_slope(gamma):
    omega = power_law_h2omega(F, -14, gamma)
    np.testing.assert_allclose(np.diff(np.log(omega)) / np.diff(np.log(F)), 5 - gamma, atol=1e-10)


def test_power_law_is_its_formula():
    A, gamma = 10**-14.2, 3.1
    expected = A**2 / (12 * np.pi**2) * F_YEAR_HZ ** (gamma - 3) * F**-gamma / T_SPAN
    np.testing.assert_allclose(power_law_rho2(F, -14.2, gamma, T_SPAN), expected, rtol=1e-12)
    np.testing.assert_allclose(log10_power_law_rho2(F, -14.2, gamma, T_SPAN), np.log10(expected), rtol=1e-14)
    np.testing.assert_allclose(h2omega_from_rho2(F, expected, T_SPAN), power_law_h2omega(F, -14.2, gamma), rtol=1e-12)


def test_turnover_limits():
    far_above = turnover_rho2(F, -14, 13 / 3, -12, T_SPAN)
    np.testing.assert_allclose(far_above, power_law_rho2(F, -14, 13 / 3, T_SPAN), rtol=1e-9)
    at_bend = turnover_rho2(1e-8, -14, 13 / 3, -8, T_SPAN)
    assert at_bend == pytest.approx(power_law_rho2(1e-8, -14, 13 / 3, T_SPAN) / 2, rel=1e-12)
    far_below = np.diff(log10_turnover_rho2(F, -14, 13 / 3, 40, T_SPAN)) / np.diff(np.log10(F))
    np.testing.assert_allclose(far_below, -13 / 3 + 10 / 3, atol=1e-9)
    strain = 1e-14 * (F / F_YEAR_HZ) ** ((3 - 4.0) / 2) / np.sqrt(1 + (10**-8.1 / F) ** 2.5)
    expected = strain**2 / (12 * np.pi**2 * F**3 * T_SPAN)
    np.testing.assert_allclose(turnover_rho2(F, -14, 4, -8.1, T_SPAN, kappa=2.5), expected, rtol=1e-12)


def test_impossible_input_is_refused():
    with pytest.raises(InputError, match="did you mean 'kuroyanagi'"):
        igw_h2omega(F, 1, -5, 1, transfer="kuroyanagy")
    for f in (0, -1e-9, np.nan, [1e-9, 0]):
        with pytest.raises(InputError, match="f_Hz"):
            igw_h2omega(f, 1, -5, 1)
        with pytest.raises(InputError, match="f_Hz"):
            power_law_rho2(f, -14, 4, T_SPAN)
    with pytest.raises(InputError, match="t_span_s"):
        rho2_from_h2omega(F, 1e-9, 0)
