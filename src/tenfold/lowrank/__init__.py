"""Matrices of low rank: spectra, global thresholds, factorised maps, their training, GaLore, gradients' subspaces."""

from tenfold.lowrank.accounting import accounting, totals
from tenfold.lowrank.baselines import budget_ranks, decompose_scaled, owl_ranks
from tenfold.lowrank.compression import compress, truncate
from tenfold.lowrank.decomposition import Decomposition, decompose
from tenfold.lowrank.factors import Factors, break_even, factorize
from tenfold.lowrank.finetuning import frobenius_decay, held_bytes, optimizer_bytes, train_only, trainable
from tenfold.lowrank.galore import GaLore, GaLoreAdamW, GaLoreProjector, galore
from tenfold.lowrank.gradients import (
    Snapshots,
    adjacent_cosine,
    cosine_map,
    gradients,
    subspace_map,
    subspace_overlap,
)
from tenfold.lowrank.layers import INITS, LowRankLinear, initial_factors
from tenfold.lowrank.mapping import SHAPES, equal_rank, rank_mapping
from tenfold.lowrank.maps import low_rank, mapped_ranks, maps, merge
from tenfold.lowrank.scaling import Scaling, asvd, map_scalings, whitened
from tenfold.lowrank.spectra import (
    METHODS,
    NORMALISATIONS,
    entropy_rank,
    normalized_spectrum,
    singular_values,
    spectrum_errors,
    stable_rank,
)
from tenfold.lowrank.streaming import compress_checkpoint, decompose_checkpoint, load_compressed
from tenfold.lowrank.thresholds import MODES, kept_rank, kept_ranks, rank_reduction, search_threshold, uniform_rank

__all__ = [
    "INITS",
    "METHODS",
    "MODES",
    "NORMALISATIONS",
    "SHAPES",
    "Decomposition",
    "Factors",
    "GaLore",
    "GaLoreAdamW",
    "GaLoreProjector",
    "LowRankLinear",
    "Scaling",
    "Snapshots",
    "accounting",
    "adjacent_cosine",
    "asvd",
    "break_even",
    "budget_ranks",
    "compress",
    "compress_checkpoint",
    "cosine_map",
    "decompose",
    "decompose_checkpoint",
    "decompose_scaled",
    "entropy_rank",
    "equal_rank",
    "factorize",
    "frobenius_decay",
    "galore",
    "gradients",
    "held_bytes",
    "initial_factors",
    "kept_rank",
    "kept_ranks",
    "load_compressed",
    "low_rank",
    "map_scalings",
    "mapped_ranks",
    "maps",
    "merge",
    "normalized_spectrum",
    "optimizer_bytes",
    "owl_ranks",
    "rank_mapping",
    "rank_reduction",
    "search_threshold",
    "singular_values",
    "spectrum_errors",
    "stable_rank",
    "subspace_map",
    "subspace_overlap",
    "totals",
    "train_only",
    "trainable",
    "truncate",
    "uniform_rank",
    "whitened",
]
