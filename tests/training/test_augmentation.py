"""Augmentation against padding and slicing by hand, quarter turns, and replicas that draw alone."""

import pytest
import torch
from torch.nn.functional import pad as padded

from tenfold.errors import InputError
from tenfold.training import augmentation, chain, crop_flip, rotate


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def batch(replicas=2, rows=16, channels=3, height=6, width=7):
    return torch.rand(replicas, rows, channels, height, width, generator=torch.Generator().manual_seed(9)) + 1


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({"pad": 4, "mode": "reflect"}, {"mode": "reflect"}),
        ({"pad": 2, "mode": "zeros"}, {"mode": "constant", "value": 0.0}),
        ({"pad": 9, "mode": "zeros"}, {"mode": "constant", "value": 0.0}),
        ({"pad": 3, "mode": "constant", "value": 0.5}, {"mode": "constant", "value": 0.5}),
        ({"pad": 0}, {"mode": "reflect"}),
    ],
)
def test_a_crop_is_a_window_of_the_padded_image_or_of_its_mirror(options, how):
    """Every image is looked for among all windows, before and after mirroring; all offsets and both sides occur."""
    x, p = batch(rows=64, height=11, width=12), options["pad"]
    found = set()
    for image, out in zip(x.flatten(0, 1), crop_flip(**options)(x, generators(0, 1)).flatten(0, 1), strict=True):
        found.add(place_of(out, image, p, how))
    assert None not in found
    assert {side for *_, side in found} == {False, True}
    for axis in (0, 1):
        offsets = {place[axis] for place in found}
        assert offsets <= set(range(2 * p + 1))
        assert p == 9 or offsets == set(range(2 * p + 1))


def place_of(out, image, p, how):
    """Return the first (dy, dx, mirrored) whose window is `out`; mirroring comes after the crop."""
    larger = padded(image[None], (p, p, p, p), **how)[0]
    height, width = image.shape[-2:]
    for mirrored, wanted in ((False, out), (True, out.flip(-1))):
        for dy in range(2 * p + 1):
            for dx in range(2 * p + 1):
                if torch.equal(larger[:, dy : dy + height, dx : dx + width], wanted):
                    return dy, dx, mirrored
    return None


def test_offsets_and_sides_are_uniform():
    """A ramp tells its own offset; 5 sigma bounds of 4000 draws."""
    x = torch.arange(1.0, 6.0).expand(1, 4000, 1, 5, 5)
    out = crop_flip(pad=1, mode="zeros")(x, generators(3))[0, :, 0, 2]
    middle, mirrored = out[:, 2], out[:, 1] > out[:, 3]
    for offset in (2, 3, 4):
        assert (middle == offset).float().mean().item() == pytest.approx(1 / 3, abs=0.04)
    assert mirrored.float().mean().item() == pytest.approx(1 / 2, abs=0.04)


@pytest.mark.parametrize("augment", [crop_flip(2), rotate(20), chain(crop_flip(1), rotate(10))])
def test_a_replica_draws_from_its_own_generator_alone(augment):
    x = batch(3)
    among = augment(x, generators(5, 6, 5))
    assert torch.equal(augment(x[1:2], generators(6))[0], among[1])
    assert torch.equal(augment(x[:1], generators(5))[0], among[0])
    same_images = augment(x[:1].expand(2, *x.shape[1:]), generators(5, 6))
    assert not torch.equal(same_images[0], same_images[1])


def test_layout_changes_nothing():
    x = batch()
    last = x.movedim(2, -1).contiguous().movedim(-1, 2)
    assert torch.equal(crop_flip(3)(x, generators(0, 1)), crop_flip(3)(last, generators(0, 1)))


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_a_quarter_turn_is_exact(monkeypatch, interpolation):
    """The largest angle drawn is 90 degrees anticlockwise, as torch.rot90 turns."""
    x = batch(width=6)
    monkeypatch.setattr(augmentation, "_uniform", lambda x, generators, count: torch.ones(*x.shape[:2], count))
    turned = rotate(90, interpolation)(x, generators(0, 1))
    torch.testing.assert_close(turned, torch.rot90(x, 1, (-2, -1)), atol=1e-5, rtol=0)


def test_a_half_turn_of_an_oblong_image_is_exact_and_small_turns_keep_pixels_square(monkeypatch):
    monkeypatch.setattr(augmentation, "_uniform", lambda x, generators, count: torch.ones(*x.shape[:2], count))
    x = batch(height=4, width=9)
    torch.testing.assert_close(rotate(180)(x, generators(0, 1)), x.flip(-1, -2), atol=1e-5, rtol=0)
    # 90 degrees in pixels: the middle square of an oblong image turns as a square image does.
    x = batch(height=4, width=8)
    torch.testing.assert_close(
        rotate(90)(x, generators(0, 1))[..., 2:6], torch.rot90(x[..., 2:6], 1, (-2, -1)), atol=1e-5, rtol=0
    )


def test_angles_stay_within_their_range():
    """One bright pixel right of the centre moves along a circle: its height tells the angle."""
    x = torch.zeros(1, 500, 1, 21, 21)
    x[..., 10, 18] = 1
    out = rotate(30)(x, generators(1))[0, :, 0]
    rise = 10 - (out.sum(2) * torch.arange(21)).sum(1) / out.sum((1, 2))
    angle = torch.rad2deg(torch.asin(rise / 8))
    assert angle.min() > -31 and angle.max() < 31
    assert angle.min() < -25 and angle.max() > 25
    assert rotate(0)(x, generators(1)).sub(x).abs().max() < 1e-5


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match="did you mean 'reflect'"):
        crop_flip(mode="reflct")
    with pytest.raises(InputError, match="at least 0"):
        crop_flip(pad=-1)
    with pytest.raises(InputError, match="6 x 7 cannot be reflected over 6"):
        crop_flip(pad=6)(batch(), generators(0, 1))
    with pytest.raises(InputError, match="unknown interpolation"):
        rotate(3, "cubic")
    with pytest.raises(InputError, match="an angle"):
        rotate(-1)
    with pytest.raises(InputError, match="2 replicas"):
        crop_flip()(batch(1)[0], generators(0, 1))
    with pytest.raises(InputError, match="1 replicas"):
        rotate(3)(batch(), generators(0))
