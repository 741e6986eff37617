"""Doc2Vec: vectors of areas that foretell the POI classes found in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenfold.urban.skipgram import skip_gram


def doc2vec(counts: ArrayLike, dims: int = 64, seed: int = 0, *, steps: int = 100) -> NDArray[np.float64]:
    """Return paragraph vectors (A, dims) of areas from their class counts (A, C).

    PV-DBOW: the vector of area a foretells every class of its sequence, L = -sum_a sum_(c in a)
    [ln s(d_a.v_c) + K E_(c'~P) ln s(-d_a.v_c')]; see `skip_gram`. The order of the sequence drops out, so counts
    are all it reads. An area without POIs ends at zero, where the prior holds it. Raises InputError for
    counts that are negative or all zero. Source: a baseline of arXiv 2411.06229, from memory, after Le and
    Mikolov 2014; CaLLiPer's own settings are unpublished.
    """
    return skip_gram(counts, dims, seed, steps=steps).centres
