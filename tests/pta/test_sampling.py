"""The samplers against closed forms, against each other, and against reference posteriors."""

import numpy as np
import pytest
from scipy.special import logsumexp

from tenfold.errors import InputError
from tenfold.pta.mixture import StudentMixture
from tenfold.pta.models import joint_log_likelihood, model
from tenfold.pta.posterior import Posterior, systematic
from tenfold.pta.prior import Normal, Prior
from tenfold.pta.sampling import ensemble_sample, importance_sample
from tenfold.pta.simulation import gaussian_spectrum

SMALL = {"n_prior": 2**14, "n_mixture": 2**14}


def gaussian(mean, sigma):
    """A normalised Gaussian likelihood: over a uniform prior that holds it, Z = 1/volume."""
    mean, sigma = np.asarray(mean, float), np.asarray(sigma, float)
    norm = np.log(sigma).sum() + 0.5 * mean.size * np.log(2 * np.pi)
    return lambda theta: -0.5 * (((theta - mean) / sigma) ** 2).sum(axis=1) - norm


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_evidence_and_moments_of_a_gaussian(dim):
    mean, sigma = np.linspace(-1, 1, dim), np.linspace(0.3, 0.6, dim)
    p = importance_sample(gaussian(mean, sigma), {f"x{i}": (-5, 5) for i in range(dim)}, seed=3)
    assert p.log_evidence == pytest.approx(-dim * np.log(10), abs=0.005)
    assert abs(p.log_evidence + dim * np.log(10)) < 5 * p.log_evidence_error
    np.testing.assert_allclose(p.mean, mean, atol=0.02)
    np.testing.assert_allclose(np.diag(p.covariance) ** 0.5, sigma, rtol=0.02)
    assert p.ok and p.ess > 20_000


def test_a_posterior_too_narrow_for_the_first_points_is_still_found():
    # A ball of one sigma holds 1e-12 of the prior volume: no Sobol point of the first stage comes near.
    p = importance_sample(gaussian([1, 2, -1, 0.5, 3], [0.03] * 5), [(-5, 5)] * 5, 0)
    assert p.log_evidence == pytest.approx(-5 * np.log(10), abs=0.02)
    assert p.ok


def test_two_peaks_keep_their_shares():
    def log_likelihood(theta):
        peaks = [gaussian([-2, 0], [0.1, 0.2])(theta), gaussian([2, 1], [0.3, 0.1])(theta) + np.log(3)]
        return logsumexp(peaks, axis=0)

    p = importance_sample(log_likelihood, [(-5, 5)] * 2, seed=1)
    assert p.log_evidence == pytest.approx(np.log(4 / 100), abs=0.005)
    assert p.probability(p.samples[:, 0] > 0) == pytest.approx(0.75, abs=0.005)


def test_a_constant_likelihood_returns_itself():
    p = importance_sample(lambda theta: np.full(len(theta), -7.0), {"x": (0, 1), "y": (-2, 5)}, 0, **SMALL)
    assert p.log_evidence == pytest.approx(-7.0, abs=0.01)
    np.testing.assert_allclose(p.quantile("y", [0.25, 0.5, 0.75]), [-0.25, 1.5, 3.25], atol=0.05)


def test_evidence_is_normalised_over_the_allowed_volume():
    allowed = Prior({"x": (0, 1), "y": (0, 1)}, lambda t: t[:, 0] < t[:, 1])
    p = importance_sample(lambda theta: np.zeros(len(theta)), allowed, 0, **SMALL)
    assert p.log_evidence == pytest.approx(0, abs=0.02)
    assert (p.samples[:, 0] < p.samples[:, 1]).all()
    assert p.mean[0] == pytest.approx(1 / 3, abs=0.005)


