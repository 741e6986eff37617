"""The location encoder: its size, its formula, its dropout, its generators."""

import numpy as np
import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.urban import GridEncoder, LocationEncoder, location_encoder
from tenfold.urban.heads import TextHead
from tenfold.urban.layers import ResidualBlock, kept

XY = np.random.default_rng(0).uniform([503_568, 155_850], [561_958, 200_934], (40, 2))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


def small(**options):
    return location_encoder(frequencies=4, width=16, blocks=2, out=8, generator=seeded(), **options)


def test_published_numbers_of_parameters():
    encoder = LocationEncoder(GridEncoder())
    head = TextHead(torch.zeros(3, 384), 128)
    assert size(encoder) == 592_128
    assert size(head.projection) == 49_280
    assert size(encoder) + size(head) == 641_409
    assert encoder.layers[-1].bias is None


def test_formula_against_numpy():
    encoder = small().eval()
    W = [parameter.detach().double().numpy() for parameter in encoder.parameters()]
    hidden = np.maximum(GridEncoder(4)(XY) @ W[0].T + W[1], 0)
    for W1, b1, W2, b2 in (W[2:6], W[6:10]):
        hidden = hidden + np.maximum(np.maximum(hidden @ W1.T + b1, 0) @ W2.T + b2, 0)
    np.testing.assert_allclose(encoder(XY).detach(), hidden @ W[10].T, atol=1e-6)
    np.testing.assert_allclose(encoder.double()(XY).detach(), hidden @ W[10].T, atol=1e-13)


def test_branch_without_second_layer_is_inactive():
    block = ResidualBlock(16)
    nn.init.zeros_(block.outer.weight)
    nn.init.zeros_(block.outer.bias)
    hidden = torch.randn(5, 16, generator=seeded())
    for mode in (True, False):
        assert torch.equal(block.train(mode)(hidden), hidden)


def test_cached_encoding_gives_the_same_bits():
    encoder = small().eval()
    assert torch.equal(encoder.from_encoding(encoder.encode(XY)), encoder(XY))
    assert torch.equal(encoder(torch.from_numpy(XY)), encoder(XY))
    assert encoder.encode(XY).dtype == torch.float32
    assert torch.equal(encoder.encode(XY), torch.from_numpy(GridEncoder(4)(XY)).float())


def test_coordinates_keep_their_metres():
    """A step of 1 mm is seen: coordinates in single precision go by steps of 6 cm."""
    encoder = small()
    moved = XY + np.array([1e-3, 0])
    shift = (encoder.encode(moved) - encoder.encode(XY))[:, 1].abs().numpy()
    np.testing.assert_allclose(shift, np.abs(np.sin(XY[:, 0] / 100)) * 1e-5, atol=2e-7)


def test_dropout_acts_only_in_training():
    encoder = small()
    first, second = encoder(XY, seeded(1)), encoder(XY, seeded(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, encoder(XY, seeded(1)))
    assert torch.equal(encoder.eval()(XY, seeded(1)), encoder(XY, seeded(2)))
    plain = small(dropout=0.0)
    assert torch.equal(plain(XY), plain.eval()(XY))


@pytest.mark.parametrize("dropout", [0.5, 0.1, 0.75])
def test_kept_has_mean_one_and_independent_entries(dropout):
    mask = kept(torch.empty(301, 333), dropout, seeded(3)).numpy()
    np.testing.assert_allclose(np.unique(mask), [0, 1 / (1 - dropout)], rtol=1e-6)
    spread = np.sqrt(dropout / (1 - dropout))
    assert abs(mask.mean() - 1) < 4 * spread / np.sqrt(mask.size)
    # Each bit of a byte, and neighbours in rows and columns.
    eighths = mask.reshape(-1)[: mask.size // 8 * 8].reshape(-1, 8).mean(axis=0)
    assert np.abs(eighths - 1).max() < 5 * spread / np.sqrt(mask.size / 8)
    centred = (mask - 1) / spread
    for a, b in ((centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1]), (centred[:, 64:], centred[:, :-64])):
        assert abs((a * b).mean()) < 5 / np.sqrt(a.size)


def test_kept_follows_its_generator():
    like = torch.empty(7, 9, dtype=torch.float64)
    for dropout in (0.5, 0.3):
        assert torch.equal(kept(like, dropout, seeded(1)), kept(like, dropout, seeded(1)))
        assert not torch.equal(kept(like, dropout, seeded(1)), kept(like, dropout, seeded(2)))
        assert kept(like, dropout, seeded()).dtype == torch.float64


def test_weights_are_drawn_as_torch_draws_them():
    """Uniform in +-1/sqrt(inputs), from a generator of their own: the global one is not touched."""
    before = torch.random.get_rng_state()
    encoder = location_encoder(generator=seeded(4))
    again = location_encoder(generator=seeded(4))
    assert torch.equal(torch.random.get_rng_state(), before)
    for one, other in zip(encoder.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    weight = encoder.layers[2].inner.weight.detach()
    assert weight.abs().max().item() == pytest.approx(1 / 16, rel=1e-3)
    assert weight.std().item() == pytest.approx(nn.Linear(256, 256).weight.std().item(), rel=0.02)
    assert not torch.equal(encoder.layers[2].inner.weight, encoder.layers[3].inner.weight)


def test_linear_network_is_one_matrix():
    encoder = location_encoder(network="linear", generator=seeded())
    assert size(encoder) == 128 * 128 + 128
    weight, bias = encoder.parameters()
    torch.testing.assert_close(encoder(XY), encoder.encode(XY) @ weight.T + bias, rtol=0, atol=1e-6)


def test_siren_against_numpy():
    encoder = small(network="siren")
    W = [parameter.detach().double().numpy() for parameter in encoder.parameters()]
    first = np.sin(30 * (GridEncoder(4)(XY) @ W[0].T + W[1]))
    expected = np.sin(first @ W[2].T + W[3]) @ W[4].T + W[5]
    np.testing.assert_allclose(encoder.double()(XY).detach(), expected, atol=1e-12)
    assert np.abs(W[0]).max() <= 1 / 16 and np.abs(W[2]).max() <= (6 / 16) ** 0.5
    # Wider than the default of torch, which is 1/4.
    assert np.abs(W[2]).max() > 0.5


@pytest.mark.parametrize("options", [{"width": 0}, {"blocks": 0}, {"out": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_impossible_sizes_are_refused(options):
    with pytest.raises(InputError, match="a location encoder needs"):
        LocationEncoder(GridEncoder(), **options)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="did you mean 'siren'"):
        location_encoder(network="sirene")
    with pytest.raises(InputError, match="unknown encoding 'gird'; did you mean 'grid'"):
        location_encoder("gird")
    with pytest.raises(InputError, match="widht"):
        location_encoder(widht=3)
