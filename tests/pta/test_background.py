"""Exact backgrounds: slow-roll limit, closed forms, the constraint, convergence, inflation that does not end."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from tenfold.errors import InputError
from tenfold.pta.background import (
    _constraint,
    _rates,
    exact_monomial,
    integrate_background,
    monomial_attractor,
)
from tenfold.pta.inflation import gb_monomial


def quadratic(mass=1.0, phi0=15.0, **options):
    """Chaotic inflation without coupling: V = (mass phi)^2/2."""
    return integrate_background(
        lambda phi: 0.5 * (mass * phi) ** 2,
        lambda phi: mass**2 * phi,
        lambda phi: 0.0,
        lambda phi: 0.0,
        lambda phi: 0.0,
        phi0,
        **options,
    )


@pytest.mark.parametrize(("alpha", "total", "tilt"), [(0, 76.09, -0.01673), (-0.5, 75.33, -0.01666)])
def test_reference_integrations(alpha, total, tilt):
    run = exact_monomial(2, alpha, 75)
    assert run.ended and "reached 1" in run.reason
    assert run.total == pytest.approx(total, abs=5e-3)
    assert run.tensor_tilt(60) == pytest.approx(tilt, abs=6e-6)
    # Slow roll is off by about one percent there, and by no more.
    error = run.tensor_tilt(60) / gb_monomial(2, 60, alpha)[1] - 1
    assert 0.005 < error < 0.015


def test_slow_roll_becomes_exact_far_from_the_end():
    run = exact_monomial(2, -0.5, 800)
    n_efolds = np.array([100, 200, 400])
    error = np.abs(run.tensor_tilt(n_efolds) / gb_monomial(2, n_efolds, -0.5)[1] - 1)
    # First order in 1/N up to a logarithm: halving the distance to the end must nearly double the error.
    assert (error[:-1] / error[1:] > 1.5).all()
    assert error[-1] < 3e-3


def test_without_coupling_it_is_the_klein_gordon_equation():
    """The same trajectory from phi'' = -(3 - u^2/2)(u + V'/V), u = phi', by another integrator."""

    run = quadratic()

    def flow(_, y):
        return [y[1], -(3 - y[1] ** 2 / 2) * (y[1] + 2 / y[0])]

    start = [run.phi[0], run.velocity[0]]
    other = solve_ivp(flow, (0, run.total), start, "Radau", rtol=1e-10, atol=1e-12, t_eval=run.n[::40])
    np.testing.assert_allclose(run.phi[::40], other.y[0], rtol=1e-7)
    np.testing.assert_allclose(run.eps_H[::40], other.y[1] ** 2 / 2, rtol=1e-6)


def test_coupled_monomial_without_coupling_is_chaotic_inflation():
    run, chaotic = exact_monomial(2, 0, 60), quadratic(phi0=np.sqrt(4 * 60.5))
    assert run.total == pytest.approx(chaotic.total, abs=1e-8)
    assert run.tensor_tilt([10, 50]) == pytest.approx(chaotic.tensor_tilt([10, 50]), rel=1e-8)


def test_scale_of_the_potential_only_scales_the_hubble_rate():
    light, heavy = quadratic(1e-5), quadratic(1.0)
    assert light.total == pytest.approx(heavy.total, abs=1e-8)
    assert light.H[0] / heavy.H[0] == pytest.approx(1e-5, rel=1e-10)


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.05, 0.5, 0.9])
def test_friedmann_constraint_holds_to_tolerance(alpha):
    assert np.abs(exact_monomial(2, alpha, 60).constraint).max() < 2e-9
    assert np.abs(exact_monomial(2, alpha, 60, rtol=1e-6).constraint).max() < 1e-4


def test_hubble_rate_falls_as_its_slow_roll_parameter_says():
    run = exact_monomial(4, -0.5, 40)
    n = np.linspace(0, run.total, 4001)
    # Simpson's rule over the dense solution: ln H(0) - ln H(end) = int eps_H dn.
    eps = -run.tensor_tilt(run.total - n) / 2
    weights = np.r_[1, np.tile([4, 2], 1999), 4, 1] * (n[1] - n[0]) / 3
    assert np.log(run.H[0] / run.H[-1]) == pytest.approx(eps @ weights, rel=1e-7)


def test_error_falls_with_the_tolerance():
    reference = exact_monomial(2, -0.5, 60, rtol=1e-12).total
    errors = [abs(exact_monomial(2, -0.5, 60, rtol=rtol).total - reference) for rtol in (1e-4, 1e-7, 1e-10)]
    assert errors[0] > 20 * errors[1] > 400 * errors[2]
    assert errors[2] < 1e-7


def test_slow_roll_parameter_is_one_at_the_end():
    run = exact_monomial(2, 0, 60)
    assert run.tensor_tilt(0) == pytest.approx(-2, abs=1e-9)
    assert (run.eps_H[:-1] < 1).all()
    assert run.tensor_tilt(0) < run.tensor_tilt(1) < run.tensor_tilt(60)
    assert run.tensor_tilt([[1, 2], [3, 4]]).shape == (2, 2)


@pytest.mark.parametrize(("n", "alpha"), [(2, 0.5), (4, 0.5), (1, 0.9), (2, 0.1)])
def test_strong_coupling_keeps_inflation_from_ending(n, alpha):
    run = exact_monomial(n, alpha, 75)
    assert not run.ended and "does not end: eps_H stays below 1" in run.reason
    assert run.total == pytest.approx(200)
    assert run.eps_H[-1] == pytest.approx(monomial_attractor(alpha), rel=1e-6)
    # On the attractor phi falls as exp(-2 eps N/n) without ever arriving.
    assert run.velocity[-1] / run.phi[-1] == pytest.approx(-2 * run.eps_H[-1] / n, rel=1e-4)
    with pytest.raises(InputError, match="does not end"):
        run.tensor_tilt(60)


def test_weak_coupling_lets_inflation_end_nearly_as_without():
    totals = [exact_monomial(2, alpha, 75).total for alpha in (1e-2, 1e-3, 0)]
    assert abs(totals[0] - totals[2]) > 5 * abs(totals[1] - totals[2]) > 0


def test_attractor_solves_its_equation():
    alpha = np.linspace(0.01, 5, 50)
    eps = monomial_attractor(alpha)
    np.testing.assert_allclose(alpha * (1 + eps) ** 2, 1 - eps, rtol=1e-12)
    assert ((eps > -1) & (eps < 1)).all() and (np.diff(eps) < 0).all()
    assert monomial_attractor(0.5) == pytest.approx(np.sqrt(5) - 2, rel=1e-14)
    assert monomial_attractor(1) == 0
    assert monomial_attractor(1 + 1e-6) == pytest.approx(-1e-6 / 3, rel=1e-5)
    for bad in (0, -0.5, np.nan):
        with pytest.raises(InputError):
            monomial_attractor(bad)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_blue_tilt_settles_on_the_attractor(alpha):
    run = exact_monomial(-2, alpha, 60)
    assert run.eps_H[-1] == pytest.approx(monomial_attractor(alpha), rel=1e-3)


def test_negative_exponents_grow_for_ever():
    run = exact_monomial(-62, 1.5, 60)
    assert not run.ended and "H still grows" in run.reason
    assert (run.eps_H < 0).all() and (np.diff(run.H) > 0).all()
    # Slow roll overrates the blue tilt: within a few e-folds the exact one is several times smaller.
    later = run.n > 5
    slow_roll = -(62**2) * (1 - 1.5) / run.phi[later] ** 2
    assert (-2 * run.eps_H[later] < 0.5 * slow_roll).all()


def test_a_run_that_cannot_go_on_says_so():
    run = exact_monomial(-62, 1 + 1e-8, 60)
    assert not run.ended and "smaller steps" in run.reason
    assert 0 < run.total < 170


def test_impossible_input_is_refused():
    for bad in ((2, 1.5, 60), (-2, 0.5, 60), (-300, 1.5, 60), (2, 1, 60)):
        with pytest.raises(InputError, match="exact_monomial needs"):
            exact_monomial(*bad)
    with pytest.raises(InputError, match="V must be positive"):
        quadratic(phi0=0.0)
    with pytest.raises(InputError, match="too fast"):
        quadratic(phi0=0.1)
    with pytest.raises(InputError, match="must lie in"):
        quadratic(phi0=16.0).tensor_tilt(90)


@pytest.mark.parametrize(("n", "alpha"), [(2, 0.5), (2, -0.5), (-62, 1.5), (4, 0.0)])
def test_the_evolution_equations_conserve_the_constraint_by_themselves(n, alpha):
    """Off the attractor too: dC/dn = 0 on C = 0, with the pull towards it left out."""
    model = exact_monomial(n, alpha, 60, n_max=0.1).model
    phi0 = np.sqrt(2 * n * (1 - alpha) * (60 + n / 4))
    for phi, u in ((phi0, 0.1), (0.8 * phi0, -0.2), (1.1 * phi0, 0.02)):
        log_H = brentq(lambda x, phi=phi, u=u: _constraint(model, phi, u, x)[0], *bracket(model, phi))
        du, eps = _rates(model, phi, u, log_H)
        assert abs(drift(model, phi, u, log_H, du, eps)) < 1e-7
        assert abs(drift(model, phi, u, log_H, du, eps + 1e-3)) > 1e-4


def drift(model, phi, u, log_H, du, eps, step=1e-5):
    """dC/dn along the flow, by central difference."""
    ahead, behind = (_constraint(model, phi + s * u, u + s * du, log_H - s * eps)[0] for s in (step, -step))
    return (ahead - behind) / (2 * step)


def bracket(model, phi):
    """ln H around the root without coupling, H^2 = V/3."""
    middle = 0.5 * np.log(model.V(phi) / 3)
    return middle - 0.4, middle + 0.4
