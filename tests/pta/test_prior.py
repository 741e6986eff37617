"""Priors: the map from the unit cube and back, densities, restrictions, and what is refused."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tenfold.errors import InputError
from tenfold.pta.prior import Normal, Prior, Uniform

MEAN, COVARIANCE = (-15.0, 4.7), ((0.28, -0.1), (-0.1, 0.12))


def mixed():
    return Prior({"a": (-3, 5), ("x", "y"): Normal(MEAN, COVARIANCE), "b": Uniform(0, 1)})


def test_names_and_dimensions_follow_the_blocks():
    prior = mixed()
    assert prior.names == ("a", "x", "y", "b") and prior.dim == 4
    assert prior.bounds()["a"] == (-3.0, 5.0)
    assert prior.bounds()["y"] == pytest.approx((4.7 - 5 * 0.12**0.5, 4.7 + 5 * 0.12**0.5))


def test_round_trip_through_the_unit_cube():
    u = np.random.default_rng(0).uniform(0.01, 0.99, (500, 4))
    prior = mixed()
    np.testing.assert_allclose(prior.to_unit(prior.from_unit(u)), u, atol=1e-12)
    assert prior.from_unit(u[0]).shape == (4,)
    np.testing.assert_array_equal(prior.from_unit(u.reshape(5, 100, 4)).reshape(500, 4), prior.from_unit(u))
    assert np.isfinite(prior.from_unit([[0, 0, 0, 0], [1, 1, 1, 1]])).all()


def test_the_map_carries_uniform_points_to_the_density():
    prior = Prior({("x", "y"): Normal(MEAN, COVARIANCE)})
    theta = prior.from_unit(np.random.default_rng(1).random((200_000, 2)))
    np.testing.assert_allclose(theta.mean(axis=0), MEAN, atol=0.01)
    np.testing.assert_allclose(np.cov(theta.T), COVARIANCE, atol=0.01)


def test_log_density_is_the_product_of_the_blocks():
    prior = mixed()
    theta = prior.from_unit(np.random.default_rng(2).random((50, 4)))
    expected = -np.log(8) + multivariate_normal(MEAN, COVARIANCE).logpdf(theta[:, 1:3])
    np.testing.assert_allclose(prior.log_density(theta), expected)
    assert prior.log_density([9.0, -15, 4.7, 0.5]) == -np.inf
    assert prior.log_density(theta[0]) == pytest.approx(expected[0])


def test_allowed_region_has_the_prior_to_itself():
    prior = Prior({"x": (0, 1), "y": (0, 1)}, allowed=lambda t: t[:, 0] + t[:, 1] < 1)
    assert prior.is_allowed([[0.2, 0.2], [0.9, 0.9]]).tolist() == [True, False]
    assert prior.log_density([[0.2, 0.2], [0.9, 0.9]]).tolist() == [0.0, -np.inf]


def test_other_bounds():
    prior = mixed().with_bounds(a=(0, 2))
    assert prior.bounds()["a"] == (0.0, 2.0) and mixed().bounds()["a"] == (-3.0, 5.0)
    with pytest.raises(InputError, match="unknown parameter 'aa'; did you mean 'a'"):
        mixed().with_bounds(aa=(0, 1))
    with pytest.raises(InputError, match="joint Gaussian"):
        mixed().with_bounds(x=(0, 1))


def test_priors_are_read_from_mappings_and_pairs():
    prior = Prior.of({"x": (0, 1), "y": [2, 3]})
    assert prior.names == ("x", "y") and Prior.of(prior) is prior
    assert Prior.of([(0, 1), (2, 3)]).bounds() == {"x0": (0.0, 1.0), "x1": (2.0, 3.0)}
    assert Prior.of(np.array([[0, 1.0]])).dim == 1


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Prior({}), "distinct names"),
        (lambda: Prior({"x": (1, 0)}), "low < high"),
        (lambda: Prior({"x": (0, np.inf)}), "finite"),
        (lambda: Prior({"x": 3}), "pair"),
        (lambda: Prior({("x", "y"): (0, 1)}), "2 names but 1"),
        (lambda: Prior({"x": (0, 1), ("x", "y"): Normal(MEAN, COVARIANCE)}), "distinct"),
        (lambda: Normal((0, 0), ((1, 2), (2, 1))), "positive definite"),
        (lambda: Normal((0, 0), ((1,),)), "covariance"),
        (lambda: Prior.of([1, 2]), "list of pairs"),
        (lambda: Prior({"x": (0, 1)}).from_unit([[0.1, 0.2]]), "prior is over x"),
    ],
)
def test_what_is_no_prior_is_refused(build, word):
    with pytest.raises(InputError, match=word):
        build()
