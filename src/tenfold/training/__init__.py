"""One training loop: recipes, resident data, augmentation, rules, checkpoints, devices, several processes."""

from tenfold.training.augmentation import chain, crop_flip, rotate
from tenfold.training.data import Data, Resident, scaled
from tenfold.training.device import autocast, device
from tenfold.training.loop import fit
from tenfold.training.objectives import accuracy, cross_entropy, forward, predict, smoothed
from tenfold.training.progress import Progress
from tenfold.training.recipe import Recipe
from tenfold.training.rules import Rule
from tenfold.training.run import Run
from tenfold.training.seeds import generator

__all__ = [
    "Data",
    "Progress",
    "Recipe",
    "Resident",
    "Rule",
    "Run",
    "accuracy",
    "autocast",
    "chain",
    "crop_flip",
    "cross_entropy",
    "device",
    "fit",
    "forward",
    "generator",
    "predict",
    "rotate",
    "scaled",
    "smoothed",
]
