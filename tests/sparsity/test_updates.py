"""Updates of masks: against rules written out with sorts and loops, for one network and for stacks of them."""

import math

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.sparsity.erk import random_mask
from tenfold.sparsity.updates import magnitude_mask, resize_mask, rigl_update, set_update


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def layer(seed, shape=(12, 7, 3, 3), density=0.2):
    """Weights (masked), gradients and mask of a layer."""
    g = seeded(seed)
    size = math.prod(shape)
    mask = random_mask(shape, max(1, round(density * size)), g)
    return torch.randn(shape, generator=g) * mask, torch.randn(shape, generator=g), mask


def largest_first(score, candidates):
    """Positions by falling score, of equal ones the first first."""
    return sorted(np.flatnonzero(candidates), key=lambda i: (-score[i], i))


def rigl_by_sorting(weight, grad, mask, fraction):
    """The rule of the paper on flat arrays: threshold among the active, then growth among the inactive."""
    w, g, m = (t.double().flatten().numpy() for t in (weight, grad, mask))
    r = math.ceil(fraction * m.sum())
    if r == 0:
        return mask
    threshold = np.sort(np.abs(w[m > 0]))[r - 1]
    new = (m > 0) & (np.abs(w) > threshold)
    new[largest_first(np.abs(g), ~new)[: int(m.sum() - new.sum())]] = True
    return torch.from_numpy(new).view(mask.shape).to(mask.dtype)


def set_survivors(weight, fraction):
    """SET's drop as described: all weights sorted, zeros among them, and one threshold on either side."""
    w = weight.double().flatten().numpy()
    v = np.sort(w)
    n, n_neg = len(v), int((v < 0).sum())
    last0 = n - int((v > 0).sum())
    low, high = v[int((1 - fraction) * n_neg)], v[int(min(n - 1, last0 + fraction * (n - last0)))]
    return torch.from_numpy((w < low) | (w > high)).view(weight.shape)


@pytest.mark.parametrize("density", [0.01, 0.2, 0.7])
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_rigl_equals_the_rule_written_out(seed, fraction, density):
    weight, grad, mask = layer(seed, density=density)
    found = rigl_update(weight, grad, mask, fraction)
    assert torch.equal(found, rigl_by_sorting(weight, grad, mask, fraction))
    assert found.sum() == mask.sum()


@pytest.mark.parametrize("seed", range(5))
def test_rigl_with_ties_equals_the_rule_written_out(seed):
    """Weights and gradients of few values: ties at the threshold go together, growth takes the first positions."""
    weight, grad, mask = layer(seed)
    weight, grad = (weight * 2).round() / 2, grad.round()
    assert torch.equal(rigl_update(weight, grad, mask, 0.3), rigl_by_sorting(weight, grad, mask, 0.3))


def test_large_layers_equal_the_rule_written_out():
    """Beyond a few thousand positions growth searches blocks; here with a rest that fills no block."""
    weight, grad, mask = layer(0, (101, 307), 0.004)
    grad[-1, -5:] = torch.tensor([9.0, 8.0, -7.5, 0.0, 10.0])  # among the rest
    found = rigl_update(weight, grad, mask, 0.5)
    assert torch.equal(found, rigl_by_sorting(weight, grad, mask, 0.5))
    assert found[-1, [-5, -4, -3, -1]].all()


def test_the_one_position_with_a_gradient_is_grown():
    weight, grad, mask = layer(1, (6, 6), 0.5)
    place = (mask == 0).nonzero()[3]
    grad = torch.zeros_like(grad)
    grad[tuple(place)] = -1e-20
    found = rigl_update(weight, grad, mask, 1e-9)
    assert found[tuple(place)] == 1
    assert (found > mask).sum() == 1 == (found < mask).sum()
    smallest = weight.abs().masked_fill(mask == 0, math.inf).argmin()
    assert found.flatten()[smallest] == 0


@pytest.mark.parametrize("rule", ["itop", "rigl"])
def test_no_fraction_no_change(rule):
    weight, grad, mask = layer(2)
    assert torch.equal(rigl_update(weight, grad, mask, 0.0, rule, seeded(0)), mask)


@pytest.mark.parametrize("rule", ["set", "itop"])
def test_no_fraction_no_change_of_set(rule):
    weight, _, mask = layer(2)
    weight.view(-1)[mask.flatten().nonzero()[0]] = 0.0  # active, and zero
    assert torch.equal(set_update(weight, mask, 0.0, seeded(0), rule), mask)


