"""Audio files: wav through scipy, flac and other formats through soundfile, as float32 in [-1, 1]."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tenfold.errors import InputError

Source = str | Path | BinaryIO


def read_audio(source: Source, rate: int | None = None, name: str = "") -> tuple[np.ndarray, int]:
    """Return the samples (N,) of a mono file, float32 in [-1, 1], and its rate in Hz; `rate` resamples to that.

    Several channels are averaged. `source` is a path or an open binary stream, `name` what errors call it. Files that
    do not end in .wav need soundfile, of the extra `speech`. Raises InputError for a file that is absent, broken,
    empty or not finite.
    """
    name = name or str(source)
    wave, found = (_wav if name.lower().endswith(".wav") else _other)(source, name)
    if wave.ndim == 2:
        wave = wave.mean(axis=1)
    if wave.ndim != 1 or not len(wave) or found <= 0 or not np.isfinite(wave).all():
        raise InputError(f"{name} holds no audio: {wave.shape} samples at {found} Hz")
    if rate is not None and rate != found:
        wave, found = resampled(wave, found, rate), rate
    return wave.astype(np.float32), int(found)


def resampled(wave: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Return a wave (N,) at another rate: polyphase filtering by the ratio of the two rates in lowest terms."""
    from scipy.signal import resample_poly

    divisor = int(np.gcd(int(rate), int(target)))
    return resample_poly(wave, target // divisor, rate // divisor).astype(np.float32)


def _wav(source: Source, name: str) -> tuple[np.ndarray, int]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            # scipy only warns of a file that ends before its samples do.
            warnings.simplefilter("error", wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", message="Chunk .*not understood", category=wavfile.WavFileWarning)
            rate, samples = wavfile.read(source)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {name}") from error
    except (ValueError, EOFError, OSError, ArithmeticError, IndexError, wavfile.WavFileWarning) as error:
        raise InputError(f"{name} is no wav file that can be read: {error}") from error
    except Exception as error:  # struct.error of a header that is cut, and what else a parser of headers raises
        raise InputError(f"{name} is no wav file that can be read: {type(error).__name__}") from error
    return _scaled(samples), rate


def _scaled(samples: np.ndarray) -> np.ndarray:
    """Return whole numbers as shares of full scale; 8 bits are unsigned, around 128."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return samples.astype(np.float32) / float(np.iinfo(samples.dtype).max + 1)
    return samples.astype(np.float32)


def _other(source: Source, name: str) -> tuple[np.ndarray, int]:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise InputError(f"{name} is no wav file: to read it, install the extra speech (soundfile)") from error
    try:
        return soundfile.read(source, dtype="float32")
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read: {error}") from error
