"""OWL: the mapping in closed form, the share of outliers of known distributions, and what leaves it as it is."""

import copy
import math

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.llama import blocks, linears, tiny
from tenfold.pruning import outlier_distribution, outlier_percent, owl_nm, owl_ratios, prune


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def outliers(seed, count=32):
    return np.random.default_rng(seed).gamma(2.0, 3.0, count)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("target", "lam"), [(0.7, 0.08), (0.5, 0.2), (0.6, 0.02)])
def test_mean_range_and_order(seed, target, lam):
    d = outliers(seed)
    found = owl_ratios(d, target, lam)
    assert abs(found.mean() - target) < 1e-12
    assert abs(found.max() - found.min() - 2 * lam) < 1e-12
    assert (np.argsort(found) == np.argsort(-d)).all()
    m = ((d - d.min()) / (d.max() - d.min())).mean()
    assert found.min() == pytest.approx(target - 2 * lam * (1 - m), abs=1e-12)
    assert np.allclose(owl_ratios(7 * d + 100, target, lam), found, atol=1e-12)


def test_a_known_allocation():
    """D = 1, 2, 5: scaled 0, 0.04, 0.16, mean 0.2/3."""
    expected = 0.7 + np.array([0.2 / 3, 0.2 / 3 - 0.04, 0.2 / 3 - 0.16])
    assert np.allclose(owl_ratios([1, 2, 5], 0.7, 0.08), expected, atol=1e-15)


@pytest.mark.parametrize("target", [0.0, 0.1, 0.3, 0.7])
def test_no_spread_and_no_lambda_are_uniform_to_the_bit(target):
    assert owl_ratios([2.0] * 5, target, 0.1).tolist() == [target] * 5
    assert owl_ratios(outliers(0), target, 0.0).tolist() == [target] * 32


def test_ratios_of_zero_or_less_become_one_percent():
    found = owl_ratios([0, 0, 0, 10], 0.1, 0.1)  # shifts -0.05, -0.05, -0.05, 0.15
    assert np.allclose(found, [0.15, 0.15, 0.15, 0.01])


def test_kept_weights_of_every_group():
    found = owl_nm([1, 2, 3, 4, 5], keep=5)  # shifts -1, -0.5, 0, 0.5, 1, rounded to even
    assert found.tolist() == [4, 5, 5, 5, 6]
    assert owl_nm([3, 3, 3], 5).tolist() == [5, 5, 5]
    assert owl_nm([0, 0, 0, 9], 7, lam=8).tolist() == [5, 5, 5, 7]
    assert owl_nm([9, 9, 9, 0], 3, lam=16).tolist() == [7, 7, 7, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 0.5, 0.1), "for each block"),
        (([1, math.nan], 0.5, 0.1), "finite"),
        (([1, 2], 0.5, -0.1), "lambda"),
        (([1, 2], 1.0, 0.1), r"\[0, 1\)"),
        (([1, 2], 0.9, 0.2), "take less"),
    ],
)
def test_allocations_that_cannot_be(arguments, message):
    with pytest.raises(InputError, match=message):
        owl_ratios(*arguments)


def test_kept_weights_that_cannot_be():
    with pytest.raises(InputError, match="cannot be kept"):
        owl_nm([1, 2], 8)


@pytest.mark.parametrize("M", [2, 3, 4])
def test_half_normal_scores(M):
    """D = P(|z| > M E|z|), E|z| = sqrt(2/pi)."""
    scores = torch.randn(1000, 1000, generator=seeded(0)).abs()
    share = math.erfc(M / math.sqrt(math.pi))
    assert abs(outlier_percent(scores, M) / 100 - share) < 5 * math.sqrt(share / 1e6)
    pooled = outlier_percent(list(scores.split([300, 300, 400])), M)
    assert pooled == outlier_percent(scores, M)


