"""Sentences spoken by espeak-ng, all in one process of their own, kept in the cache under what was asked."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from tenfold import files, project
from tenfold.datasets.speechfiles import resampled
from tenfold.errors import InputError

PROGRAM = Path(__file__).with_name("espeak_program.py")
PACKAGE = "espeakng-loader"
LANGUAGES = ("en-us", "en", "gmw/en-GB-x-rp", "gmw/en-GB-scotland")
VARIANTS = ("f1", "f2", "m1", "m3")
TIMEOUT = 600  # seconds; 2,000 sentences take 8


@dataclass(frozen=True)
class Line:
    """A sentence and how it is said: voice ("en-us+f1"), words per minute, pitch and its range in 0 ... 100."""

    text: str
    voice: str = "en-us"
    speed: int = 175
    pitch: int = 50
    span: int = 50


def espeak_voices() -> list[str]:
    """Return 16 voices, four accents of English by four speakers, mixed so that any 12 of them have all accents."""
    return [f"{LANGUAGES[(i + i // 4) % 4]}+{VARIANTS[i // 4]}" for i in range(16)]


def available() -> bool:
    """Tell whether espeak-ng is installed; nothing of it is loaded."""
    return _version() is not None


def speak(lines: Sequence[Line], rate: int = 8000) -> tuple[list[np.ndarray], str]:
    """Return one wave (float32 in [-1, 1]) for each line, and the SHA-256 of the samples that the library gave.

    What the library says depends on all it said before, so that all lines are spoken in their order by one fresh
    process (a bit-identical corpus each time), and kept in the cache. Raises InputError for no line, an empty text,
    a voice that is unknown, and where the library is not installed.
    """
    if not lines or not all(line.text.strip() for line in lines):
        raise InputError("an empty text cannot be spoken")
    request = json.dumps([astuple(line) for line in lines])
    key = hashlib.sha256(f"{_version()}\n{request}".encode()).hexdigest()
    kept = project.cache() / "speech" / f"espeak-{key[:32]}.npz"
    samples, lengths, found = _read(kept) if kept.is_file() else _spoken(request, kept)
    digest = hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
    waves = np.split(samples.astype(np.float32) / 32768, np.cumsum(lengths)[:-1])
    return [resampled(wave, found, rate) for wave in waves], digest


def _version() -> str | None:
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def _spoken(request: str, kept: Path) -> tuple[np.ndarray, np.ndarray, int]:
    with tempfile.TemporaryDirectory() as folder:
        asked, output = Path(folder) / "request.json", Path(folder) / "speech.npz"
        asked.write_text(request, encoding="utf-8")
        # Not -I: the library may stand where PYTHONPATH says.
        command = [sys.executable, str(PROGRAM), str(asked), str(output)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired as error:
            raise InputError(f"espeak-ng did not finish in {TIMEOUT} s") from error
        if done.returncode:
            reason = done.stderr.strip().splitlines()
            raise InputError(reason[-1] if reason else f"espeak-ng stopped with status {done.returncode}")
        files.write_bytes(kept, output.read_bytes())
        return _read(output)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return stored["samples"], stored["lengths"], int(stored["rate"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged: delete it, and it is spoken anew") from error
