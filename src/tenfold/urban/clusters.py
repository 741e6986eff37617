"""Kinds of urban space: clusters of embeddings, names given to them by rule, how many there are, map colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.errors import InputError
from tenfold.urban.themes import THEMES, themes

if TYPE_CHECKING:
    import pandas as pd

SEED = 42  # the paper's
ROLES = ("green space", "industry and infrastructure", "residential", "centre and commercial")
# What speaks for a role and what against it, each in standard deviations over the clusters.
RULE = {
    "green space": {"green": 1, "density": -1, "distance": 1},
    "industry and infrastructure": {"infrastructure": 1, "homes": -1},
    "residential": {"homes": 1, "centre": -1, "infrastructure": -1},
    "centre and commercial": {"centre": 1, "density": 1, "distance": -1},
}


class Naming(NamedTuple):
    """Labels (A,) as positions in ROLES, and per role the cluster, its evidence and its score."""

    labels: NDArray
    evidence: pd.DataFrame


def cluster(embeddings: ArrayLike, k: int = 4, seed: int = SEED, starts: int = 10) -> NDArray:
    """Return the k-means cluster (A,) of each embedding (A, D) on the unit sphere, in an arbitrary order.

    Rows are divided by their norm (zero rows stay), then k-means++ with `starts` starts; the same seed gives
    the same labels. Raises InputError for rows that are not finite, or fewer of them than clusters.
    """
    return _fit(_unit(_rows(embeddings, k)), k, seed, starts).labels_


def relabel(labels: ArrayLike, counts: ArrayLike, texts: Sequence[str], distance: ArrayLike) -> Naming:
    """Name four clusters by a rule, from what stands around their cells and how far out they lie.

    labels (A,): four kinds; counts (A, C): POIs of each class around each cell; texts (C,): text or name of each
    class; distance (A,): to the city's centre, m. Per cluster j: density = ln(1 + mean POIs per cell), distance =
    mean distance, and for each theme t of the texts (`themes`) the log lift ln(share of t in j / share of t in all),
    shares among themed POIs, with one POI spread over each cluster as prior. Each is standardised over the four
    clusters; the score of a cluster in a role adds what RULE says for it and subtracts what it says against. The
    naming is the one-to-one assignment with the largest sum of scores, whatever order the clusters came in.

    `evidence` has one row per role: cluster (the label given), cells, density (mean POIs per cell), distance (m),
    the lift of each theme, score, and `margin`: by how much the sum falls when this cluster may not have this role.
    A rule always names; a margin near zero says that another naming was as good. Raises InputError for other
    than four clusters, shapes that do not fit, or texts without any theme.
    """
    labels, counts, distance = np.asarray(labels), np.asarray(counts, float), np.asarray(distance, float)
    found = np.unique(labels)
    if len(found) != len(ROLES):
        raise InputError(f"the rule names {len(ROLES)} clusters, not {len(found)}")
    if counts.shape != (len(labels), len(texts)) or distance.shape != labels.shape:
        raise InputError(f"counts {counts.shape} and distance {distance.shape} do not fit {len(labels)} cells")
    facts = _facts([labels == name for name in found], counts, themes(texts), distance)
    scores = _scores(facts)
    order, margins = _assigned(scores)
    labels = np.argsort(order)[np.searchsorted(found, labels)]
    return Naming(labels, _evidence(facts, found, order, scores[order, range(len(ROLES))], margins))


def elbow(embeddings: ArrayLike, ks: Sequence[int] = range(1, 11), seed: int = SEED) -> NDArray:
    """Return the within-cluster sum of squares (len(ks),) of k-means on raw embeddings (A, D), one start each."""
    rows = _rows(embeddings, max(ks))
    return np.array([_fit(rows, k, seed, 1).inertia_ for k in ks])


def silhouettes(
    embeddings: ArrayLike, ks: Sequence[int] = range(2, 11), seed: int = SEED, sample: int = 5000
) -> NDArray:
    """Return mean cosine silhouettes (len(ks),) of k-means on raw embeddings (A, D), one start each.

    Both are made on at most `sample` rows drawn from the seed: the cost grows with their square. Raises InputError
    for k < 2, which has no silhouette.
    """
    from sklearn.metrics import silhouette_score

    rows = _rows(embeddings, max(ks))
    if min(ks) < 2:
        raise InputError(f"a silhouette needs two clusters, not {min(ks)}")
    if len(rows) > sample:
        rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), sample, replace=False))]
    return np.array([silhouette_score(rows, _fit(rows, k, seed, 1).labels_, metric="cosine") for k in ks])


def principal_colours(embeddings: ArrayLike, distance: ArrayLike) -> NDArray:
    """Return colours (A, 3) in 0..1 of embeddings (A, D): red, green, blue are the first three principal components.

    Each component is cut at its 2nd and 98th percentile and stretched between them; its sign, free in itself, is
    such that it correlates positively with the distance (A,) to the centre. Raises InputError for rows that are
    not finite, fewer than three columns, or a distance that does not fit.
    """
    from sklearn.decomposition import PCA

    rows, distance = _rows(embeddings, 3), np.asarray(distance, float)
    if rows.shape[1] < 3 or distance.shape != (len(rows),):
        raise InputError(
            f"colours need (A, 3 or more) embeddings and (A,) distances, not {rows.shape}, {distance.shape}"
        )
    parts = PCA(3, svd_solver="covariance_eigh").fit_transform(rows)
    parts *= np.where((distance - distance.mean()) @ parts < 0, -1, 1)
    low, high = np.percentile(parts, [2, 98], axis=0)
    return np.clip((parts - low) / np.where(high > low, high - low, 1), 0, 1)


def agreement(one: ArrayLike, other: ArrayLike) -> float:
    """Return the adjusted Rand index of two clusterings (A,): 1 for equal up to names, 0 in the mean by chance."""
    from sklearn.metrics import adjusted_rand_score

    if np.shape(one) != np.shape(other):
        raise InputError(f"clusterings of {np.shape(one)} and {np.shape(other)} cells cannot agree")
    return float(adjusted_rand_score(one, other))


def _facts(masks: list[NDArray], counts: NDArray, theme: list[str | None], distance: NDArray) -> dict[str, NDArray]:
    """Return cells, density, distance and the log lift of each theme, each (4,)."""
    by_theme = np.stack([counts[:, [found == name for found in theme]].sum(axis=1) for name in THEMES], axis=1)
    total = by_theme.sum(axis=0)
    if total.sum() == 0:
        raise InputError("no POI text names a theme: the rule has nothing to go by")
    prior = (total + 1) / (total + 1).sum()
    rows = np.stack([by_theme[mask].sum(axis=0) for mask in masks]) + prior
    lift = np.log(rows / rows.sum(axis=1, keepdims=True) / prior)
    facts = {"cells": np.array([mask.sum() for mask in masks])}
    facts["density"] = np.array([np.log1p(counts[mask].sum(axis=1).mean()) for mask in masks])
    facts["distance"] = np.array([distance[mask].mean() for mask in masks])
    # A theme that no text names tells nothing; its prior would.
    return facts | {name: lift[:, i] * (total[i] > 0) for i, name in enumerate(THEMES)}


def _scores(facts: dict[str, NDArray]) -> NDArray:
    """Return the score (cluster, role) of each cluster in each role."""
    standard = {name: _standard(values) for name, values in facts.items()}
    return np.stack([sum(sign * standard[name] for name, sign in RULE[role].items()) for role in ROLES], axis=1)


def _standard(values: NDArray) -> NDArray:
    centred = values - values.mean()
    # Differences that are rounding are none.
    return centred / centred.std() if centred.std() > 1e-9 else np.zeros(len(values))


def _assigned(scores: NDArray) -> tuple[NDArray, NDArray]:
    """Return the cluster of each role, and how much of the sum is lost when it is forbidden."""
    from scipy.optimize import linear_sum_assignment

    order = linear_sum_assignment(scores.T, maximize=True)[1]
    total, margins = scores[order, range(len(order))].sum(), []
    for role, chosen in enumerate(order):
        other = scores.T.copy()
        other[role, chosen] = -1e6
        margins.append(total - other[linear_sum_assignment(other, maximize=True)].sum())
    return order, np.array(margins)


def _evidence(facts: dict[str, NDArray], found: NDArray, order: NDArray, score: NDArray, margin: NDArray):
    import pandas as pd

    columns = {name: values[order] for name, values in facts.items()}
    columns["density"] = np.expm1(columns["density"])
    lifts = {name: np.exp(columns[name]) for name in THEMES}
    return pd.DataFrame(
        {"cluster": found[order]} | columns | lifts | {"score": score, "margin": margin},
        index=pd.Index(ROLES, name="role"),
    )


def _fit(rows: NDArray, k: int, seed: int, starts: int):
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=starts, random_state=seed).fit(rows)


def _unit(rows: NDArray) -> NDArray:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1)


def _rows(embeddings: ArrayLike, least: int) -> NDArray:
    rows = np.asarray(embeddings)
    if rows.ndim != 2 or len(rows) < least:
        raise InputError(f"{least} clusters or colours need as many rows (A, D), not {rows.shape}")
    if not np.isfinite(rows).all():
        raise InputError(f"row {int(np.argmin(np.isfinite(rows).all(axis=1)))} of the embeddings is not finite")
    return rows