def test_outliers_of_known_scores():
    scores = torch.tensor([1.0, 1, 1, 1, 6])  # mean 2
    assert outlier_percent(scores, 2.9) == 20
    assert outlier_percent(scores, 3) == 0  # 6 is not above 6
    assert outlier_percent(torch.full((50,), 0.3), 1) == 0
    assert outlier_percent(scores * 1024, 2.9) == 20


def test_scores_that_cannot_be():
    with pytest.raises(InputError, match="scores"):
        outlier_percent([], 3)
    with pytest.raises(InputError, match="positive factor"):
        outlier_percent(torch.ones(3), 0)
    with pytest.raises(InputError, match="NaN"):
        outlier_percent(torch.tensor([1.0, math.nan]), 3)


@pytest.fixture(scope="module")
def model():
    net = tiny(96, 32, 48, 3, 4, 24, seed=1)
    with torch.no_grad():
        for part in net.model.layers.parameters():
            part.mul_(torch.rand(part.shape[-1:], generator=seeded(part.numel())) ** 3 * 4 + 0.1)
    return net


@pytest.fixture(scope="module")
def ids():
    return torch.randint(0, 96, (6, 16), generator=seeded(2))


def test_the_distribution_is_that_of_the_dense_model(model, ids):
    """Scores from one pass of the whole model with hooks, all maps of a block in one vector."""
    inputs, hooks = {}, []
    for i, block in enumerate(blocks(model)):
        for name, part in linears(block).items():
            hooks.append(part.register_forward_pre_hook(lambda _, x, key=(i, name): inputs.update({key: x[0]})))
    with torch.no_grad():
        model(ids)
    for hook in hooks:
        hook.remove()
    found = outlier_distribution(model, ids, [3, 5], batch=4)
    each = outlier_distribution(model, ids, [3], per_linear=True)
    assert list(found.columns) == ["block", "linear", "M", "D"]
    assert (len(found), len(each)) == (6, 21)
    for i, block in enumerate(blocks(model)):
        scores = {
            n: (p.weight.abs() * inputs[i, n].flatten(0, 1).norm(dim=0)).flatten() for n, p in linears(block).items()
        }
        pooled = torch.cat([*scores.values()])
        for M in (3, 5):
            expected = 100 * (pooled > M * pooled.mean()).double().mean().item()
            assert found.query("block == @i and M == @M").D.item() == pytest.approx(expected, abs=0.01)
        assert expected > 0
        for name, score in scores.items():
            expected = 100 * (score > 3 * score.mean()).double().mean().item()
            assert each[(each.block == i) & (each.linear == name)].D.item() == pytest.approx(expected, abs=0.1)


def test_injected_outlier_channels_change_no_score(model, ids):
    scaled = copy.deepcopy(model)
    for block in blocks(scaled):
        block.input_layernorm.weight.detach()[[2, 9]] *= 32
        for name in ("q_proj", "k_proj", "v_proj"):
            linears(block)[name].weight.detach()[:, [2, 9]] /= 32
    before, after = (outlier_distribution(net, ids, [3, 5]) for net in (model, scaled))
    assert before.equals(after)


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_lambda_zero_is_uniform_pruning_bit_for_bit(model, ids, method):
    d = outlier_distribution(model, ids, [3]).D
    uniform = prune(model, ids, method, 0.6)
    found = prune(model, ids, method, 0.6, layer_ratios=owl_ratios(d, 0.6, 0.0))
    assert all(torch.equal(a, b) for a, b in zip(uniform.parameters(), found.parameters(), strict=True))


def test_achieved_sparsity_of_rows(model, ids):
    ratios = owl_ratios(outlier_distribution(model, ids, [3]).D, 0.7, 0.08)
    for ratio, block in zip(ratios, blocks(prune(model, ids, "wanda", 0.7, layer_ratios=ratios)), strict=True):
        for part in linears(block).values():
            assert ((part.weight == 0).sum(1) == math.floor(ratio * part.in_features)).all()
