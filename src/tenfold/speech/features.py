"""Log-mel features of waveforms."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from tenfold.errors import InputError

FLOOR = 1e-10  # least power under the logarithm: -100 dB, so that silence stays finite


def mel(frequency: ArrayLike) -> np.ndarray:
    """Return m = 2595 log10(1 + f / 700) of frequencies in Hz."""
    return 2595 * np.log10(1 + np.asarray(frequency, dtype=float) / 700)


def hertz(mels: ArrayLike) -> np.ndarray:
    """Return f = 700 (10^(m / 2595) - 1) in Hz, the inverse of `mel`."""
    return 700 * (10 ** (np.asarray(mels, dtype=float) / 2595) - 1)


def band_centres(rate: int, bands: int = 40) -> np.ndarray:
    """Return the centres (bands,) in Hz: evenly spaced in mel between 0 and half the sampling rate, ends left out."""
    return hertz(np.linspace(0, mel(rate / 2), bands + 2))[1:-1]


@functools.lru_cache(maxsize=8)
def mel_filters(rate: int, fft: int, bands: int) -> Tensor:
    """Return triangles (bands, fft/2 + 1) over the frequencies k rate / fft, of height 1 at their centres.

    w_m(f) = max(0, min((f - c_{m-1}) / (c_m - c_{m-1}), (c_{m+1} - f) / (c_{m+1} - c_m))), c the band centres with
    0 and rate / 2 before and after them. Raises InputError where a triangle is narrower than the spacing of
    frequencies, so that it would be empty.
    """
    edges = hertz(np.linspace(0, mel(rate / 2), bands + 2))
    frequency = np.arange(fft // 2 + 1) * rate / fft
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    weights = np.minimum((frequency - low) / (centre - low), (high - frequency) / (high - centre)).clip(0)
    if (weights.sum(1) == 0).any():
        raise InputError(f"{bands} mel bands are too many for an FFT of {fft} points at {rate} Hz")
    return torch.from_numpy(weights.astype(np.float32))


def log_mel(
    waveform: Tensor | ArrayLike,
    rate: int,
    bands: int = 40,
    window: float = 0.025,
    hop: float = 0.010,
    fft: int | None = None,
    normalise: bool = False,
) -> Tensor:
    """Return ln of the mel power spectrum: waveform (..., N) at `rate` Hz -> (..., T, bands), T = N // (hop rate) + 1.

    E_tm = ln max(1e-10, sum_k w_mk |X_t(k)|^2), X_t the `fft`-point transform of the Hann window of `window` seconds
    around t hop, the waveform mirrored at its ends; fft: the next power of two by default (256 at 8 kHz). normalise:
    mean 0 and variance 1 in each band over the utterance. Raises InputError for a waveform that is shorter than the
    window, or not finite, and for sizes that do not fit.
    """
    x = torch.as_tensor(np.asarray(waveform) if not isinstance(waveform, Tensor) else waveform).float()
    length, step = round(window * rate), round(hop * rate)
    fft = 2 ** math.ceil(math.log2(max(length, 2))) if fft is None else fft
    if rate <= 0 or bands < 1 or step < 1 or not 1 < length <= fft:
        raise InputError(f"no spectrum with rate {rate}, {bands} bands, window {length}, hop {step}, FFT {fft}")
    if x.ndim == 0 or x.shape[-1] <= max(length, fft // 2):
        raise InputError(f"a waveform of {tuple(x.shape)} samples is too short for windows of {length}, FFT {fft}")
    if not x.isfinite().all():
        raise InputError("a waveform must be finite")
    hann = torch.hann_window(length, device=x.device)
    spectrum = torch.stft(
        x.flatten(0, -2) if x.ndim > 1 else x, fft, step, length, hann, pad_mode="reflect", return_complex=True
    )
    # E_tm = ln max(1e-10, sum_k w_mk |X_t(k)|^2)
    power = mel_filters(rate, fft, bands).to(x.device) @ spectrum.abs().square()
    energy = power.clamp_min(FLOOR).log().mT.reshape(*x.shape[:-1], -1, bands)
    return standardised(energy) if normalise else energy


def standardised(features: Tensor, eps: float = 1e-5) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) over the frames of each band; features (..., T, bands)."""
    variance, mean = torch.var_mean(features, dim=-2, keepdim=True, correction=0)
    return (features - mean) / (variance + eps).sqrt()
