"""Interpolation from coordinates alone: the control that any embedding of places must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError
from tenfold.urban.surroundings import coordinates

Array = NDArray[np.float64]


def nearest_neighbours(train_xy: ArrayLike, train_target: ArrayLike, test_xy: ArrayLike, k: int = 10) -> Array:
    """Average the targets of the k nearest training points, nearer ones more.

    p(x) = sum_j y_j/|x - x_j| / sum_j 1/|x - x_j|; at a training point, its own target
    train_xy: (N, 2) and test_xy: (M, 2) in m; train_target: (N, K), such as shares: then rows of the result
    (M, K) sum to 1 too. Raises InputError unless 1 <= k <= N. A control; scikit-learn.
    """
    from sklearn.neighbors import KNeighborsRegressor

    train, test = _places(train_xy, train_target, test_xy, k)
    model = KNeighborsRegressor(k, weights="distance", algorithm="kd_tree")
    return model.fit(train, np.asarray(train_target, dtype=float)).predict(test)


def nearest_classes(train_xy: ArrayLike, train_class: ArrayLike, test_xy: ArrayLike, k: int = 5) -> NDArray:
    """Return the class (M,) with the most weight 1/|x - x_j| among the k nearest training points.

    Shapes, units and errors as in `nearest_neighbours`; train_class: (N,) labels of any kind.
    """
    from sklearn.neighbors import KNeighborsClassifier

    train, test = _places(train_xy, train_class, test_xy, k)
    model = KNeighborsClassifier(k, weights="distance", algorithm="kd_tree")
    return model.fit(train, np.asarray(train_class)).predict(test)


def _places(train_xy: ArrayLike, target: ArrayLike, test_xy: ArrayLike, k: int) -> tuple[Array, Array]:
    train, test = coordinates(train_xy, "train_xy"), coordinates(test_xy, "test_xy")
    if len(np.asarray(target)) != len(train):
        raise InputError(f"{len(np.asarray(target))} targets do not fit {len(train)} training points")
    if not 1 <= k <= len(train):
        raise InputError(f"k must lie in 1..{len(train)}, the number of training points, not {k}")
    return train, test
