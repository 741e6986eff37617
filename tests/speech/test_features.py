"""Log-mel features: tones, silence, scale, an independent spectrum."""

import numpy as np
import pytest
import torch
from scipy.signal import stft

from tenfold.errors import InputError
from tenfold.speech import band_centres, log_mel, mel_filters, standardised


def tone(frequency, rate=8000, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize(("rate", "fft"), [(8000, 256), (16000, 512)])
def test_a_tone_at_a_bands_centre_is_loudest_there(rate, fft):
    # Bands below this are narrower than two lines of the spectrum.
    centres = band_centres(rate)
    for band in range(12, 40):
        energy = log_mel(tone(centres[band], rate), rate)[10:-10]
        assert abs(energy.mean(0).argmax().item() - band) <= (fft / rate * (centres[band] - centres[band - 1]) < 2)


def test_against_another_spectrum():
    """The power of scipy's transform under the triangles, in the middle, where its padding does not matter."""
    wave = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    found = log_mel(wave, 8000)
    window = torch.hann_window(200).numpy()
    padded = np.zeros(256, dtype=np.float32)
    padded[28:228] = window
    power = np.abs(stft(wave, 8000, padded, 256, 256 - 80, return_onesided=True, scaling="spectrum")[2]) ** 2
    expected = np.log(mel_filters(8000, 256, 40).numpy() @ (power * padded.sum() ** 2)).T
    assert found.shape == (51, 40)
    assert np.allclose(found[3:45], expected[3:45], atol=1e-3)


def test_triangles_meet_at_half_height():
    """Between the first and last centre two neighbours add up to 1 at each frequency."""
    weights, centres = mel_filters(16000, 512, 20), band_centres(16000, 20)
    frequency = torch.arange(257) * 16000 / 512
    inside = (frequency > centres[0]) & (frequency < centres[-1])
    assert torch.allclose(weights.sum(0)[inside], torch.ones(int(inside.sum())), atol=1e-5)
    assert weights.max() <= 1


def test_silence_is_finite_and_loudness_an_offset():
    quiet = log_mel(np.zeros(2000), 8000)
    assert quiet.isfinite().all()
    assert torch.allclose(quiet, torch.full_like(quiet, np.log(1e-10)))
    assert log_mel(np.zeros(2000), 8000, normalise=True).abs().max() == 0
    wave = np.random.default_rng(1).standard_normal(2000)
    difference = log_mel(10 * wave, 8000) - log_mel(wave, 8000)
    assert torch.allclose(difference, torch.full_like(difference, np.log(100)), atol=1e-4)


def test_standardised_over_the_utterance():
    x = standardised(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)) * 7 + 3)
    assert torch.allclose(x.mean(0), torch.zeros(8), atol=1e-5)
    assert torch.allclose(x.var(0, correction=0), torch.ones(8), atol=1e-4)
    same = log_mel(tone(500), 8000, normalise=True)
    assert torch.equal(same, standardised(log_mel(tone(500), 8000)))


def test_waves_together_are_as_each_alone():
    waves = np.random.default_rng(2).standard_normal((3, 2, 1600)).astype(np.float32)
    together = log_mel(waves, 8000)
    assert together.shape == (3, 2, 21, 40)
    assert torch.allclose(together[1, 1], log_mel(waves[1, 1], 8000), atol=1e-5)


@pytest.mark.parametrize(
    ("wave", "options", "message"),
    [
        (np.zeros(100), {}, "too short for windows of 200"),
        (np.full(2000, np.nan), {}, "must be finite"),
        (np.zeros(2000), {"bands": 200}, "200 mel bands are too many"),
        (np.zeros(2000), {"fft": 128}, "no spectrum"),
        (np.zeros(2000), {"hop": 0}, "no spectrum"),
    ],
)
def test_what_has_no_features(wave, options, message):
    with pytest.raises(InputError, match=message):
        log_mel(wave, 8000, **options)
