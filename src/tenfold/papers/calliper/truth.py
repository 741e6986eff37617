"""A city with a known truth: does similarity to a text follow the probability of its class, and how much is learnt?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.preprocessing import normalize

from tenfold.datasets import london
from tenfold.papers.calliper import city, encoders
from tenfold.papers.calliper.city import City, build
from tenfold.papers.calliper.parameters import Parameters
from tenfold.urban import text_features

PLACES = 4000


def points(p: Parameters) -> list[dict[str, Any]]:
    """Return the arguments of `recover` for every seed of a run."""
    shared = {"city": city.plan(p, source="simulated", names=False, pois_file=""), "encoder": encoders.plan(p)}
    return [{"seed": p.seed + number, **shared} for number in range(p.replicates)]


def recover(seed: int, city: dict[str, Any], encoder: dict[str, Any]) -> dict[str, Any]:
    """Train on the simulated city and compare with its truth at random places.

    Returns `correlations`: Spearman's rank correlation of similarity and P(class | place), per class, trained and
    untrained; `information`: the largest ln B - validation loss, the floor's own bound, and the true I(place; class);
    `similarity` and `probability` (P, C) of every class at the places `xy` (P, 2).
    """
    place = build(**city)
    world = london.simulation()
    xy = _anywhere(place, seed)
    truth = world.class_probability(xy)[:, [world.classes.index(name) for name in place.classes]]
    texts, index = place.texts
    first = [index[np.flatnonzero(place.poi_class == number)[0]] for number in range(len(place.classes))]
    model = encoders.train(place, encoder | {"objective": "clip"}, seed)
    features = text_features(texts, encoder["text"]).features[first]
    similar = {"trained": model.similarity(xy, features), "untrained": _chance(place, encoder, features, xy, seed)}
    share = np.bincount(place.poi_class) / len(place.poi_class)
    rows = [
        {
            "encoder": name,
            "seed": seed,
            "poi_class": known,
            "share": float(share[c]),
            "spearman": float(spearmanr(map_[:, c], truth[:, c])[0]),
        }
        for name, map_ in similar.items()
        for c, known in enumerate(place.classes)
    ]
    last = model.history
    information = {
        "seed": seed,
        "learnt": float((last.bound - last.validation_loss).max()),
        "most": float((last.bound - last.floor).iloc[0]),
        "true": float(world.information()),
    }
    return {"correlations": pd.DataFrame(rows), "information": information, "xy": xy} | {
        "similarity": similar["trained"],
        "probability": truth,
    }


def _chance(place: City, encoder: dict[str, Any], features: np.ndarray, xy: np.ndarray, seed: int) -> np.ndarray:
    """Return the cosine of untrained embeddings and randomly projected texts: what chance would give."""
    embedded = encoders.born(encoder, seed).embed(xy)
    projected = features @ np.random.default_rng(seed).standard_normal((features.shape[1], embedded.shape[1]))
    return normalize(embedded) @ normalize(projected).T


def _anywhere(place: City, seed: int) -> np.ndarray:
    """Return hexagon centres, at most `PLACES` of them."""
    centres = place.hexagon_xy
    if len(centres) <= PLACES:
        return centres
    return centres[np.sort(np.random.default_rng(seed).choice(len(centres), PLACES, replace=False))]


def table(recovered: list[dict[str, Any]]) -> pd.DataFrame:
    """Return, per seed, the correlation weighted by the shares of the classes, its median, and the information."""
    rows = []
    for one in recovered:
        known = one["correlations"].assign(weighted=lambda table: table.share * table.spearman)
        mean, median = known.groupby("encoder").weighted.sum(), known.groupby("encoder").spearman.median()
        rows.append(
            {
                **one["information"],
                "spearman": mean["trained"],
                "spearman_untrained": mean["untrained"],
                "median": median["trained"],
                "median_untrained": median["untrained"],
            }
        )
    return pd.DataFrame(rows)


def compared(one: dict[str, Any], shown: int = 3) -> dict[str, Any]:
    """Return maps of the `shown` commonest classes: learnt, true, their rank correlations, and all numbers."""
    rows = one["correlations"][one["correlations"].encoder == "trained"].reset_index(drop=True)
    commonest = np.argsort(-one["probability"].mean(axis=0))[:shown]
    names = rows.poi_class[commonest].tolist()
    learnt = dict(zip(names, one["similarity"][:, commonest].T, strict=True))
    true = dict(zip(names, one["probability"][:, commonest].T, strict=True))
    numbers = {f"{name}, learnt": learnt[name] for name in names} | {f"{name}, true": true[name] for name in names}
    place = {"x": one["xy"][:, 0], "y": one["xy"][:, 1]}
    correlations = dict(zip(names, rows.spearman[commonest], strict=True))
    numbers = pd.DataFrame(place | numbers)
    return {"xy": one["xy"], "learnt": learnt, "true": true, "correlations": correlations, "numbers": numbers}
