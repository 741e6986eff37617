"""Corruptions: what each does to a picture that can be worked out, against colorsys, Pillow and scipy."""

import colorsys
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from tenfold.datasets.corruptions import CORRUPTIONS, LEVELS, NOISES, add_noise, constants, corrupt, mixture
from tenfold.errors import InputError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def colours(count=40, size=16, channels=3, seed=1):
    """Smooth coloured pictures, with black, white and grey pixels in the first."""
    x = torch.rand(count, channels, size // 4, size // 4, generator=seeded(seed))
    x = torch.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
    x[0, :, 0, 0], x[0, :, 0, 1], x[0, :, 0, 2] = 0.0, 1.0, 0.4
    return x


def level(name, severity):
    return constants(name, severity)[0]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_zero_is_the_identity(name):
    for x in (colours(3), (colours(3) * 255).to(torch.uint8)):
        assert torch.equal(corrupt(x, name, 0, seeded()), x)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 16])
def test_every_severity_stays_in_range_shape_and_type(name, channels, size):
    x = colours(6, size, channels)
    whole = (x * 255).round().to(torch.uint8)
    for severity in range(1, 7):
        y = corrupt(x, name, severity, seeded())
        assert (y.shape, y.dtype) == (x.shape, x.dtype)
        assert y.min() >= 0
        assert y.max() <= 1
        again = corrupt(whole, name, severity, seeded())
        assert (again.shape, again.dtype) == (x.shape, torch.uint8)
        grey = name == "saturate" and channels == 1
        assert torch.equal(again, whole) == grey


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_bytes_and_fractions_suffer_the_same(name):
    """Up to the rounding of the result, and half a JPEG step: the inputs are the same pictures."""
    whole = (colours(8) * 255).round().to(torch.uint8)
    unit = corrupt(whole.float() / 255, name, 3, seeded())
    assert torch.equal(corrupt(whole, name, 3, seeded()), (unit * 255).round().to(torch.uint8))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_pictures_do_not_influence_each_other(name):
    x = colours(5)
    y = corrupt(x, name, 5, seeded())
    alone = corrupt(x[:1], name, 5, seeded())
    assert torch.allclose(y[:1], alone, atol=1e-6)
    assert torch.equal(x, colours(5))  # what was given is not written to


@pytest.mark.parametrize("name", NOISES)
def test_noise_follows_its_generator(name):
    x = colours(3)
    assert torch.equal(corrupt(x, name, 3, seeded(1)), corrupt(x, name, 3, seeded(1)))
    assert not torch.equal(corrupt(x, name, 3, seeded(1)), corrupt(x, name, 3, seeded(2)))
    with pytest.raises(InputError, match="needs a generator"):
        corrupt(x, name, 3)


GREY = torch.full((200, 3, 16, 16), 0.5)


@pytest.mark.parametrize("severity", range(1, 7))
def test_noise_on_mid_grey_has_the_deviation_of_its_constant(severity):
    """153,600 values tell a deviation to 0.2 %; for impulses of a share p it is sqrt(p) / 2, told to 1 %."""
    expected = {
        "gaussian_noise": level("gaussian_noise", severity),
        "shot_noise": (0.5 / level("shot_noise", severity)) ** 0.5,
        "speckle_noise": 0.5 * level("speckle_noise", severity),
        "impulse_noise": 0.5 * level("impulse_noise", severity) ** 0.5,
    }
    for name, deviation in expected.items():
        change = corrupt(GREY, name, severity, seeded(severity)) - GREY
        assert change.std().item() == pytest.approx(deviation, rel=0.03 if name == "impulse_noise" else 0.02)
        assert abs(change.mean().item()) < 0.004


def test_impulses_are_black_and_white_in_equal_shares():
    y = corrupt(GREY, "impulse_noise", 5, seeded())
    assert set(y.unique().tolist()) == {0.0, 0.5, 1.0}
    assert (y == 0).float().mean().item() == pytest.approx(0.035, rel=0.05)
    assert (y == 1).float().mean().item() == pytest.approx(0.035, rel=0.05)
    # Channel by channel: all three of a pixel at once are rare.
    assert (y != 0.5).all(1).float().mean() < 0.002


def test_add_noise_has_the_deviation_that_is_asked():
    for sd in (0.02, 0.1):
        assert (add_noise(GREY, sd, seeded()) - GREY).std().item() == pytest.approx(sd, rel=0.02)
    strong = add_noise(GREY, 2.0, seeded())
    assert (strong.min(), strong.max()) == (0, 1)
    assert torch.equal(add_noise(GREY, 0.0, seeded()), GREY)
    assert torch.equal(add_noise(GREY, 0.09, seeded()), corrupt(GREY, "gaussian_noise", 4, seeded()))
    assert add_noise((GREY * 255).to(torch.uint8), 0.1, seeded()).dtype == torch.uint8


@pytest.mark.parametrize("sd", [-0.1, float("nan"), float("inf")])
def test_add_noise_refuses_no_deviation(sd):
    with pytest.raises(InputError, match="standard deviation"):
        add_noise(GREY[:1], sd, seeded())


