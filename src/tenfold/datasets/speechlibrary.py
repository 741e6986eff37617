"""LibriSpeech and mini LibriSpeech: downloaded part by part, unpacked once into the cache, listed as rows."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tenfold import project
from tenfold.datasets import network
from tenfold.datasets.provenance import Resolution, note
from tenfold.datasets.speech import Utterances, own_folder
from tenfold.datasets.speechfiles import read_audio
from tenfold.errors import InputError, unknown

RATE = 16000
TITLE, LICENCE = "LibriSpeech", "CC BY 4.0"
ADDRESS = "https://www.openslr.org/resources/{number}/{part}.tar.gz"


@dataclass(frozen=True)
class Part:
    """A part of the corpus: number of the resource, checksum of its archive as pooch writes it, gigabytes."""

    number: int
    checksum: str
    gigabytes: float


PARTS = {
    "train-clean-5": Part(31, "md5:5df7d4e78065366204ca6845bb08f490", 0.3),
    "dev-clean-2": Part(31, "md5:6d7ab67ac6a1d2c993d050e16d61080d", 0.1),
    "train-clean-100": Part(12, "sha256:d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2", 6.4),
    "train-clean-360": Part(12, "sha256:146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf", 23.0),
    "train-other-500": Part(12, "sha256:ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2", 30.6),
    "dev-clean": Part(12, "sha256:76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3", 0.3),
    "dev-other": Part(12, "sha256:12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365", 0.3),
    "test-clean": Part(12, "sha256:39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23", 0.3),
    "test-other": Part(12, "sha256:d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29", 0.3),
}


def librispeech(part: str, folder: str | Path | None = None, limit: int | None = None) -> Utterances:
    """Return the utterances of a part (`PARTS`), 16 kHz, transcripts in lower case; `limit` takes the first.

    From a reader's `folder` that holds the part's tree <part>/<reader>/<chapter>/, or the folder LibriSpeech in that
    of TENFOLD_SPEECH, else the cache, else the publisher (0.1 to 30.6 GB). Needs soundfile, of the extra `speech`.
    Raises InputError for an unknown part, recordings that are nowhere, and broken files.
    """
    place = located(part, folder)
    rows = listed(place)[:limit]
    waves = [read_audio(path, RATE)[0] for path, _, _ in rows]
    return Utterances(waves, [text for _, text, _ in rows], [reader for _, _, reader in rows], RATE)


def located(part: str, folder: str | Path | None = None) -> Path:
    """Return the folder of a part, downloaded and unpacked where it is nowhere yet; see `librispeech`."""
    if part not in PARTS:
        raise unknown("part of LibriSpeech", part, PARTS)
    own = own_folder("LibriSpeech", folder)
    if own is not None:
        if not (own / part).is_dir():
            raise InputError(f"{own} holds no {part}")
        note(Resolution(f"librispeech:{part}", "real", own / part, _digest(own / part), f"{TITLE} {part}", LICENCE))
        return own / part
    place = project.cache() / "datasets" / "librispeech" / part
    source = "cache"
    if not place.is_dir():
        if network.offline():
            raise InputError(
                f"LibriSpeech {part} is not in the cache, and this is offline; unpack {_address(part)} into the folder"
                " that TENFOLD_SPEECH names"
            )
        source = "download"
        _download(part, place)
    note(Resolution(f"librispeech:{part}", source, place, PARTS[part].checksum, f"{TITLE} {part}", LICENCE))
    return place


def listed(place: Path) -> list[tuple[Path, str, str]]:
    """Return audio file, transcript and reader of each utterance of an unpacked part, sorted.

    Raises InputError where there is no transcript, or one without its audio.
    """
    rows = []
    for transcript in sorted(Path(place).rglob("*.trans.txt")):
        for line in transcript.read_text(encoding="utf-8").splitlines():
            name, _, text = line.partition(" ")
            audio = transcript.parent / f"{name}.flac"
            if not audio.is_file():
                raise InputError(f"{transcript} names {audio.name}, which is not there")
            rows.append((audio, text.strip().lower(), name.split("-")[0]))
    if not rows:
        raise InputError(f"{place} holds no transcript <reader>-<chapter>.trans.txt")
    return sorted(rows)


def _download(part: str, place: Path) -> None:
    """Download and unpack beside the place, then move there: a part is whole or absent."""
    from tenfold.datasets.fetch import only_one, retrieve

    with only_one(place):
        if place.is_dir():
            return
        free = shutil.disk_usage(place.parent).free / 1e9
        needed = 2.1 * PARTS[part].gigabytes
        if free < needed:
            raise InputError(f"LibriSpeech {part}: {needed:.1f} GB needed in {place.parent}, {free:.1f} GB free")
        print(f"LibriSpeech {part}: downloading {PARTS[part].gigabytes} GB", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{part}~") as staging:
            archive = retrieve(
                "librispeech", _address(part), f"{part}.tar.gz", PARTS[part].checksum, Path(staging), True
            )
            unpack(archive, Path(staging) / "new")
            (Path(staging) / "new" / "LibriSpeech" / part).rename(place)


def _address(part: str) -> str:
    return ADDRESS.format(number=PARTS[part].number, part=part)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive; raises InputError for a damaged one and for files that would lie outside the folder."""
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{archive.name} cannot be unpacked: {error}") from error


def _digest(place: Path) -> str:
    """Return a digest of names and sizes: to read all bytes of 60 GB would take minutes at each start."""
    import hashlib

    lines = [f"{path.relative_to(place)} {path.stat().st_size}" for path in sorted(place.rglob("*")) if path.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
