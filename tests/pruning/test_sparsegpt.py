"""SparseGPT: against the recursion written out column by column, closed forms, and reconstruction errors."""

import math

import pytest
import torch

from tenfold.errors import InputError
from tenfold.pruning import magnitude_mask, sparsegpt, sparsegpt_jointly, wanda_mask


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def layer(seed=0, rows=12, columns=40, tokens=200):
    """A weight, inputs that depend on each other, and their Hessian over 5 windows."""
    g = seeded(seed)
    x = torch.randn(tokens, columns, generator=g) @ torch.randn(columns, columns, generator=g) / 4
    x *= torch.rand(columns, generator=g) * 2 + 0.1
    return torch.randn(rows, columns, generator=g), x, 2 / 5 * x.T @ x


def written_out(weight, hessian, sparsity, nm=None, blocksize=128, percdamp=0.01, mask=None):
    """The procedure as it is described, in float64: every column pushes its error into all later ones at once."""
    w, h = weight.double().clone(), hessian.double().clone()
    for j in range(len(h)):
        if h[j, j] == 0:
            h[j, j] = 1
            w[:, j] = 0
    h += percdamp * h.diagonal().mean() * torch.eye(len(h), dtype=torch.float64)
    u = torch.linalg.cholesky(torch.linalg.inv(h)).T
    gone = torch.zeros_like(w, dtype=torch.bool) if mask is None else ~mask
    for start in range(0, len(h), blocksize):
        stop = min(start + blocksize, len(h))
        if mask is None and nm is None:
            scores = w[:, start:stop] ** 2 / u.diagonal()[start:stop] ** 2
            limit = scores.flatten().sort().values[math.floor(sparsity * scores.numel())]
            gone[:, start:stop] = scores <= limit
        for j in range(start, stop):
            if nm is not None and j % nm[1] == 0:
                group = slice(j, j + nm[1])
                scores = w[:, group] ** 2 / u.diagonal()[group] ** 2
                gone[:, group].scatter_(1, scores.argsort(dim=1, stable=True)[:, : nm[0]], True)
            q = torch.where(gone[:, j], 0, w[:, j])
            w[:, j:] -= torch.outer((w[:, j] - q) / u[j, j], u[j, j:])
            w[:, j] = q
    return w


def error(weight, pruned, x):
    return ((weight - pruned) @ x.T).square().sum().item()


CASES = [{"sparsity": 0.5}, {"sparsity": 0.8}, {"sparsity": 0.5, "nm": (2, 4)}, {"sparsity": 0.5, "nm": (3, 8)}]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("blocksize", [8, 16, 24, 128])
def test_equals_the_procedure_written_out(case, blocksize):
    weight, _, hessian = layer()
    expected = written_out(weight, hessian, blocksize=blocksize, **case)
    found = sparsegpt(weight, hessian, blocksize=blocksize, **case)
    assert torch.equal(found == 0, expected == 0)
    assert torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_float64_weights_are_computed_in_float64(case):
    weight, x, _ = layer(1)
    hessian = x.double().T @ x.double()
    found = sparsegpt(weight.double(), hessian, blocksize=16, **case)
    expected = written_out(weight, hessian, blocksize=16, **case)
    assert found.dtype == torch.float64
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.73])
def test_every_block_has_one_zero_more_than_asked_for(sparsity):
    weight, _, hessian = layer(2, rows=9, columns=50, tokens=300)
    zeros = sparsegpt(weight, hessian, sparsity, blocksize=16) == 0
    for start in range(0, 50, 16):
        block = zeros[:, start : start + 16]
        assert block.sum() == math.floor(sparsity * block.numel()) + 1
    assert len({*zeros.sum(1).tolist()}) > 1  # rows differ


@pytest.mark.parametrize("nm", [(2, 4), (4, 8)])
def test_every_group_has_its_zeros(nm):
    weight, _, hessian = layer(3)
    zeros = sparsegpt(weight, hessian, 0.0, nm, blocksize=16) == 0
    assert (zeros.reshape(-1, nm[1]).sum(1) == nm[0]).all()


@pytest.mark.parametrize("nm", [None, (2, 4)])
def test_with_a_diagonal_hessian_nothing_but_zeros_changes(nm):
    """No input can make up for another; the scores order as Wanda's |W_ij| ||X_j||, compared in the block."""
    weight, _, _ = layer(4)
    norm = torch.rand(40, generator=seeded(7)) * 5 + 0.2
    found = sparsegpt(weight, torch.diag(norm), 0.6, nm, percdamp=0.0)
    kept = found != 0
    assert torch.equal(found[kept], weight[kept])
    if nm:
        assert torch.equal(kept, wanda_mask(weight, norm, 0.6, nm))
    else:
        scores = weight.abs() * norm.sqrt()
        assert scores[~kept].max() < scores[kept].min()


