"""Temperatures and frequencies: definition, limits, inverse, and the full table against its embedded nodes."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.pta import cosmology
from tenfold.pta.cosmology import (
    F_CMB_HZ,
    F_YEAR_HZ,
    H0_HZ,
    HUBBLE,
    MPC_LIGHT_S,
    OMEGA_M,
    OMEGA_R,
    OMEGA_V,
    T0_GEV,
    frequency_at_temperature,
    g_rho,
    g_s,
    relativistic_factor,
    temperature_at_frequency,
)

LIGHT = 299792458.0
TEMPERATURES = np.geomspace(5e-13, 1e9, 3001)


def round_trip(T):
    return temperature_at_frequency(frequency_at_temperature(T))


def test_constants_agree_with_their_definitions():
    megaparsec = 3.0856775814913673e22
    found = [F_CMB_HZ, MPC_LIGHT_S, H0_HZ, T0_GEV, F_YEAR_HZ, OMEGA_M + OMEGA_V + OMEGA_R]
    defined = [
        0.05 * LIGHT / (2 * np.pi * megaparsec),
        megaparsec / LIGHT,
        HUBBLE * 1e5 / megaparsec,
        2.7255 * 8.617333262e-14,
        1 / (365.25 * 86400),
        1,
    ]
    np.testing.assert_allclose(found, defined, rtol=1e-4)


def test_today_the_hubble_rate_is_the_frequency():
    expected = H0_HZ / (2 * np.pi) * np.sqrt(OMEGA_V + OMEGA_M + OMEGA_R)
    assert frequency_at_temperature(T0_GEV) == pytest.approx(expected, rel=1e-4)


def test_matter_and_radiation_slopes():
    # a H ~ T^(1/2) in matter, ~ T with constant degrees of freedom in radiation.
    matter = np.log(frequency_at_temperature(2.02e-12) / frequency_at_temperature(1.98e-12)) / np.log(202 / 198)
    assert matter == pytest.approx(0.5, abs=0.03)
    assert frequency_at_temperature(2e9) / frequency_at_temperature(1e9) == pytest.approx(2, rel=1e-12)


def test_high_temperature_limit_is_pure_radiation():
    T = 1e8
    ratio_s, ratio_rho = g_s(T) / cosmology.G_S0, g_rho(T) / cosmology.G_RHO0
    expected = H0_HZ / (2 * np.pi) * ratio_s ** (-1 / 3) * np.sqrt(ratio_rho * OMEGA_R) * T / T0_GEV
    assert frequency_at_temperature(T) == pytest.approx(expected, rel=1e-12)


def test_temperature_inverts_frequency():
    np.testing.assert_allclose(round_trip(TEMPERATURES), TEMPERATURES, rtol=1e-9)


@pytest.mark.mirror
def test_temperature_inverts_frequency_on_the_full_table(full_table):
    np.testing.assert_allclose(round_trip(TEMPERATURES), TEMPERATURES, rtol=1e-9)


def test_inverse_keeps_shapes_and_scalars():
    T = np.array([[1e-3, 1.0], [10.0, 1e4]])
    assert round_trip(T).shape == (2, 2)
    assert round_trip(5).shape == ()
    assert round_trip([1e-3, 1]) == pytest.approx([1e-3, 1], rel=1e-9)
    assert round_trip(np.empty(0)).shape == (0,)


def test_frequency_grows_with_temperature():
    assert (np.diff(frequency_at_temperature(TEMPERATURES)) > 0).all()


def test_degrees_of_freedom_are_constant_outside_the_table():
    assert g_rho(1e-12) == g_rho(1e-6) == pytest.approx(3.38, rel=2e-3)
    assert g_s(1e9) == g_s(1e7) == pytest.approx(104.4, rel=2e-3)


def test_factor_is_one_for_modes_that_entered_late_and_falls():
    assert relativistic_factor(1e-17) == pytest.approx(1, rel=2e-4)
    f = np.geomspace(1e-12, 1e-3, 200)
    assert (np.diff(relativistic_factor(f)) < 2e-3).all()


def test_embedded_nodes_give_frequencies_within_half_a_percent():
    assert cosmology.freedom().logarithmic
    T = [0.01, 0.1, 1, 10, 1000]
    expected = [1.81156e-10, 1.98490e-9, 2.48639e-8, 2.53776e-7, 2.64385e-5]
    assert frequency_at_temperature(T) == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("bad", [0, -1.0, np.nan, np.inf, [1.0, -2.0]])
def test_impossible_values_are_refused(bad):
    for function in (g_rho, g_s, frequency_at_temperature, temperature_at_frequency, relativistic_factor):
        with pytest.raises(InputError):
            function(bad)


def test_no_temperature_for_modes_outside_the_horizon():
    with pytest.raises(InputError, match="redshift 1"):
        temperature_at_frequency(1e-19)


@pytest.fixture
def full_table(mirror):
    if cosmology.freedom().logarithmic:
        pytest.skip("the mirror holds no g_star.dat")


@pytest.mark.mirror
def test_reference_frequencies(full_table):
    expected = [1.81156e-10, 1.98490e-9, 2.48639e-8, 2.53776e-7, 2.64385e-5]
    assert frequency_at_temperature([0.01, 0.1, 1, 10, 1000]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.mirror
def test_frequency_column_is_the_frequency_of_the_temperature_column(full_table, mirror):
    table = np.loadtxt(mirror / "gb-igw" / "g_star.dat")
    np.testing.assert_allclose(frequency_at_temperature(table[:, 0]), table[:, 1], rtol=1e-7)
    np.testing.assert_allclose(g_s(table[:, 0]), table[:, 2], rtol=1e-12)
    np.testing.assert_allclose(g_rho(table[:, 0]), table[:, 3], rtol=1e-12)


@pytest.mark.mirror
def test_interpolation_is_linear_in_temperature(full_table, mirror):
    table = np.loadtxt(mirror / "gb-igw" / "g_star.dat")
    middle = (table[1:] + table[:-1]) / 2
    np.testing.assert_allclose(g_s(middle[:, 0]), middle[:, 2], rtol=1e-12)
    expected = middle[:, 3] / cosmology.G_RHO0 * (cosmology.G_S0 / middle[:, 2]) ** (4 / 3)
    np.testing.assert_allclose(relativistic_factor(middle[:, 1]), expected, rtol=1e-12)


@pytest.mark.mirror
def test_reference_factors(full_table):
    assert relativistic_factor([1.98e-9, 1e-8, 31.7e-9]) == pytest.approx([0.726, 0.494, 0.448], abs=6e-4)


@pytest.mark.mirror
def test_embedded_nodes_follow_the_full_table(full_table, monkeypatch, tmp_path):
    T = np.geomspace(1e-6, 1e7, 2000)
    full_s, full_rho = g_s(T), g_rho(T)
    monkeypatch.setenv("TENFOLD_MIRROR", str(tmp_path))
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    cosmology.freedom.cache_clear()
    assert cosmology.freedom().logarithmic
    np.testing.assert_allclose(g_s(T), full_s, rtol=8e-3)
    np.testing.assert_allclose(g_rho(T), full_rho, rtol=8e-3)
