"""Bounds: the integral against closed forms and quadrature, reference numbers, cuts and masks."""

import numpy as np
import pytest
from scipy.integrate import quad

from tenfold.errors import InputError
from tenfold.pta.bounds import (
    F_BBN_HZ,
    F_TOP_HZ,
    LVK_HZ,
    bbn_integral,
    bbn_limit,
    excluded,
    log_integral,
)
from tenfold.pta.cosmology import frequency_at_temperature
from tenfold.pta.spectrum import igw_h2omega


def test_limit():
    assert bbn_limit() == pytest.approx(1.568e-6)
    assert bbn_limit(1) == pytest.approx(5.6e-6)
    with pytest.raises(InputError):
        bbn_limit(0)


@pytest.mark.parametrize("slope", [-3, -0.2, 0, 1e-9, 1.7, 6])
def test_power_laws_integrate_exactly_on_any_grid(slope):
    f = np.geomspace(1e-9, 1e3, 7)
    found = log_integral(f, -12 + slope * np.log10(f))
    expected = 1e-12 * (np.log(1e12) if slope == 0 else (1e3**slope - 1e-9**slope) / slope)
    assert found == pytest.approx(expected, rel=1e-7 if slope == 1e-9 else 1e-12)


def test_cut_inside_a_cell_is_exact():
    f = np.geomspace(1e-9, 1e3, 7)
    cuts = np.array([1e-12, 3e-7, 2.0, 1e9, np.inf])
    found = log_integral(f, -12 + 2 * np.log10(f), cuts)
    top = np.clip(cuts, 1e-9, 1e3)
    np.testing.assert_allclose(found, 1e-12 * (top**2 - 1e-18) / 2, rtol=1e-12, atol=1e-45)


def test_empty_spectra_integrate_to_nothing():
    assert log_integral([1.0, 2.0, 3.0], [-np.inf] * 3) == 0
    assert log_integral([1.0, 2.0, 4.0], [0, 0, -np.inf]) == pytest.approx(np.log(2))
    assert np.isnan(log_integral([1.0, 2.0, 4.0], [0, np.nan, 0]))


def test_integral_is_that_of_quadrature():
    for n_t, log10_r, log10_T_rh in ((1.8, -8.4, 0.0), (0.4, -3, 2), (-0.1, -2, -1)):

        def integrand(log_f, point=(n_t, log10_r, log10_T_rh)):
            return igw_h2omega(np.exp(log_f), *point)

        low, knee, high = np.log([F_BBN_HZ, frequency_at_temperature(10**log10_T_rh), F_TOP_HZ])
        expected = sum(quad(integrand, *ends, limit=400)[0] for ends in ((low, knee), (knee, high)))
        assert bbn_integral(n_t, log10_r, log10_T_rh) == pytest.approx(expected, rel=1e-3)
        assert bbn_integral(n_t, log10_r, log10_T_rh, per_decade=256) == pytest.approx(expected, rel=3e-5)


def test_closed_form_far_above_reheating():
    # From 1 MeV on all modes entered before reheating at 1e-9 GeV: Omega = K f^(n_t - 2), K from any of them.
    n_t = 3.5
    level = igw_h2omega(1.0, n_t, -8, -9)
    expected = level * (F_TOP_HZ ** (n_t - 2) - F_BBN_HZ ** (n_t - 2)) / (n_t - 2)
    assert bbn_integral(n_t, -8, -9) == pytest.approx(expected, rel=1e-5)


def test_reference_numbers():
    # Published with two digits; the table of degrees of freedom moves them by less than that.
    assert bbn_integral(1.8, -8.4, [0, 3]) == pytest.approx([1.1e-7, 0.026], rel=0.03)
    assert excluded(1.8, -8.4, [0, 3]).tolist() == [False, True]


def test_integral_is_linear_in_the_ratio_and_grows_with_every_parameter():
    base = bbn_integral(1.5, -9, 1)
    assert bbn_integral(1.5, -8, 1) == pytest.approx(10 * base, rel=1e-12)
    assert bbn_integral(1.6, -9, 1) > base
    assert bbn_integral(1.5, -9, 2) > base


def test_cut_grows_the_integral_until_the_top():
    cuts = np.array([1e-12, 1e-9, 1e-6, 1e-3, 1e3, 1e8, np.inf])
    values = bbn_integral(1.8, -8.4, 3, f_end=cuts)
    assert values[0] == 0
    assert (np.diff(values)[:-1] > 0).all()
    assert values[-2] == pytest.approx(values[-1], rel=1e-12)
    assert values[-1] == pytest.approx(bbn_integral(1.8, -8.4, 3), rel=1e-12)
    # Beyond 1e8 Hz only when asked.
    assert bbn_integral(3.0, -30, 3, f_end=1e9) > 5 * bbn_integral(3.0, -30, 3)
    assert not excluded(1.8, -8.4, 3, f_end=1e-7)


def test_rows_do_not_depend_on_their_neighbours():
    rng = np.random.default_rng(1)
    rows = rng.uniform(0, 4, 600), rng.uniform(-30, -5, 600), rng.uniform(-3, 3, 600)
    together = bbn_integral(*rows)
    alone = [bbn_integral(*(row[i] for row in rows)) for i in (0, 255, 256, 599)]
    np.testing.assert_array_equal(together[[0, 255, 256, 599]], alone)


def test_shapes():
    assert np.ndim(bbn_integral(1, -8, 0)) == 0
    assert bbn_integral([1, 2], -8, [[0.0], [1.0], [2.0]]).shape == (3, 2)
    assert bbn_integral([], -8, 0).shape == (0,)
    assert excluded([1, 2], -8, 0, lvk_h2omega=1e-8).shape == (2,)


def test_ground_based_bound_looks_at_its_frequency():
    level = igw_h2omega(LVK_HZ, 2.4, -30, 3)
    assert not excluded(2.4, -30, 3)
    assert excluded(2.4, -30, 3, lvk_h2omega=level / 2)
    assert not excluded(2.4, -30, 3, lvk_h2omega=level * 2)
    assert not excluded(2.4, -30, 3, lvk_h2omega=level / 2, f_end=1.0)


def test_looser_bound_excludes_less():
    levels = np.linspace(-14, -4, 200)
    strict, loose = (excluded(1.5, levels, 2, delta_n_eff=d).sum() for d in (0.01, 1))
    assert 0 < loose < strict < 200


def test_impossible_input_is_refused():
    with pytest.raises(InputError, match="increasing"):
        log_integral([1.0, 1.0], [0, 0])
    with pytest.raises(InputError, match="fit"):
        log_integral([1.0, 2.0], [0, 0, 0])
    with pytest.raises(InputError, match="transfer"):
        bbn_integral(1, -8, 0, transfer="none")
    with pytest.raises(InputError, match="lvk_h2omega"):
        excluded(1, -8, 0, lvk_h2omega=-1)
