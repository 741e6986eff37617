"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

AUTO = "auto"
CORPORA = (
    AUTO,
    "formant-grid",
    "formant-digits",
    "espeak-grid",
    "espeak-digits",
    "fsdd",
    "mini-librispeech",
    "manifest",
)
SHARES = (0.02, 0.12, 0.5)


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "lr-sms"
    title: ClassVar[str] = "Low-rank speech models from scratch"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=1 / 3, memory_gb=2.0),
        "laptop": Budget(minutes=4.0, memory_gb=4.0),
        "paper": Budget(minutes=96 * 60.0, memory_gb=80.0),
    }

    data: str = parameter(
        "formant-digits", AUTO, "mini-librispeech", help="corpus; auto takes FSDD where it is at hand", choices=CORPORA
    )
    folder: str = parameter("", "", "", help="your own recordings: a folder, or the csv file of data=manifest")
    utterances: int = parameter(40, 800, 100_000, help="utterances to train on, at most", low=2, high=10_000_000)
    tests: int = parameter(12, 400, 2000, help="test utterances of known and of unseen voices", low=2, high=100_000)
    noise: bool = parameter(True, True, False, help="whether babble and white noise are added to all recordings")
    snr: tuple[float, ...] = parameter(
        (0.0, 15.0), (0.0, 15.0), (0.0, 15.0), help="least and largest signal over that noise in dB", low=-50, high=100
    )
    units: str = parameter(
        "words", "words", "subwords", help="what is written", choices=("words", "characters", "subwords")
    )
    d: int = parameter(32, 64, 256, help="width of the encoder", low=8, high=4096)
    heads: int = parameter(2, 4, 4, help="attention heads", low=1, high=64)
    ff: int = parameter(64, 256, 1024, help="width inside the feed-forwards", low=8, high=16_384)
    blocks: int = parameter(2, 3, 12, help="Conformer blocks", low=1, high=48)
    kernel: int = parameter(15, 15, 31, help="frames under a depthwise convolution, odd", low=1, high=255)
    strides: tuple[int, ...] = parameter((2, 2, 2), (2, 2, 2), (2, 2), help="of the first convolutions", low=1, high=8)
    decoder_blocks: int = parameter(0, 0, 6, help="blocks of an attention decoder beside CTC; 0 has none", low=0)
    dropout: float = parameter(0.0, 0.0, 0.1, help="share of activations dropped in training", low=0.0, high=0.9)
    epochs: int = parameter(2, 4, 100, help="passes over the training set", low=1, high=10_000)
    batch: int = parameter(16, 16, 32, help="utterances of a step", low=1, high=4096)
    lr: float = parameter(6e-3, 6e-3, 1e-3, help="largest learning rate", low=1e-7, high=1.0)
    replicates: int = parameter(1, 3, 3, help="seeds of the main networks", low=1, high=20)
    rho_attention: float = parameter(0.12, 0.12, 0.12, help="kept rank share of attention in LR-SMS", low=0.0)
    rho_ff: float = parameter(0.25, 0.25, 0.25, help="kept rank share of feed-forwards in LR-SMS", low=0.0)
    shares: tuple[float, ...] = parameter(SHARES, SHARES, SHARES, help="kept rank shares of the sweep", low=0.0)
    rates: tuple[float, ...] = parameter((2.0,), (0.5, 2.0), (0.5, 2.0), help="other learning rates, over lr", low=0.01)
    longer: int = parameter(2, 2, 2, help="epochs of a longer training, over epochs", low=2, high=100)
    frames: int = parameter(32, 256, 1024, help="rows of the input of the timed layers", low=1, high=1_000_000)
    repeats: int = parameter(2, 7, 30, help="timings behind each median", low=1, high=1000)
    precision: str = parameter("fp32", "fp32", "bf16", help="arithmetic of the trainings", choices=("fp32", "bf16"))
    device: str = parameter(
        "cpu", "cpu", "auto", help="auto takes a GPU if there is one", choices=("cpu", "cuda", "auto")
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        if self.d % (2 * self.heads):
            raise InputError(f"{self.heads} heads need a width d that {2 * self.heads} divides, not {self.d}")
        if self.kernel % 2 == 0:
            raise InputError(f"kernel must be odd, not {self.kernel}")
        if len(self.snr) != 2 or self.snr[0] > self.snr[1]:
            raise InputError(f"snr must be a least and a largest value, not {self.snr}")
        for name in ("rho_attention", "rho_ff"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} must lie between 0 and 1, not {getattr(self, name):g}")
        if list(self.shares) != sorted(set(self.shares)) or not all(0 < share < 1 for share in self.shares):
            raise InputError(f"shares must increase between 0 and 1, not {self.shares}")
        if not {0.12, 0.5} <= set(self.shares):
            raise InputError(f"shares must hold 0.12 and 0.5, which the claims are about, not {self.shares}")
        if not self.rates or 1.0 in self.rates or list(self.rates) != sorted(set(self.rates)):
            raise InputError(f"rates must increase and leave out 1, not {self.rates}")
        self._check_folder()

    def _check_folder(self) -> None:
        """Make the folder absolute, since the kernel works elsewhere than the reader, and see that it is there."""
        if self.data == "manifest" and not self.folder:
            raise InputError("data=manifest needs folder=FILE, the csv file that lists the recordings")
        if not self.folder:
            return
        place = Path(self.folder).expanduser()
        if not place.exists():
            raise InputError(f"folder: there is nothing at {place}")
        object.__setattr__(self, "folder", str(place.resolve()))