@pytest.mark.parametrize("name", [*NOISES, "contrast", "brightness", "gaussian_blur", "zoom_blur", "jpeg_compression"])
def test_the_change_grows_with_the_severity(name):
    x = colours(60)
    change = [(corrupt(x, name, severity, seeded()) - x).square().mean().sqrt().item() for severity in range(7)]
    assert change[0] == 0
    assert (np.diff(change) > 0).all()


def test_contrast_keeps_the_mean_and_scales_what_is_around_it():
    x = colours()
    for severity in range(1, 7):
        y = corrupt(x, "contrast", severity)
        assert torch.allclose(y.mean((2, 3)), x.mean((2, 3)), atol=1e-6)
        expected = level("contrast", severity) * x.std((2, 3))
        assert torch.allclose(y.std((2, 3)), expected, atol=1e-5)


def in_hsv(x, change):
    """Return pictures whose every pixel went through colorsys and a change of (saturation, value)."""
    pixels = x.movedim(1, -1).reshape(-1, 3).double().tolist()
    result = []
    for r, g, b in pixels:
        h, s, v = colorsys.rgb_to_hsv(r, g, b)
        result.append(colorsys.hsv_to_rgb(h, *np.clip(change(s, v), 0, 1)))
    return torch.tensor(result, dtype=x.dtype).reshape(len(x), *x.shape[2:], 3).movedim(-1, 1)


@pytest.mark.parametrize("severity", range(1, 7))
def test_brightness_and_saturation_are_those_of_hsv(severity):
    x = colours(4)
    shift = level("brightness", severity)
    assert torch.allclose(corrupt(x, "brightness", severity), in_hsv(x, lambda s, v: (s, v + shift)), atol=1e-5)
    factor, more = constants("saturate", severity)
    expected = in_hsv(x, lambda s, v: (s * factor + more, v))
    assert torch.allclose(corrupt(x, "saturate", severity), expected, atol=1e-5)


def test_brightness_of_grey_adds():
    x = colours(4, channels=1)
    assert torch.allclose(corrupt(x, "brightness", 3), (x + 0.15).clamp(max=1), atol=1e-6)


@pytest.mark.parametrize("severity", range(1, 7))
def test_gaussian_blur_is_that_of_scipy(severity):
    x = colours(3)
    sigma = (0, 0, level("gaussian_blur", severity), level("gaussian_blur", severity))
    expected = ndimage.gaussian_filter(x.double().numpy(), sigma, mode="nearest", truncate=4.0)
    assert np.allclose(corrupt(x, "gaussian_blur", severity).numpy(), expected, atol=1e-6)


def test_defocus_spreads_a_point_over_a_disk():
    x = torch.zeros(1, 1, 15, 15)
    x[..., 7, 7] = 1
    far = (torch.arange(15) - 7).square()
    distance = (far[:, None] + far).sqrt()
    for severity in range(1, 7):
        y = corrupt(x, "defocus_blur", severity)[0, 0]
        radius = level("defocus_blur", severity)
        assert y.sum().item() == pytest.approx(1, abs=1e-6)
        assert (y[torch.maximum(far[:, None], far).sqrt() > np.floor(radius) + 1] == 0).all()
        assert torch.allclose(y, y.T)
        assert torch.allclose(y, y.flip(0))
    # A disk of radius 1 is a cross of five pixels, and its alias of width 0.2 is below 1e-5.
    cross = corrupt(x, "defocus_blur", 4)[0, 0]
    assert torch.allclose(cross[distance <= 1], torch.full((5,), 0.2), atol=1e-4)
    # Level 6: radius 2 without any alias is the flat disk of 13 pixels.
    assert torch.allclose(corrupt(x, "defocus_blur", 6)[0, 0], (distance <= 2) / 13, atol=1e-6)


