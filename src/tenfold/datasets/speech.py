"""Speech with transcripts: utterances, spoken digits (FSDD), and a reader's own recordings by manifest."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold.datasets.provenance import Resolution
from tenfold.datasets.resolution import local, resolve
from tenfold.datasets.speechfiles import read_audio
from tenfold.errors import InputError

FSDD, FSDD_FILE, FSDD_RATE = "fsdd", "fsdd_recordings.zip", 8000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav$")
TAKES = 50
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FIELDS = ("path", "text", "speaker", "split")


@dataclass(frozen=True)
class Utterances:
    """Waves (float32, each (N_i,), at `rate` Hz), their transcripts and their speakers, all in one order.

    Raises InputError for lists of different length, an empty transcript and a wave that is empty or not finite.
    """

    waves: tuple[np.ndarray, ...]
    texts: tuple[str, ...]
    speakers: tuple[str, ...]
    rate: int

    def __post_init__(self):
        for name in ("waves", "texts", "speakers"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len({len(self.waves), len(self.texts), len(self.speakers)}) > 1 or self.rate <= 0:
            raise InputError("utterances need a wave, a text and a speaker each, and a positive rate")
        for i, (wave, text) in enumerate(zip(self.waves, self.texts, strict=True)):
            if not text.strip():
                raise InputError(f"utterance {i} has an empty transcript")
            if wave.ndim != 1 or not len(wave) or not np.isfinite(wave).all():
                raise InputError(f"utterance {i} ('{text}') has no finite samples")

    def __len__(self) -> int:
        return len(self.waves)

    @property
    def seconds(self) -> float:
        """Length of all waves together."""
        return sum(map(len, self.waves)) / self.rate

    def __getitem__(self, rows: slice | Sequence[int]) -> Utterances:
        chosen = np.arange(len(self))[rows]
        parts = ([values[i] for i in chosen] for values in (self.waves, self.texts, self.speakers))
        return Utterances(*parts, self.rate)

    def digest(self) -> str:
        """Return the SHA-256 of samples, texts, speakers and rate."""
        found = hashlib.sha256(f"{self.rate}\n".encode())
        for wave, text, speaker in zip(self.waves, self.texts, self.speakers, strict=True):
            found.update(f"{speaker}\t{text}\t{len(wave)}\n".encode())
            found.update(np.ascontiguousarray(wave, dtype="<f4").tobytes())
        return found.hexdigest()


def takes(folder: str | Path | None = None) -> tuple[dict[tuple[int, str, int], np.ndarray], Resolution]:
    """Return the 3,000 recordings of FSDD by (digit, speaker, take), 8 kHz, and where they came from.

    From a `folder` of the wav files, or the folder fsdd in that named by TENFOLD_SPEECH, else from mirror or cache.
    Takes 0-4 are the publisher's test set. Raises InputError for recordings that are nowhere, missing or broken.
    """
    if (own := own_folder(FSDD, folder)) is not None:
        paths = sorted(own.rglob("*.wav"))
        resolution = local(own, [str(path.relative_to(own)) for path in paths])
        return _numbered((str(path), path) for path in paths), resolution
    resolution = resolve(FSDD)
    return dict(_archived(resolution.folder / FSDD_FILE, resolution.digest)), resolution


@functools.lru_cache(maxsize=1)
def _archived(path: Path, digest: str) -> dict[tuple[int, str, int], np.ndarray]:
    """Return the recordings of the archive; `digest` tells its states apart."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".wav")]
            return _numbered((name, io.BytesIO(archive.read(name))) for name in names)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _numbered(sources: Iterable[tuple[str, Path | io.BytesIO]]) -> dict[tuple[int, str, int], np.ndarray]:
    found = {}
    for name, source in sources:
        if match := NAME.search(name):
            key = int(match[1]), match[2], int(match[3])
            found[key] = read_audio(source, FSDD_RATE, name)[0]
    if not found:
        raise InputError("there is no recording <digit>_<speaker>_<take>.wav")
    return found


def own_folder(name: str, folder: str | Path | None = None) -> Path | None:
    """Return `folder`, or the folder `name` in that of TENFOLD_SPEECH where there is one; None for neither.

    Raises InputError for a folder that is named but not there.
    """
    if folder is not None:
        if not Path(folder).expanduser().is_dir():
            raise InputError(f"there is no folder of recordings {folder}")
        return Path(folder).expanduser()
    if not (base := os.environ.get("TENFOLD_SPEECH")):
        return None
    if not Path(base).expanduser().is_dir():
        raise InputError(f"TENFOLD_SPEECH: there is no folder {base}")
    place = Path(base).expanduser() / name
    return place if place.is_dir() else None


def manifest(path: str | Path, rate: int = 16000, limit: int | None = None) -> dict[str, Utterances]:
    """Return the utterances of a manifest by split: what a reader holds of LRS3, VoxCeleb2 or of their own.

    A csv file with the columns path (of the audio, relative to the manifest's folder), text, speaker and split, the
    last two optional (then "unknown" and "train"); audio is resampled to `rate`; `limit` takes the first rows of each
    split. Raises InputError for columns that are missing, an empty transcript, and audio that cannot be read.
    """
    rows = read_manifest(path)
    found = {}
    for split in dict.fromkeys(row["split"] for row in rows):
        chosen = [row for row in rows if row["split"] == split][:limit]
        waves = [read_audio(Path(path).parent / row["path"], rate)[0] for row in chosen]
        found[split] = Utterances(waves, [r["text"] for r in chosen], [r["speaker"] for r in chosen], rate)
    return found


def read_manifest(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a manifest, each with all of `FIELDS`; no audio is read. Raises InputError as `manifest`."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [dict(row) for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not rows:
        raise InputError(f"{path} lists no utterance")
    for number, row in enumerate(rows, 2):
        if missing := [name for name in ("path", "text") if row.get(name) is None]:
            raise InputError(f"{path}: line {number} has no {' and no '.join(missing)}")
        if not row["text"].strip():
            raise InputError(f"{path}: line {number} has an empty transcript")
        row["speaker"], row["split"] = row.get("speaker") or "unknown", row.get("split") or "train"
    return [{name: row[name] for name in FIELDS} for row in rows]


def write_manifest(path: str | Path, rows: Iterable[dict[str, str]]) -> None:
    """Write the rows of a manifest, whole or not at all."""
    from tenfold import files

    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, FIELDS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(Path(path), stream.getvalue())
