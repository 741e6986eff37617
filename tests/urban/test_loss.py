"""Losses: limits, invariances, the dense and the distinct form, the floor, gradients."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch.nn import functional

from tenfold.errors import InputError
from tenfold.urban import clip_loss, distinct_clip_loss, information_floor, multi_positive_loss, space2vec_loss

SCALE = math.log(1 / 0.07)


def pairs(batch=12, width=6, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, width, generator=generator, dtype=dtype) for _ in range(2)]


def copies(texts=5, batch=23, width=6, seed=0, dtype=torch.float64):
    """Distinct texts, the text of each row, and locations; the last text has no copy."""
    text, _ = pairs(texts, width, seed, dtype)
    _, location = pairs(batch, width, seed + 1, dtype)
    return text, torch.from_numpy(np.random.default_rng(seed).integers(0, texts - 1, batch)), location


def test_against_cross_entropy_row_by_row():
    text, location = pairs()
    logits = math.exp(SCALE) * text @ (location / location.norm(dim=1, keepdim=True)).T
    target = torch.arange(len(text))
    expected = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
    for scale in (SCALE, torch.tensor(SCALE, dtype=torch.float64), np.float64(SCALE)):
        assert clip_loss(text, location, scale).item() == pytest.approx(expected.item(), rel=1e-13)


def test_double_locations_are_cast_to_the_texts():
    text, location = pairs()
    single = clip_loss(text.float(), location, SCALE)
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(clip_loss(text, location, SCALE).item(), rel=1e-6)


def test_one_pair_costs_nothing_and_equal_logits_cost_ln_b():
    text, location = pairs(1)
    assert clip_loss(text, location, SCALE).item() == 0
    text, location = pairs(50)
    assert clip_loss(torch.zeros_like(text), location, SCALE).item() == pytest.approx(math.log(50), rel=1e-14)
    assert clip_loss(text, location[:1].expand(50, 6), -100.0).item() == pytest.approx(math.log(50), rel=1e-14)
    # All texts and all places alike: no logit differs, whatever the temperature.
    alike = clip_loss(text[:1].expand(50, 6), location[:1].expand(50, 6), SCALE)
    assert alike.item() == pytest.approx(math.log(50), rel=1e-13)


def test_invariances():
    text, location = pairs()
    loss = clip_loss(text, location, SCALE).item()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    assert clip_loss(text[order], location[order], SCALE).item() == pytest.approx(loss, rel=1e-13)
    longer = torch.linspace(0.1, 9, 12, dtype=torch.float64)[:, None]
    assert clip_loss(text, longer * location, SCALE).item() == pytest.approx(loss, rel=1e-13)
    assert clip_loss(text[order], location, SCALE).item() != pytest.approx(loss, rel=1e-3)


def test_norm_of_the_text_counts_unless_it_is_normalised():
    text, location = pairs()
    assert clip_loss(2 * text, location, SCALE).item() == pytest.approx(
        clip_loss(text, location, SCALE + math.log(2)).item(), rel=1e-13
    )
    assert clip_loss(2 * text, location, SCALE).item() != pytest.approx(
        clip_loss(text, location, SCALE).item(), rel=0.1
    )
    cosine = clip_loss(text, location, SCALE, normalize_text=True).item()
    assert clip_loss(2 * text, location, SCALE, True).item() == pytest.approx(cosine, rel=1e-13)
    unit = text / text.norm(dim=1, keepdim=True)
    assert cosine == pytest.approx(clip_loss(unit, location, SCALE).item(), rel=1e-13)


@pytest.mark.parametrize("normalize_text", [False, True])
def test_distinct_texts_give_the_same_loss_and_gradients(normalize_text):
    text, index, location = copies()
    scale = torch.tensor(SCALE, dtype=torch.float64)
    values, slopes = [], []
    for loss in (
        lambda u, z, s: clip_loss(u[index], z, s, normalize_text),
        lambda u, z, s: distinct_clip_loss(u, index, z, s, normalize_text),
    ):
        inputs = [tensor.clone().requires_grad_() for tensor in (text, location, scale)]
        value = loss(*inputs)
        values.append(value.item())
        slopes.append(torch.autograd.grad(value, inputs))
    assert values[0] == pytest.approx(values[1], rel=1e-13)
    for dense, distinct in zip(*slopes, strict=True):
        np.testing.assert_allclose(distinct, dense, rtol=1e-10, atol=1e-13)
    # The text without copy has no part in it.
    assert slopes[1][0][-1].abs().max() == 0


def test_distinct_texts_in_single_precision():
    text, index, location = copies(20, 512, 128, dtype=torch.float32)
    dense, distinct = clip_loss(text[index], location, SCALE), distinct_clip_loss(text, index, location, SCALE)
    assert distinct.item() == pytest.approx(dense.item(), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_a_text_keep_the_loss_above_the_floor(seed):
    text, index, location = copies(seed=seed)
    floor = information_floor(index)
    for scale in (-3.0, 0.0, SCALE, 5.0):
        assert clip_loss(text[index], location, scale).item() > floor
    # Reached where every place knows its text for certain: the bound is tight.
    certain = torch.eye(5, dtype=torch.float64)
    assert distinct_clip_loss(certain, index, certain[index], 5.0).item() == pytest.approx(floor, abs=1e-9)


def test_floor_is_ln_b_less_the_entropy_of_the_texts():
    index = np.repeat([0, 3, 4], [1, 5, 14])
    assert information_floor(index) == pytest.approx(math.log(20) - entropy([1, 5, 14]), rel=1e-13)
    assert information_floor(torch.from_numpy(index)) == information_floor(index)
    assert information_floor(np.arange(9)) == 0
    assert information_floor(np.zeros(9, int)) == pytest.approx(math.log(9))
    with pytest.raises(InputError, match="empty"):
        information_floor([])


def naive_multi_positive(text, index, location, scale):
    logits = math.exp(scale) * text[index] @ functional.normalize(location, dim=1).T
    same = index[:, None] == index
    rows = [-(row[mine].exp().sum() / row.exp().sum()).log() for row, mine in zip(logits, same, strict=True)]
    columns = [-(row[mine].exp().sum() / row.exp().sum()).log() for row, mine in zip(logits.T, same, strict=True)]
    return (sum(rows) + sum(columns)) / (2 * len(index))


def test_multi_positive_against_sums_over_positives():
    text, index, location = copies()
    expected = naive_multi_positive(text, index, location, 0.5)
    assert multi_positive_loss(text, index, location, 0.5).item() == pytest.approx(expected.item(), rel=1e-12)


def test_multi_positive_has_no_floor_and_finite_gradients():
    text, index, location = (tensor.requires_grad_() if tensor.is_floating_point() else tensor for tensor in copies())
    certain = torch.eye(5, dtype=torch.float64)
    assert multi_positive_loss(certain, index, certain[index], 5.0).item() == pytest.approx(0, abs=1e-9)
    slopes = torch.autograd.grad(multi_positive_loss(text, index, location, SCALE), (text, location))
    assert all(torch.isfinite(slope).all() for slope in slopes)
    assert slopes[0][-1].abs().max() == 0


def test_mean_of_logarithms_over_positives_is_the_official_loss():
    text, index, location = copies()
    logits = math.exp(SCALE) * text[index] @ functional.normalize(location, dim=1).T
    same = (index[:, None] == index).double()
    share = same / same.sum(dim=1, keepdim=True)
    soft = (functional.cross_entropy(logits, share) + functional.cross_entropy(logits.T, share)) / 2
    assert soft.item() == pytest.approx(clip_loss(text[index], location, SCALE).item(), rel=1e-12)


def test_space2vec_term_by_term():
    generator = torch.Generator().manual_seed(0)
    location, positive = (torch.randn(7, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    negatives = torch.randn(7, 10, 4, generator=generator, dtype=torch.float64)

    def log_sigmoid(x):
        return -math.log1p(math.exp(-x))

    rows = [
        log_sigmoid(float(c @ d)) + sum(log_sigmoid(-float(n @ d)) for n in others) / 10
        for d, c, others in zip(location, positive, negatives, strict=True)
    ]
    assert space2vec_loss(location, positive, negatives).item() == pytest.approx(-sum(rows) / 7, rel=1e-13)
    nothing = space2vec_loss(torch.zeros_like(location), positive, negatives)
    assert nothing.item() == pytest.approx(2 * math.log(2), rel=1e-14)
    # Scores of +-1000 neither overflow nor lose the gradient.
    far = (1000 * location).requires_grad_()
    space2vec_loss(far, positive, negatives).backward()
    assert torch.isfinite(far.grad).all() and far.grad.abs().max() > 0


@pytest.mark.parametrize("normalize_text", [False, True])
def test_gradients_by_differences(normalize_text):
    text, index, location = copies(3, 5, 4)
    inputs = (text.requires_grad_(), location.requires_grad_(), torch.tensor(0.7).double().requires_grad_())
    assert torch.autograd.gradcheck(lambda u, z, s: clip_loss(u[index], z, s, normalize_text), inputs)
    assert torch.autograd.gradcheck(lambda u, z, s: distinct_clip_loss(u, index, z, s, normalize_text), inputs)
    assert torch.autograd.gradcheck(lambda u, z, s: multi_positive_loss(u, index, z, s, normalize_text), inputs)


def test_gradients_of_space2vec_by_differences():
    location, positive = (tensor.requires_grad_() for tensor in pairs(5, 4))
    negatives = torch.randn(5, 10, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(space2vec_loss, (location, positive, negatives.requires_grad_()))


def test_shapes_that_do_not_fit_are_refused():
    text, location = pairs()
    index = torch.zeros(12, dtype=torch.int64)
    for bad in (
        lambda: clip_loss(text[:3], location, 0.0),
        lambda: clip_loss(text[:0], location[:0], 0.0),
        lambda: clip_loss(text[0], location[0], 0.0),
        lambda: distinct_clip_loss(text, index[:4], location, 0.0),
        lambda: multi_positive_loss(text[:, :2], index, location, 0.0),
        lambda: space2vec_loss(location, text[:3], torch.zeros(12, 10, 6)),
        lambda: space2vec_loss(location, text, torch.zeros(12, 10, 5)),
        lambda: space2vec_loss(location, text, torch.zeros(12, 6)),
    ):
        with pytest.raises(InputError, match="and"):
            bad()
