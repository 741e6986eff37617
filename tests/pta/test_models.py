"""Models: their spectra against the closed forms they stand for, their limits, and reference values."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.pta import inflation, spectrum
from tenfold.pta.cosmology import F_YEAR_HZ
from tenfold.pta.families import BINARIES
from tenfold.pta.likelihood import FreeSpectrum
from tenfold.pta.models import joint_log_likelihood, model, model_names
from tenfold.pta.sampling import importance_sample
from tenfold.pta.simulation import gaussian_spectrum

T_SPAN = 16 * 3.15576e7
F = np.arange(1, 15) / T_SPAN
INFLATION = ("igw", "gb1_log", "gb1_linear", "gb2", "gb3", "sfsr")


@pytest.fixture(scope="module")
def flat():
    return gaussian_spectrum(np.full(14, -7.0), 0.5, F, T_SPAN)


def points(kind, n=40, seed=0):
    theta = kind.prior.from_unit(np.random.default_rng(seed).uniform(0.02, 0.98, (n, kind.prior.dim)))
    return theta[kind.prior.is_allowed(theta)]


@pytest.mark.parametrize("name", model_names())
def test_energy_and_timing_are_one_spectrum(name, flat):
    kind = model(name)
    theta = points(kind)
    # Some spectra leave the range of a float, not that of their logarithm.
    finite = np.isfinite(kind.h2omega(theta, F)).all(axis=1) & (kind.h2omega(theta, F) > 0).all(axis=1)
    assert finite.sum() > 3
    rho2 = spectrum.rho2_from_h2omega(F, kind.h2omega(theta[finite], F), T_SPAN)
    np.testing.assert_allclose(0.5 * np.log10(rho2), kind.log10_rho(theta[finite], flat), atol=1e-11)


@pytest.mark.parametrize("name", model_names())
def test_likelihood_is_that_of_the_spectrum_in_batch_and_alone(name, flat):
    kind = model(name)
    theta = points(kind, 5000)
    values = kind.log_likelihood(theta, flat)
    assert np.array_equal(values, flat.log_likelihood(kind.log10_rho(theta, flat)))
    for i in (0, len(theta) // 2, len(theta) - 1):
        named = dict(zip(kind.names, theta[i], strict=True))
        assert kind.log_likelihood(theta[i], flat) == kind.log_likelihood(named, flat) == values[i]
    both = joint_log_likelihood(name, [flat, flat.drop(0)])(theta)
    np.testing.assert_array_equal(both, values + kind.log_likelihood(theta, flat.drop(0)))


@pytest.mark.parametrize("name", model_names())
def test_axes_of_scalars_are_dropped(name, flat):
    kind = model(name)
    theta = points(kind)[:3]
    assert kind.h2omega(theta, F).shape == (3, 14)
    assert kind.h2omega(theta, F[0]).shape == (3,)
    assert kind.h2omega(theta[0], F).shape == (14,)
    assert np.shape(kind.h2omega(theta[0], F[0])) == ()
    assert kind.log10_rho(theta[0], flat).shape == (14,)
    one, several = kind.derived(theta[0]), kind.derived(theta)
    assert all(np.shape(one[key]) == () and several[key].shape == (3,) for key in several)
    assert isinstance(kind.log_likelihood(theta[0], flat), float)


def test_power_laws():
    f = np.array([F[0], F[5], F_YEAR_HZ])
    free, fixed = model("power_law"), model("power_law_13_3")
    expected = spectrum.power_law_h2omega(f, -14.6, 13 / 3)
    np.testing.assert_allclose(free.h2omega((-14.6, 13 / 3), f), expected, rtol=1e-12)
    np.testing.assert_allclose(fixed.h2omega([-14.6], f), expected, rtol=1e-12)
    np.testing.assert_allclose(10 ** free.derived((-14.6, 13 / 3))["log10_h2omega_yr"], expected[-1], rtol=1e-12)
    assert model("smbhb").log10_power is free.log10_power


def test_turnover_is_a_power_law_above_the_bend():
    bent = model("turnover").h2omega((-14.6, -10.0), F) / model("power_law_13_3").h2omega([-14.6], F)
    np.testing.assert_allclose(bent, 1 / (1 + (1e-10 / F) ** (10 / 3)), rtol=1e-10)


def test_binaries_have_the_gaussian_prior_of_their_array():
    for array, (mean, covariance) in BINARIES.items():
        prior = model("smbhb", array=array).prior
        theta = prior.from_unit(np.random.default_rng(0).random((100_000, 2)))
        np.testing.assert_allclose(theta.mean(axis=0), mean, atol=0.01)
        np.testing.assert_allclose(np.cov(theta.T), covariance, atol=0.005)


@pytest.mark.parametrize("transfer", spectrum.TRANSFERS)
def test_waves_have_the_spectrum_of_their_indices(transfer):
    for name in INFLATION:
        kind = model(name, transfer=transfer)
        theta = points(kind)
        d = kind.derived(theta)
        expected = spectrum.igw_h2omega(F, d["n_t"], d["log10_r"], d["log10_T_rh"], transfer=transfer)
        keep = np.isfinite(expected).all(axis=1) & (expected > 0).all(axis=1)
        np.testing.assert_allclose(kind.h2omega(theta, F)[keep], expected[keep], rtol=1e-10)
        np.testing.assert_allclose(np.log10(d["r"][d["r"] > 0]), d["log10_r"][d["r"] > 0], atol=1e-12)


@pytest.mark.parametrize("end_rule", inflation.END_RULES)
def test_gb1_has_the_indices_of_the_monomial(end_rule):
    theta = np.array([[4.0, 60, -0.3, 0], [-62.0, 60, np.log10(0.5), 1], [-150, 55, 0.5, -1]])
    d = model("gb1_log", end_rule=end_rule).derived(theta)
    alpha = 1 - np.sign(theta[:, 0]) * 10 ** theta[:, 2]
    n_s, n_t, r = inflation.gb_monomial(theta[:, 0], theta[:, 1], alpha, end_rule)
    for key, value in (("n_s", n_s), ("n_t", n_t), ("r", r), ("alpha", alpha)):
        np.testing.assert_allclose(d[key], value, rtol=1e-12)
    linear = model("gb1_linear", end_rule=end_rule).derived([-62.0, 60, 1.5, 1])
    assert linear["n_t"] == d["n_t"][1] and linear["r"] == pytest.approx(d["r"][1])


def test_gb1_knows_how_close_alpha_is_to_one():
    d = model("gb1_log").derived([-125.0, 60, -18.0, 0.0])
    assert d["alpha"] == 1.0
    assert d["log10_r"] == pytest.approx(np.log10(16 * 125 / 115) - 18)


def test_gb1_outside_its_domain_has_no_likelihood(flat):
    linear = model("gb1_linear")
    assert linear.log_likelihood([-60.0, 60, 0.5, 0], flat) == -np.inf
    assert linear.log_likelihood([-60.0, 60, 1.0, 0], flat) == -np.inf
    assert np.isfinite(linear.log_likelihood([-60.0, 60, 1.5, 0], flat))
    pole = {"n": -200.0, "N": 50.0, "log10_delta": -5.0, "log10_T_rh": 0.0}
    assert model("gb1_log").log_likelihood(pole, flat) == -np.inf
    assert np.isnan(model("gb1_log").h2omega(pole, F)).all()
    assert np.isfinite(model("gb1_log", end_rule="abs_eps1").log_likelihood(pole, flat))
    p = importance_sample(
        joint_log_likelihood(linear.with_prior(alpha=(0, 2)), flat),
        linear.with_prior(alpha=(0, 2)).prior,
        0,
        2**12,
        2**12,
    )
    assert p.column("alpha").min() > 1


def test_gb2_and_gb3_have_their_closed_forms():
    d = model("gb2").derived([np.log10(465), 60, 3])
    assert (d["n_s"], d["n_t"], d["r"]) == pytest.approx((0.996190, 0.0257108, 0.00196802), rel=1e-5)
    lam, delta = 1.3, 0.2
    d = model("gb3").derived([np.log10(lam), np.log10(delta), 0])
    expected = inflation.gb_exponential(lam, 1 + delta)
    assert (d["n_s"], d["n_t"], d["r"]) == pytest.approx(expected, rel=1e-12)


def test_standard_slow_roll_is_consistent_and_bounded():
    kind = model("sfsr")
    d = kind.derived(points(kind))
    np.testing.assert_allclose(d["r"], -8 * d["n_t"], rtol=1e-12)
    assert kind.prior.bounds()["log10_r"][1] == pytest.approx(np.log10(0.036))


def test_waves_and_binaries_add(flat):
    both, waves, binaries = model("igw_smbhb"), model("igw"), model("power_law")
    theta = np.array([[1.8, -8.4, 0, -15.0, 4.3], [0.1, -30, 0, -14.5, 4.3], [2.0, -8, 0, -30.0, 4.3]])
    total = both.h2omega(theta, F)
    parts = waves.h2omega(theta[:, :3], F) + binaries.h2omega(theta[:, 3:], F)
    np.testing.assert_allclose(total, parts, rtol=1e-11)
    np.testing.assert_allclose(total[1], binaries.h2omega(theta[1, 3:], F), rtol=1e-9)
    np.testing.assert_allclose(total[2], waves.h2omega(theta[2, :3], F), rtol=1e-9)


def test_other_bounds_restrict_the_prior():
    half = model("gb1_log").with_prior(n=(0, 10))
    assert half.prior.bounds()["n"] == (0.0, 10.0)
    assert half.names == model("gb1_log").names
    with pytest.raises(InputError, match="unknown parameter"):
        half.with_prior(m=(0, 1))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: model("gb1"), "did you mean"),
        (lambda: model("igw", transfr="ptarcade"), "did you mean 'transfer'"),
        (lambda: model("igw", transfer="other"), "unknown transfer"),
        (lambda: model("power_law", array="ng15"), "unknown option"),
        (lambda: model("power_law").h2omega({"log10_A": -15, "gama": 3}, F), "did you mean 'gamma'"),
        (lambda: model("power_law").h2omega({"log10_A": -15}, F), "also needs gamma"),
        (lambda: model("power_law").h2omega([-15.0], F), "takes"),
        (lambda: joint_log_likelihood("igw", []), "at least one"),
    ],
)
def test_what_is_no_model_is_refused(call, word):
    with pytest.raises(InputError, match=word):
        call()


@pytest.mark.mirror
def test_reference_likelihoods_of_weak_models(mirror):
    s = FreeSpectrum.load("ng15_hd")
    slow_roll = model("sfsr").log_likelihood([np.log10(0.036), 3], s)
    assert slow_roll == pytest.approx(-165.257, abs=1e-3)
    assert model("gb2").log_likelihood([np.log10(465), 60, 3], s) == pytest.approx(-195.035, abs=1e-3)


@pytest.mark.mirror
def test_gauss_bonnet_spectra_lie_closer_than_slow_roll(mirror):
    s = FreeSpectrum.load("ng15_hd")
    kind = model("gb1_log")
    best = importance_sample(joint_log_likelihood(kind, s), kind.prior, 0).best
    middle = s.quantile(0.5)

    def distance(rho):
        return np.median(2 * np.abs(rho - middle)[:5])

    assert distance(kind.log10_rho(best, s)) < 0.5
    assert distance(model("sfsr").log10_rho([np.log10(0.036), 3], s)) > 6


@pytest.mark.mirror
def test_positive_exponents_fit_far_worse(mirror):
    s = FreeSpectrum.load("ng15_hd")
    kind = model("gb1_log").with_prior(n=(0, 10))
    p = importance_sample(joint_log_likelihood(kind, s), kind.prior, 0, 2**14, 2**14)
    assert p.max_log_likelihood == pytest.approx(-133.3, abs=0.3)
