"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

TEXTS = ("c4", "wikitext2", "prose", "code", "arithmetic", "gsm8k", "svamp", "mawps", "commonsenseqa")
TEXTS = (*TEXTS, "winogrande", "esnli")
TASKS = ("arithmetic", "gsm8k", "svamp", "mawps", "commonsenseqa")
AUTO = "auto"
EMBEDDED = ("prose", "code", "arithmetic")
FILMS = ("smoke", "laptop", "130m")
MAIN, HIGH = 0.5, 0.7
"""The rank reductions that claims look at: that of the paper's Figures 1, 4 and 5, and its largest."""
TENTHS = tuple(n / 10 for n in range(1, 10))


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "welore"
    title: ClassVar[str] = "From GaLore to WeLore: low-rank weights from low-rank gradients"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=1 / 3, memory_gb=1.5),
        "laptop": Budget(minutes=4.0, memory_gb=4.0),
        "paper": Budget(minutes=96 * 60.0, memory_gb=80.0),
    }

    model: str = parameter(
        "", "", "meta-llama/Llama-2-7b-hf", help="Llama or Mistral, a folder or hub name; empty trains tiny ones"
    )
    texts: tuple[str, ...] = parameter(
        EMBEDDED, (AUTO,), ("c4",), help="texts to calibrate, tune and test on; auto: at hand", choices=(AUTO, *TEXTS)
    )
    tasks: tuple[str, ...] = parameter(
        ("arithmetic",), (AUTO,), ("svamp", "commonsenseqa"), help="tasks to tune for", choices=(AUTO, *TASKS)
    )
    folder: str = parameter("", "", "", help="folder of your own texts, <set>.jsonl or <set>.txt")
    characters: int = parameter(
        60_000, 470_000, 0, help="training characters of each text at most; 0 takes all", low=0, unit="characters"
    )
    windows: int = parameter(8, 28, 128, help="windows that calibrate OWL and scaled SVDs", low=1, high=100_000)
    length: int = parameter(64, 128, 4096, help="length of a window", low=8, high=1_000_000, unit="tokens")
    test_windows: int = parameter(2, 6, 256, help="test windows of each text; 0 takes all", low=0)
    errs: tuple[float, ...] = parameter(
        (0.3, MAIN, HIGH), TENTHS, TENTHS[:7], help="effective rank reductions (ERR) of the curves"
    )
    outlier_factor: float = parameter(5.0, 5.0, 5.0, help="M of OWL, an outlier is M times the mean", low=1.0)
    strength: float = parameter(0.08, 0.08, 0.08, help="lambda of OWL, how far ratios of blocks differ", low=0.0)
    alpha: float = parameter(0.5, 0.5, 0.5, help="exponent of the activations in ASVD", low=0.0, high=2.0)
    tuned_errs: tuple[float, ...] = parameter(
        (MAIN,), (MAIN, HIGH), (0.3, MAIN, 0.6, HIGH), help="ERRs of the fine-tuned models"
    )
    rates: tuple[float, ...] = parameter(
        (1e-3,), (3e-4, 1e-3), (5e-5,), help="learning rates of fine-tuning; each method has its best"
    )
    steps: int = parameter(4, 40, 10_000, help="steps of fine-tuning", low=2)
    batch: int = parameter(4, 4, 4, help="windows in a step of fine-tuning", low=1)
    tune_length: int = parameter(32, 128, 1024, help="tokens of a window of fine-tuning", low=8, unit="tokens")
    lora_rank: int = parameter(4, 8, 32, help="rank of LoRA's adapters", low=1)
    galore_rank: int = parameter(8, 32, 128, help="rank of GaLore's projections", low=1)
    galore_gap: int = parameter(2, 10, 50, help="steps between GaLore's decompositions", low=1)
    task_steps: int = parameter(2, 16, 1000, help="steps of fine-tuning for a task", low=2)
    questions: int = parameter(2, 12, 400, help="questions of each task that are answered", low=1)
    film: str = parameter(
        "smoke", "laptop", "130m", help="shape of the model that is filmed in training", choices=FILMS
    )
    film_steps: int = parameter(12, 180, 25_000, help="steps of the filmed training", low=4)
    film_every: int = parameter(3, 10, 500, help="steps between two pictures of the film", low=1)
    models: int = parameter(1, 3, 1, help="tiny models, and films, each from a seed of its own", low=1, high=20)
    dtype: str = parameter(
        "float32", "float32", "bfloat16", help="of a checkpoint", choices=("float32", "float16", "bfloat16")
    )
    device: str = parameter(
        "cpu", "cpu", "auto", help="auto takes a GPU if there is one", choices=("cpu", "cuda", "auto")
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        for name in ("texts", "tasks"):
            chosen = getattr(self, name)
            if len(set(chosen)) < len(chosen) or (AUTO in chosen and len(chosen) > 1):
                raise InputError(f"{name} must be different sets, or auto alone, not {', '.join(chosen)}")
        for name in ("errs", "tuned_errs", "rates"):
            if list(getattr(self, name)) != sorted(set(getattr(self, name))):
                raise InputError(f"{name} must increase, not {getattr(self, name)}")
        if not all(0 < err < 1 for err in (*self.errs, *self.tuned_errs)) or not all(rate > 0 for rate in self.rates):
            raise InputError("errs and tuned_errs lie between 0 and 1, and rates are positive")
        if not {MAIN, HIGH} <= {*self.errs} or MAIN not in self.tuned_errs:
            raise InputError(f"errs must hold {MAIN} and {HIGH}, and tuned_errs {MAIN}: claims look at them")
        if self.film_steps % self.film_every or self.film_steps < 4 * self.film_every:
            raise InputError("film_steps must be a multiple of film_every, four times as large at least")
        for name in ("folder", "model"):
            self._check_place(name)

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
