"""Factors: Eckart and Young in both norms, balanced factors, the randomised way, what does not fit."""

import math

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.lowrank import Factors, break_even, factorize
from tenfold.lowrank.factors import principal
from tests.lowrank.matrices import matrix

SHAPES = [(20, 20), (33, 14), (14, 33)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", ["gram", "svd"])
@pytest.mark.parametrize("rank", [1, 5, 13])
def test_eckart_and_young(shape, method, rank):
    w = matrix(*shape)
    sigma = np.linalg.svd(w.double().numpy(), compute_uv=False)
    a, b = factorize(w, rank, method)
    assert a.shape == (shape[0], rank)
    assert b.shape == (rank, shape[1])
    rest = (w - a @ b).double()
    assert rest.square().sum().item() == pytest.approx((sigma[rank:] ** 2).sum(), rel=1e-5)
    assert torch.linalg.matrix_norm(rest, 2).item() == pytest.approx(sigma[rank], rel=1e-5)
    diagonal = torch.diag(torch.tensor(sigma[:rank]))
    for product in (a.mT @ a, b @ b.mT):
        assert torch.allclose(product.double(), diagonal, atol=1e-5 * sigma[0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_the_full_rank_is_the_matrix(shape, decay):
    """Also where the last values are 1e-9 of the first, below the rounding of float32."""
    w = matrix(*shape, decay=decay)
    a, b = factorize(w, min(shape))
    assert torch.allclose(a @ b, w, atol=1e-5 * torch.linalg.matrix_norm(w, 2).item())


def test_directions_that_are_not_there_are_left_out():
    for shape in SHAPES:
        w = matrix(shape[0], 3) @ matrix(3, shape[1], 1)
        a, b = factorize(w, 8)
        assert a.isfinite().all()
        assert b.isfinite().all()
        assert torch.allclose(a @ b, w, atol=1e-5)
        assert not (a[:, 3:] if shape[0] >= shape[1] else b[3:]).any()
    a, b = factorize(torch.zeros(5, 4), 2)
    assert not a.any()
    assert not b.any()


def test_one_decomposition_gives_every_rank():
    w = matrix(17, 11)
    factors = Factors(w, *principal(w))
    assert factors.shape == (17, 11)
    for rank in (1, 4, 11):
        for ours, alone in zip(factors.pair(rank), factorize(w, rank), strict=True):
            assert torch.allclose(ours, alone, atol=1e-6)
        a, b = factors.pair(rank)
        assert factors.lost(rank) == pytest.approx((w - a @ b).square().sum().item(), rel=1e-4, abs=1e-8)


def test_random_directions_are_nearly_the_best():
    w = matrix(60, 40, decay=0.1)
    sigma = torch.linalg.svdvals(w)
    a, b = factorize(w, 8, "randomised")
    best = sigma[8:].square().sum()
    assert best <= (w - a @ b).square().sum() < 1.01 * best
    again = factorize(w, 8, "randomised")
    assert torch.equal(a, again[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_factors_are_of_the_type_of_the_weight(dtype):
    w = matrix(12, 9).to(dtype)
    a, b = factorize(w, 4)
    wanted = factorize(w.float(), 4)
    assert a.dtype == b.dtype == dtype
    assert torch.allclose(a.float(), wanted[0].to(dtype).float(), atol=1e-6)


def test_break_even():
    for m, n in ((4096, 4096), (11008, 4096), (768, 3072)):
        rank = break_even(m, n)
        assert rank * (m + n) == pytest.approx(m * n)
    assert break_even(768, 768) == 384
    assert break_even(11008, 4096) / 4096 == pytest.approx(0.729, abs=5e-4)


def test_what_has_no_factors():
    w = matrix(6, 4)
    for rank in (0, 5, -1, 2.0, True):
        with pytest.raises(InputError, match=r"rank of a matrix \(6, 4\) lies in 1 \.\.\. 4"):
            factorize(w, rank)
    with pytest.raises(InputError, match=r"1 \.\.\. 4"):
        Factors(w, *principal(w)).pair(5)
    w[0, 0] = math.nan
    with pytest.raises(InputError, match="NaN"):
        factorize(w, 2)
    with pytest.raises(InputError, match="decomposition"):
        factorize(matrix(3, 3), 1, "qr")
