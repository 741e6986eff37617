"""Slow-roll inflation with a Gauss-Bonnet coupling: the closed forms of the model family, and any V and xi.

Action S = int sqrt(-g) [R/2 - (d phi)^2/2 - V(phi) - xi(phi) R_GB^2/2] in units 8 pi G = c = hbar = 1; N
counts e-folds before the end of inflation. Every model returns (n_s, n_t, r); arrays broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError, unknown
from tenfold.pta.derivatives import circle_derivatives

Array = NDArray[np.float64]
Indices = tuple[Array, Array, Array]

END_RULES = ("formal", "abs_eps1")
PLANCK_N_S = 0.9649  # Planck 2018 TT,TE,EE+lowE+lensing, +- 0.0042


def _floats(*values: ArrayLike) -> tuple[Array, ...]:
    return np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))


def _demand(condition: ArrayLike, sentence: str) -> None:
    if not np.all(condition):
        raise InputError(sentence)


def _denominator(n: Array, n_efolds: Array, end_rule: str) -> Array:
    """Return 4N + n, or 4N + |n| where |eps1| = 1 ends inflation: 4 phi^2 / [2 n (1 - alpha)] at N."""
    if end_rule not in END_RULES:
        raise unknown("end_rule", end_rule, END_RULES)
    return 4 * n_efolds + (n if end_rule == "formal" else np.abs(n))


def gb_monomial(n: ArrayLike, n_efolds: ArrayLike, alpha: ArrayLike, end_rule: str = "formal") -> Indices:
    """Return (n_s, n_t, r) of V = V0 phi^n, xi = xi0 phi^-n with alpha = 4 V0 xi0/3.

    n_s = 1 - 2(n+2)/(4N+n),  n_t = -2n/(4N+n),  r = 16 n (1-alpha)/(4N+n)
    For n < 0 the end condition eps1 = 1 behind these forms is never met; `end_rule="abs_eps1"` ends at
    |eps1| = 1 instead, 4N + |n| for 4N + n, so that |n_t| < 2. Raises InputError unless 4N + n > 0 (of the
    rule) and n (1 - alpha) > 0 everywhere. Source: Guo and Schwarz, arXiv 1001.1897.
    """
    n, n_efolds, alpha = _floats(n, n_efolds, alpha)
    denominator = _denominator(n, n_efolds, end_rule)
    reach = "4N + n" if end_rule == "formal" else "4N + |n|"
    _demand(denominator > 0, f"gb_monomial needs {reach} > 0")
    _demand(n * (1 - alpha) > 0, "gb_monomial needs n (1 - alpha) > 0: alpha < 1 for n > 0, alpha > 1 for n < 0")
    return 1 - 2 * (n + 2) / denominator, -2 * n / denominator, 16 * n * (1 - alpha) / denominator


def gb_monomial_allowed(
    n: ArrayLike, n_efolds: ArrayLike, alpha: ArrayLike, end_rule: str = "formal"
) -> NDArray[np.bool_]:
    """Return where `gb_monomial` is defined: 4N + n > 0 and n (1 - alpha) > 0; False for NaN."""
    n, n_efolds, alpha = _floats(n, n_efolds, alpha)
    return (_denominator(n, n_efolds, end_rule) > 0) & (n * (1 - alpha) > 0)


def gb_monomial_log(n: ArrayLike, n_efolds: ArrayLike, log10_delta: ArrayLike, end_rule: str = "formal") -> Indices:
    """Return (n_s, n_t, log10 r) of `gb_monomial` in delta = |1 - alpha|, whose sign follows n.

    log10 r = log10[16 |n|/(4N+n)] + log10 delta: reaches delta = 1e-20, where alpha rounds to 1.
    Outside the domain (4N + n <= 0, n = 0) the three are NaN, for samplers to mask.
    """
    n, n_efolds, log10_delta = _floats(n, n_efolds, log10_delta)
    denominator = _denominator(n, n_efolds, end_rule)
    denominator = np.where((denominator > 0) & (n != 0), denominator, np.nan)
    log10_r = np.log10(16 * np.abs(n) / denominator) + log10_delta
    return 1 - 2 * (n + 2) / denominator, -2 * n / denominator, log10_r


def gb_monomial_inverse(n_t: ArrayLike, r: ArrayLike, n_efolds: ArrayLike) -> tuple[Array, Array]:
    """Return (n, alpha) of the monomial model (formal end rule) with the wanted tensor tilt and ratio.

    n = -4 N n_t/(2 + n_t),  alpha = 1 + r/(8 n_t)
    Raises InputError unless n_t > -2, n_t != 0, r > 0 and N > 0. Source: inversion of the closed forms.
    """
    n_t, r, n_efolds = _floats(n_t, r, n_efolds)
    _demand((n_t > -2) & (n_t != 0), "gb_monomial_inverse needs n_t > -2 and n_t != 0")
    _demand((r > 0) & (n_efolds > 0), "gb_monomial_inverse needs r > 0 and N > 0")
    return -4 * n_efolds * n_t / (2 + n_t), 1 + r / (8 * n_t)


def gb_hyperbolic(lam: ArrayLike, n_efolds: ArrayLike) -> Indices:
    """Return (n_s, n_t, r) of the blue-tilted hyperbolic model, N = sqrt(lambda) sinh phi.

    V = [tanh phi + sqrt(lambda) sech phi]^2,
    xi = (3/4) [sinh^2 phi - sinh phi/sqrt(lambda)]/[sqrt(lambda) + sinh phi]^2
    n_s = 1 - 2/(N+lambda),  n_t = 2 lambda (N-1)/[(N+lambda)(N^2+lambda)],  r = 8/(N^2+lambda)
    Raises InputError unless lambda > 0 and N > 0. Source: Koh, Lee and Tumurtushaa, arXiv 1807.04424.
    """
    lam, n_efolds = _floats(lam, n_efolds)
    _demand((lam > 0) & (n_efolds > 0), "gb_hyperbolic needs lambda > 0 and N > 0")
    linear, square = n_efolds + lam, n_efolds**2 + lam
    return 1 - 2 / linear, 2 * lam * (n_efolds - 1) / (linear * square), 8 / square


def gb_exponential(lam: ArrayLike, alpha: ArrayLike) -> Indices:
    """Return (n_s, n_t, r) of V = V0 exp(-lambda phi), xi = xi0 exp(lambda phi), alpha = 4 V0 xi0/3.

    n_s - 1 = n_t = -lambda^2 (1-alpha),  r = 8 lambda^2 (1-alpha)^2: blue for alpha > 1, and without end.
    Raises InputError for values that are not finite. Source: the slow-roll formulas of arXiv 1001.1897.
    """
    lam, alpha = _floats(lam, alpha)
    _demand(np.isfinite(lam) & np.isfinite(alpha), "gb_exponential needs finite lambda and alpha")
    n_t = -(lam**2) * (1 - alpha)
    return 1 + n_t, n_t, 8 * lam**2 * (1 - alpha) ** 2


def standard_slow_roll(r: ArrayLike, n_t: ArrayLike | None = None, *, n_s: ArrayLike = PLANCK_N_S) -> Indices:
    """Return (n_s, n_t, r) of single-field slow roll without coupling: n_t = -r/8 unless another is given.

    The scalar tilt is free there, so it is the measured one by default. Raises InputError for r < 0.
    """
    r, n_s = _floats(r, n_s)
    _demand(r >= 0, "standard_slow_roll needs r >= 0")
    n_t = -r / 8 if n_t is None else n_t
    n_s, n_t, r = (np.array(values)[()] for values in _floats(n_s, n_t, r))
    return n_s, n_t, r


@dataclass(frozen=True)
class SlowRoll:
    """First-order slow-roll quantities at field values phi; every field has the shape of phi."""

    Q: Array
    eps1: Array
    eps2: Array
    delta1: Array
    delta2: Array
    n_s: Array
    n_t: Array
    r: Array


def slow_roll(
    V: Callable[[NDArray[np.complex128]], ArrayLike],
    xi: Callable[[NDArray[np.complex128]], ArrayLike],
    phi: ArrayLike,
) -> SlowRoll:
    """Return the slow-roll quantities of any analytic V(phi) > 0 and xi(phi).

    Q = V'/V + (4/3) xi' V = dphi/dN,  eps1 = (Q/2) V'/V,  eps2 = -Q (V''/V' - V'/V + Q'/Q),
    delta1 = -(4/3) xi' Q V,  delta2 = -Q (xi''/xi' + V'/V + Q'/Q),
    n_s - 1 = -2 eps1 - (2 eps1 eps2 - delta1 delta2)/(2 eps1 - delta1) = 2 Q' - 2 eps1,
    n_t = -2 eps1,  r = 8 (2 eps1 - delta1) = 8 Q^2
    V and xi are called with complex arrays (numpy functions): their derivatives come from circles around phi.
    The second form of n_s is the one computed: it stands where Q, V' or xi' vanish; delta2 is 0 where the
    coupling is flat. Raises InputError when a callable does not take complex arrays or is not analytic near
    phi, or V <= 0.
    Source: Guo and Schwarz, arXiv 1001.1897.
    """
    phi = np.asarray(phi, dtype=float)
    v, dv, ddv = circle_derivatives(V, phi, "V")
    _, dxi, ddxi = circle_derivatives(xi, phi, "xi")
    _demand(v > 0, "slow_roll needs V > 0")
    slope = dv / v
    Q = slope + 4 / 3 * dxi * v
    dQ = ddv / v - slope**2 + 4 / 3 * (ddxi * v + dxi * dv)
    eps1 = Q / 2 * slope
    with np.errstate(divide="ignore", invalid="ignore"):
        eps2 = -Q * (ddv / dv - slope) - dQ
        delta2 = np.where(dxi == 0, 0.0, -Q * (ddxi / dxi + slope) - dQ)[()]
    n_s = 1 + 2 * dQ - 2 * eps1
    return SlowRoll(Q, eps1, eps2, -4 / 3 * dxi * Q * v, delta2, n_s, -2 * eps1, 8 * Q**2)
