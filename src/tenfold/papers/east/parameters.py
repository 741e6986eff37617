"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

NETS = ("resnet-tiny", "resnet18", "resnet34", "resnet50")
DATASETS = ("digits", "mnist", "fashion900", "cifar10", "cifar100", "tinyimagenet", "imagenet")
# Methods that stand beside RigL and EAST, in the order of the tables.
BASELINES = ("static", "uniform", "set", "snip", "grasp", "synflow", "gmp", "granet")


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "east"
    title: ClassVar[str] = "EAST: extreme adaptive sparse training"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=1 / 3, memory_gb=1.5),
        "laptop": Budget(minutes=4.0, memory_gb=2.5),
        "paper": Budget(minutes=60 * 24.0, memory_gb=16.0),
    }

    dataset: str = parameter("digits", "digits", "cifar10", help="images to classify", choices=DATASETS)
    images_folder: str = parameter("", "", "", help="your own copy of the data set in its official format")
    image_size: int = parameter(0, 0, 0, help="pixels a side to reduce images to; 0 keeps them", low=0, high=512)
    images: int = parameter(320, 0, 0, help="training images at most; 0 takes all", low=0)
    net: str = parameter("resnet-tiny", "resnet-tiny", "resnet34", help="architecture", choices=NETS)
    width: int = parameter(8, 8, 64, help="channels of the first stage of resnet-tiny", low=1, high=512)
    share_ratio: int = parameter(2, 2, 2, help="blocks of a stage that own their kernels", low=1, high=16)
    reduction: int = parameter(4, 4, 4, help="DyReLU: channels over hidden units", low=1, high=64)
    sparsities: tuple[float, ...] = parameter(
        (0.98, 0.995),
        (0.95, 0.98, 0.99, 0.995, 0.999),
        (0.99, 0.999, 0.9995, 0.9999),
        help="for RigL and EAST, increasing",
    )
    baseline_sparsities: tuple[float, ...] = parameter(
        (0.98,), (0.99, 0.999), (0.99, 0.999, 0.9995, 0.9999), help="for the other methods, among sparsities"
    )
    baselines: tuple[str, ...] = parameter(
        ("set", "synflow"),
        ("static", "set", "synflow"),
        ("static", "set", "snip", "grasp", "synflow", "gmp", "granet"),
        help="methods beside RigL and EAST",
    )
    ablation_sparsity: float = parameter(0.98, 0.995, 0.999, help="where parts are taken away", low=0.0, high=0.99999)
    replicates: int = parameter(1, 3, 3, help="seeds of every cell", low=1, high=50)
    epochs: int = parameter(6, 18, 250, help="passes over the training images", low=2, high=10_000)
    batch: int = parameter(16, 24, 128, help="images in a batch", low=2, high=65_536)
    lr: float = parameter(0.1, 0.1, 0.1, help="initial learning rate", low=1e-6, high=10.0)
    lr_drops: tuple[float, ...] = parameter(
        (0.5, 0.75), (0.5, 0.75), (0.5, 0.75), help="share of the epochs after which the rate falls tenfold"
    )
    weight_decay: float = parameter(1e-4, 1e-4, 1e-4, help="on all weights", low=0.0, high=1.0)
    clip: float = parameter(1.0, 1.0, 1.0, help="largest norm of the gradient; 0 clips nothing", low=0.0, high=1e6)
    rigl_updates: int = parameter(4, 22, 22, help="mask updates of RigL in a run", low=1, high=10_000)
    set_updates: int = parameter(6, 58, 58, help="mask updates of SET in a run", low=1, high=10_000)
    cycle_updates: int = parameter(6, 66, 352, help="mask updates of EAST during its cycles", low=2, high=100_000)
    cycles: int = parameter(2, 2, 2, help="density cycles", low=1, high=20)
    cycle_share: float = parameter(0.4, 0.4, 0.4, help="share of the run with density cycles", low=0.01, high=0.95)
    multiplier: float = parameter(3.0, 3.0, 3.0, help="largest over target density", low=1.0, high=100.0)
    cycle_shape: str = parameter(
        "cosine", "cosine", "cosine", help="density inside a cycle", choices=("cosine", "triangular")
    )
    stack: int = parameter(6, 9, 1, help="networks that train side by side as one", low=1, high=64)
    device: str = parameter(
        "cpu", "cpu", "auto", help="auto takes a GPU if there is one", choices=("cpu", "cuda", "auto")
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        self._check_sparsities()
        if not all(0 < drop < 1 for drop in self.lr_drops) or list(self.lr_drops) != sorted(set(self.lr_drops)):
            raise InputError(f"lr_drops must increase between 0 and 1, not {self.lr_drops}")
        if unknown := [name for name in self.baselines if name not in BASELINES]:
            raise InputError(f"baselines: '{unknown[0]}' is none of {', '.join(BASELINES)}")
        if missing := {"set", "synflow"} - {*self.baselines}:
            raise InputError(f"baselines: the claims need 'set' and 'synflow', and '{min(missing)}' is missing")
        if self.dataset == "imagenet" and not self.image_size:
            raise InputError("image_size: the pictures of imagenet have no size in common; 64 fits a GPU's memory")
        if self.images_folder:
            self._check_folder()
        if self.images and self.images < 2 * self.batch:
            raise InputError(f"images must be at least two batches ({2 * self.batch}) or 0 for all, not {self.images}")
        self._check_budgets()

    def _check_sparsities(self) -> None:
        grid = self.sparsities
        if not grid or not all(0 < s < 1 for s in grid) or list(grid) != sorted(set(grid)):
            raise InputError(f"sparsities must increase between 0 and 1, not {grid}")
        if wrong := [s for s in (*self.baseline_sparsities, self.ablation_sparsity) if s not in grid]:
            raise InputError(f"sparsity {wrong[0]:g} of baselines or ablation is not among sparsities {grid}")

    def _check_folder(self) -> None:
        """Keep where a reader's images are: the kernel works in another folder than the reader."""
        folder = Path(self.images_folder).expanduser().resolve()
        if not folder.exists():
            raise InputError(f"images_folder: there is no {folder}")
        object.__setattr__(self, "images_folder", str(folder))

    def _check_budgets(self) -> None:
        """Refuse a sparsity that would leave a layer without weights."""
        if not {"sparsities", "net", "width", "share_ratio", "dataset"} & {*self.changed()}:
            return
        # Slow to import: the presets are held by a test instead.
        from tenfold.papers.east.networks import check_budget

        check_budget(self)