@pytest.mark.parametrize("size", [8, 9, 32])  # 9 to 6 and back has centres that lie on an edge
@pytest.mark.parametrize("severity", range(1, 7))
def test_pixelate_is_the_box_filter_of_pillow(size, severity):
    whole = (torch.rand(3, 3, size, size, generator=seeded()) * 255).round().to(torch.uint8)
    small = int(size * level("pixelate", severity))
    for source, target in zip(whole, corrupt(whole, "pixelate", severity), strict=True):
        picture = Image.fromarray(source.movedim(0, -1).numpy())
        coarse = picture.resize((small, small), Image.Resampling.BOX).resize((size, size), Image.Resampling.BOX)
        assert np.abs(np.asarray(coarse).astype(int) - target.movedim(0, -1).numpy().astype(int)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_that_of_pillow(channels):
    whole = (colours(2, channels=channels) * 255).round().to(torch.uint8)
    for source, target in zip(whole, corrupt(whole, "jpeg_compression", 2), strict=True):
        stream = io.BytesIO()
        Image.fromarray(source.movedim(0, -1).squeeze(-1).numpy()).save(stream, "JPEG", quality=65)
        assert np.array_equal(np.asarray(Image.open(stream)), target.movedim(0, -1).squeeze(-1).numpy())


def test_zoom_blur_keeps_the_centre_and_moves_the_rest_outwards():
    x = torch.zeros(1, 1, 33, 33)
    x[..., 16, 16] = 1
    flat = torch.full((1, 3, 8, 8), 0.3)
    # A straight ramp from the centre stays one: its slope is the mean of 1 and of 1/z for z = 1, 1.01, ... 1.26.
    ramp = (0.5 + (torch.arange(33) - 16) / 80).expand(1, 1, 33, 33)
    slope = (1 + sum(1 / (1 + 0.01 * k) for k in range(27))) / 28
    blurred = corrupt(ramp, "zoom_blur", 5)
    assert torch.allclose(blurred, 0.5 + (ramp - 0.5) * slope, atol=1e-5)
    assert torch.allclose(corrupt(flat, "zoom_blur", 5), flat, atol=1e-6)
    assert corrupt(x, "zoom_blur", 1)[0, 0, 16, 16] > 0.99


def test_blurs_keep_a_flat_picture():
    flat = torch.full((2, 3, 8, 8), 0.7)
    for name in ("gaussian_blur", "defocus_blur", "pixelate", "contrast"):
        for severity in range(1, 7):
            assert torch.allclose(corrupt(flat, name, severity), flat, atol=1e-6)


def test_blurs_are_not_bound_by_small_pictures():
    x = torch.rand(2, 1, 3, 3, generator=seeded())
    for name in CORRUPTIONS:
        assert corrupt(x, name, 6, seeded()).shape == x.shape


def test_constants_are_those_of_the_five_levels_and_one_of_our_own():
    assert [level("shot_noise", severity) for severity in range(1, 7)] == [500, 250, 100, 75, 50, 25]
    assert constants("gaussian_noise", 6) == pytest.approx((0.11,))
    assert constants("defocus_blur", 6) == pytest.approx((2.0, 0.0))
    assert constants("saturate", 6) == pytest.approx((3.0, 0.3))
    assert constants("contrast", 6) == (0.12,)
    assert all(len(levels) == 5 for levels in LEVELS.values())


def test_mixture_draws_every_corruption_alike():
    """Flat grey pictures tell: 12 corruptions, of which 4 noises and brightness change them (saturate: red)."""
    x = torch.full((1200, 3, 4, 4), 0.5)
    y = mixture(x, 5, seeded())
    brighter = ((y - 0.8).abs() < 1e-6).flatten(1).all(1).float().mean().item()
    assert brighter == pytest.approx(1 / 12, abs=0.03)
    kept = ((y - x).abs() < 0.01).flatten(1).all(1).float().mean().item()
    assert kept == pytest.approx(6 / 12, abs=0.06)
    assert torch.equal(y, mixture(x, 5, seeded()))
    assert not torch.equal(y, mixture(x, 5, seeded(1)))
    assert torch.equal(mixture(x, 0, seeded()), x)


def test_mixture_of_grey_pictures_spares_none():
    x = colours(600, size=8, channels=1)
    y = mixture(x, 5, seeded())
    # Impulses miss all 64 pixels of one picture in a hundred; `saturate` would leave one in twelve of all.
    assert ((y - x).abs().amax((1, 2, 3)) > 1e-4).float().mean() > 0.98
    assert torch.equal(mixture(x, 5, seeded(), ["contrast"]), corrupt(x, "contrast", 5))
    assert torch.equal(x, colours(600, size=8, channels=1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "fog"}, "unknown corruption 'fog'"),
        ({"severity": 7}, "severity 7 of contrast"),
        ({"severity": -1}, "severity -1"),
        ({"severity": 1.5}, r"severity 1\.5"),
        ({"images": torch.rand(3, 8, 8)}, "images must be"),
        ({"images": torch.rand(3, 2, 8, 8)}, "images must be"),
        ({"images": torch.rand(3, 1, 8, 8) + 0.5}, r"must lie in \[0, 1\]"),
        ({"images": torch.full((1, 1, 2, 2), float("nan"))}, r"must lie in \[0, 1\]"),
        ({"images": torch.zeros(1, 1, 2, 2, dtype=torch.int64)}, "uint8 or floating point"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, words):
    given = {"images": torch.rand(2, 1, 8, 8), "name": "contrast", "severity": 3, "generator": seeded()} | change
    with pytest.raises(InputError, match=words) as caught:
        corrupt(**given)
    assert "\n" not in str(caught.value)


def test_a_mixture_checks_every_name():
    x = torch.rand(1, 1, 8, 8)
    with pytest.raises(InputError, match="unknown corruption 'fog'"):
        mixture(x, 3, seeded(), ["contrast", "brightness", "fog", "pixelate"])
    with pytest.raises(InputError, match="at least one"):
        mixture(x, 3, seeded(), [])
    with pytest.raises(InputError, match="needs a generator"):
        mixture(x, 3, None)


def test_the_package_knows_corrupt_and_nothing_else_that_it_has_not():
    from tenfold import datasets

    assert datasets.corrupt is corrupt
    with pytest.raises(AttributeError, match="corupt"):
        datasets.corupt  # noqa: B018
