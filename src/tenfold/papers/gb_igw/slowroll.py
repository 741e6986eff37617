"""Slow roll held against its own engine and against exact inflation: where the closed forms hold, and where not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tenfold import datasets
from tenfold.pta import exact_monomial, gb_hyperbolic, gb_monomial, slow_roll
from tenfold.pta.background import monomial_attractor

RTOL = 1e-8  # of exact inflation: far below what a figure or a per cent can show


def identity_residuals(seed: int) -> pd.DataFrame:
    """Return closed forms minus the slow-roll engine run on V and xi themselves, at random points of GB-I and GB-II.

    Columns: model, quantity, closed, engine, residual (relative for r), and the residual of the single-field relation
    r = -8 n_T, which would hold without the coupling.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(25):
        n, efolds = rng.uniform(-60, -5), rng.uniform(50, 70)
        alpha = 1 + 10 ** rng.uniform(-3, 0.5)
        phi = np.sqrt(2 * n * (1 - alpha) * (efolds + n / 4))
        engine = slow_roll(lambda x, n=n: x**n, lambda x, n=n, a=alpha: 0.75 * a * x**-n, phi)
        rows += _residuals("gb1", gb_monomial(n, efolds, alpha), engine)
        lam = 10 ** rng.uniform(1, 3.5)
        root = np.sqrt(lam)
        engine = slow_roll(
            lambda x, s=root: (np.tanh(x) + s / np.cosh(x)) ** 2,
            lambda x, s=root: 0.75 * (np.sinh(x) ** 2 - np.sinh(x) / s) / (s + np.sinh(x)) ** 2,
            np.arcsinh(efolds / root),
        )
        rows += _residuals("gb2", gb_hyperbolic(lam, efolds), engine)
    return pd.DataFrame(rows)


def _residuals(name: str, closed: tuple, engine: Any) -> list[dict[str, Any]]:
    pairs = zip(("n_s", "n_t", "r"), closed, (engine.n_s, engine.n_t, engine.r), strict=True)
    single = float(abs(engine.r + 8 * engine.n_t) / abs(engine.r))
    return [
        {"model": name, "quantity": key, "closed": float(c), "engine": float(e)}
        | {"residual": float(c - e) / (float(abs(e)) if key == "r" else 1.0), "without_coupling": single}
        for key, c, e in pairs
    ]


def background(n: float, alphas: tuple[float, ...] = (0.0, -0.5), efolds: float = 75.0) -> dict[str, pd.DataFrame]:
    """Return the tilt -2 eps along exact inflation beside slow roll, and how each inflation ends."""
    datasets.synthetic("equations", "", "equations alone, no data")
    curves, ends = [], []
    for alpha in (*alphas, 0.5):
        exact = exact_monomial(n, alpha, efolds, n_max=2 * efolds, rtol=RTOL)
        ends.append({"n": n, "alpha": alpha, "ended": exact.ended, "efolds": exact.total, "reason": exact.reason})
        if exact.ended:
            before = np.linspace(1.0, min(70.0, exact.total - 1), 120)
            slow = gb_monomial(n, before, alpha)[1]
            columns = {"n": n, "alpha": alpha, "N": before, "exact": exact.tensor_tilt(before), "slow_roll": slow}
            curves.append(pd.DataFrame(columns))
    return {"curves": pd.concat(curves, ignore_index=True), "ends": pd.DataFrame(ends)}


def attractor(n: float = -62.0, efolds: float = 60.0, alphas: tuple[float, ...] = (1.1, 1.5, 2.0)) -> pd.DataFrame:
    """Return the tilt -2 eps of exact inflation that starts in blue GB-I, e-fold by e-fold, beside the closed form.

    `limit` is the tilt of the power-law inflation to which the exact solution tends.
    """
    datasets.synthetic("equations", "", "equations alone, no data")
    frames = []
    for alpha in alphas:
        exact = exact_monomial(n, alpha, efolds, n_max=100.0, rtol=RTOL)
        since = np.geomspace(0.01, exact.total, 300)
        tilt = exact.tilt_since_start(since)
        closed = {"closed_form": float(gb_monomial(n, efolds, alpha)[1]), "limit": -2 * monomial_attractor(alpha)}
        frames.append(pd.DataFrame({"n": n, "alpha": alpha, "since": since, "exact": tilt, **closed}))
    return pd.concat(frames, ignore_index=True)


def validity(table: pd.DataFrame, after: float = 10.0) -> pd.DataFrame:
    """Return, for each alpha, the exact tilt `after` so many e-folds beside the closed form, and delta1.

    delta1 = 4 xidot H = 2 alpha eps1 = -alpha n_T: the closed forms need its size to be far below one.
    """
    rows = []
    for alpha, part in table.groupby("alpha", sort=False):
        closed = part.closed_form.iloc[0]
        exact = float(np.interp(after, part.since, part.exact))
        rows.append({"alpha": alpha, "after": after, "closed_form": closed, "exact": exact, "delta1": -alpha * closed})
    return pd.DataFrame(rows)
