"""Budgets: the published sizes, an independent solution of ERK, exact sums, masks drawn evenly."""

import math

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.sparsity.erk import (
    allocate,
    east_floor_counts,
    erk_counts,
    erk_densities,
    random_mask,
    uniform_counts,
)


def resnet34(classes=10):
    """Prunable shapes of ResNet-34 for 32 x 32 images, written out: stem, blocks, 1x1 shortcuts, classifier."""
    shapes, channels = [(64, 3, 3, 3)], 64
    for width, blocks in zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True):
        for block in range(blocks):
            shapes += [(width, channels, 3, 3), (width, width, 3, 3)]
            if block == 0 and width != channels:
                shapes.append((width, channels, 1, 1))
            channels = width
    return [*shapes, (classes, 512)]


SHAPES = resnet34()
SIZES = [math.prod(shape) for shape in SHAPES]
RAW = [sum(shape) / math.prod(shape) for shape in SHAPES]


def random_shapes(rng):
    """Kernels and matrices as they come, small ones among large ones."""
    layers = int(rng.integers(1, 12))
    return [
        tuple(int(n) for n in rng.integers(1, 40, 2)) + ((3, 3) if rng.random() < 0.5 else ()) for _ in range(layers)
    ]


def water_level(shapes, density):
    """ERK as the solution of sum min(1, eps raw) N = d sum N for eps, by bisection."""
    sizes = np.array([math.prod(shape) for shape in shapes], float)
    raw = np.array([sum(shape) for shape in shapes]) / sizes
    low, high = 0.0, 1 / raw.min()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(1, middle * raw) @ sizes < density * sizes.sum() else (low, middle)
    return np.minimum(1, high * raw)


def test_resnet34_has_the_published_size():
    assert sum(SIZES) == 21_265_088
    assert len(SHAPES) == 37


@pytest.mark.parametrize(
    ("density", "budget", "stem", "wide", "classifier"), [(1e-3, 21265, 92, 1304, 661), (1e-4, 2127, 9, 130, 66)]
)
def test_resnet34_counts_of_the_paper(density, budget, stem, wide, classifier):
    counts = erk_counts(SHAPES, density)
    assert sum(counts) == budget
    assert (counts[0], counts[-2], counts[-1]) == (stem, wide, classifier)


@pytest.mark.parametrize("density", [1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.9, 0.99, 1.0])
def test_densities_keep_the_identity_and_the_proportions(density):
    found = erk_densities(SHAPES, density)
    assert sum(d * n for d, n in zip(found, SIZES, strict=True)) == pytest.approx(density * sum(SIZES), rel=1e-9)
    assert all(0 < d <= 1 for d in found)
    ratios = [d / r for d, r in zip(found, RAW, strict=True) if d < 1]
    assert ratios == pytest.approx([ratios[0]] * len(ratios)) if ratios else density == 1
    assert all(d == 1 for d, r in zip(found, RAW, strict=True) if ratios and r * ratios[0] > 1)


@pytest.mark.parametrize("seed", range(20))
def test_densities_equal_the_bisection(seed):
    rng = np.random.default_rng(seed)
    shapes, density = random_shapes(rng), float(rng.uniform(0.01, 1))
    np.testing.assert_allclose(erk_densities(shapes, density), water_level(shapes, density), rtol=1e-9)


def test_densities_grow_with_the_budget():
    steps = np.linspace(1e-4, 1, 60)
    found = np.array([erk_densities(SHAPES, float(d)) for d in steps])
    assert (np.diff(found, axis=0) >= -1e-12).all()


def test_hand_made_budget():
    """Two matrices 2x2 (raw 1) and 4x4 (raw 1/2), d = 1/2: eps = 10/12, densities 5/6 and 5/12, counts 3 and 7."""
    assert erk_densities([(2, 2), (4, 4)], 0.5) == pytest.approx([5 / 6, 5 / 12])
    assert erk_counts([(2, 2), (4, 4)], 0.5) == [3, 7]
    assert erk_densities([(2, 2), (4, 4)], 0.7) == pytest.approx([1, 10 / 16])  # the small one fills up


@pytest.mark.parametrize("counts_of", [erk_counts, uniform_counts])
@pytest.mark.parametrize("seed", range(20))
def test_counts_are_exact(counts_of, seed):
    rng = np.random.default_rng(seed)
    shapes = random_shapes(rng)
    sizes = [math.prod(shape) for shape in shapes]
    for density in (1.0, *rng.uniform(0.0, 1.0, 20)):
        if round(density * sum(sizes)) < len(sizes):
            with pytest.raises(InputError, match="each of"):
                counts_of(shapes, density)
            continue
        counts = counts_of(shapes, density)
        assert sum(counts) == round(density * sum(sizes))
        assert all(1 <= count <= size for count, size in zip(counts, sizes, strict=True))


def test_counts_are_the_nearest_to_the_densities():
    for density in (0.01, 0.1, 0.5):
        quotas = np.array(erk_densities(SHAPES, density)) * SIZES
        assert np.abs(np.array(erk_counts(SHAPES, density)) - quotas).max() < 1


