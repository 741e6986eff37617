"""Attention with relative positions against loops written out and an independent attention; masks."""

import math

import pytest
import torch

from tenfold.errors import InputError
from tenfold.speech import MultiheadAttention, RelPositionalEncoding, RelPositionMultiheadAttention, mask_of, shift


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def attention(d=12, heads=3, seed=0):
    torch.manual_seed(seed)
    return RelPositionMultiheadAttention(d, heads).double()


def test_shift_picks_the_offset():
    """Column c of a row is the score at offset T-1-c, so that entry (i, j) is column T-1-(i-j)."""
    for frames in (1, 2, 5):
        scores = torch.randn(2, 3, frames, 2 * frames - 1, generator=seeded())
        found = shift(scores)
        assert found.shape == (2, 3, frames, frames)
        for i in range(frames):
            for j in range(frames):
                assert torch.equal(found[..., i, j], scores[..., i, frames - 1 - (i - j)])


def test_codes_of_offsets():
    x = torch.randn(2, 4, 6, generator=seeded())
    scaled, codes = RelPositionalEncoding(6)(x)
    assert torch.equal(scaled, math.sqrt(6) * x)
    assert codes.shape == (1, 7, 6)
    for place, offset in enumerate(range(3, -4, -1)):
        for i in range(3):
            angle = offset / 10000 ** (2 * i / 6)
            assert codes[0, place, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert codes[0, place, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    with pytest.raises(InputError, match="even width, not 7"):
        RelPositionalEncoding(7)(torch.zeros(1, 2, 7))


def written_out(module, x, codes):
    """Return the output by loops over utterances, heads, queries and keys."""
    batch, frames, d = x.shape
    width = d // module.heads
    q, k, v = module.linear_q(x), module.linear_k(x), module.linear_v(x)
    p = module.linear_pos(codes)[0]
    out = torch.zeros(batch, frames, d, dtype=x.dtype)
    for b in range(batch):
        for h in range(module.heads):
            part = slice(h * width, (h + 1) * width)
            for i in range(frames):
                scores = torch.stack(
                    [
                        (q[b, i, part] + module.pos_bias_u[h]) @ k[b, j, part]
                        + (q[b, i, part] + module.pos_bias_v[h]) @ p[frames - 1 - (i - j), part]
                        for j in range(frames)
                    ]
                )
                weights = (scores / math.sqrt(width)).softmax(0)
                out[b, i, part] = weights @ v[b, :, part]
    return module.linear_out(out)


def test_attention_as_it_is_written():
    module = attention()
    x, codes = RelPositionalEncoding(12)(torch.randn(2, 5, 12, generator=seeded(1), dtype=torch.float64))
    codes = codes.double()
    assert torch.allclose(module(x, x, x, codes), written_out(module, x, codes), atol=1e-12)


def test_without_positions_it_is_torchs_attention():
    """u = v = 0 and W_p = 0: nn.MultiheadAttention with the same maps."""
    module = attention()
    plain = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    maps = module.linear_q, module.linear_k, module.linear_v
    with torch.no_grad():
        for parameter in (module.pos_bias_u, module.pos_bias_v, module.linear_pos.weight):
            parameter.zero_()
        plain.in_proj_weight.copy_(torch.cat([m.weight for m in maps]))
        plain.in_proj_bias.copy_(torch.cat([m.bias for m in maps]))
        plain.out_proj.load_state_dict(module.linear_out.state_dict())
    x = torch.randn(2, 6, 12, generator=seeded(2), dtype=torch.float64)
    mask = mask_of(torch.tensor([6, 4]))
    codes = torch.zeros(1, 11, 12, dtype=torch.float64)
    expected = plain(x, x, x, key_padding_mask=~mask)[0]
    assert torch.allclose(module(x, x, x, codes, mask[:, None]), expected, atol=1e-12)
    source = MultiheadAttention(12, 3).double()
    source.load_state_dict({k: v for k, v in module.state_dict().items() if "pos" not in k})
    assert torch.allclose(source(x[:, :3], x, x, mask[:, None]), expected[:, :3], atol=1e-12)


def test_a_masked_key_gets_no_weight_at_all():
    module = MultiheadAttention(4, 2)
    scores = torch.randn(2, 2, 3, 5, generator=seeded(3))
    mask = torch.tensor([[[True, False, True, True, False]], [[False] * 5]])
    weights = module.weights(scores, mask)
    assert torch.equal(weights == 0, (~mask)[:, None].expand_as(weights))
    assert torch.allclose(weights[0].sum(-1), torch.ones(2, 3))
    assert weights.isfinite().all()


def test_padding_to_the_left_or_right_changes_nothing():
    """Only offsets matter: an utterance gives the same wherever it stands among masked frames."""
    module, encode = attention(), RelPositionalEncoding(12)
    x = torch.randn(1, 4, 12, generator=seeded(4), dtype=torch.float64)
    y, codes = encode(x)
    alone = module(y, y, y, codes.double())
    for left, right in ((3, 0), (0, 3), (2, 1)):
        junk = torch.randn(1, left + 4 + right, 12, generator=seeded(5), dtype=torch.float64)
        junk[:, left : left + 4] = x
        mask = torch.zeros(1, left + 4 + right, dtype=torch.bool)
        mask[:, left : left + 4] = True
        z, wide = encode(junk)
        found = module(z, z, z, wide.double(), mask[:, None])[:, left : left + 4]
        assert torch.allclose(found, alone, atol=1e-6)


def test_a_bias_on_positions_does_nothing():
    module = attention()
    x, codes = RelPositionalEncoding(12)(torch.randn(1, 5, 12, generator=seeded(6), dtype=torch.float64))
    before = module(x, x, x, codes.double())
    with torch.no_grad():
        module.linear_pos = torch.nn.Linear(12, 12, dtype=torch.float64).requires_grad_(False)
        module.linear_pos.weight.copy_(attention().linear_pos.weight)
    assert torch.allclose(module(x, x, x, codes.double()), before, atol=1e-12)


def test_the_factory_is_asked_for_every_map():
    asked = []

    def linear(name, n, m):
        asked.append((name, n, m))
        return torch.nn.Linear(n, m)

    RelPositionMultiheadAttention(8, 2, linear=linear, name="here.")
    assert asked == [(f"here.linear_{part}", 8, 8) for part in ("q", "k", "v", "out")]


def test_heads_that_do_not_divide():
    with pytest.raises(InputError, match="3 heads do not divide a width of 8"):
        RelPositionMultiheadAttention(8, 3)
