"""Detector noise and signal-to-noise ratios against closed forms."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.pta import sensitivity
from tenfold.pta.cosmology import H0_HZ, HUBBLE
from tenfold.pta.sensitivity import (
    ANALYTIC,
    LIGHT_M_S,
    OBSERVATION,
    YEAR_S,
    detector,
    detectors,
    omega_noise,
    power_law_integrated,
    signal_to_noise,
)

F = np.geomspace(1e-4, 1e-1, 2001)
NOISE = 1e-10 * ((F / 3e-3) ** -3 + (F / 3e-3) ** 3)
YEARS = 3 * YEAR_S


@pytest.fixture
def nothing_at_hand(monkeypatch, tmp_path):
    monkeypatch.setenv("TENFOLD_MIRROR", str(tmp_path / "none"))
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")


def test_noise_in_energy_units():
    expected = (2 * np.pi**2 / 3) * 1e-2**3 * 1e-40 / (H0_HZ / HUBBLE) ** 2
    assert omega_noise(1e-2, 1e-40) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("b", [-3.0, -0.5, 0.0, 2.0])
def test_signal_to_noise_of_power_laws_in_power_law_noise(b):
    # int (f^b/f^2)^2 df = [f^(2b-3)]/(2b-3)
    power = 2 * b - 3
    exact = (F[-1] ** power - F[0] ** power) / power
    value = signal_to_noise(F, 3 * F**b, F**2, 2, YEARS)
    assert value == pytest.approx(3 * np.sqrt(2 * YEARS * exact), rel=1e-4)


def test_signal_to_noise_scales():
    one = signal_to_noise(F, F, NOISE, 1, YEARS)
    assert signal_to_noise(F, 5 * F, NOISE, 1, YEARS) == pytest.approx(5 * one)
    assert signal_to_noise(F, F, NOISE, 4, YEARS) == pytest.approx(2 * one)
    assert signal_to_noise(F, F, NOISE, 1, 9 * YEARS) == pytest.approx(3 * one)
    assert signal_to_noise(F, np.tile(F, (3, 2, 1)), NOISE, 1, YEARS).shape == (3, 2)


def test_the_integrated_curve_is_the_envelope_of_barely_visible_power_laws():
    curve = power_law_integrated(F, NOISE, 1, YEARS, snr=2.0)
    for b in (-7.3, -2.0, 0.0, 0.7, 4.0):
        law = F**b
        law *= 2.0 / signal_to_noise(F, law, NOISE, 1, YEARS)
        assert (law <= curve * (1 + 1e-12)).all()
        assert (law / curve).max() == pytest.approx(1, abs=2e-3)
    assert (curve < NOISE).any()


def test_the_integrated_curve_scales_with_time_detectors_and_ratio():
    curve = power_law_integrated(F, NOISE, 1, YEARS)
    np.testing.assert_allclose(power_law_integrated(F, NOISE, 1, 4 * YEARS), curve / 2)
    np.testing.assert_allclose(power_law_integrated(F, NOISE, 9, YEARS), curve / 3)
    np.testing.assert_allclose(power_law_integrated(F, NOISE, 1, YEARS, snr=10), 10 * curve)


def test_lisa_in_its_limits():
    lisa = ANALYTIC["LISA"]
    # Low frequency: acceleration noise 4 P_a/(2 pi f)^4; 1e-5 Hz is far below f* = 19 mHz.
    f = 1e-5
    acceleration = 3e-15**2 * (1 + (4e-4 / f) ** 2)
    position = 1.5e-11**2 * (2e-3 / f) ** 4
    expected = 10 / (3 * 2.5e9**2) * (position + 4 * acceleration / (2 * np.pi * f) ** 4)
    assert lisa.strain_psd(f) == pytest.approx(expected, rel=1e-5)
    # High frequency: position noise times 0.6 (f/f*)^2.
    x = 10.0 * 2 * np.pi * 2.5e9 / LIGHT_M_S
    assert lisa.strain_psd(10.0) == pytest.approx(10 / (3 * 2.5e9**2) * 1.5e-11**2 * 0.6 * x**2, rel=1e-3)


def test_longer_arms_and_quieter_lasers_hear_more():
    best = {name: detector(name, analytic=True).omega_noise.min() for name in ANALYTIC}
    assert best["Taiji"] < best["LISA"] < best["TianQin"]


def test_formulas_stand_in_where_no_table_is_at_hand(nothing_at_hand):
    found = detectors()
    assert set(found) == set(ANALYTIC)
    assert all(item.analytic and item.resolution is None for item in found.values())
    assert detector("SKA", missing_ok=True) is None
    for name, options in (("SKA", {}), ("LISA", {"analytic": False})):
        with pytest.raises(InputError, match="sensitivity"):
            detector(name, **options)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: detector("LISSA"), "did you mean 'LISA'"),
        (lambda: detector("SKA", analytic=True), "no formula"),
        (lambda: detector("Taiji", analytic=False), "no table"),
        (lambda: power_law_integrated(F, -NOISE, 1, YEARS), "positive"),
        (lambda: power_law_integrated(F[::-1], NOISE, 1, YEARS), "rising"),
        (lambda: signal_to_noise(F, F[:-1], NOISE, 1, YEARS), "does not fit"),
    ],
)
def test_what_is_no_detector_is_refused(call, word):
    with pytest.raises(InputError, match=word):
        call()


@pytest.mark.mirror
def test_the_tabulated_detectors(mirror):
    found = detectors()
    assert set(found) == set(OBSERVATION)
    for item in found.values():
        curve = item.power_law_integrated()
        assert curve.shape == item.frequencies.shape and (curve > 0).all()
        law = np.full_like(curve, 1e-9)
        assert item.snr(law) == pytest.approx(item.snr(lambda f: np.full_like(f, 1e-9)))
        # The flat law that is just seen lies below the envelope and near its minimum.
        assert 1 - 1e-9 <= item.snr(np.full_like(curve, curve.min())) < 1.5
    table, formula = found["LISA"], detector("LISA", analytic=True)
    ratio = np.interp(table.frequencies, formula.frequencies, formula.omega_noise) / table.omega_noise
    assert 0.2 < np.median(ratio) < 1
    assert sensitivity.detector("SKA").frequencies[0] < 1e-9
