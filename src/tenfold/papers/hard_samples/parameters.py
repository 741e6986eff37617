"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

DATA = ("digits", "fashion900", "mnist", "cifar10", "cifar100", "tinyimagenet")
NETS = ("mlp", "narrow-mlp", "convnet", "resnet18", "resnet34", "vgg16", "vgg19")
LARGE = ("resnet18", "resnet34", "vgg16", "vgg19")
"""Networks for colour images of at least 32 pixels a side."""
CORRUPTIONS = ("mixture", "noise", "gaussian_noise", "impulse_noise", "defocus_blur", "contrast")
SUBJECTS = ("first", "second", "third", "fourth", "robust_first", "robust_second")
"""The parameters that name images and a network."""
JUDGED, FIGURED = 0.9, 0.8
"""The sparsities that claims are about: "high", and that of the paper's Figures 7, 8 and 10."""
SECOND_RATIOS = (0.5, 0.3)
"""Hardest shares of the second images, at every scale."""
LOW_VOLUME, ROBUST_VOLUME = 0.3, 0.5
"""Random shares where data are few: of corrupted, and of attacked images."""
SEVERITY, SEVERITIES = 5, (2, 4, 6)
"""Levels of corruption of the main panels, and of Figure 9."""
LABEL_NOISE = 0.2
"""Share of labels that are changed in that control."""


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "hard-samples"
    title: ClassVar[str] = "Are sparse neural networks better hard sample learners?"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=1 / 3, memory_gb=1.5),
        "laptop": Budget(minutes=4.0, memory_gb=2.5),
        "paper": Budget(minutes=60 * 24 * 60.0, memory_gb=32.0),
    }

    first: str = parameter("digits/mlp", "digits/mlp", "cifar100/resnet18", help="images/network of the main panels")
    second: str = parameter(
        "fashion900/mlp", "fashion900/mlp", "tinyimagenet/resnet34", help="of the panels beside them"
    )
    third: str = parameter("digits/convnet", "digits/convnet", "cifar100/vgg19", help="of Figure 5, corruptions alone")
    fourth: str = parameter("mnist/mlp", "mnist/mlp", "cifar10/resnet18", help="of the control of subsets alone")
    robust_first: str = parameter("digits/narrow-mlp", "digits/narrow-mlp", "cifar10/vgg16", help="attacked, a and c")
    robust_second: str = parameter(
        "fashion900/narrow-mlp", "fashion900/narrow-mlp", "cifar100/resnet18", help="attacked, b and d"
    )
    folder: str = parameter("", "", "", help="your own copies of the images, a folder for each set in its own format")
    images: int = parameter(320, 0, 0, help="training images at most; 0 takes all", low=0)
    hidden: int = parameter(32, 256, 256, help="units of a hidden layer of mlp; narrow-mlp has half", low=4, high=8192)
    sparsities: tuple[float, ...] = parameter(
        (0.5, 0.8, 0.9), (0.5, 0.8, 0.9, 0.95), tuple(s / 10 for s in range(1, 10)), help="of the main panels, Figure 2"
    )
    other_sparsities: tuple[float, ...] = parameter(
        (0.5, 0.8, 0.9), (0.5, 0.8, 0.9), tuple(s / 10 for s in range(1, 10)), help="of all other panels"
    )
    ratios: tuple[float, ...] = parameter(
        (0.5, 0.2), (0.5, 0.1), (0.5, 0.3), help="hardest share that is kept of the first images, high and low"
    )
    grid_ratios: tuple[float, ...] = parameter(
        (0.2, 0.5), (0.1, 0.2, 0.3, 0.5, 0.7), tuple(s / 10 for s in range(1, 10)), help="hardest shares in Figure 3"
    )
    corruption: str = parameter(
        "noise",
        "noise",
        "mixture",
        help="of training and test images; noise suits 8 x 8 pixels",
        choices=CORRUPTIONS,
    )
    epsilon: float = parameter(0.1, 0.1, 8 / 255, help="radius of the attack on pixels in [0, 1]", low=0.0, high=1.0)
    attack_steps: int = parameter(2, 10, 10, help="steps of the attack in training", low=0, high=1000)
    test_attack_steps: int = parameter(3, 20, 20, help="steps of the attack in tests", low=0, high=1000)
    replicates: int = parameter(1, 5, 3, help="seeds behind each interval", low=1, high=50)
    epochs: int = parameter(4, 8, 200, help="passes over the training images", low=2, high=10_000)
    fewest_steps: int = parameter(
        0, 100, 0, help="steps that a training on few images takes at least, by more passes", low=0, high=1_000_000
    )
    robust_epochs: int = parameter(2, 4, 200, help="passes of adversarial training", low=2, high=10_000)
    robust_steps: int = parameter(0, 60, 0, help="fewest steps of adversarial training", low=0, high=1_000_000)
    score_models: int = parameter(3, 5, 5, help="models whose EL2N is averaged", low=1, high=100)
    score_epochs: int = parameter(1, 1, 10, help="passes after which EL2N is taken", low=1, high=10_000)
    batch: int = parameter(64, 64, 128, help="images in a batch", low=2, high=65_536)
    updates: int = parameter(4, 20, 50, help="mask updates of SET, and of GMP's schedule, in a run", low=1, high=10_000)
    stack: int = parameter(32, 16, 1, help="networks that train side by side as one", low=1, high=256)
    device: str = parameter(
        "cpu", "cpu", "auto", help="auto takes a GPU if there is one", choices=("cpu", "cuda", "auto")
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        for name in SUBJECTS:
            self._check_subject(name, getattr(self, name))
        for name in ("sparsities", "other_sparsities"):
            self._check_sparsities(name, getattr(self, name))
        if len(self.ratios) != 2 or self.ratios[0] <= self.ratios[1]:
            raise InputError(f"ratios must be two shares, the high one first, not {self.ratios}")
        if 0.2 not in self.grid_ratios:
            raise InputError(f"grid_ratios must hold 0.2, which claims are about, not {self.grid_ratios}")
        if wrong := [share for share in (*self.ratios, *self.grid_ratios) if not 0 < share < 1]:
            raise InputError(f"a kept share must be between 0 and 1, not {wrong[0]:g}")
        if self.folder:
            # The kernel works in another folder than the reader.
            folder = Path(self.folder).expanduser().resolve()
            if not folder.is_dir():
                raise InputError(f"folder: there is no folder {folder}")
            object.__setattr__(self, "folder", str(folder))

    def _check_subject(self, name: str, value: str) -> None:
        data, _, net = value.partition("/")
        if data not in DATA or net not in NETS:
            raise InputError(f"{name}: '{value}' is not images/network, of {', '.join(DATA)} and of {', '.join(NETS)}")
        if net in LARGE and data in ("digits", "fashion900", "mnist"):
            raise InputError(f"{name}: {net} is for colour images, not for {data}; take mlp or convnet")

    def _check_sparsities(self, name: str, grid: tuple[float, ...]) -> None:
        if not all(0 < s < 1 for s in grid) or list(grid) != sorted(set(grid)):
            raise InputError(f"{name} must increase between 0 and 1, not {grid}")
        for needed in (FIGURED, JUDGED):
            if needed not in grid:
                raise InputError(f"{name} must hold {needed:g}, which claims are about, not {grid}")
