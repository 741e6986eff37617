"""Plans: which ranks and which decomposition a method of compression takes, and what a method of tuning trains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A method of compression.

    label: as figures say it; ranks: the rule that gives them ("uniform", "owl", or a normalisation with one threshold);
    mode: "all" or "lrc"; factors: decomposition of W ("plain") or of W T ("asvd", "whitened").
    """

    label: str
    ranks: str
    mode: str = "all"
    factors: str = "plain"


METHODS = {
    "uniform": Method("uniform", "uniform"),
    "owl": Method("OWL", "owl"),
    "welore": Method("WeLore (min-max)", "minmax"),
    "welore-lrc": Method("WeLore, LRC rule", "minmax", "lrc"),
    "max": Method(r"$\sigma_i/\sigma_1$", "max"),
    "raw": Method(r"raw $\sigma_i$", "raw"),
    "energy": Method("energy", "energy"),
    "asvd": Method("ASVD", "uniform", factors="asvd"),
    "whitened": Method("whitened SVD", "uniform", factors="whitened"),
    "welore-asvd": Method("WeLore + ASVD", "minmax", factors="asvd"),
    "welore-whitened": Method("WeLore + whitened", "minmax", factors="whitened"),
}
FACTORS = ("plain", "asvd", "whitened")
NORMALISED = ("welore", "max", "raw", "energy")
"""Methods that differ in the normalisation alone."""


@dataclass(frozen=True)
class Tuning:
    """A method of fine-tuning of a model compressed by the LRC rule.

    part: what trains, see `tenfold.lowrank.train_only`, or "adapters"; galore: whether gradients are projected.
    """

    label: str
    part: str
    galore: bool = False


TUNINGS = {
    "welore": Tuning("LRCs only (WeLore)", "lrc"),
    "n-lrc": Tuning("N-LRCs only", "n-lrc"),
    "full": Tuning("full", "both"),
    "lora": Tuning("LoRA", "adapters"),
    "galore": Tuning("full, GaLore", "both", galore=True),
}
"""Full: all maps of the blocks. Figure 5 has 1.2 and 3.1 billion trainable parameters, Figure 1 has 4.3 for full."""
