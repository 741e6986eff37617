"""Exact homogeneous evolution of inflation with a Gauss-Bonnet coupling, no slow roll assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import DOP853, OdeSolution
from scipy.optimize import brentq

from tenfold.errors import InputError
from tenfold.pta.cosmology import positive
from tenfold.pta.inflation import gb_monomial_allowed

Array = NDArray[np.float64]
Scalar = Callable[[float], float]

_DAMPING = 5.0  # per e-fold; errors of the constraint grow by up to exp(1.5) per e-fold in the monomial model
_MAX_STEPS = 5000  # some 500 suffice for 200 e-folds


class Model(NamedTuple):
    """The functions of phi that drive the background."""

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
        return self.tilt_since_start(self.total - np.asarray(n_efolds, dtype=float))

    def tilt_since_start(self, n: ArrayLike) -> Array:
        """Return -2 eps_H, n e-folds after the start; InputError outside the e-folds integrated."""
        n = np.asarray(n, dtype=float)
        if not ((n >= 0) & (n <= self.total)).all():
            raise InputError(f"e-folds must lie in 0..{self.total:.2f}, as many as were integrated")
        states = self.solution(n.reshape(-1)).T
        return -2 * np.array([_rates(self.model, *state)[1] for state in states]).reshape(n.shape)[()]

    @property
    def constraint(self) -> Array:
        """Friedmann equation at every step, (phidot^2 + 2V + 24 xidot H^3)/(6 H^2) - 1: 0 when exact."""
        states = zip(self.phi, self.velocity, np.log(self.H), strict=True)
        return np.array([_constraint(self.model, *state)[0] for state in states])


def _rates(model: Model, phi: float, u: float, log_H: float) -> tuple[float, float]:
    """Return (du/dn, eps_H), u = dphi/dn, from the two evolution equations, linear in both.

    2 Hdot = -phidot^2 + 4 xiddot H^2 + 4 xidot H (2 Hdot - H^2)  ->  eps (3au - 2) - a u' = (b - 1) u^2 - au
    phiddot + 3 H phidot + V' + 12 xi' H^2 (Hdot + H^2) = 0       ->  u' - eps (u + 3a) = F
    with a = 4 H^2 xi', b = 4 H^2 xi'', F = -3u - V'/H^2 - 3a. Terms in a^2 F of u' are cancelled by hand: they
    would cost all digits where the coupling dominates.
    """
    H2 = np.exp(2 * log_H)
    a, b = 4 * H2 * model.dxi(phi), 4 * H2 * model.d2xi(phi)
    F = -3 * u - model.dV(phi) / H2 - 3 * a
    determinant = 2 - 2 * a * u + 3 * a**2
    du = (F * (2 - 3 * a * u) + (u + 3 * a) * u * (a + (1 - b) * u)) / determinant
    return du, ((1 - b) * u**2 + a * (u - F)) / determinant


def _constraint(model: Model, phi: float, u: float, log_H: float) -> tuple[float, float, float]:
    """Return C = (u^2 + 2V/H^2 + 24 xi' u H^2)/6 - 1 and its slopes in ln u and ln H."""
    H2 = np.exp(2 * log_H)
    kinetic, potential, coupling = u**2 / 6, model.V(phi) / (3 * H2), 4 * model.dxi(phi) * u * H2
    return kinetic + potential + coupling - 1, 2 * kinetic + coupling, 2 * (coupling - potential)


def _flow(model: Model, state: Array) -> tuple[float, float, float]:
    """Return d(phi, u, ln H)/dn with a pull along the gradient of C back onto the constraint.

    Without the pull the constraint is unstable once the coupling dominates. Taking H from the constraint
    instead fails where the two roots for H^2 meet, which the monomial model crosses (alpha near 0.1, n = 2).
    """
    u = state[1]
    du, eps = _rates(model, *state)
    C, slope_u, slope_H = _constraint(model, *state)
    pull = -_DAMPING * C / (slope_u**2 + slope_H**2)
    return u, du + pull * slope_u * u, -eps + pull * slope_H


def _start(model: Model, phi0: float) -> Array:
    """Return (phi, dphi/dn, ln H) on the slow-roll attractor dphi/dn = -Q, with H from the constraint.

    Of the two roots of 24 xi' u h^2 - (6 - u^2) h + 2V = 0, h = H^2, the one that exists without coupling.
    """
    V = model.V(phi0)
    if not V > 0:
        raise InputError(f"V must be positive at phi0 = {phi0}")
    u = -(model.dV(phi0) / V + 4 / 3 * model.dxi(phi0) * V)
    linear = 6 - u**2
    discriminant = linear**2 - 192 * model.dxi(phi0) * u * V
    if not (linear > 0 and discriminant >= 0):
        raise InputError(f"no slow-roll start at phi0 = {phi0}: dphi/dN = {-u:.3g} is too fast")
    return np.array([phi0, u, 0.5 * np.log(4 * V / (linear + np.sqrt(discriminant)))])


def integrate_background(
    V: Scalar,
    dV: Scalar,
    xi: Scalar,
    dxi: Scalar,
    d2xi: Scalar,
    phi0: float,
    *,
    n_max: float = 200.0,
    rtol: float = 1e-10,
) -> Background:
    """Integrate the exact background from the slow-roll attractor at phi0 until eps_H = 1 or n_max e-folds.

    6H^2 = phidot^2 + 2V + 24 xidot H^3,  2Hdot = -phidot^2 + 4 xiddot H^2 + 4 xidot H (2Hdot - H^2),
    phiddot + 3H phidot + V' + 12 xi' H^2 (Hdot + H^2) = 0
    V, xi and their derivatives take and return floats (xi itself drops out of the equations); phi in reduced
    Planck masses. Inflation that does not end is a result, with its `reason`. Raises InputError for a phi0 with
    V <= 0 or no slow-roll start. Source: Guo and Schwarz, arXiv 1001.1897; Runge-Kutta of order 8.
    """
    model = Model(V, dV, dxi, d2xi)
    start = _start(model, float(phi0))
    # phi and its speed may fall by many decades together; only ln H has a natural unit.
    tolerance = {"rtol": rtol, "atol": [1e-100, 1e-100, rtol]}
    with np.errstate(all="ignore"):
        stepper = DOP853(lambda _, state: _flow(model, state), 0.0, start, n_max, **tolerance)
        n, pieces, ended = _advance(stepper, lambda state: _rates(model, *state)[1] - 1)
    solution = OdeSolution(n, pieces)
    phi, u, log_H = states = np.column_stack([start, *(p(t) for p, t in zip(pieces, n[1:], strict=True))])
    eps = np.array([_rates(model, *state)[1] for state in states.T])
    reason = _reason(ended, stepper.status, n[-1], phi[-1], eps[-1])
    return Background(np.array(n), phi, u, np.exp(log_H), eps, ended, reason, model, solution)


def _advance(stepper: DOP853, event: Callable[[Array], float]) -> tuple[list[float], list, bool]:
    """Step until the event crosses zero upwards; return the times, the interpolants, and whether it did."""
    times, pieces = [0.0], []
    while stepper.status == "running" and len(pieces) < _MAX_STEPS:
        stepper.step()
        if stepper.status == "failed":
            break
        piece = stepper.dense_output()
        pieces.append(piece)
        if event(stepper.y) >= 0:
            low, high = stepper.t_old, stepper.t
            times.append(brentq(lambda t: event(piece(t)), low, high, xtol=1e-13) if high > low else high)  # noqa: B023
            return times, pieces, True
        times.append(stepper.t)
    return times, pieces, False


def _reason(ended: bool, status: str, n: float, phi: float, eps: float) -> str:
    where = f"after {n:.2f} e-folds (phi = {phi:.3g}, eps_H = {eps:.3g})"
    if ended:
        return f"inflation ended: eps_H reached 1 {where}"
    if status != "finished":
        return f"the integration stopped {where}: it needs ever smaller steps"
    if eps < 0:
        return f"inflation does not end: H still grows {where}"
    return f"inflation does not end: eps_H stays below 1 {where}"


def monomial_attractor(alpha: ArrayLike) -> Array:
    """Return the constant eps_H that the exact monomial model tends to as phi -> 0, for any n of its domain.

    alpha (1 + eps)^2 = 1 - eps  ->  eps = [sqrt(1 + 8 alpha) - 1 - 2 alpha]/(2 alpha),  phi ~ exp(-2 eps N/n)
    Below 1 always: where the coupling takes over before eps_H = 1, inflation goes on as a power law for ever.
    For alpha > 1 (n < 0) it is negative, and bounds the lasting tensor tilt: -2 eps = 0.26 at alpha = 1.5, 0.44
    at 2, and (2/3)(alpha - 1) near 1. Shapes: any -> same. Raises InputError unless alpha > 0.
    Source: H^2 = k phi^n in the background equations.
    """
    alpha = positive(alpha, "alpha")
    # Written without the difference of near-equal terms at small alpha.
    return 2 * (1 - alpha) / (np.sqrt(1 + 8 * alpha) + 1 + 2 * alpha)


def exact_monomial(
    n: float, alpha: float, n_total: float, *, n_max: float | None = None, rtol: float = 1e-10
) -> Background:
    """Integrate V = V0 phi^n, xi = xi0 phi^-n from the point with n_total e-folds in slow roll.

    phi0^2 = 2 n (1 - alpha)(N + n/4), alpha = 4 V0 xi0/3. Stops at n_max e-folds (2 n_total + 50 by default).
    Raises InputError unless 4N + n > 0 and n (1 - alpha) > 0, or where slow roll has no start.
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
        n_max=2 * n_total + 50 if n_max is None else n_max,
        rtol=rtol,
    )
