"""Which rows train, validate and test: the paper's random split, and whole groups held out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError

VALIDATION = 0.1  # share of what is not tested


class Split(NamedTuple):
    """Row numbers of the training, validation and test sets: disjoint index arrays."""

    train: NDArray
    validation: NDArray
    test: NDArray


def official_split(n: int, seed: int = 42) -> Split:
    """Return the paper's random split: 20 % test, then 10 % of the rest for validation.

    Two shuffle splits of scikit-learn with the same seed over rows in file order; 4,994 rows give
    3595/400/999. Neighbours of test rows train: with autocorrelated targets this measures interpolation.
    Raises InputError for fewer than five rows.
    """
    from sklearn.model_selection import train_test_split

    if n < 5:
        raise InputError(f"a split needs at least 5 rows, not {n}")
    rest, test = train_test_split(np.arange(n), test_size=0.2, random_state=seed)
    train, validation = train_test_split(rest, test_size=VALIDATION, random_state=seed)
    return Split(train, validation, test)


def blocked_folds(groups: ArrayLike, k: int, seed: int) -> list[tuple[NDArray, NDArray]]:
    """Return k pairs (train, test) of row numbers; each group (N,) is tested in exactly one fold.

    The groups, in an order drawn from the seed, are dealt into folds with equally many groups, up to one
    (scikit-learn's GroupKFold with shuffle). Raises InputError unless 2 <= k <= number of groups.
    """
    from sklearn.model_selection import GroupKFold

    groups = np.asarray(groups)
    if groups.ndim != 1:
        raise InputError(f"groups must be one row of labels, not {groups.shape}")
    found = len(np.unique(groups))
    if not 2 <= k <= found:
        raise InputError(f"k = {k} folds of {found} groups: it takes 2 <= k <= {found}")
    folds = GroupKFold(n_splits=k, shuffle=True, random_state=seed)
    return list(folds.split(groups, groups=groups))


def blocked_splits(groups: ArrayLike, k: int, seed: int) -> list[Split]:
    """Return the k blocked folds as splits, with about 10 % of each training part set aside for validation.

    Validation takes whole groups too, in an order drawn from the seed, as many as come nearest to 10 % of the
    rows, at least one; only where a single group is left to train, random rows of it. So early stopping
    sees the same distance between places as the test does. Raises InputError like `blocked_folds`.
    """
    groups = np.asarray(groups)
    splits = []
    for number, (train, test) in enumerate(blocked_folds(groups, k, seed)):
        held_out = _validation(groups[train], np.random.default_rng([seed, number]))
        splits.append(Split(train[~held_out], train[held_out], test))
    return splits


def _validation(groups: NDArray, rng: np.random.Generator) -> NDArray:
    """Return a mask of the rows that validate."""
    names, counts = np.unique(groups, return_counts=True)
    wanted = VALIDATION * len(groups)
    if len(names) == 1:
        if len(groups) < 2:
            raise InputError("one row is left to train on: none can validate")
        return np.isin(np.arange(len(groups)), rng.permutation(len(groups))[: max(1, round(wanted))])
    order = rng.permutation(len(names))
    taken = np.argmin(np.abs(np.cumsum(counts[order])[:-1] - wanted)) + 1
    return np.isin(groups, names[order[:taken]])
