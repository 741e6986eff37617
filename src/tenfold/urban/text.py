"""Features of POI texts by one interface: MiniLM where it is installed, else words and their pairs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenfold.errors import InputError, unknown
from tenfold.urban.sentences import checked_texts, installed, minilm

KINDS = ("auto", "minilm", "tfidf")


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """Frozen features of N texts, and the way to those of any other text.

    kind: "minilm" or "tfidf"; label: its name for a figure; features: (N, E) float32, rows of unit norm.
    """

    kind: str
    label: str
    features: NDArray
    words: WordFeatures | None = None

    def encode(self, queries: Iterable[str]) -> NDArray:
        """Return the features (Q, E) of other texts, or of what `understood` makes of them."""
        queries = self.understood(queries)
        return self.words.encode(queries) if self.words else minilm(queries)

    def understood(self, queries: Iterable[str]) -> list[str]:
        """Return each query, or the nearest known words for one of which word features know no word."""
        queries = checked_texts(queries)
        return [self.words.nearest(query) for query in queries] if self.words else queries


def kind_here(kind: str) -> str:
    """Return the kind of text features that is meant on this machine: "auto" is MiniLM where it is installed."""
    if kind not in KINDS:
        raise unknown("kind of text features", kind, KINDS)
    return {"auto": "minilm" if installed() else "tfidf"}.get(kind, kind)


def text_features(texts: Iterable[str], kind: str = "auto", dim: int = 128) -> TextFeatures:
    """Return the features of texts by MiniLM or by words; "auto" takes MiniLM where it is installed.

    dim: most columns of word features. Raises InputError for an unknown kind, or as `minilm` and `tfidf` do.
    """
    if kind_here(kind) == "minilm":
        return TextFeatures("minilm", "MiniLM (all-MiniLM-L6-v2)", minilm(texts))
    words = tfidf(texts, dim)
    return TextFeatures("tfidf", f"TF-IDF + SVD ({words.features.shape[1]} columns)", words.features, words)


@dataclass(frozen=True, eq=False)
class WordFeatures:
    """tf-idf weights of words and pairs of words, reduced by a singular value decomposition; see `tfidf`."""

    features: NDArray
    pipeline: Any

    def encode(self, queries: Iterable[str]) -> NDArray:
        """Return (Q, E) float32, rows of unit norm; a row of zeros for a query without any known word."""
        return self.pipeline.transform(checked_texts(queries)).astype(np.float32)

    def nearest(self, query: str) -> str:
        """Return the query where a word of it is known, else the words or pair of words that read most like it."""
        vectorizer = self.pipeline[0]
        if vectorizer.transform([query]).nnz:
            return query
        # A word in more than half of the texts belongs to their template and tells nothing apart.
        rare = {word: vectorizer.idf_[column] > 1 + np.log(2) for word, column in vectorizer.vocabulary_.items()}
        known = [words for words in rare if all(rare[word] for word in words.split())]
        close = difflib.get_close_matches(query.lower(), sorted(known), n=1, cutoff=0.0)
        return close[0] if close else query


def tfidf(texts: Iterable[str], dim: int = 128) -> WordFeatures:
    """Return e = V^T v/|V^T v|, v the tf-idf weights of words and pairs of words, V the leading singular vectors.

    texts: N; features: (N, E) float32, E the least of `dim`, the number of distinct texts and that of their words.
    The fit sees each distinct text once. Blind to meaning: only words in common make texts alike.
    Raises InputError for no text, texts without words, or dim < 1. Source: scikit-learn.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer

    texts = checked_texts(texts)
    distinct = sorted(set(texts))
    vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    try:
        shape = vectorizer.fit_transform(distinct).shape
    except ValueError as error:
        raise InputError("text features by words need at least one text with a word in it") from error
    if dim < 1:
        raise InputError(f"text features need dim >= 1, not {dim}")
    pipeline = make_pipeline(vectorizer, TruncatedSVD(min(dim, *shape), random_state=0), Normalizer())
    pipeline.fit(distinct)
    return WordFeatures(pipeline.transform(texts).astype(np.float32), pipeline)
