"""Models of inflation: closed forms against the general engine, identities, limits, domains."""

import math

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.pta.derivatives import circle_derivatives
from tenfold.pta.inflation import (
    PLANCK_N_S,
    gb_exponential,
    gb_hyperbolic,
    gb_monomial,
    gb_monomial_allowed,
    gb_monomial_inverse,
    gb_monomial_log,
    slow_roll,
    standard_slow_roll,
)


@pytest.fixture
def monomials():
    """50 random (n, N, alpha) of the allowed domain, both signs of n."""
    rng = np.random.default_rng(11)
    n_efolds = rng.uniform(50, 70, 50)
    n = np.where(rng.random(50) < 0.5, rng.uniform(0.2, 10, 50), rng.uniform(-190, -0.2, 50))
    alpha = 1 - np.sign(n) * 10 ** rng.uniform(-3, 0.5, 50)
    return n, n_efolds, alpha


def monomial_field(n, n_efolds, alpha, denominator):
    return np.sqrt(2 * n * (1 - alpha) * denominator / 4)


def coupled_monomial(n, alpha, scale=1.0):
    """V and xi of one monomial model; powers of phi/scale keep V of order one."""
    return (lambda phi: (phi / scale) ** n), (lambda phi: 0.75 * alpha * (phi / scale) ** -n)


def hyperbolic(lam):
    root = np.sqrt(lam)

    def potential(phi):
        return (np.tanh(phi) + root / np.cosh(phi)) ** 2

    def coupling(phi):
        return 0.75 * (np.sinh(phi) ** 2 - np.sinh(phi) / root) / (root + np.sinh(phi)) ** 2

    return potential, coupling


@pytest.mark.parametrize("rule", ["formal", "abs_eps1"])
def test_monomial_closed_form_is_the_engine(monomials, rule):
    for n, n_efolds, alpha in zip(*monomials, strict=True):
        reach = 4 * n_efolds + (n if rule == "formal" else abs(n))
        phi = monomial_field(n, n_efolds, alpha, reach)
        found = slow_roll(*coupled_monomial(n, alpha, phi), phi)
        n_s, n_t, r = gb_monomial(n, n_efolds, alpha, rule)
        assert found.n_s - 1 == pytest.approx(n_s - 1, rel=1e-8)
        assert found.n_t == pytest.approx(n_t, rel=1e-8)
        assert found.r == pytest.approx(r, rel=1e-8)
        assert found.delta1 == pytest.approx(2 * alpha * found.eps1, rel=1e-8)


def test_hyperbolic_closed_form_is_the_engine():
    rng = np.random.default_rng(5)
    for lam, n_efolds in zip(10 ** rng.uniform(-1, 4, 50), rng.uniform(40, 80, 50), strict=True):
        found = slow_roll(*hyperbolic(lam), np.arcsinh(n_efolds / np.sqrt(lam)))
        n_s, n_t, r = gb_hyperbolic(lam, n_efolds)
        assert found.n_s - 1 == pytest.approx(n_s - 1, rel=1e-8)
        assert found.n_t == pytest.approx(n_t, rel=1e-8)
        assert found.r == pytest.approx(r, rel=1e-8)


@pytest.mark.parametrize(("lam", "alpha"), [(0.1, 0.3), (0.3, 1.7), (2.0, -1)])
def test_exponential_closed_form_is_the_engine_everywhere(lam, alpha):
    phi = np.linspace(-3, 8, 7)
    found = slow_roll(lambda p: 2.5 * np.exp(-lam * p), lambda p: 0.3 * alpha * np.exp(lam * p), phi)
    n_s, n_t, r = gb_exponential(lam, alpha)
    np.testing.assert_allclose(found.n_s - 1, np.full(7, n_s - 1), rtol=1e-8)
    np.testing.assert_allclose(found.n_t, np.full(7, n_t), rtol=1e-8)
    np.testing.assert_allclose(found.r, np.full(7, r), rtol=1e-8)