def test_the_likelihood_is_asked_only_inside_the_prior():
    seen = []

    def log_likelihood(theta):
        seen.append(theta)
        return gaussian([0.0, 0.9], [0.1, 0.3])(theta)

    importance_sample(log_likelihood, Prior({"x": (-1, 1), "y": (0, 1)}, lambda t: t[:, 0] > -0.5), 0, **SMALL)
    theta = np.concatenate(seen)
    assert theta[:, 0].min() > -0.5 and theta[:, 0].max() <= 1
    assert theta[:, 1].min() >= 0 and theta[:, 1].max() <= 1


def test_a_gaussian_prior_has_a_closed_form_too():
    prior = Prior({("x", "y"): Normal((0.0, 1.0), ((1.0, 0.3), (0.3, 0.5)))})
    p = importance_sample(gaussian([0.5, 0.5], [0.4, 0.4]), prior, seed=2)
    total = np.array([[1.16, 0.3], [0.3, 0.66]])
    miss = np.array([0.5, -0.5])
    expected = -0.5 * miss @ np.linalg.solve(total, miss) - 0.5 * np.log(4 * np.pi**2 * np.linalg.det(total))
    assert p.log_evidence == pytest.approx(expected, abs=0.005)


def power_law_closed_form(s, mean, sigma):
    """Evidence (flat prior over 7 x 7), mean and covariance: log10 rho is linear in (log10 A, gamma)."""
    kind = model("power_law")
    base = kind.log10_rho((0.0, 0.0), s)
    design = np.stack([kind.log10_rho((1.0, 0.0), s) - base, kind.log10_rho((0.0, 1.0), s) - base], axis=1)
    covariance = np.linalg.inv(design.T / sigma**2 @ design)
    best = covariance @ design.T @ ((mean - base) / sigma**2)
    residual = (mean - base - design @ best) / sigma
    log_peak = -0.5 * residual @ residual - np.log(sigma * np.sqrt(2 * np.pi)).sum() + s.bins * s.log_db
    return log_peak + 0.5 * np.log(np.linalg.det(2 * np.pi * covariance)) - np.log(49), best, covariance


def test_power_law_on_a_gaussian_free_spectrum():
    t_span = 16 * 3.15576e7
    rng = np.random.default_rng(5)
    frequencies, sigma = np.arange(1, 11) / t_span, rng.uniform(0.1, 0.3, 10)
    empty = gaussian_spectrum(np.full(10, -7.0), sigma, frequencies, t_span)
    mean = model("power_law").log10_rho((-14.3, 3.4), empty) + rng.normal(0, sigma)
    s = gaussian_spectrum(mean, sigma, frequencies, t_span)
    evidence, best, covariance = power_law_closed_form(s, mean, sigma)
    p = importance_sample(joint_log_likelihood("power_law", s), model("power_law").prior, seed=0)
    assert p.log_evidence == pytest.approx(evidence, abs=0.01)
    np.testing.assert_allclose(p.mean, best, atol=0.003)
    np.testing.assert_allclose(p.covariance, covariance, rtol=0.05, atol=1e-4)


def test_the_seed_decides_every_bit():
    run = lambda seed: importance_sample(gaussian([0, 0], [1, 1]), [(-5, 5)] * 2, seed, **SMALL)  # noqa: E731
    one, same, other = run(1), run(1), run(2)
    assert np.array_equal(one.samples, same.samples) and np.array_equal(one.weights, same.weights)
    assert one.log_evidence == same.log_evidence != other.log_evidence


def test_more_points_come_while_the_effective_number_is_small():
    few = importance_sample(gaussian([0, 0], [1, 1]), [(-5, 5)] * 2, 0, 2**12, 2**12, min_ess=100)
    many = importance_sample(gaussian([0, 0], [1, 1]), [(-5, 5)] * 2, 0, 2**12, 2**12, min_ess=10_000)
    assert many.evaluations > few.evaluations
    assert many.ess > few.ess


def test_prior_points_alone_are_enough():
    p = importance_sample(gaussian([0, 0], [1, 1]), {"x": (-5, 5), "y": (-5, 5)}, 0, 2**16, 0)
    assert p.log_evidence == pytest.approx(-np.log(100), abs=0.005)


