"""Profiles of the simulated city's zones: which places they hold, who lives there, how densely."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Per zone: centre, high street, dense homes, suburb, industry, park, campus and health, transport hub.
POI_DENSITY = np.array([5.0, 4.0, 1.4, 0.9, 0.9, 0.25, 1.3, 3.0])
POPULATION = np.array([0.6, 1.6, 3.0, 1.2, 0.15, 0.03, 0.7, 0.8])

# ln of how often a place of this kind stands in each zone, against its mean over the zones.
LEANINGS = {
    "restaurant": [1.6, 1.3, -0.4, -1.0, -1.4, -2.0, -0.3, 0.2],
    "cafe": [1.0, 0.7, -0.1, -0.8, -0.5, 0.6, 1.2, 0.4],
    "coffee": [1.1, 0.9, -0.2, -0.8, -0.6, -0.2, 0.7, 0.9],
    "fast": [-0.5, 1.3, 0.5, -0.1, 0.5, -2.0, -0.4, 1.2],
    "convenience": [-1.2, 0.4, 1.4, 0.4, 0.0, -2.0, -0.4, 0.2],
    "supermarket": [-0.4, 1.1, 0.4, 0.3, 0.7, -2.0, -0.4, 0.5],
    "bakeries": [0.3, 1.3, 0.5, -0.3, -0.3, -2.0, -0.2, 0.5],
    "pub": [1.0, 0.3, 0.4, 0.4, -0.6, -0.2, -0.8, -0.4],
    "bar": [1.8, 0.9, -0.2, -1.2, -0.7, -2.0, 0.0, 0.4],
    "nightclub": [2.2, 0.7, -0.6, -1.8, 0.3, -2.0, 0.0, 0.6],
    "music": [1.7, 0.9, 0.0, -1.4, 0.3, -1.5, 0.4, 0.2],
    "theatre": [2.2, 0.5, -0.2, -1.0, -0.9, -0.8, 0.6, -0.2],
    "cinema": [1.6, 1.2, -0.6, -1.0, -0.2, -2.0, 0.1, 0.5],
    "museum": [1.8, -0.2, -0.3, -1.0, -0.4, 0.8, 0.9, -0.5],
    "gallerie": [1.8, 0.1, -0.2, -1.0, -0.4, 0.5, 0.7, -0.5],
    "art": [1.2, 0.6, 0.2, -0.8, 0.4, -0.5, 0.5, -0.2],
    "monument": [0.9, -0.6, -0.6, 0.0, -0.2, 1.6, 0.1, -0.8],
    "skate": [-1.0, -0.3, 0.4, 0.2, 0.4, 1.8, -0.6, -0.4],
    "librarie": [-0.2, 1.0, 0.5, 0.1, -1.2, -1.2, 0.8, -0.3],
    "school": [-1.6, -0.6, 1.0, 0.9, -1.0, -0.6, 0.4, -1.2],
    "hospital": [0.0, -0.6, -0.2, -0.1, -1.0, -0.4, 2.6, -0.6],
    "clinic": [-0.4, 0.7, 0.4, 0.0, -1.0, -1.5, 1.6, -0.2],
    "park": [-0.8, -1.0, 0.3, 0.3, -0.5, 2.3, -0.4, -1.2],
    "bus": [-1.6, -0.5, 0.3, 1.0, 0.9, 0.6, 0.2, 0.7],
    "cycle": [1.4, -0.2, 0.3, -1.5, -0.6, 0.6, 0.7, 1.1],
    "station": [0.3, 0.4, -0.3, -0.2, 0.2, -1.5, -0.3, 2.6],
    "depot": [-1.0, -0.5, -0.5, -0.3, 2.2, -1.5, -0.8, 0.8],
}
CONTRAST = 3.0  # of the leanings: a place tells some 0.42..0.49 of the 2.22 nats of its class
JITTER = 0.3  # added to every leaning, from the seed: two cities are no twins

# Who lives there: ns_sec_1 (higher managers) .. ns_sec_8 (never worked), ns_sec_9 (full-time students), in ln.
# Rows: prosperity, students, small firms and trades; the first explains two thirds of the real spread.
FACTORS = np.array(
    [
        [1.0, 0.45, -0.05, -0.1, -0.6, -0.7, -0.95, -0.8, -0.3],
        [-0.25, -0.25, -0.25, -0.2, -0.35, -0.15, -0.2, 0.05, 0.8],
        [-0.3, -0.1, 0.25, 0.7, 0.4, 0.15, 0.2, -0.4, -0.3],
    ]
)
RESIDENTS = np.array(
    [
        [1.0, 0.2, -0.55],  # centre
        [0.2, 0.2, 0.1],  # high street
        [-0.85, 0.35, -0.4],  # dense homes
        [0.3, -0.3, 0.65],  # suburb
        [-1.3, 0.0, 0.2],  # industry
        [1.3, -0.2, 0.3],  # park
        [0.55, 1.5, -0.55],  # campus and health
        [-0.25, 0.6, -0.25],  # transport hub
    ]
)


def class_profiles(categories: Mapping[str, str], rng: np.random.Generator) -> Array:
    """Return how strongly each zone attracts each class (8, C): exp(contrast * leaning + jitter), all above zero.

    The leaning is that of the words of the class, else of its category, else zero.
    """
    leanings = np.stack([_leaning((name, category)) for name, category in categories.items()], axis=1)
    return np.exp(CONTRAST * leanings + JITTER * rng.standard_normal(leanings.shape))


def _leaning(texts: Sequence[str]) -> Array:
    for text in texts:
        words = {form for word in re.findall("[a-z]+", text.lower()) for form in (word, word.removesuffix("s"))}
        if found := [LEANINGS[word] for word in LEANINGS if word in words]:
            return np.mean(found, axis=0)
    return np.zeros(len(POI_DENSITY))
