"""A small driver that speaks: scenes as vectors, an encoder, a language model, and both of them pruned."""

from tenfold.datasets.driving import Scenes
from tenfold.pruning.driving.answers import grading_prompt, language_score, parse_grades
from tenfold.pruning.driving.birdseye import geometry
from tenfold.pruning.driving.captions import (
    action_lines,
    caption,
    control_to_pedals,
    parse_caption,
    pedals_to_control,
    short_text,
    visible_objects,
)
from tenfold.pruning.driving.driver import (
    Driver,
    Inserted,
    describe,
    driving_windows,
    insert_vectors,
    tensors,
    token_loss,
)
from tenfold.pruning.driving.encoder import Block, VectorEncoder, input_layers, linears
from tenfold.pruning.driving.metrics import constant_baseline, driving_metrics, weighted_token_loss
from tenfold.pruning.driving.pruned import PARTS, prune_driver, prune_encoder
from tenfold.pruning.driving.scenes import generate, shortened
from tenfold.pruning.driving.training import REAL_TRAIN, SIZES, build_driver, restore_driver, train_driver
from tenfold.pruning.driving.words import Vocabulary, vocabulary

__all__ = [
    "PARTS",
    "REAL_TRAIN",
    "SIZES",
    "Block",
    "Driver",
    "Inserted",
    "Scenes",
    "VectorEncoder",
    "Vocabulary",
    "action_lines",
    "build_driver",
    "caption",
    "constant_baseline",
    "control_to_pedals",
    "describe",
    "driving_metrics",
    "driving_windows",
    "generate",
    "geometry",
    "grading_prompt",
    "input_layers",
    "insert_vectors",
    "language_score",
    "linears",
    "parse_caption",
    "parse_grades",
    "pedals_to_control",
    "prune_driver",
    "prune_encoder",
    "restore_driver",
    "short_text",
    "shortened",
    "tensors",
    "token_loss",
    "train_driver",
    "visible_objects",
    "vocabulary",
    "weighted_token_loss",
]
