"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

# Free spectra by name, with the number of frequency bins that each table holds.
BINS = {
    "ng15_hd": 30,
    "ng15_cp": 30,
    "epta_dr2new_hd": 20,
    "ppta_dr3_hd": 40,
    "ipta_dr2_cp": 30,
    "ng15_hd_dmgp": 30,
    "ng15_hdmpdp": 30,
}
COLLABORATIONS = ("ng15_hd", "ng15_cp", "epta_dr2new_hd", "ppta_dr3_hd", "ipta_dr2_cp")
# The arrays that claims are judged on: the first at smoke scale, all from laptop on.
JUDGED = ("ng15_hd", "epta_dr2new_hd", "ppta_dr3_hd", "ipta_dr2_cp")
MODELS = (
    "power_law_13_3",
    "power_law",
    "smbhb",
    "turnover",
    "igw",
    "gb1_log",
    "gb1_linear",
    "gb2",
    "gb3",
    "sfsr",
    "igw_smbhb",
)
NEEDED = ("power_law", "igw", "gb1_log", "gb1_linear", "sfsr")


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "gb-igw"
    title: ClassVar[str] = "Gauss-Bonnet inflationary gravitational waves against PTA data"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=0.25, memory_gb=1.0),
        "laptop": Budget(minutes=3.0, memory_gb=2.5),
        "paper": Budget(minutes=120.0, memory_gb=8.0),
    }

    dataset: str = parameter(
        "ng15_hd",
        "ng15_hd",
        "ng15_hd",
        help="array that corner plots and spectra are made for",
        choices=tuple(BINS),
    )
    bins: int = parameter(
        0,
        0,
        0,
        help="lowest frequency bins of that array; 0 takes the collaboration's number",
        low=0,
        high=40,
    )
    arrays: tuple[str, ...] = parameter(
        ("ng15_hd",),
        COLLABORATIONS,
        tuple(BINS),
        help="arrays that every model is fitted to",
        choices=tuple(BINS),
    )
    models: tuple[str, ...] = parameter(
        NEEDED, MODELS[:-1], MODELS, help=f"models to fit, {', '.join(NEEDED)} among them", choices=MODELS
    )
    log2_points: int = parameter(14, 17, 20, help="each sampling stage draws 2^log2_points points", low=10, high=22)
    replicates: int = parameter(3, 3, 5, help="independent seeds behind each interval", low=1, high=50)
    end_rule: str = parameter(
        "formal", "formal", "formal", help="how inflation ends in GB-I", choices=("formal", "abs_eps1")
    )
    transfer: str = parameter(
        "ptarcade", "ptarcade", "ptarcade", help="transfer function", choices=("ptarcade", "kuroyanagi")
    )
    chain_steps: int = parameter(
        300,
        1500,
        6000,
        help="steps of each of the 128 walkers of the emcee cross-check",
        low=100,
        high=100_000,
    )
    delta_n_eff: float = parameter(
        0.28, 0.28, 0.28, help="extra relativistic species that nucleosynthesis allows", low=0.01, high=2.0
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        if self.bins > BINS[self.dataset]:
            raise InputError(f"bins must be at most {BINS[self.dataset]} for {self.dataset}, not {self.bins}")
        if missing := [name for name in NEEDED if name not in self.models]:
            raise InputError(f"models must include {', '.join(missing)}: figures and claims need them")
        judged = JUDGED[:1] if self.scale == "smoke" else JUDGED
        if missing := [name for name in dict.fromkeys((*judged, self.dataset)) if name not in self.arrays]:
            raise InputError(f"arrays must include {', '.join(missing)}: figures and claims need them")
