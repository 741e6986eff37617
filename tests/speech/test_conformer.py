"""The Conformer: as it is written, masks, names of its weights, factories of its linear maps."""

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.speech import ConformerBlock, ConformerEncoder, ConvolutionModule, FeedForward, mask_of

SIZES = {"d": 8, "heads": 2, "ff": 16, "blocks": 2, "kernel": 5}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def built(kind, *sizes, seed=0, **options):
    torch.manual_seed(seed)
    return kind(*sizes, **options)


def encoder(norm="layer", **options):
    found = built(ConformerEncoder, **SIZES, norm=norm, **options)
    for module in found.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_(generator=seeded(1))
            module.running_var.uniform_(0.5, 2, generator=seeded(2))
    return found.eval()


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_convolution_as_it_is_written(norm):
    """Loops over frames and channels, GLU and SiLU by their formulas."""
    module, x = built(ConvolutionModule, 4, 3, norm).double().eval(), torch.randn(2, 6, 4, generator=seeded()).double()
    h = x @ module.pointwise_cov1.weight.T + module.pointwise_cov1.bias
    h = h[..., :4] / (1 + (-h[..., 4:]).exp())
    kernel, y = module.depthwise_conv.weight[:, 0], torch.zeros_like(x)
    for t in range(6):
        for c in range(4):
            reach = [h[:, t + k - 1, c] * kernel[c, k] for k in range(3) if 0 <= t + k - 1 < 6]
            y[:, t, c] = sum(reach) + module.depthwise_conv.bias[c]
    if norm == "layer":
        y = (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    else:
        y = y / (1 + 1e-5) ** 0.5
    y = y / (1 + (-y).exp())
    expected = y @ module.pointwise_cov2.weight.T + module.pointwise_cov2.bias
    assert torch.allclose(module(x), expected, atol=1e-12)


def test_block_as_it_is_written():
    block = built(ConformerBlock, 8, 2, 16, 5, norm="layer").eval()
    x, codes = torch.randn(2, 6, 8, generator=seeded()), torch.randn(1, 11, 8, generator=seeded(1))
    y = x + 0.5 * block.feed_forward_macaron(block.norm_ff_macaron(x))
    h = block.norm_mha(y)
    y = y + block.self_attn(h, h, h, codes)
    y = y + block.conv_module(block.norm_conv(y))
    y = y + 0.5 * block.feed_forward(block.norm_ff(y))
    assert torch.equal(block(x, codes), block.norm_final(y))


def test_feed_forward_has_relu():
    module = built(FeedForward, 4, 6)
    x = torch.randn(3, 4, generator=seeded())
    hidden = (x @ module.w_1.weight.T + module.w_1.bias).clamp(min=0)
    assert torch.allclose(module(x), hidden @ module.w_2.weight.T + module.w_2.bias, atol=1e-6)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_an_utterance_is_the_same_alone_and_in_a_batch(norm):
    model, lengths = encoder(norm), torch.tensor([9, 5, 1])
    x = torch.randn(3, 9, 8, generator=seeded())
    together = model(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        assert torch.allclose(together[row, :length], model(x[row : row + 1, :length])[0], atol=1e-5)


def test_without_the_mask_padding_leaks_into_the_convolution():
    """As in the public code: frames within reach of the padding change, and attention carries that further."""
    model, x = encoder(mask_convolution=False), torch.randn(1, 9, 8, generator=seeded())
    alone = model(x[:, :5])
    leaking = model(x, torch.tensor([5]))[:, :5]
    masked = encoder()(x, torch.tensor([5]))[:, :5]
    assert torch.allclose(masked, alone, atol=1e-5)
    assert (leaking - alone).abs().max() > 1e-3
    block = built(ConvolutionModule, 8, 5, "layer")
    reach = (block(x)[0, :5] - block(x, mask_of(torch.tensor([5]), 9))[0, :5]).abs().amax(-1)
    assert (reach[:3] == 0).all()
    assert (reach[3:] > 0).all()


def test_masks_are_lengths_or_truths():
    model, lengths = encoder(), torch.tensor([6, 3])
    x = torch.randn(2, 6, 8, generator=seeded())
    mask = mask_of(lengths)
    assert mask.tolist() == [[True] * 6, [True] * 3 + [False] * 3]
    assert torch.equal(model(x, lengths), model(x, mask))
    assert torch.equal(model(x, lengths), model(x, mask[:, None]))
    assert torch.equal(model(x), model(x, torch.tensor([6, 6])))


def test_names_of_the_weights_are_those_of_the_public_code():
    names = set(encoder("batch").state_dict())
    parts = {"self_attn.linear_q.weight", "self_attn.linear_pos.weight", "self_attn.pos_bias_u"}
    parts |= {"feed_forward.w_1.bias", "feed_forward_macaron.w_2.weight", "conv_module.pointwise_cov1.weight"}
    parts |= {"conv_module.depthwise_conv.weight", "conv_module.norm.running_mean", "norm_ff_macaron.weight"}
    parts |= {"norm_mha.bias", "norm_conv.weight", "norm_ff.weight", "norm_final.weight"}
    assert {f"encoders.1.{part}" for part in parts} | {"after_norm.weight"} <= names


def test_weights_of_one_by_one_convolutions_load():
    model, x = encoder("batch"), torch.randn(1, 6, 8, generator=seeded())
    stored = {k: v[..., None] if "pointwise" in k and v.ndim == 2 else v for k, v in model.state_dict().items()}
    other = built(ConformerEncoder, **SIZES, seed=5).eval()
    assert not torch.equal(other(x), model(x))
    other.load_state_dict(stored)
    assert torch.equal(other(x), model(x))


def test_the_factories_are_asked_for_their_maps():
    asked = {"linear": [], "positions": [], "pointwise": []}

    def factory(kind):
        def build(name, n, m):
            asked[kind].append((name, n, m))
            return nn.Linear(n, m, bias=kind != "positions")

        return build

    ConformerEncoder(**SIZES, **{kind: factory(kind) for kind in asked})
    block = [f"feed_forward_macaron.w_{i}" for i in (1, 2)]
    block += [f"self_attn.linear_{part}" for part in ("q", "k", "v", "out")]
    block += [f"feed_forward.w_{i}" for i in (1, 2)]
    assert [name for name, *_ in asked["linear"]] == [f"encoders.{i}.{part}" for i in range(2) for part in block]
    assert {(n, m) for name, n, m in asked["linear"] if name.endswith("w_1")} == {(8, 16)}
    assert asked["positions"] == [(f"encoders.{i}.self_attn.linear_pos", 8, 8) for i in range(2)]
    pointwise = [("pointwise_cov1", 8, 16), ("pointwise_cov2", 8, 8)]
    expected = [(f"encoders.{i}.conv_module.{name}", n, m) for i in range(2) for name, n, m in pointwise]
    assert asked["pointwise"] == expected


def test_what_does_not_fit():
    with pytest.raises(InputError, match="odd kernel, not 4"):
        ConvolutionModule(8, 4)
    with pytest.raises(InputError, match="did you mean 'layer'"):
        ConvolutionModule(8, 3, "layers")
    with pytest.raises(InputError, match="at least 1, not 0"):
        ConformerEncoder(8, 2, 16, 0, 5)
    with pytest.raises(InputError, match=r"width 8 takes \(B, T, 8\), not \(2, 3, 7\)"):
        encoder()(torch.zeros(2, 3, 7))
    for lengths in ([0, 3], [4, 9]):
        with pytest.raises(InputError, match="lengths must lie in"):
            encoder()(torch.zeros(2, 5, 8), torch.tensor(lengths))