@pytest.mark.parametrize(
    ("log_likelihood", "word"),
    [
        (lambda t: np.full(len(t), -np.inf), "-inf at all"),
        (lambda t: np.full(len(t), np.nan), "nan at"),
        (lambda t: np.full(len(t), np.inf), "inf at"),
        (lambda t: np.zeros((len(t), 1)), "must be"),
        (lambda t: 0.0, "must be"),
    ],
)
def test_likelihoods_that_cannot_be_are_refused(log_likelihood, word):
    for sample in (importance_sample, ensemble_sample):
        with pytest.raises(InputError, match=word):
            sample(log_likelihood, {"x": (0, 1)}, 0)


def test_numbers_of_points_are_checked():
    with pytest.raises(InputError, match="n_prior"):
        importance_sample(gaussian([0], [1]), {"x": (-5, 5)}, 0, n_prior=1)


def posterior(values, weights):
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    return Posterior(("x",), values[:, None], weights / weights.sum(), -values, 0.0, 0.0, 10.0, len(values))


def test_weighted_quantiles_and_moments():
    p = posterior([3, 1, 2], [1, 1, 2])
    assert p.quantile("x", [0.125, 0.5, 0.875]).tolist() == [1, 2, 3]
    assert p.median(p.samples[:, 0] ** 2) == 4
    assert p.mean.tolist() == [2] and p.covariance.tolist() == [[0.5]]
    assert p.best.tolist() == [1] and p.max_log_likelihood == -1
    assert p.probability(p.column("x") > 1.5) == 0.75
    assert p.max_weight == 0.5 and not p.ok
    with pytest.raises(InputError, match="unknown parameter"):
        p.quantile("y", 0.5)
    with pytest.raises(InputError, match="do not fit"):
        p.quantile([1.0, 2.0], 0.5)


def test_resampling_follows_the_weights():
    p = posterior(np.arange(4), [1, 2, 3, 4])
    drawn = p.resample(1000, seed=1)
    assert np.bincount(drawn[:, 0].astype(int)).tolist() == [100, 200, 300, 400]
    assert np.array_equal(drawn, p.resample(1000, seed=1))
    assert not np.array_equal(drawn, np.sort(drawn, axis=0))
    index = systematic(np.array([0.0, 0.0, 1.0, 0.0]), 10, np.random.default_rng(0))
    assert index.tolist() == [2] * 10


def test_the_mixture_density_is_that_of_its_draws():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0.2, 0.02, (2000, 2)), rng.normal(0.7, 0.05, (2000, 2))])
    mixture = StudentMixture.fit(points, 3, seed=1)
    draws = mixture.sample(200_000, rng)
    x = np.linspace(-1, 2, 601)
    grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    assert mixture.density(grid).sum() * 0.005**2 == pytest.approx(1, abs=0.01)
    inside = np.all(np.abs(draws - 0.7) < 0.05, axis=1).mean()
    box = np.all(np.abs(grid - 0.7) < 0.05, axis=1)
    assert mixture.density(grid[box]).sum() * 0.005**2 == pytest.approx(inside, rel=0.12)


def test_the_ensemble_finds_the_same_posterior():
    like = gaussian([0.5, -1.0], [0.3, 0.8])
    chain = ensemble_sample(like, {"x": (-5, 5), "y": (-1.5, 5)}, seed=1, walkers=64, steps=1500)
    points = importance_sample(like, {"x": (-5, 5), "y": (-1.5, 5)}, seed=1)
    assert chain.ess > 1000 and np.isnan(chain.log_evidence)
    for name, sigma in (("x", 0.3), ("y", 0.6)):
        off = chain.quantile(name, [0.16, 0.5, 0.84]) - points.quantile(name, [0.16, 0.5, 0.84])
        assert np.abs(off).max() < 6 * sigma / chain.ess**0.5
    assert chain.max_log_likelihood == pytest.approx(points.max_log_likelihood, abs=0.01)
    again = ensemble_sample(like, {"x": (-5, 5), "y": (-1.5, 5)}, seed=1, walkers=64, steps=1500)
    assert np.array_equal(chain.samples, again.samples)