def test_reconstruction_is_better_than_wanda_and_that_better_than_magnitude():
    for seed in range(5):
        weight, x, hessian = layer(seed, rows=32)
        norm = x.square().sum(0)
        ours = error(weight, sparsegpt(weight, hessian, 0.5), x)
        wanda = error(weight, weight * wanda_mask(weight, norm, 0.5), x)
        assert ours < wanda < error(weight, weight * magnitude_mask(weight, 0.5), x)


def test_the_last_column_is_pruned_and_the_others_solve_for_it():
    """One column gone, with no damping and the column first in order: the others take the least-squares answer."""
    weight, x, hessian = layer(5, rows=4, columns=6)
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[:, 0] = False
    found = sparsegpt(weight.double(), hessian.double(), 0.5, percdamp=0.0, mask=mask)
    x = x.double()
    solved = torch.linalg.lstsq(x[:, 1:], x @ weight.double().T).solution.T
    assert torch.allclose(found[:, 1:], solved, atol=1e-6)
    assert (found[:, 0] == 0).all()


@pytest.mark.parametrize("blocksize", [1, 7, 16, 64])
def test_blocks_change_nothing_for_a_given_mask(blocksize):
    weight, _, hessian = layer(6)
    mask = torch.rand(weight.shape, generator=seeded(3)) > 0.5
    whole = sparsegpt(weight, hessian, 0.5, blocksize=128, mask=mask)
    found = sparsegpt(weight, hessian, 0.5, blocksize=blocksize, mask=mask)
    assert torch.equal(found != 0, mask)
    assert torch.allclose(found, whole, rtol=1e-4, atol=1e-5)
    assert torch.allclose(whole.double(), written_out(weight, hessian, 0.5, mask=mask), rtol=1e-4, atol=1e-5)


def test_maps_of_the_same_inputs_together_are_as_each_alone():
    weight, _, hessian = layer(7, rows=30)
    parts, shares = list(weight.split([6, 14, 10])), [0.5, 0.0, 0.8]
    found = sparsegpt_jointly(parts, hessian, shares, blocksize=16)
    for part, share, new in zip(parts, shares, found, strict=True):
        alone = sparsegpt(part, hessian, share, blocksize=16)
        assert torch.equal(new == 0, alone == 0)
        assert torch.allclose(new, alone, rtol=1e-5, atol=1e-6)
    assert torch.equal(found[1], parts[1])


def test_scale_of_the_hessian_and_order_of_rows():
    weight, _, hessian = layer(8)
    found = sparsegpt(weight, hessian, 0.5, blocksize=16)
    assert torch.allclose(sparsegpt(weight, hessian * 1024, 0.5, blocksize=16), found, atol=1e-6)
    rows = torch.randperm(12, generator=seeded(0))
    assert torch.allclose(sparsegpt(weight[rows], hessian, 0.5, blocksize=16), found[rows], atol=1e-6)


def test_dead_inputs_are_zeroed_and_the_rest_is_pruned_as_written():
    weight, x, _ = layer(9)
    x[:, [0, 17, 39]] = 0
    hessian = 2 / 5 * x.T @ x
    found = sparsegpt(weight, hessian, 0.4, blocksize=16)
    assert (found[:, [0, 17, 39]] == 0).all()
    expected = written_out(weight, hessian, 0.4, blocksize=16)
    assert torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_sparsity_zero_returns_a_copy():
    weight, x, _ = layer(10)
    x[:, 3] = 0
    found = sparsegpt(weight, x.T @ x, 0.0)
    assert torch.equal(found, weight)
    assert found.data_ptr() != weight.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_only_in_storage(dtype):
    weight, _, hessian = layer(11)
    found = sparsegpt(weight.to(dtype), hessian, 0.5)
    expected = sparsegpt(weight.to(dtype).float(), hessian, 0.5)
    assert found.dtype == dtype
    assert torch.equal(found, expected.to(dtype))


def test_fewer_tokens_than_inputs_are_bearable_with_damping():
    weight, x, _ = layer(12, tokens=10)
    assert sparsegpt(weight, x.T @ x, 0.5).isfinite().all()
    with pytest.raises(InputError, match="not positive definite"):
        sparsegpt(weight, torch.ones(40, 40), 0.5, percdamp=0.0)


def test_what_does_not_fit():
    weight, _, hessian = layer(13)
    for wrong, message in ((hessian[:-1, :-1], "does not fit"), (hessian * math.nan, "finite"), (-hessian, "negative")):
        with pytest.raises(InputError, match=message):
            sparsegpt(weight, wrong, 0.5)
    with pytest.raises(InputError, match="groups of 8"):
        sparsegpt(weight, hessian, 0.5, (4, 8), blocksize=12)
    with pytest.raises(InputError, match=r"\[0, 1\)"):
        sparsegpt(weight, hessian, 1.0)
    with pytest.raises(InputError, match="shape of its weight"):
        sparsegpt(weight, hessian, 0.5, mask=torch.ones(3, 3, dtype=torch.bool))
    with pytest.raises(InputError, match="at least one column"):
        sparsegpt(weight, hessian, 0.5, blocksize=0)
