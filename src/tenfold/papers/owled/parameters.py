"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

HALF, HIGH = 0.5, 0.7
"""The sparsities that claims are about: where pruning begins to cost, and that of OWL's own table."""
CONTEXT = 512
"""Tokens that the small text model sees at once: `tenfold.language.SIZES`, which a command line should not wait for."""
METHODS = ("magnitude", "wanda", "sparsegpt")
PARTS = ("encoder", "llm", "both")
ALLOCATIONS = ("uniform", "owl")
PATHS = ("checkpoint", "adapter", "encoder")
"""The parameters that name a reader's own folder or file."""


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "owled"
    title: ClassVar[str] = "OWLed: Outlier-weighed Layerwise Pruning for Autonomous Driving"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=1 / 3, memory_gb=1.5),
        "laptop": Budget(minutes=4.0, memory_gb=4.0),
        "paper": Budget(minutes=60 * 60.0, memory_gb=80.0),
    }

    checkpoint: str = parameter("", "", "", help="folder of LLaMA-7B; empty: a small driver is trained instead")
    adapter: str = parameter("", "", "", help="folder of its LoRA adapter, to be merged, and its prompts; empty: none")
    encoder: str = parameter("", "", "", help="file of the vector encoder's weights; empty: those in the adapter")
    replicates: int = parameter(1, 3, 3, help="seeds: of training and calibration, or of calibration alone", low=1)
    test_scenes: int = parameter(32, 200, 990, help="held-out scenes behind each error", low=8, high=100_000)
    calibration: int = parameter(8, 64, 128, help="scenes, or windows of text, behind the statistics", low=1)
    sparsities: tuple[float, ...] = parameter(
        (0.5, 0.7), (0.3, 0.5, 0.7), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), help="shares of weights that are pruned"
    )
    threshold: float = parameter(5.0, 5.0, 5.0, help="M: an outlier is M times the mean score of its block", low=1.0)
    strength: float = parameter(0.08, 0.08, 0.08, help="lambda: ratios of blocks span 2 lambda", low=0.0, high=0.5)
    thresholds: tuple[float, ...] = parameter((3.0, 5.0), (3.0, 5.0, 7.0, 10.0), (3.0, 5.0, 7.0, 10.0), help="M, grid")
    strengths: tuple[float, ...] = parameter(
        (0.02, 0.08), (0.02, 0.05, 0.08, 0.12, 0.2), (0.02, 0.05, 0.08, 0.12, 0.2), help="lambda of the grid"
    )
    permutations: int = parameter(3, 8, 6, help="orders of OWL's own ratios: the band of chance", low=2, high=24)
    probe: float = parameter(0.8, 0.8, 0.8, help="sparsity of the one block whose sensitivity is measured", low=0.05)
    text_source: str = parameter("", "", "c4", help="text that calibrates the text model; empty: what it learned from")
    text_test: str = parameter("", "", "wikitext2", help="text of its perplexity; empty: what it learned from")
    text_length: int = parameter(48, 128, 2048, help="tokens of a window of text", low=8, high=65_536)
    text_windows: int = parameter(4, 12, 0, help="windows of each test text; 0: all", low=0)
    text_replicates: int = parameter(1, 3, 3, help="seeds of the text model", low=1)
    questions: int = parameter(8, 100, 990, help="real scenes whose stored answers are graded offline", low=1)
    decoding: str = parameter(
        "greedy", "greedy", "greedy", help="official: temperature 0.1, top-p 0.75", choices=("greedy", "official")
    )
    batch: int = parameter(32, 200, 16, help="scenes that are described side by side", low=1, high=100_000)
    device: str = parameter("cpu", "cpu", "auto", help="auto takes a GPU if there is one", choices=("cpu", "auto"))

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        self._check_shares("sparsities", self.sparsities)
        for needed in (HALF, HIGH):
            if needed not in self.sparsities:
                raise InputError(f"sparsities must hold {needed:g}, which claims are about, not {self.sparsities}")
        if self.probe >= 1:
            raise InputError(f"probe must be below 1, not {self.probe:g}")
        if self.threshold not in self.thresholds or self.strength not in self.strengths:
            raise InputError("the grid of thresholds and strengths must hold threshold and strength")
        for name in PATHS:
            if value := getattr(self, name):
                object.__setattr__(self, name, str(self._there(name, value)))
        if not self.checkpoint and self.scale != "paper" and self.text_length > CONTEXT:
            raise InputError(
                f"a window of {self.text_length} tokens does not fit the context of the small text model: {CONTEXT}"
            )
        if self.checkpoint:
            # With a checkpoint the libraries of its format are worth their second.
            from tenfold.language import shards

            shards.check(Path(self.checkpoint), self.text_length)
        if not self.checkpoint and (self.adapter or self.encoder):
            raise InputError("an adapter or an encoder belongs to a checkpoint: give the folder of LLaMA-7B too")

    def _check_shares(self, name: str, grid: tuple[float, ...]) -> None:
        if not all(0 < s < 1 for s in grid) or list(grid) != sorted(set(grid)):
            raise InputError(f"{name} must increase between 0 and 1, not {grid}")

    def _there(self, name: str, value: str) -> Path:
        # The kernel works in another folder than the reader.
        path = Path(value).expanduser().resolve()
        if not path.exists():
            raise InputError(f"{name}: there is nothing at {path}")
        return path