def test_a_dropped_weight_may_come_back_and_nothing_else_is_touched():
    weight, grad, mask = layer(3)
    smallest = weight.abs().masked_fill(mask == 0, math.inf).argmin()
    grad.view(-1)[smallest] = 100.0
    before = [tensor.clone() for tensor in (weight, grad, mask)]
    found = rigl_update(weight, grad, mask, 0.2)
    assert found.flatten()[smallest] == 1
    assert all(torch.equal(*pair) for pair in zip(before, (weight, grad, mask), strict=True))
    grown = (found > mask) & (found > 0)
    assert grown.any() and (weight[grown] == 0).all()
    assert (weight * found).flatten()[smallest] == weight.flatten()[smallest]


def test_all_ties_go_together():
    """Four weights, two of them 1: ceil(0.25 x 4) = 1, and both ones go."""
    weight = torch.tensor([1.0, -1.0, 2.0, 3.0, 0.0, 0.0, 0.0])
    mask = (weight != 0).float()
    grad = torch.tensor([0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0])
    assert rigl_update(weight, grad, mask, 0.25).tolist() == [0, 0, 1, 1, 0, 1, 1]


def test_the_original_rigl_drops_exactly_the_floor():
    weight, grad, mask = layer(4)
    active = int(mask.sum())
    grad = torch.where(mask > 0, 0.0, grad.abs() + 1)  # what goes stays away
    for fraction in (0.1, 0.333, 0.9):
        found = rigl_update(weight, grad, mask, fraction, "rigl", seeded(0))
        gone = (mask > found).sum()
        assert gone == math.floor(fraction * active) == (found > mask).sum()
        assert weight[(mask > found)].abs().max() <= weight[(mask > 0) & (found > 0)].abs().min() + 1e-4


def test_the_original_rigl_breaks_ties_by_chance():
    weight, mask = torch.zeros(200), torch.cat([torch.ones(100), torch.zeros(100)])
    grad = 1 - mask
    draws = torch.stack([rigl_update(weight, grad, mask, 0.3, "rigl", seeded(seed)) for seed in range(300)])
    assert (draws[:, :100].sum(1) == 70).all()
    # Standard deviation of a mean 0.026.
    assert (draws[:, :100].mean(0) - 0.7).abs().max() < 5 * 0.0265


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_set_keeps_what_the_rule_written_out_keeps(seed, fraction):
    weight, _, mask = layer(seed)
    kept = set_survivors(weight, fraction)
    found = set_update(weight, mask, fraction, seeded(seed))
    assert found.sum() == mask.sum()
    assert (found.bool() & kept).sum() == kept.sum()  # all survivors are there
    assert (kept <= mask.bool()).all()
    for sign in (1, -1):
        side = sign * weight > 0
        gone = int((side & ~kept).sum())
        assert abs(gone - fraction * int(side.sum())) <= 1 + 1e-9


def test_set_drops_one_more_than_magnitude_does():
    """120 weights, 60 of each sign, f = 0.2: 12 negatives and 12 + 1 positives go, 95 stay; by magnitude 96 do."""
    weight = torch.cat([torch.arange(1.0, 61), -torch.arange(1.0, 61) - 0.5, torch.zeros(80)])
    assert int(set_survivors(weight, 0.2).sum()) == 95
    mask = (weight != 0).float()
    apart, together = (
        torch.stack([set_update(weight, mask, 0.2, seeded(s), rule) for s in range(60)]).amin(0)
        for rule in ("set", "itop")
    )
    assert int(apart.sum()) == 95  # what is there after each of 60 draws has survived
    assert int(together.sum()) == 96
    assert torch.equal(apart.bool(), set_survivors(weight, 0.2))


def test_set_drops_active_zeros():
    weight = torch.tensor([0.0, 0.0, 1.0, -1.0, 2.0, -2.0] + [0.0] * 30)
    mask = torch.tensor([1.0] * 6 + [0.0] * 30)
    kept = torch.stack([set_update(weight, mask, 0.01, seeded(s)) for s in range(60)]).amin(0)
    assert kept[:6].tolist() == [0, 0, 0, 0, 1, 1]  # with the smallest of either sign, as f is not 0


def test_set_grows_everywhere_alike():
    weight, _, mask = layer(5, (10, 10), 0.3)
    kept = set_survivors(weight, 0.5)
    draws = torch.stack([set_update(weight, mask, 0.5, seeded(s)) for s in range(3000)])
    free = draws[:, ~kept]
    expected = (mask.sum() - kept.sum()) / (~kept).sum()
    assert free.mean(0) == pytest.approx(expected.expand(free.shape[1]).numpy(), abs=5 * 0.0075)


@pytest.mark.parametrize("count", [0, 1, 17, 100, 756])
def test_magnitude_masks(count):
    weight, _, _ = layer(6, density=1.0)
    mask = magnitude_mask(weight, count)
    assert mask.sum() == count and mask.shape == weight.shape
    if 0 < count < weight.numel():
        assert weight[mask > 0].abs().min() > weight[mask == 0].abs().max()


