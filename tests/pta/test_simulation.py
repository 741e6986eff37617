"""Simulated free spectra: calibrated, reproducible, and recovered."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from tenfold.errors import InputError
from tenfold.pta.models import joint_log_likelihood, model
from tenfold.pta.sampling import importance_sample
from tenfold.pta.simulation import GRID, gaussian_spectrum, simulate

TRUTH = {"log10_A": -14.4, "gamma": 3.6}


def test_gaussian_densities_have_gaussian_likelihoods():
    mean, sigma = np.array([-6.5, -7.2]), np.array([0.2, 0.4])
    s = gaussian_spectrum(mean, sigma, [1e-9, 2e-9], 1e9)
    x = GRID[[2600, 2500]]
    assert s.log_likelihood(x) == pytest.approx(norm.logpdf(x, mean, sigma).sum() + 2 * s.log_db, abs=1e-9)
    assert s.resolution.source == "synthetic"


def test_without_scatter_each_density_peaks_at_the_truth():
    s = simulate("power_law", TRUTH, seed=None, bins=4, log10_noise=-9.0)
    truth = model("power_law").log10_rho(TRUTH, s)
    np.testing.assert_allclose(s.grid[s.log_density.argmax(axis=1)], truth, atol=0.0011)
    np.testing.assert_allclose(np.exp(s.log_density).sum(axis=1) * np.exp(s.log_db), 1, rtol=1e-12)


def test_strong_bins_are_as_wide_as_their_degrees_of_freedom_say():
    for dof in (20.0, 80.0):
        s = simulate("power_law", TRUTH, seed=None, bins=1, log10_noise=-10.0, dof=dof)
        low, high = s.quantile([0.1587, 0.8413])[0]
        assert 0.5 * (high - low) == pytest.approx(0.5 / np.log(10) * np.sqrt(2 / dof), rel=0.1)


def test_weak_bins_are_upper_limits():
    s = simulate("power_law", {"log10_A": -17.0, "gamma": 3.0}, seed=3, bins=2, log10_noise=-7.0)
    weak = s.log_density[:, s.grid < -9]
    np.testing.assert_allclose(weak, weak[:, :1] * np.ones(weak.shape[1]), atol=1e-2)
    assert (s.quantile(0.99) < -6).all()


def test_the_densities_are_calibrated():
    # Truth drawn from the flat prior over the grid: its rank in the posterior is uniform.
    rng = np.random.default_rng(11)
    grid = np.linspace(-9, -5, 2001)
    kind = model("power_law_13_3")
    base = 0.5 * kind.log10_power(np.array([[0.0]]), np.array([1 / (16.03 * 3.15576e7)]), 16.03 * 3.15576e7)[0, 0]
    ranks = []
    for seed in range(300):
        truth = rng.uniform(-9, -5)
        s = simulate(kind, [truth - base], seed=seed, bins=1, grid=grid)
        density = s.density(0)
        ranks.append(np.interp(truth, grid, np.cumsum(density) / density.sum()))
    assert kstest(ranks, "uniform").pvalue > 0.01


def test_the_seed_decides_the_data():
    one, same, other = (simulate("power_law", TRUTH, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.log_density, same.log_density)
    assert one.resolution.digest == same.resolution.digest != other.resolution.digest


def test_the_truth_is_recovered():
    kind = model("power_law")
    s = simulate(kind, TRUTH, seed=None, dof=40)
    p = importance_sample(joint_log_likelihood(kind, s), kind.prior, 0, 2**15, 2**15)
    for name, value in TRUTH.items():
        low, high = p.quantile(name, [0.16, 0.84])
        assert low < value < high
        assert high - low < 1


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: simulate("power_law", TRUTH, dof=0), "positive"),
        (lambda: simulate("power_law", [[-14.0, 3.0]]), "one allowed point"),
        (lambda: simulate("gb1_linear", [-60, 60, 0.5, 0]), "one allowed point"),
        (lambda: gaussian_spectrum([-7.0], [0.0], [1e-9], 1e9), "positive sigma"),
    ],
)
def test_impossible_simulations_are_refused(call, word):
    with pytest.raises(InputError, match=word):
        call()
