"""Exact homogeneous evolution of inflation with a Gauss-Bonnet coupling, no slow roll assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import OdeSolution, solve_ivp

from tenfold.errors import InputError
from tenfold.pta.inflation import gb_monomial_allowed

Array = NDArray[np.float64]
Scalar = Callable[[float], float]


class Model(NamedTuple):
    """The functions of phi that drive the background: V, V', xi, xi', xi''."""

    V: Scalar
    dV: Scalar
    dxi: Scalar
    d2xi: Scalar


@dataclass(frozen=True)
class Background:
    """A background evolution, sampled at every accepted step.

    n: e-folds since the start (increasing); phi; velocity dphi/dn; H; eps_H = -dlnH/dn, all (steps,).
    `ended` tells whether eps_H reached 1, `reason` why the integration stopped. Units 8 pi G = c = hbar = 1.
    """

    n: Array
    phi: Array
    velocity: Array
    H: Array
    eps_H: Array
    ended: bool
    reason: str
    model: Model
    solution: OdeSolution

    @property
    def total(self) -> float:
        """E-folds integrated: those of inflation where it ended, a lower bound where it did not."""
        return float(self.n[-1])

    def tensor_tilt(self, n_efolds: ArrayLike) -> Array:
        """Return -2 eps_H, n_efolds before the end; InputError when inflation did not end or was shorter."""
        if not self.ended:
            raise InputError(f"no e-folds before the end: {self.reason}")
        n = self.total - np.asarray(n_efolds, dtype=float)
        if not ((n >= 0) & (n <= self.total)).all():
            raise InputError(f"n_efolds must lie in 0..{self.total:.2f}, the e-folds of this inflation")
        states = self.solution(n.reshape(-1)).T
        return -2 * np.array([_rates(self.model, *state[:2])[1] for state in states]).reshape(n.shape)[()]

    @property
    def constraint(self) -> Array:
        """Friedmann equation of the integrated H, (phidot^2 + 2V + 24 xidot H^3)/(6 H^2) - 1: 0 when exact."""
        V, dxi = (
            np.array([function(phi) for phi in self.phi]) for function in (self.model.V, self.model.dxi)
        )
        terms = self.velocity**2 + 2 * V / self.H**2 + 24 * dxi * self.velocity * self.H**2
        return terms / 6 - 1


def _hubble2(model: Model, phi: float, u: float) -> float:
    """Return H^2 from the Friedmann equation, 24 xi' u h^2 - (6 - u^2) h + 2V = 0, u = dphi/dn.

    Of the two roots the one that exists without coupling; NaN where there is none.
    """
    linear = 6 - u**2
    discriminant = linear**2 - 192 * model.dxi(phi) * u * model.V(phi)
    return 4 * model.V(phi) / (linear + np.sqrt(discriminant)) if linear > 0 <= discriminant else np.nan


def _rates(model: Model, phi: float, u: float) -> tuple[float, float]:
    """Return (du/dn, eps_H) from the two evolution equations, linear in both.

    With a = 4 H^2 xi', b = 4 H^2 xi'' and time in e-folds:
    2 Hdot = -phidot^2 + 4 xiddot H^2 + 4 xidot H (2 Hdot - H^2)  ->  eps (3 a u - 2) - a u' = (b - 1) u^2 - a u
    phiddot + 3 H phidot + V' + 12 xi' H^2 (Hdot + H^2) = 0       ->  u' - eps (u + 3 a) = -3 u - V'/H^2 - 3 a
    H comes from the constraint: integrating it along lets the constraint drift by orders of magnitude once the
    coupling dominates. u' has the terms in a^2 F cancelled by hand, which would cost all digits there.
    """
    H2 = _hubble2(model, phi, u)
    a, b = 4 * H2 * model.dxi(phi), 4 * H2 * model.d2xi(phi)
    F = -3 * u - model.dV(phi) / H2 - 3 * a
    determinant = 2 - 2 * a * u + 3 * a**2
    du = (F * (2 - 3 * a * u) + (u + 3 * a) * u * (a + (1 - b) * u)) / determinant
    return du, ((1 - b) * u**2 + a * (u - F)) / determinant


def _start(model: Model, phi0: float) -> Array:
    """Return (phi, dphi/dn, ln H) on the slow-roll attractor dphi/dn = -Q."""
    V = model.V(phi0)
    if not V > 0:
        raise InputError(f"V must be positive at phi0 = {phi0}")
    u = -(model.dV(phi0) / V + 4 / 3 * model.dxi(phi0) * V)
    H2 = _hubble2(model, phi0, u)
    if not H2 > 0:
        raise InputError(f"no slow-roll start at phi0 = {phi0}: dphi/dN = {-u:.3g} is too fast")
    return np.array([phi0, u, 0.5 * np.log(H2)])


def integrate_background(
    V: Scalar,
    dV: Scalar,
    xi: Scalar,
    dxi: Scalar,
    d2xi: Scalar,
    phi0: float,
    *,
    n_max: float = 200.0,
    rtol: float = 1e-11,
) -> Background:
    """Integrate the exact background from the slow-roll attractor at phi0 until eps_H = 1 or n_max e-folds.

    6H^2 = phidot^2 + 2V + 24 xidot H^3,  2Hdot = -phidot^2 + 4 xiddot H^2 + 4 xidot H (2Hdot - H^2),
    phiddot + 3H phidot + V' + 12 xi' H^2 (Hdot + H^2) = 0
    V, xi and their derivatives take and return floats; phi in reduced Planck masses (xi itself drops out of the
    equations). ln H is integrated beside them, unused, so that `Background.constraint` measures the error.
    Inflation that does not end is a result, with its `reason`. Raises InputError for a phi0 with V <= 0 or no
    slow-roll start.
    Source: Guo and Schwarz, arXiv 1001.1897; explicit Runge-Kutta of order 8.
    """
    model = Model(V, dV, dxi, d2xi)

    def flow(_: float, state: Array) -> tuple[float, float, float]:
        acceleration, eps = _rates(model, *state[:2])
        return state[1], acceleration, -eps

    def end(_: float, state: Array) -> float:
        return _rates(model, *state[:2])[1] - 1

    end.terminal = True
    start = _start(model, float(phi0))
    # phi and its speed may fall by many decades together; only ln H has a natural unit.
    tolerance = {"rtol": rtol, "atol": [1e-100, 1e-100, rtol]}
    with np.errstate(all="ignore"):
        run = solve_ivp(flow, (0.0, n_max), start, "DOP853", events=end, dense_output=True, **tolerance)
    eps = np.array([_rates(model, *state[:2])[1] for state in run.y.T])
    return Background(
        n=run.t,
        phi=run.y[0],
        velocity=run.y[1],
        H=np.exp(run.y[2]),
        eps_H=eps,
        ended=run.status == 1,
        reason=_reason(run.status, run.message, run.t[-1], run.y[0, -1], eps[-1]),
        model=model,
        solution=run.sol,
    )


def _reason(status: int, message: str, n: float, phi: float, eps: float) -> str:
    where = f"after {n:.2f} e-folds (phi = {phi:.3g}, eps_H = {eps:.3g})"
    if status == 1:
        return f"inflation ended: eps_H reached 1 {where}"
    if status == -1:
        return f"the integration broke down {where}: {message}"
    if eps < 0:
        return f"inflation does not end: H still grows {where}"
    return f"inflation does not end: eps_H stays below 1 {where}"


def monomial_attractor(alpha: ArrayLike) -> Array:
    """Return the constant eps_H of the exact monomial model (0 < alpha < 1, n > 0) as phi -> 0.

    alpha (1 + eps)^2 = 1 - eps  ->  eps = [sqrt(1 + 8 alpha) - 1 - 2 alpha]/(2 alpha),  phi ~ exp(-2 eps N/n)
    Always below 1: where the coupling takes over before eps_H = 1, inflation goes on as a power law for ever.
    Raises InputError outside 0 < alpha < 1. Source: H^2 = k phi^n in the background equations.
    """
    alpha = np.asarray(alpha, dtype=float)
    if not ((alpha > 0) & (alpha < 1)).all():
        raise InputError("monomial_attractor needs 0 < alpha < 1")
    # Written without the difference of near-equal terms at small alpha.
    return 2 * (1 - alpha) / (np.sqrt(1 + 8 * alpha) + 1 + 2 * alpha)


def exact_monomial(
    n: float, alpha: float, n_total: float, *, n_max: float | None = None, rtol: float = 1e-11
) -> Background:
    """Integrate V = V0 phi^n, xi = xi0 phi^-n from the point with n_total e-folds in slow roll.

    phi0^2 = 2 n (1 - alpha)(N + n/4), alpha = 4 V0 xi0/3. Stops at n_max e-folds (3 n_total + 50 by default).
    Raises InputError unless 4N + n > 0 and n (1 - alpha) > 0.
    """
    if not gb_monomial_allowed(n, n_total, alpha):
        raise InputError("exact_monomial needs 4N + n > 0 and n (1 - alpha) > 0")
    phi0 = float(np.sqrt(2 * n * (1 - alpha) * (n_total + n / 4)))
    # V0 = phi0^-n: only the product V0 xi0 matters, and this keeps H of order one for any n.
    xi0 = 3 * alpha / 4
    return integrate_background(
        V=lambda phi: (phi / phi0) ** n,
        dV=lambda phi: n / phi * (phi / phi0) ** n,
        xi=lambda phi: xi0 * (phi / phi0) ** -n,
        dxi=lambda phi: -n / phi * xi0 * (phi / phi0) ** -n,
        d2xi=lambda phi: n * (n + 1) / phi**2 * xi0 * (phi / phi0) ** -n,
        phi0=phi0,
        n_max=3 * n_total + 50 if n_max is None else n_max,
        rtol=rtol,
    )
