"""Evidence: a claim's measure on a recorded table, reduced to effect, interval and number of replicates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenfold.book.claims import Claim
from tenfold.errors import InputError, unknown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Tables = Callable[[str], "pd.DataFrame"]

LEVEL = 0.95
FEWEST = 3


@dataclass(frozen=True)
class Evidence:
    """What the tables say: effect, 95 % interval (None with fewer than three replicates), n of what."""

    effect: float | None
    low: float | None
    high: float | None
    n: int
    of: str


def evidence(claim: Claim, tables: Tables) -> Evidence:
    """Return the evidence for a claim; what is missing or not finite is an `InputError` that names it.

    `tables(name)` gives a recorded table. The effect is the median of the replicates; the interval is
    Student's t over at least three of them, or the columns given as `interval`; for an identity it runs
    from the smallest to the largest residual.
    """
    try:
        rows = _rows(claim, tables(claim.measure.table))
        if claim.measure.interval:
            return _given(claim, rows)
        return _residuals(claim, rows) if claim.kind == "identity" else _replicates(claim, rows)
    except InputError as error:
        raise claim.error(error) from None


def student_interval(values: np.ndarray) -> tuple[float, float]:
    r"""Return the 95 % interval of the mean of (n >= 2,) values, $\bar x \pm t_{0.975, n-1} s / \sqrt n$."""
    import numpy as np
    from scipy.special import stdtrit

    half = stdtrit(len(values) - 1, (1 + LEVEL) / 2) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _rows(claim: Claim, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the filter selects; each condition must leave some."""
    for column, value in claim.measure.where.items():
        wanted = value if isinstance(value, list) else [value]
        there = _column(claim, table, column)
        table = table[there.isin(wanted)]
        if table.empty:
            raise InputError(f"table '{claim.measure.table}' has no row {column} = {value!r} ({_some(there)})")
    if table.empty:
        raise InputError(f"table '{claim.measure.table}' has no rows")
    return table


def _some(column: pd.Series) -> str:
    values = list(dict.fromkeys(column.tolist()))
    return f"rows here: {', '.join(map(repr, values[:8]))}{', ...' if len(values) > 8 else ''}"


def _column(claim: Claim, table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        raise unknown(f"column of table '{claim.measure.table}':", name, map(str, table.columns))
    return table[name]


def _numbers(claim: Claim, rows: pd.DataFrame, name: str) -> np.ndarray:
    column = _column(claim, rows, name)
    if column.dtype.kind not in "buif":
        raise InputError(f"column '{name}' of table '{claim.measure.table}' holds no numbers")
    values = column.to_numpy(float)
    _finite(values, f"column '{name}' of table '{claim.measure.table}'")
    return values


def _finite(values: np.ndarray, name: str) -> None:
    import numpy as np

    if bad := int(np.sum(~np.isfinite(values))):
        raise InputError(f"{name}: {bad} of {len(values)} values are not finite")


def _effects(claim: Claim, rows: pd.DataFrame) -> np.ndarray:
    """Return the measure of each row: the column, a difference of columns, or their ratio."""
    import numpy as np

    measure = claim.measure
    values = _numbers(claim, rows, measure.column)
    if measure.minus:
        values = values - _numbers(claim, rows, measure.minus)
    if measure.over:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = values / _numbers(claim, rows, measure.over)
    _finite(values, f"{measure.column} over {measure.over}")
    return values


def _given(claim: Claim, rows: pd.DataFrame) -> Evidence:
    if len(rows) != 1:
        raise InputError(f"'interval' needs one row, and {len(rows)} rows are selected: narrow 'where'")
    low, high = (float(_numbers(claim, rows, name)[0]) for name in claim.measure.interval)
    effect = float(_numbers(claim, rows, claim.measure.column)[0])
    if not low <= effect <= high:
        raise InputError(f"the effect {effect:g} lies outside its own interval [{low:g}, {high:g}]")
    return Evidence(effect, low, high, 1, "row with its own interval")


def _residuals(claim: Claim, rows: pd.DataFrame) -> Evidence:
    import numpy as np

    values = _effects(claim, rows)
    return Evidence(float(np.median(values)), float(values.min()), float(values.max()), len(values), "rows")


def _replicates(claim: Claim, rows: pd.DataFrame) -> Evidence:
    import numpy as np

    by = claim.measure.by
    if _column(claim, rows, by).isna().any():
        raise InputError(f"column '{by}' of table '{claim.measure.table}' has gaps")
    values = _slopes(claim, rows) if claim.kind == "slope" else _singles(claim, rows)
    effect, n = float(np.median(values)), len(values)
    low, high = student_interval(values) if n >= FEWEST else (None, None)
    return Evidence(effect, low, high, n, f"replicates ({by})")


def _singles(claim: Claim, rows: pd.DataFrame) -> np.ndarray:
    """Return one measure per replicate; several rows of one replicate are not independent, so refused."""
    counts = rows[claim.measure.by].value_counts()
    if counts.max() > 1:
        name = counts.idxmax()
        raise InputError(f"{counts.max()} rows have {claim.measure.by} = {name}: narrow 'where' to one")
    return _effects(claim, rows)


def _slopes(claim: Claim, rows: pd.DataFrame) -> np.ndarray:
    """Return the least-squares slope sum (x - mean x) y / sum (x - mean x)^2 within each replicate."""
    import numpy as np

    measure, slopes = claim.measure, []
    for name, group in rows.groupby(measure.by, sort=True):
        x, y = _numbers(claim, group, measure.against), _numbers(claim, group, measure.column)
        x = x - x.mean()
        if not np.any(x):
            raise InputError(f"{measure.by} = {name} has no two different '{measure.against}'")
        slopes.append(x @ y / (x @ x))
    return np.array(slopes)
