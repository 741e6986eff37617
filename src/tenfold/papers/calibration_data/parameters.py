"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

CORPORA = ("c4", "pile", "oscar", "redpajama")
PRETRAINING = (*CORPORA, "wikitext2", "prose", "code")
"""Running text, as language models are trained on."""
ARITHMETIC = ("gsm8k", "svamp", "mawps", "arithmetic")
CHOICE = ("commonsenseqa", "race", "winogrande")
NLI = ("esnli", "anli")
FAMILIES = {"text": PRETRAINING, "arithmetic": ARITHMETIC, "choice": CHOICE, "inference": NLI}
TASKS = (*ARITHMETIC, *CHOICE, *NLI)
SETS = (*PRETRAINING, *TASKS)
AUTO = "auto"
EMBEDDED = ("prose", "code", "arithmetic")
PUBLISHED = (*CORPORA, "gsm8k", "svamp", "mawps", "esnli", "anli", "commonsenseqa", "race", "winogrande")
SPARSITIES = (0.5, 0.6, 0.7)
CONTEXT = 512
"""Tokens that the small models see at once: `tenfold.language.SIZES`, which a command line should not wait for."""


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "calibration-data"
    title: ClassVar[str] = "Is C4 dataset optimal for pruning?"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=1 / 3, memory_gb=1.5),
        "laptop": Budget(minutes=4.0, memory_gb=4.0),
        "paper": Budget(minutes=48 * 60.0, memory_gb=80.0),
    }

    model: str = parameter(
        "", "", "meta-llama/Llama-2-7b-chat-hf", help="Llama checkpoint, a folder or hub name; empty trains a tiny one"
    )
    sources: tuple[str, ...] = parameter(
        EMBEDDED, (AUTO,), PUBLISHED, help="calibration sets; auto takes what is at hand", choices=(AUTO, *SETS)
    )
    tests: tuple[str, ...] = parameter(
        (AUTO,), (AUTO,), ("wikitext2", *PUBLISHED[4:]), help="test sets; auto takes the sources", choices=(AUTO, *SETS)
    )
    folder: str = parameter("", "", "", help="folder of your own texts, <set>.jsonl or <set>.txt")
    characters: int = parameter(
        60_000, 470_000, 0, help="training characters of each set at most; 0 takes all", low=0, unit="characters"
    )
    windows: int = parameter(8, 32, 128, help="calibration windows", low=2, high=100_000)
    length: int = parameter(64, 128, 2048, help="length of a window", low=8, high=1_000_000, unit="tokens")
    test_windows: int = parameter(4, 10, 0, help="test windows of each set; 0 takes all", low=0)
    sparsity: float = parameter(0.6, 0.6, 0.5, help="share of zeros in the main results", low=0.05, high=0.95)
    high_sparsity: float = parameter(0.7, 0.7, 0.7, help="share of zeros of the second round", low=0.05, high=0.95)
    sweep: tuple[float, ...] = parameter(
        (0.3, 0.7), (0.2, 0.4, 0.6, 0.8), tuple(s / 10 for s in range(1, 10)), help="sparsities of experiment F"
    )
    counts: tuple[int, ...] = parameter(
        (1, 8), (1, 4, 16, 64), (64, 128, 256, 512, 1024), help="window counts of experiment E", low=1, high=100_000
    )
    lengths: tuple[int, ...] = parameter(
        (16, 64), (16, 32, 64, 128), (128, 256, 512, 1024, 2048), help="window lengths of experiment E", low=8
    )
    pairs: tuple[int, ...] = parameter(
        (1, 2), (1, 2, 3), (5, 10, 15, 20, 25), help="in-context pairs of experiment D", low=1, high=1000
    )
    steps: tuple[int, ...] = parameter(
        (2, 3), (2, 3), (3, 4, 5), help="steps of the rationales of experiment D", low=1, high=100
    )
    kept: tuple[int, ...] = parameter(
        (4, 16), (4, 16, 48), (32, 128, 512), help="last tokens that padding leaves, of the panel on padding", low=1
    )
    outliers: int = parameter(8, 32, 32, help="channels made outliers, function unchanged", low=1, high=4096)
    questions: int = parameter(2, 8, 200, help="questions of each test set that are answered", low=1)
    shots: int = parameter(1, 1, 3, help="solved examples in front of a question", low=0, high=32)
    decoding: str = parameter(
        "greedy", "greedy", "greedy", help="how answers are generated", choices=("greedy", "sampling")
    )
    models: int = parameter(1, 3, 1, help="tiny models, each trained from a seed of its own", low=1, high=20)
    draws: int = parameter(2, 3, 3, help="draws of the calibration windows", low=2, high=20)
    dtype: str = parameter(
        "float32", "float32", "float16", help="of a checkpoint", choices=("float32", "float16", "bfloat16")
    )
    device: str = parameter(
        "cpu", "cpu", "auto", help="auto takes a GPU if there is one", choices=("cpu", "cuda", "auto")
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        for name in ("sources", "tests"):
            chosen = getattr(self, name)
            if len(set(chosen)) < len(chosen) or (AUTO in chosen and len(chosen) > 1):
                raise InputError(f"{name} must be different sets, or auto alone, not {', '.join(chosen)}")
        if self.sources != (AUTO,) and len(self.sources) < 2:
            raise InputError(f"sources must name at least two sets to compare, not {self.sources[0]} alone")
        if self.sources != (AUTO,) and not ({*self.sources} & {*TASKS} and {*self.sources} & {*PRETRAINING}):
            raise InputError("sources must hold a set of running text and one of questions")
        for name in ("counts", "lengths", "pairs", "steps", "kept", "sweep"):
            if list(getattr(self, name)) != sorted(set(getattr(self, name))):
                raise InputError(f"{name} must increase, not {getattr(self, name)}")
        if not all(0 < s < 1 for s in self.sweep):
            raise InputError(f"sweep must hold sparsities between 0 and 1, not {self.sweep}")
        if self.high_sparsity <= self.sparsity:
            raise InputError(f"high_sparsity must exceed sparsity {self.sparsity:g}, not {self.high_sparsity:g}")
        if self.kept[-1] >= self.length or self.lengths[-1] > self.length:
            raise InputError(f"kept and lengths must fit into windows of {self.length} tokens")
        for name in ("folder", "model"):
            self._check_place(name)
        longest = max(self.length, self.lengths[-1])
        if not self.model and self.scale != "paper" and longest > CONTEXT:
            raise InputError(f"a window of {longest} tokens does not fit the context of the small models: {CONTEXT}")
        if Path(self.model).is_absolute():
            # With a checkpoint the libraries of its format are worth their second.
            from tenfold.language import shards

            shards.check(Path(self.model), longest)

    def _check_place(self, name: str) -> None:
        """Make a path absolute, since the kernel works in another folder than the reader, and see that it is there."""
        value = getattr(self, name)
        place = Path(value).expanduser()
        # A name on the hub is an owner and a model.
        named = name == "model" and value.count("/") == 1 and not value.startswith((".", "/", "~"))
        if not value or (named and not place.exists()):
            return
        if not place.is_dir():
            raise InputError(f"{name}: there is no folder {place}")
        object.__setattr__(self, name, str(place.resolve()))
