"""Pruning of trained language models in one shot: masks, compensation, layerwise ratios, and what they do."""

from tenfold.pruning.activations import AttentionMasks, block_inputs, forward_block
from tenfold.pruning.masks import magnitude_mask, random_mask, wanda_mask, wanda_scores, wanda_variant_mask
from tenfold.pruning.merging import merge, merge_masks
from tenfold.pruning.outliers import inject_outliers
from tenfold.pruning.overlap import expected_jaccard, kept, overlap
from tenfold.pruning.owl import allocation, outlier_distribution, outlier_percent, owl_nm, owl_ratios
from tenfold.pruning.protocol import METHODS, achieved_sparsity, apply_method, prune, prune_linears
from tenfold.pruning.sensitivity import block_sensitivity
from tenfold.pruning.sparsegpt import sparsegpt, sparsegpt_jointly
from tenfold.pruning.statistics import InputStatistics, collect
from tenfold.pruning.streaming import prune_checkpoint

__all__ = [
    "METHODS",
    "AttentionMasks",
    "InputStatistics",
    "achieved_sparsity",
    "allocation",
    "apply_method",
    "block_inputs",
    "block_sensitivity",
    "collect",
    "expected_jaccard",
    "forward_block",
    "inject_outliers",
    "kept",
    "magnitude_mask",
    "merge",
    "merge_masks",
    "outlier_distribution",
    "outlier_percent",
    "overlap",
    "owl_nm",
    "owl_ratios",
    "prune",
    "prune_checkpoint",
    "prune_linears",
    "random_mask",
    "sparsegpt",
    "sparsegpt_jointly",
    "wanda_mask",
    "wanda_scores",
    "wanda_variant_mask",
]
