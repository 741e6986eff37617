"""Encodings: the columns in their order, closed forms of inner products, the sphere, spherical harmonics."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre, sph_harm_y

from tenfold.errors import InputError
from tenfold.urban import GridEncoder, SphereEncoder, SphericalHarmonicsEncoder, TheoryEncoder, encoding

LONDON = np.random.default_rng(0).uniform([503_568, 155_850], [561_958, 200_934], (50, 2))
WORLD = np.random.default_rng(1).uniform([-180, -90], [180, 90], (50, 2))


def cosine_of_angle(a, b):
    """Cosine of the great-circle angle between rows of degrees."""
    (p, t), (q, u) = np.deg2rad(a).T, np.deg2rad(b).T
    return np.sin(t) * np.sin(u) + np.cos(t) * np.cos(u) * np.cos(p - q)


@pytest.mark.parametrize("options", [{}, {"frequencies": 5, "lambda_min": 360.0, "lambda_max": 20_000.0}])
def test_grid_in_its_order_without_two_pi(options):
    grid = GridEncoder(**options)
    F, low, high = (
        options.get(name, default)
        for name, default in zip(("frequencies", "lambda_min", "lambda_max"), (32, 100.0, 10_000.0), strict=True)
    )
    g = (high / low) ** (1 / (F - 1))
    expected = [
        [wave(c / (low * g**k)) for c in point for k in range(F) for wave in (math.sin, math.cos)] for point in LONDON
    ]
    assert grid.width == 4 * F
    np.testing.assert_allclose(grid(LONDON), expected, rtol=0, atol=1e-10)


def test_default_wavelengths():
    wavelengths = GridEncoder().wavelengths
    assert (wavelengths[0], wavelengths[-1], len(wavelengths)) == (100, 10_000, 32)
    np.testing.assert_allclose(wavelengths[1:] / wavelengths[:-1], 1.1602, atol=5e-5)


@pytest.mark.parametrize("make", [GridEncoder, TheoryEncoder])
def test_every_sine_has_its_cosine(make):
    pairs = make()(LONDON).reshape(len(LONDON), -1, 2)
    np.testing.assert_allclose((pairs**2).sum(axis=2), 1, rtol=1e-14)


def test_inner_product_of_grid_depends_on_the_difference_alone():
    grid, d = GridEncoder(), np.random.default_rng(2).uniform(-3000, 3000, (len(LONDON), 2))
    products = (grid(LONDON) * grid(LONDON + d)).sum(axis=1)
    np.testing.assert_allclose(products, np.cos(d[:, :, None] / grid.wavelengths).sum(axis=(1, 2)), atol=1e-9)


def test_pattern_repeats_after_two_pi_lambda():
    grid = GridEncoder()
    for k in (0, 7, 31):
        period = 2 * np.pi * grid.wavelengths[k]
        before, after = grid(LONDON), grid(LONDON + np.array([period, 0]))
        np.testing.assert_allclose(after[:, 2 * k : 2 * k + 2], before[:, 2 * k : 2 * k + 2], atol=1e-9)
        # Northing did not move, and the other eastings did.
        np.testing.assert_array_equal(after[:, 64:], before[:, 64:])
        assert np.abs(after[:, 2 * k + 2 : 64] - before[:, 2 * k + 2 : 64]).max(initial=1) > 0.1


@pytest.mark.parametrize("F", [4, 5])
def test_theory_in_its_order(F):
    theory = TheoryEncoder(F, 100.0, 10_000.0)
    directions = [(math.cos(a), math.sin(a)) for a in (0, 2 * math.pi / 3, 4 * math.pi / 3)]
    expected = [
        [
            wave((x * vx + y * vy) / lam)
            for lam in theory.wavelengths
            for vx, vy in directions
            for wave in (math.sin, math.cos)
        ]
        for x, y in LONDON
    ]
    assert theory.width == 6 * F
    np.testing.assert_allclose(theory(LONDON), expected, rtol=0, atol=1e-9)


def test_theory_turned_by_120_degrees_is_theory_with_its_directions_moved_on():
    theory, c, s = TheoryEncoder(6), -0.5, math.sqrt(3) / 2
    turned = theory(LONDON @ np.array([[c, s], [-s, c]])).reshape(-1, 6, 3, 2)
    np.testing.assert_allclose(np.roll(turned, -1, axis=2).reshape(-1, 36), theory(LONDON), atol=1e-8)


def test_tensors_give_tensors_in_double_precision():
    for make in (GridEncoder, TheoryEncoder, SphereEncoder, SphericalHarmonicsEncoder):
        tensor = make()(torch.from_numpy(WORLD))
        assert tensor.dtype == torch.float64
        np.testing.assert_array_equal(tensor.numpy(), make()(WORLD))
    assert GridEncoder()(torch.zeros(2, 2)).dtype == torch.float64
    assert GridEncoder()(np.empty((0, 2))).shape == (0, 128)
    whole = LONDON.round().astype(int)
    np.testing.assert_array_equal(GridEncoder()(whole), GridEncoder()(whole.astype(float)))


def test_sphere_at_unit_wavelength_is_the_unit_sphere():
    columns = SphereEncoder("C", 4)(WORLD).reshape(-1, 4, 3)[:, -1]
    np.testing.assert_allclose(columns[:, [1, 2, 0]], encoding("cartesian3d")(WORLD), atol=1e-12)
    other = WORLD[::-1]
    products = (columns * columns[::-1]).sum(axis=1)
    np.testing.assert_allclose(products, cosine_of_angle(WORLD, other), atol=1e-12)
    # No wavelength sees the seam of longitudes at lambda = 1.
    west, east = encoding("spherec", frequencies=2)(np.array([[-180.0, 40], [180, 40]])).reshape(2, 2, 3)[:, -1]
    np.testing.assert_allclose(west, east, atol=1e-12)


@pytest.mark.parametrize(("variant", "terms"), [("C", 3), ("C+", 6), ("M", 5), ("M+", 8)])
def test_sphere_variants_in_their_order(variant, terms):
    sphere = SphereEncoder(variant, 3, 0.01, 1.0)
    p, t = np.deg2rad(WORLD).T
    expected = np.stack([row(variant, p, t, lam) for lam in (0.01, 0.1, 1.0)], axis=1)
    assert sphere.width == 3 * terms
    np.testing.assert_allclose(sphere(WORLD), expected.reshape(len(WORLD), -1), atol=1e-9)


def row(variant, p, t, lam):
    sin, cos = np.sin, np.cos
    own = [sin(t / lam), cos(t / lam), sin(p / lam), cos(p / lam)]
    both = [cos(t / lam) * cos(p / lam), cos(t / lam) * sin(p / lam)]
    mixed = [cos(t / lam) * cos(p), cos(t) * cos(p / lam), cos(t / lam) * sin(p), cos(t) * sin(p / lam)]
    columns = {"C": own[:1] + both, "C+": own + both, "M": own[:1] + mixed, "M+": own + mixed}
    return np.stack(columns[variant], axis=1)


@pytest.mark.parametrize(("variant", "width"), [("C", 6), ("C+", 12), ("M", 10), ("M+", 16)])
def test_official_sphere_takes_degrees_for_angles_and_writes_all_twice(variant, width):
    official = SphereEncoder(variant, 4, 10.0, 360.0, official=True)
    assert official.width == 4 * width
    columns = official(WORLD)
    np.testing.assert_array_equal(columns[:, ::2], columns[:, 1::2])
    expected = np.stack([row(variant, *WORLD.T, lam) for lam in official.wavelengths], axis=1)
    np.testing.assert_allclose(columns[:, ::2], expected.reshape(len(WORLD), -1), atol=1e-12)


def test_wrap_and_direct():
    p, t = np.deg2rad(WORLD).T
    wrapped = np.stack([np.cos(p), np.sin(p), np.cos(t), np.sin(t)], axis=1)
    np.testing.assert_allclose(encoding("wrap")(WORLD), wrapped, atol=1e-15)
    np.testing.assert_allclose(encoding("direct")([[180.0, 90.0]]), [[0, -np.pi / 2]], atol=1e-15)


def test_spherical_harmonics_agree_with_the_complex_ones():
    columns = SphericalHarmonicsEncoder(5)(WORLD)
    phi, theta = np.deg2rad(WORLD + np.array([180, 90])).T
    expected = []
    for n in range(5):
        for m in range(-n, n + 1):
            value = (-1.0) ** m * sph_harm_y(n, abs(m), theta, phi) * (np.sqrt(2) if m else 1)
            expected.append(value.imag if m < 0 else value.real)
    assert columns.shape == (50, 25)
    np.testing.assert_allclose(columns, np.transpose(expected), atol=1e-12)
    np.testing.assert_allclose(columns[:, 0], 1 / np.sqrt(4 * np.pi), rtol=1e-14)


def test_spherical_harmonics_obey_the_addition_theorem():
    """At degree 40, and over more rows than one block holds."""
    points = np.random.default_rng(3).uniform([-180, -90], [180, 90], (1100, 2))
    columns = SphericalHarmonicsEncoder(40)(points)
    cosines = cosine_of_angle(points, points[::-1])
    for n in (0, 1, 7, 39):
        part = columns[:, n**2 : (n + 1) ** 2]
        np.testing.assert_allclose(
            (part * part[::-1]).sum(axis=1), (2 * n + 1) / (4 * np.pi) * eval_legendre(n, cosines), atol=1e-10
        )


def test_encodings_by_name():
    assert encoding("grid", frequencies=8) == GridEncoder(8)
    assert encoding("spherem+", frequencies=3).width == 24
    assert {encoding(name).coordinates for name in ("grid", "theory")} == {"metres"}
    assert all("degrees" in encoding(name).coordinates for name in ("wrap", "spherec+", "spherical_harmonics"))
    with pytest.raises(InputError, match="did you mean 'theory'"):
        encoding("theories")
    with pytest.raises(InputError, match="does not take these options: wavelength"):
        encoding("grid", wavelength=3)


@pytest.mark.parametrize(
    "options", [{"frequencies": 1}, {"lambda_min": 0.0}, {"lambda_min": 2e4}, {"lambda_max": np.inf}]
)
def test_impossible_wavelengths_are_refused(options):
    for make in (GridEncoder, TheoryEncoder, SphereEncoder):
        with pytest.raises(InputError, match="frequencies >= 2"):
            make(**options)
    for bad in (lambda: SphereEncoder("D"), lambda: SphericalHarmonicsEncoder(0)):
        with pytest.raises(InputError):
            bad()


@pytest.mark.parametrize(
    ("points", "words"),
    [([1.0, 2.0], "shape"), ([[1.0, 2.0, 3.0]], "shape"), ([[0.0, 0.0], [np.nan, 1.0]], "row 1 are not finite")],
)
def test_impossible_coordinates_are_refused(points, words):
    for given in (points, torch.tensor(points)):
        with pytest.raises(InputError, match=words):
            GridEncoder()(given)


def test_metres_are_no_degrees():
    with pytest.raises(InputError, match=r"row 0 are no degrees of longitude and latitude: \[5"):
        encoding("wrap")(LONDON)
    with pytest.raises(InputError, match="must be numbers"):
        GridEncoder()([[1.0, 2.0], [3.0]])


def test_the_room_is_light():
    """One encoder must not cost the import of maps, of a language model or of spatial statistics."""
    heavy = ["transformers", "esda", "matplotlib", "folium", "sklearn"]
    code = f"import sys\nfrom tenfold.urban import GridEncoder\nprint([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
