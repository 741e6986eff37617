"""Sparse layers against torch's dense ones."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from tenfold.errors import InputError
from tenfold.sparsity import compute
from tenfold.sparsity.compute import GatheredConv, Layer, csr, csr_linear, time_layers


def sparse(*shape, density=0.2, seed=0, dtype=torch.float32):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=dtype) * (torch.rand(shape, generator=g) < density)


def dense_conv(x, weight, stride, padding):
    return conv2d(x.transpose(0, 1), weight, stride=stride, padding=padding).transpose(0, 1)


@pytest.mark.parametrize("density", [0.0, 0.01, 0.3, 1.0])
def test_a_sparse_matrix_maps_as_a_dense_one(density):
    weight, x = sparse(30, 40, density=density), torch.randn(40, 17)
    torch.testing.assert_close(csr_linear(csr(weight), x), weight @ x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (3, 2), (1, 5), (7, 7)])
@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
def test_a_gathered_convolution_equals_the_dense_one(stride, padding, kernel, size):
    weight = sparse(6, 5, *kernel, dtype=torch.float64)
    x = torch.randn(5, 4, *size, dtype=torch.float64)
    if min(n + 2 * padding - k for n, k in zip(size, kernel, strict=True)) < 0:
        with pytest.raises(InputError, match="does not fit"):
            GatheredConv(weight, stride, padding)(x)
        return
    torch.testing.assert_close(
        GatheredConv(weight, stride, padding)(x), dense_conv(x, weight, stride, padding), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("density", [0.0, 0.01, 0.05, 1.0])
@pytest.mark.parametrize("gathered", [1, 5000, 1 << 20])
def test_parts_of_the_batch_make_the_whole(monkeypatch, density, gathered):
    """From one image at a time to all at once, with empty rows and columns of the kernel and with none."""
    monkeypatch.setattr(compute, "GATHERED", gathered)
    weight, x = sparse(8, 6, 3, 3, density=density, seed=3), torch.randn(6, 5, 9, 9)
    layer = GatheredConv(weight, 1, 1)
    torch.testing.assert_close(layer(x), dense_conv(x, weight, 1, 1), rtol=1e-4, atol=1e-5)


def test_a_layer_takes_one_input_after_the_other():
    weight = sparse(4, 3, 3, 3, density=0.4)
    layer = GatheredConv(weight, 2, 1)
    for shape in ((2, 8, 8), (2, 8, 8), (5, 6, 9), (2, 8, 8)):
        x = torch.randn(3, *shape)
        first = layer(x)
        kept = first.clone()
        torch.testing.assert_close(first, dense_conv(x, weight, 2, 1), rtol=1e-5, atol=1e-5)
        layer(torch.randn(3, *shape))
        assert torch.equal(first, kept)


def test_a_broken_image_stays_alone():
    weight, x = sparse(4, 3, 3, 3, density=0.4), torch.randn(3, 6, 5, 5)
    x[:, 2] = float("nan")
    y = GatheredConv(weight, 1, 1)(x)
    assert y[:, 2].isnan().any() and y[:, [0, 1, 3, 4, 5]].isfinite().all()


def test_the_weight_is_kept_as_it_was():
    weight, x = sparse(4, 3, 3, 3), torch.randn(3, 2, 5, 5)
    layer, expected = GatheredConv(weight, 1, 1), dense_conv(x, weight, 1, 1)
    weight.zero_()
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)


def test_times_have_a_row_for_each_path():
    layers = [Layer("linear", 16, batch=4), Layer("conv", 4, 6, batch=2)]
    table = time_layers(layers, (0.1, 0.01), repeats=1)
    assert list(table.columns) == ["kind", "shape", "batch", "density", "path", "milliseconds", "speedup"]
    assert table["path"].tolist() == ["dense", "masked", "sparse"] * 4
    assert table["shape"].unique().tolist() == ["16x16", "4x4x3x3 on 6x6"]
    assert (table["milliseconds"] > 0).all()
    dense = np.repeat(table.query("path == 'dense'")["milliseconds"].to_numpy(), 3)
    np.testing.assert_allclose(table["speedup"], dense / table["milliseconds"])


@pytest.mark.parametrize("layer", [Layer("linear", 16, batch=4), Layer("conv", 4, 6, batch=2)])
def test_the_timed_paths_compute_the_same(layer):
    calls = compute._paths(layer, 0.3, torch.Generator().manual_seed(0))
    sparse_y = calls["sparse"]().transpose(0, 1)
    for name, call in calls.items():
        if name.startswith("masked"):
            torch.testing.assert_close(call(), sparse_y, rtol=1e-4, atol=1e-5)
        elif name.startswith("dense"):
            assert call().shape == sparse_y.shape


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: csr(torch.ones(2, 2, 2)), "only a matrix"),
        (lambda: csr_linear(csr(torch.ones(3, 2)), torch.ones(3, 2)), r"needs x \(2, B\)"),
        (lambda: GatheredConv(torch.ones(3, 2)), "a kernel is"),
        (lambda: GatheredConv(torch.ones(3, 2, 3, 3), stride=0), "stride >= 1"),
        (lambda: GatheredConv(torch.ones(3, 2, 3, 3))(torch.ones(3, 1, 5, 5)), "does not fit"),
        (lambda: GatheredConv(torch.ones(3, 2, 3, 3))(torch.ones(2, 5, 5)), "does not fit"),
        (lambda: Layer("pool", 3), "'linear' or 'conv'"),
        (lambda: Layer("conv", 0), "at least 1"),
        (lambda: time_layers([Layer("linear", 4)], [0.0]), r"in \(0, 1\]"),
    ],
)
def test_bad_input_is_refused(call, word):
    with pytest.raises(InputError, match=word):
        call()