def test_the_smallest_budget_gives_one_weight_to_each_layer():
    shapes = [(10, 10)] * 3 + [(100, 100)]
    total = sum(math.prod(shape) for shape in shapes)
    assert erk_counts(shapes, 4 / total) == [1] * 4
    assert erk_counts(shapes, 1.0) == [100, 100, 100, 10_000]
    with pytest.raises(InputError, match="a budget of 3 weights cannot give one to each of 4 layers"):
        erk_counts(shapes, 3 / total)


def test_what_small_layers_are_lifted_by_is_taken_from_the_large_in_proportion():
    shapes = [(2, 2), (60, 60), (120, 120)]  # raw N: 4, 120, 240
    # 73 weights: quotas 0.80, 24.07, 48.13 become 1, 24, 48; all three in proportion leave the first with none.
    assert erk_counts(shapes, 73 / 18_004) == [1, 24, 48]


@pytest.mark.parametrize(
    ("density", "floor", "realised"),
    [(1e-4, 0.001, 21365), (1e-4, 0.7e-4, 2302), (1e-4, 0.01e-4, 2127), (0.1, 0.001, 2_025_533)],
)
def test_one_pass_misses_the_budget_as_published(density, floor, realised):
    assert sum(east_floor_counts(SHAPES, density, floor)) == realised


def test_uniform_layers_have_one_density():
    counts = np.array(uniform_counts(SHAPES, 0.1))
    assert (np.abs(counts - 0.1 * np.array(SIZES)) < 1).all()


def test_allocation_by_name():
    assert allocate(SHAPES, 0.01) == erk_counts(SHAPES, 0.01)
    assert allocate(SHAPES, 0.01, "uniform") == uniform_counts(SHAPES, 0.01)
    assert allocate(SHAPES, 1e-4, "east-floor", 0.001) == east_floor_counts(SHAPES, 1e-4, 0.001)
    with pytest.raises(InputError, match="did you mean 'uniform'"):
        allocate(SHAPES, 0.01, "unifrom")


@pytest.mark.parametrize("density", [0, -0.1, 1.0001, float("nan")])
@pytest.mark.parametrize("call", [erk_densities, erk_counts, uniform_counts, lambda s, d: east_floor_counts(s, d, 0.1)])
def test_impossible_densities_are_refused(call, density):
    with pytest.raises(InputError, match=r"\(0, 1\]"):
        call(SHAPES, density)


@pytest.mark.parametrize("shapes", [[], [(3, 0)]])
def test_empty_budgets_are_refused(shapes):
    with pytest.raises(InputError, match="layer"):
        erk_densities(shapes, 0.5)


def test_a_floor_is_a_density():
    with pytest.raises(InputError, match="floor"):
        east_floor_counts(SHAPES, 0.5, 1.5)


def test_random_masks_have_exact_counts_and_every_position_is_as_likely():
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([random_mask((4, 5), 7, generator) for _ in range(4000)])
    assert draws.shape == (4000, 4, 5)
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert (draws.flatten(1).sum(1) == 7).all()
    # Standard deviation of a mean: sqrt(0.35 x 0.65 / 4000) = 0.0075.
    assert (draws.mean(0) - 0.35).abs().max() < 5 * 0.0075


def test_random_masks_follow_their_generator():
    first, second, other = (random_mask((50,), 20, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("count", [-1, 7])
def test_impossible_counts_are_refused(count):
    with pytest.raises(InputError, match="6 positions"):
        random_mask((2, 3), count, torch.Generator())


def resnet18(classes=100):
    """Names and shapes of the prunable tensors of ResNet-18, written out."""
    layers, channels = [("stem", (64, 3, 3, 3))], 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for number in range(1, 5):
            layers.append((f"stage{stage} conv{number}", (width, channels if number == 1 else width, 3, 3)))
        if width != channels:
            layers.append((f"stage{stage} shortcut", (width, channels, 1, 1)))
        channels = width
    return [*layers, ("classifier", (classes, 512))]


RESNET18 = resnet18()


def test_resnet18_of_the_hard_samples_paper():
    """80 % sparsity, 100 classes: dense where layers are small, and ever sparser with depth. arXiv 2409.09196."""
    found = {name: d for (name, _), d in zip(RESNET18, erk_densities([s for _, s in RESNET18], 0.2), strict=True)}
    assert sum(math.prod(shape) for _, shape in RESNET18) == 11_210_432
    dense = {name for name in found if name.startswith(("stem", "stage1", "classifier"))}
    dense |= {f"stage{stage} shortcut" for stage in (2, 3, 4)}
    assert {name for name, d in found.items() if d == 1} == dense
    ranges = {"stage2": (0.49, 0.74), "stage3": (0.24, 0.36), "stage4": (0.12, 0.18)}
    for stage, ends in ranges.items():
        densities = [d for name, d in found.items() if name.startswith(f"{stage} conv")]
        assert densities == sorted(densities, reverse=True)
        assert (min(densities), max(densities)) == pytest.approx(ends, abs=0.005)
