"""Urban space: encodings of coordinates, language-location pre-training, baselines, evaluation, maps.

Libraries that are slow to import, or optional, are imported inside the functions that need them.
"""

from tenfold.urban.autocorrelation import Moran, contiguity, lisa, moran, neighbours
from tenfold.urban.clusters import ROLES, Naming, agreement, cluster, elbow, principal_colours, relabel, silhouettes
from tenfold.urban.coordinates import Encoding
from tenfold.urban.doc2vec import doc2vec
from tenfold.urban.encodings import GridEncoder, TheoryEncoder, encoding
from tenfold.urban.graph import delaunay_edges, region_edges
from tenfold.urban.hgi import hgi
from tenfold.urban.interpolation import nearest_classes, nearest_neighbours
from tenfold.urban.location import LocationEncoder, location_encoder
from tenfold.urban.loss import (
    clip_loss,
    distinct_clip_loss,
    information_floor,
    multi_positive_loss,
    space2vec_loss,
)
from tenfold.urban.metrics import classification_metrics, distribution_metrics
from tenfold.urban.place2vec import place2vec
from tenfold.urban.pretrained import Pretrained
from tenfold.urban.pretraining import Pretraining, pretrain, untrained
from tenfold.urban.probes import Probe, Protocol, fit_probes
from tenfold.urban.sentences import minilm
from tenfold.urban.skipgram import SkipGram, skip_gram
from tenfold.urban.sphere import SphereEncoder, SphericalHarmonicsEncoder
from tenfold.urban.splits import Split, blocked_folds, blocked_splits, official_split
from tenfold.urban.sppe import sppe
from tenfold.urban.surroundings import class_counts, k_nearest_counts, lda, pooled, region_counts, tf_idf
from tenfold.urban.text import TextFeatures, text_features, tfidf

__all__ = [
    "ROLES",
    "Encoding",
    "GridEncoder",
    "LocationEncoder",
    "Moran",
    "Naming",
    "Pretrained",
    "Pretraining",
    "Probe",
    "Protocol",
    "SkipGram",
    "SphereEncoder",
    "SphericalHarmonicsEncoder",
    "Split",
    "TextFeatures",
    "TheoryEncoder",
    "agreement",
    "blocked_folds",
    "blocked_splits",
    "class_counts",
    "classification_metrics",
    "clip_loss",
    "cluster",
    "contiguity",
    "delaunay_edges",
    "distinct_clip_loss",
    "distribution_metrics",
    "doc2vec",
    "elbow",
    "encoding",
    "fit_probes",
    "hgi",
    "information_floor",
    "k_nearest_counts",
    "lda",
    "lisa",
    "location_encoder",
    "minilm",
    "moran",
    "multi_positive_loss",
    "nearest_classes",
    "nearest_neighbours",
    "neighbours",
    "official_split",
    "place2vec",
    "pooled",
    "pretrain",
    "principal_colours",
    "region_counts",
    "region_edges",
    "relabel",
    "silhouettes",
    "skip_gram",
    "space2vec_loss",
    "sppe",
    "text_features",
    "tf_idf",
    "tfidf",
    "untrained",
]