def fit(kind, *names, seed=0, **options):
    from tenfold.pta.likelihood import FreeSpectrum

    spectra = [FreeSpectrum.load(name, **options) for name in names]
    kind = model(kind) if isinstance(kind, str) else kind
    return importance_sample(joint_log_likelihood(kind, spectra), kind.prior, seed)


@pytest.mark.mirror
@pytest.mark.parametrize(("kind", "evidence"), [("power_law", -110.039), ("igw", -110.863)])
def test_reference_evidences_of_nanograv(mirror, kind, evidence):
    for seed in range(3):
        p = fit(kind, "ng15_hd", seed=seed)
        assert p.log_evidence == pytest.approx(evidence, abs=0.01)
        assert p.ess > 50_000 and p.ok


@pytest.mark.mirror
def test_evidence_of_an_independent_code(mirror):
    from tenfold.pta.likelihood import FreeSpectrum

    step = FreeSpectrum.load("ng15_hd", bins=30).log_db
    wide = model("power_law_13_3").with_prior(log10_A=(-18, -12))
    assert fit(wide, "ng15_hd", bins=30).log_evidence - 30 * step == pytest.approx(-55.468, abs=0.01)
    narrow = model("power_law_13_3").with_prior(log10_A=(-17, -14))
    assert fit(narrow, "ng15_hd", bins=30).log_evidence - 30 * step == pytest.approx(-54.787, abs=0.02)
    free = model("power_law").with_prior(log10_A=(-17, -14))
    assert fit(free, "ng15_hd", bins=30).log_evidence - 30 * step == pytest.approx(-49.062, abs=0.02)


@pytest.mark.mirror
def test_reference_medians(mirror):
    p = fit("power_law", "ng15_hd")
    assert p.median("log10_A") == pytest.approx(-14.119, abs=0.005)
    assert p.median("gamma") == pytest.approx(3.079, abs=0.01)
    assert fit("igw", "ng15_hd").median("n_t") == pytest.approx(2.61, abs=0.03)
    assert fit("power_law", "ppta_dr3_hd").median("gamma") == pytest.approx(4.05, abs=0.01)
    assert fit("power_law", "ipta_dr2_cp").median("gamma") == pytest.approx(4.04, abs=0.01)


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["ng15_hd", "ng15_cp", "epta_dr2new_hd", "ppta_dr3_hd", "ipta_dr2_cp"])
def test_negative_exponents_on_every_array(mirror, name):
    p = fit("gb1_log", name)
    assert p.probability(p.column("n") < 0) > 0.999


@pytest.mark.mirror
def test_recovery_of_the_injection(mirror):
    from tenfold.datasets.pta import injection

    p = fit("power_law", "sim51")
    level = [0.025, 0.5, 0.975]
    np.testing.assert_allclose(p.quantile("log10_A", level), [-14.686, -14.461, -14.292], atol=0.005)
    np.testing.assert_allclose(p.quantile("gamma", level), [3.208, 3.655, 4.181], atol=0.01)
    # Inside the 99 % region: fewer than 99 of 100 samples have a higher density than the truth.
    truth = np.array(injection("sim51"))
    draws = p.resample(20_000, seed=0)
    inverse = np.linalg.inv(p.covariance)
    distance = np.einsum("ij,jk,ik->i", draws - p.mean, inverse, draws - p.mean)
    assert (distance < (truth - p.mean) @ inverse @ (truth - p.mean)).mean() < 0.99


@pytest.mark.mirror
def test_joint_posterior_of_three_arrays(mirror):
    p = fit("power_law", "ng15_hd", "epta_dr2new_hd", "ppta_dr3_hd")
    np.testing.assert_allclose(p.quantile("log10_A", [0.025, 0.5, 0.975]), [-14.557, -14.355, -14.137], atol=0.005)
    np.testing.assert_allclose(p.quantile("gamma", [0.025, 0.5, 0.975]), [3.030, 3.583, 4.126], atol=0.01)