def test_engine_identities_on_an_arbitrary_model():
    phi = np.linspace(0.5, 3, 20)
    s = slow_roll(lambda p: 1 + np.sin(p) ** 2 / 3 + p**2, lambda p: 0.02 * np.exp(-p) * p**3, phi)
    np.testing.assert_allclose(s.r, 8 * s.Q**2, rtol=1e-12)
    np.testing.assert_allclose(s.r, 8 * (2 * s.eps1 - s.delta1), rtol=1e-9)
    general = 1 - 2 * s.eps1 - (2 * s.eps1 * s.eps2 - s.delta1 * s.delta2) / (2 * s.eps1 - s.delta1)
    np.testing.assert_allclose(s.n_s, general, rtol=1e-9)


def test_second_parameters_are_logarithmic_rates():
    # eps2 = -dln eps1/dN and delta2 = -dln delta1/dN: differentiate along dphi/dN = Q.
    V, xi = coupled_monomial(3.0, 0.4)
    phi, step = 9.0, 1e-4
    s, up, down = (slow_roll(V, xi, phi + d) for d in (0, step, -step))
    rate = s.Q / (2 * step)
    assert s.eps2 == pytest.approx(-rate * np.log(up.eps1 / down.eps1), rel=1e-6)
    assert s.delta2 == pytest.approx(-rate * np.log(up.delta1 / down.delta1), rel=1e-6)
    assert s.n_t == pytest.approx(-rate * np.log(V(phi + step) / V(phi - step)), rel=1e-6)


def test_without_coupling_the_engine_is_standard_slow_roll():
    phi = np.linspace(5, 15, 11)
    s = slow_roll(lambda p: p**4, lambda p: 0.0, phi)
    np.testing.assert_allclose(s.eps1, 8 / phi**2, rtol=1e-10)
    np.testing.assert_allclose(s.r, -8 * s.n_t, rtol=1e-10)
    np.testing.assert_allclose(s.n_s - 1, -24 / phi**2, rtol=1e-10)
    assert (s.delta1 == 0).all() and (s.delta2 == 0).all()


def test_scale_of_the_potential_drops_out_without_coupling_and_trades_with_it():
    V, xi = coupled_monomial(4.0, 0.5)
    base = slow_roll(V, xi, 10.0)
    traded = slow_roll(lambda p: 1e-10 * V(p), lambda p: 1e10 * xi(p), 10.0)
    assert (traded.n_s, traded.n_t, traded.r) == pytest.approx((base.n_s, base.n_t, base.r), rel=1e-9)


def test_engine_keeps_shapes():
    assert slow_roll(*hyperbolic(465.0), [[1.0, 2.0], [3.0, 4.0]]).n_s.shape == (2, 2)
    assert np.ndim(slow_roll(*hyperbolic(465.0), 2).r) == 0
    assert slow_roll(*hyperbolic(465.0), []).r.shape == (0,)


@pytest.mark.parametrize(
    "bad",
    [np.abs, np.real, lambda p: np.exp(-1 / (p - 1) ** 2), lambda p: math.exp(p), lambda p: p.real**2],
)
def test_engine_refuses_functions_that_are_not_analytic(bad):
    with pytest.raises(InputError, match="xi"):
        slow_roll(lambda p: p**2, bad, [1.0, 2.0])


def test_engine_refuses_a_potential_that_is_not_positive():
    with pytest.raises(InputError, match="V > 0"):
        slow_roll(lambda p: 1 - p**2, lambda p: 0.0, 2.0)


@pytest.mark.parametrize("x", [1e-6, 0.3, 5.0, 1e3])
@pytest.mark.parametrize("n", [-200, -62, -1, 0.5, 2, 10])
def test_derivatives_of_powers(n, x):
    value, first, second = circle_derivatives(lambda z: (z / x) ** n, np.array(x))
    assert value == pytest.approx(1, rel=1e-14)
    assert first == pytest.approx(n / x, rel=1e-10)
    assert second == pytest.approx(n * (n - 1) / x**2, rel=1e-10)


