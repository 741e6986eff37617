"""The methods that are compared: what each knows of a place, and under which name it is shown."""

from __future__ import annotations

from typing import NamedTuple


class Method(NamedTuple):
    """A row of the tables: its label, its kind, and whether the paper has it."""

    label: str
    kind: str
    published: bool


# Controls know nothing, or only where a place is; baselines know the POIs around it; encoders are trained on both.
METHODS = {
    "mean": Method("training mean", "control", False),
    "random": Method("random vectors", "control", False),
    "neighbours": Method("coordinates, nearest neighbours", "control", False),
    "encoding": Method("positional encoding", "control", False),
    "untrained": Method("untrained encoder", "control", False),
    "counts": Method("POI counts", "control", False),
    "tf_idf": Method("TF-IDF", "baseline", True),
    "lda": Method("LDA", "baseline", True),
    "place2vec": Method("Place2Vec", "baseline", True),
    "doc2vec": Method("Doc2Vec", "baseline", True),
    "sppe": Method("SPPE", "baseline", True),
    "hgi": Method("HGI", "baseline", True),
    "space2vec": Method("Space2Vec", "encoder", True),
    "calliper": Method("CaLLiPer", "encoder", True),
}
# The rivals over which the paper claims its gain: every earlier POI representation.
RIVALS = ("tf_idf", "lda", "place2vec", "doc2vec", "sppe", "hgi", "space2vec")
# The six panels of the paper's Figure 3, in its order.
CLUSTERED = ("tf_idf", "place2vec", "sppe", "hgi", "space2vec", "calliper")


def labels(names) -> list[str]:
    """Return how methods are written in figures."""
    return [METHODS[name].label for name in names]
