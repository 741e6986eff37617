"""Masks and noise: sizes, levels, seeds."""

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.speech import adaptive_time_mask, babble, mixed, noisy, spec_augment


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_masks_are_bands_of_frames_and_frequencies():
    """What is hidden is a union of whole rows and whole columns, no wider than allowed."""
    x = torch.ones(200, 50, 20)
    hidden = spec_augment(x, seeded(), time_masks=1, time_width=6, frequency_masks=1, frequency_width=4) == 0
    rows, columns = hidden.all(2), hidden.all(1)
    assert torch.equal(hidden, rows[:, :, None] | columns[:, None, :])
    widths, heights = rows.sum(1), columns.sum(1)
    assert set(widths.tolist()) == set(range(7))
    assert set(heights.tolist()) == set(range(5))
    # One span: at most one place where it begins.
    begins = (rows[:, 1:] & ~rows[:, :-1]).sum(1) + rows[:, 0]
    assert int(begins.max()) == 1
    # Anywhere it fits, the edges as well.
    assert rows[:, 0].any()
    assert rows[:, -1].any()


def test_features_without_a_batch_are_refused():
    with pytest.raises(InputError, match=r"\(B, T, F\), not \(20, 40\)"):
        spec_augment(torch.zeros(20, 40), seeded())


def test_masks_follow_from_the_generator():
    x = torch.randn(4, 30, 10, generator=seeded())
    assert torch.equal(spec_augment(x, seeded(3)), spec_augment(x, seeded(3)))
    assert not torch.equal(spec_augment(x, seeded(3)), spec_augment(x, seeded(4)))
    assert torch.equal(spec_augment(x, seeded(), 0, 5, 0, 5), x)
    with pytest.raises(InputError, match="at least 0"):
        spec_augment(x, seeded(), time_masks=-1)


def test_time_masks_grow_with_the_utterance():
    hidden = [int((adaptive_time_mask(torch.ones(n * 1000), 1000, seeded(5)) == 0).sum()) for n in (0, 1, 5)]
    assert hidden[0] == 0
    assert 0 < hidden[1] <= 400
    assert hidden[1] < hidden[2] <= 2000


@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.0])
def test_noise_has_its_level(snr):
    generator = np.random.default_rng(0)
    speech, noise = generator.standard_normal((2, 4000)).astype(np.float32) * np.array([[3.0], [0.1]], dtype=np.float32)
    added = mixed(speech, noise, snr) - speech
    assert 10 * np.log10(np.square(speech).mean() / np.square(added).mean()) == pytest.approx(snr, abs=1e-3)
    assert abs(np.corrcoef(added, noise)[0, 1]) > 0.999
    with pytest.raises(InputError, match="silent"):
        mixed(speech, 0 * noise, snr)
    with pytest.raises(InputError, match="differ in length"):
        mixed(speech, noise[1:], snr)


def test_babble_is_a_sum_of_equally_loud_voices():
    generator = np.random.default_rng(1)
    loud = [scale * generator.standard_normal(1500) for scale in (0.01, 1, 100)]
    total = babble(loud, 50000, np.random.default_rng(2), voices=3)
    assert np.square(total).mean() == pytest.approx(3, rel=0.1)
    with pytest.raises(InputError, match="at least one voice"):
        babble([], 100, generator)


def test_noise_of_a_corpus():
    """Never the utterance's own babble: a corpus of silence but one hears that one in all others."""
    generator = np.random.default_rng(3)
    waves = [generator.standard_normal(800 + 100 * i).astype(np.float32) for i in range(6)]
    first, again, other = noisy(waves, 1), noisy(waves, 1), noisy(waves, 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert [len(wave) for wave in first] == [len(wave) for wave in waves]
    for wave, clean in zip(noisy(waves, 1, snr=(5, 5), white=0.0), waves, strict=True):
        level = 10 * np.log10(np.square(clean).mean() / np.square(wave - clean).mean())
        assert level == pytest.approx(5, abs=0.01)