def test_equal_magnitudes_are_kept_by_position():
    assert magnitude_mask(torch.tensor([1.0, -2.0, 1.0, 1.0, 3.0]), 3).tolist() == [1, 1, 0, 0, 1]


@pytest.mark.parametrize("count", [0, 5, 100, 151, 300, 756])
def test_resizing_prunes_by_weight_and_grows_by_gradient(count):
    weight, grad, mask = layer(7)
    active = int(mask.sum())
    assert active == 151
    found = resize_mask(weight, grad, mask, count)
    assert found.sum() == count
    if count <= active:
        assert (found <= mask).all()
        if 0 < count < active:
            assert weight[found > 0].abs().min() > weight[(mask > 0) & (found == 0)].abs().max()
    else:
        assert (found >= mask).all()
        if count < found.numel():
            assert grad[found > mask].abs().min() > grad[found == 0].abs().max()


def test_resizing_keeps_active_zeros_before_inactive_ones():
    weight = torch.tensor([0.0, 0.0, 5.0, 0.0, 0.0])
    mask = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])
    assert resize_mask(weight, torch.ones(5), mask, 2).tolist() == [0, 0, 1, 1, 0]
    assert resize_mask(weight, torch.tensor([1.0, 2.0, 0, 0, 0]), mask, 4).tolist() == [0, 1, 1, 1, 1]


def stack(size=4):
    """The same layer of networks of different densities, some with hardly any gradient."""
    layers = [layer(seed, density=0.02 + 0.2 * seed) for seed in range(size)]
    for _, grad, _ in layers[1::2]:
        grad[3:] = 0  # ties: more places than gradients
    return [torch.stack(kind) for kind in zip(*layers, strict=True)]


FRACTIONS = [0.5, 0.3, 0.0, 0.05]


@pytest.mark.parametrize(
    "update",
    [
        lambda w, g, m, f, gen: rigl_update(w, g, m, f),
        lambda w, g, m, f, gen: rigl_update(w, g, m, f, "rigl", gen),
        lambda w, g, m, f, gen: set_update(w, m, f, gen),
        lambda w, g, m, f, gen: set_update(w, m, f, gen, "itop"),
        lambda w, g, m, f, gen: resize_mask(
            w, g, m, int(1000 * f) if isinstance(f, float) else [int(1000 * x) for x in f]
        ),
    ],
)
def test_company_changes_nothing(update):
    weight, grad, mask = stack()
    together = update(weight, grad, mask, FRACTIONS, [seeded(s) for s in range(4)])
    for i, fraction in enumerate(FRACTIONS):
        assert torch.equal(together[i], update(weight[i], grad[i], mask[i], fraction, seeded(i)))


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.float64, torch.int8])
def test_the_mask_keeps_its_type(dtype):
    weight, grad, mask = layer(8)
    expected = rigl_update(weight, grad, mask, 0.3)
    found = rigl_update(weight, grad, mask.to(dtype), 0.3)
    assert found.dtype == dtype and torch.equal(found.float(), expected)
    assert set_update(weight, mask.to(dtype), 0.3, seeded(0)).dtype == dtype
    assert resize_mask(weight, grad, mask.to(dtype), 5).dtype == dtype


def test_empty_and_full_layers_stay():
    weight, grad, mask = layer(9)
    for constant in (torch.zeros_like(mask), torch.ones_like(mask)):
        assert torch.equal(rigl_update(weight, grad, constant, 0.5), constant)
        assert torch.equal(set_update(weight, constant, 0.5, seeded(0)), constant)


def test_a_diverged_network_keeps_its_budget():
    weight, grad, mask = layer(10)
    weight, grad = weight * math.nan, grad * math.nan
    for found in (rigl_update(weight, grad, mask, 0.3), set_update(weight, mask, 0.3, seeded(0))):
        assert found.sum() == mask.sum()
    assert resize_mask(weight, grad, mask, 40).sum() == 40


W, G, M = layer(11)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rigl_update(W, G, M, 1.5), "drop fraction"),
        (lambda: rigl_update(W, G, M, float("nan")), "drop fraction"),
        (lambda: rigl_update(W, G[1:], M, 0.5), "shapes differ"),
        (lambda: rigl_update(W, G, M, 0.5, "itp"), "did you mean 'itop'"),
        (lambda: rigl_update(W, G, M, 0.5, "rigl"), "generator"),
        (lambda: rigl_update(W, G, M, [0.5, 0.5]), "2 values"),
        (lambda: set_update(W, M, -0.1, seeded(0)), "drop fraction"),
        (lambda: set_update(W, M, 0.1, seeded(0), "rigl"), "rule of SET"),
        (lambda: set_update(W, M, 0.1, None), "generator"),
        (lambda: resize_mask(W, G, M, 757), "count of weights"),
        (lambda: magnitude_mask(W, 757), "756"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