def test_derivatives_of_entire_functions_and_at_zero():
    x = np.array([-2.0, 0, 1e-9, 0.7, 12])
    for function, first, second in ((np.sin, np.cos, lambda z: -np.sin(z)), (np.exp, np.exp, np.exp)):
        found = circle_derivatives(function, x)
        np.testing.assert_allclose(found[1], first(x), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(found[2], second(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((4, 60, 0.5), (0.950820, -0.0327869, 0.131148)),
        ((-62, 60, 1.5), (1.674157, 0.696629, 2.786517)),
    ],
)
def test_monomial_reference_points(point, expected):
    assert gb_monomial(*point) == pytest.approx(expected, rel=1e-5)


def test_hyperbolic_reference_point():
    assert gb_hyperbolic(465, 60) == pytest.approx((0.996190, 0.0257108, 0.00196802), rel=5e-6)


@pytest.mark.parametrize(("n_efolds", "best", "at"), [(50, 0.0301, 354), (60, 0.0257, 465), (70, 0.0225, 586)])
def test_hyperbolic_tilt_has_its_maximum_where_it_should(n_efolds, best, at):
    lam = np.arange(1.0, 3000)
    tilt = gb_hyperbolic(lam, n_efolds)[1]
    assert tilt.max() == pytest.approx(best, abs=6e-5)
    assert lam[tilt.argmax()] == pytest.approx(at, abs=1)


def test_monomial_identities(monomials):
    n, n_efolds, alpha = monomials
    n_s, n_t, r = gb_monomial(n, n_efolds, alpha)
    np.testing.assert_allclose(n_s - 1 - n_t + 4 / (4 * n_efolds + n), 0, atol=1e-13)
    np.testing.assert_allclose(r, -8 * (1 - alpha) * n_t, rtol=1e-13)


def test_monomial_round_trip(monomials):
    n, n_efolds, alpha = monomials
    _, n_t, r = gb_monomial(n, n_efolds, alpha)
    back_n, back_alpha = gb_monomial_inverse(n_t, r, n_efolds)
    np.testing.assert_allclose(back_n, n, rtol=1e-11)
    np.testing.assert_allclose(back_alpha, alpha, rtol=1e-11)


def test_without_coupling_the_monomial_is_chaotic_inflation():
    n = np.array([2 / 3, 2, 4])
    n_s, n_t, r = gb_monomial(n, 60, 0)
    np.testing.assert_allclose(r, -8 * n_t, rtol=1e-14)
    np.testing.assert_allclose(r, 4 * n / (60 + n / 4), rtol=1e-14)
    np.testing.assert_allclose(n_s, 1 - (n + 2) / (2 * 60 + n / 2), rtol=1e-14)


def test_end_rules_agree_for_positive_and_part_for_negative_exponents():
    assert gb_monomial(4, 60, 0.5, "abs_eps1") == gb_monomial(4, 60, 0.5)
    n = np.linspace(-5000, -1, 50)
    tilt = gb_monomial(n, 60, 1.5, "abs_eps1")[1]
    assert ((tilt > 0) & (tilt < 2)).all()
    # The formal tilt has a pole at n = -4N that the other rule does not have.
    assert gb_monomial(-239.9, 60, 1.5)[1] > 4000
    with pytest.raises(InputError, match="4N"):
        gb_monomial(-240, 60, 1.5)
    with pytest.raises(InputError, match="abs_eps1"):
        gb_monomial(-2, 60, 1.5, "abs")


def test_abs_rule_starts_where_the_first_parameter_is_one():
    # N = 0 must be the field value with |eps1| = 1.
    n, alpha = -6.0, 1.4
    phi = monomial_field(n, 0.0, alpha, abs(n))
    assert abs(slow_roll(*coupled_monomial(n, alpha), phi).eps1) == pytest.approx(1, rel=1e-9)


def test_logarithmic_form_is_the_closed_form_and_goes_beyond(monomials):
    n, n_efolds, alpha = monomials
    n_s, n_t, log10_r = gb_monomial_log(n, n_efolds, np.log10(np.abs(1 - alpha)))
    expected = gb_monomial(n, n_efolds, alpha)
    np.testing.assert_allclose((n_s, n_t, 10**log10_r), expected, rtol=1e-11)
    assert gb_monomial_log(-120, 60, -20)[2] == pytest.approx(np.log10(16 * 120 / 120) - 20, rel=1e-14)
    assert np.isnan(gb_monomial_log([-240.0, -300, 0], 60, -1)).all()


@pytest.mark.parametrize(
    ("n", "n_efolds", "alpha"),
    [
        (-240, 60, 1.5),
        (-300, 60, 1.5),
        (4, 60, 1.5),
        (-4, 60, 0.5),
        (4, 60, 1),
        (-4, 60, 1.0),
        (0, 60, 0.5),
        (np.nan, 60, 0.5),
        ([4, -4], 60, 0.5),
    ],
)
def test_monomial_domain(n, n_efolds, alpha):
    with pytest.raises(InputError, match="gb_monomial needs"):
        gb_monomial(n, n_efolds, alpha)
    assert not np.all(gb_monomial_allowed(n, n_efolds, alpha))


def test_domain_mask_is_per_element():
    allowed = gb_monomial_allowed([4, -4, -4, 4, -300], 60, [0.0, 0.5, 1.5, -3, 1.5])
    assert allowed.tolist() == [True, False, True, True, False]
    assert gb_monomial_allowed(-300, 60, 1.5, "abs_eps1")


def test_inverse_domain():
    for bad in ((0, 0.1, 60), (-2, 0.1, 60), (0.5, 0, 60), (0.5, 0.1, 0)):
        with pytest.raises(InputError, match="gb_monomial_inverse"):
            gb_monomial_inverse(*bad)


def test_other_domains():
    for call in (lambda: gb_hyperbolic(0, 60), lambda: gb_hyperbolic(4, -1), lambda: standard_slow_roll(-0.1)):
        with pytest.raises(InputError):
            call()
    with pytest.raises(InputError):
        gb_exponential(np.nan, 1)


def test_planck_tilt_forces_a_red_tensor_tilt():
    # n_s = 0.965 at N = 60 solves to n = +2.2 whatever alpha: no blue tensors with the measured tilt.
    n = np.linspace(-200, 10, 2_100_001)
    n_s = 1 - 2 * (n + 2) / (240 + n)
    closest = n[np.argmin(np.abs(n_s - 0.965))]
    assert closest == pytest.approx(2.24, abs=0.02)
    assert gb_monomial(closest, 60, 0.5)[1] < 0


def test_standard_slow_roll():
    assert standard_slow_roll(0.036) == pytest.approx((PLANCK_N_S, -0.0045, 0.036))
    assert standard_slow_roll(0.036, 0.1)[1] == 0.1
    n_s, n_t, r = standard_slow_roll([0.01, 0.02], n_s=0.97)
    assert n_s.shape == n_t.shape == r.shape == (2,)
    r[0] = 5  # a plain array, not a view of the input


def test_arrays_broadcast_to_one_shape():
    for values in (
        gb_monomial([2.0, 4.0], 60, [[0.1], [0.2]]),
        gb_monomial_log([[2.0], [4.0]], 60, [-1.0, -2.0]),
        gb_hyperbolic([[2.0], [4.0]], [50, 60]),
        gb_exponential([[2.0], [4.0]], [0.5, 0.6]),
    ):
        assert {np.shape(v) for v in values} == {(2, 2)}
    assert all(np.ndim(v) == 0 for v in gb_monomial(2, 60, 0))
