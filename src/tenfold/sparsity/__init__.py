"""Sparse training: budgets, scores, updates of masks, methods as rules of a training, and what sparsity saves."""

from tenfold.sparsity.compute import GatheredConv, csr, csr_linear, time_layers
from tenfold.sparsity.effective import effective_sparsity, live_masks
from tenfold.sparsity.equivalence import Equivalence, Paired, equivalent, paired
from tenfold.sparsity.erk import allocate, east_floor_counts, erk_counts, erk_densities, random_mask, uniform_counts
from tenfold.sparsity.flops import forward_flops, layer_flops, training_flops
from tenfold.sparsity.hardness import balanced_subset, easy_subset, el2n, hard_subset, random_subset
from tenfold.sparsity.masks import BudgetError, Masks
from tenfold.sparsity.methods import METHODS, Method
from tenfold.sparsity.phasing import Phasing
from tenfold.sparsity.schedules import (
    cosine_drop_fraction,
    cubic_sparsity,
    cycle_lengths,
    cycle_position,
    cyclic_density,
    phase_beta,
)
from tenfold.sparsity.scores import grasp_scores, prune_by_score, snip_scores, synflow_masks, synflow_scores
from tenfold.sparsity.sparsifier import Sparsifier
from tenfold.sparsity.timetable import Action, timetable
from tenfold.sparsity.updates import magnitude_mask, resize_mask, rigl_update, set_update

__all__ = [
    "METHODS",
    "Action",
    "BudgetError",
    "Equivalence",
    "GatheredConv",
    "Masks",
    "Method",
    "Paired",
    "Phasing",
    "Sparsifier",
    "allocate",
    "balanced_subset",
    "cosine_drop_fraction",
    "csr",
    "csr_linear",
    "cubic_sparsity",
    "cycle_lengths",
    "cycle_position",
    "cyclic_density",
    "east_floor_counts",
    "easy_subset",
    "effective_sparsity",
    "el2n",
    "equivalent",
    "erk_counts",
    "erk_densities",
    "forward_flops",
    "grasp_scores",
    "hard_subset",
    "layer_flops",
    "live_masks",
    "magnitude_mask",
    "paired",
    "phase_beta",
    "prune_by_score",
    "random_mask",
    "random_subset",
    "resize_mask",
    "rigl_update",
    "set_update",
    "snip_scores",
    "synflow_masks",
    "synflow_scores",
    "time_layers",
    "timetable",
    "training_flops",
    "uniform_counts",
]
