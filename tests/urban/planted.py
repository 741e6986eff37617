"""A planted city for the baselines: classes come in groups, and each patch of ground prefers one group."""

import numpy as np

GROUPS, PER_GROUP, SIDE, PATCH = 4, 4, 8, 500.0
CLASSES = GROUPS * PER_GROUP
GROUP = np.repeat(np.arange(GROUPS), PER_GROUP)  # of each class


def city(seed=0, pois=2048, purity=0.9):
    """Return (xy, class, patch) of POIs; patch p prefers the group kind(p), nine times in ten."""
    rng = np.random.default_rng(seed)
    patch = np.repeat(np.arange(SIDE**2), -(-pois // SIDE**2))[:pois]
    column, row = patch % SIDE, patch // SIDE
    xy = np.column_stack([column, row]) * PATCH + rng.uniform(0, PATCH, (pois, 2)) + [530_000, 180_000]
    group = np.where(rng.random(pois) < purity, kind(patch), rng.integers(GROUPS, size=pois))
    return xy, group * PER_GROUP + rng.integers(PER_GROUP, size=pois), patch


def kind(patch):
    """The group that a patch prefers; two patches side by side or above each other never share one."""
    return (patch % SIDE + 2 * (patch // SIDE)) % GROUPS


def recovered(vectors, labels):
    """Share of rows whose nearest other row by cosine has the same label."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    return float((labels[cosine.argmax(axis=1)] == labels).mean())


def shuffled(labels, seed=1):
    """The same labels in an order that has nothing to do with places."""
    return np.random.default_rng(seed).permutation(labels)
