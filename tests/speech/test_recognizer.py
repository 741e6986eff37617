"""Recognisers: parameters of the base model, front ends, padding, losses, fusion; what low rank leaves of the base."""

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.speech import (
    AudioResNet,
    AudioVisualRecognizer,
    ConformerEncoder,
    Recognizer,
    Subsampling,
    TransformerDecoder,
    VideoResNet,
    base_recognizer,
    ctc_loss,
    label_smoothing_loss,
    synthetic_video,
)

SMALL = {"encoder": {"d": 16, "heads": 2, "ff": 32, "blocks": 1, "kernel": 3, "dropout": 0.0}}
SMALL["decoder"] = {"d": 16, "heads": 2, "ff": 32, "blocks": 1, "dropout": 0.0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def base(modality="audio", linear=None):
    with torch.device("meta"):
        return base_recognizer(modality, **({} if linear is None else {"linear": linear}))


def test_the_base_model_has_its_243_million_parameters():
    assert parameters(base()) == 243_049_202
    assert parameters(base("video")) / 1e6 == pytest.approx(250.4, abs=0.05)
    names = set(base().state_dict())
    assert {"frontend.trunk.layer4.1.bn2.weight", "proj_encoder.bias", "ctc.ctc_lo.weight"} <= names
    assert {"decoder.embed.0.weight", "decoder.decoders.5.src_attn.linear_out.bias"} <= names
    assert {"decoder.output_layer.weight", "decoder.after_norm.bias", "encoder.after_norm.bias"} <= names


class Pair(nn.Module):
    """A map of rank r, for counting."""

    def __init__(self, n, m, rank):
        super().__init__()
        self.U, self.V, self.b = (nn.Parameter(torch.empty(size)) for size in ((m, rank), (rank, n), (m,)))


@pytest.mark.parametrize(
    ("part", "where", "rho", "millions"),
    [
        ("attn", "encoders", 0.5, 243.0),
        ("attn", "encoders", 0.12, 221.5),
        ("feed_forward", "encoders", 0.5, 200.6),
        ("feed_forward", "encoders", 0.12, 146.8),
        ("", "encoders", 0.10, 121.4),
        ("attn", "", 0.12, 200.0),
        ("", "", 0.25, 117.4),
        ("", "", 0.06, 62.2),
    ],
)
def test_what_low_rank_leaves_of_the_base_model(part, where, rho, millions):
    """Counted anew through the factory: the maps of rank round(rho 768) that have these words in their names."""

    def linear(name, n, m):
        chosen = part in name and name.startswith(where)
        return Pair(n, m, max(1, round(rho * min(n, m)))) if chosen else nn.Linear(n, m)

    assert parameters(base(linear=linear)) / 1e6 == pytest.approx(millions, abs=0.051)


@pytest.mark.parametrize("strides", [(2, 2), (2, 2, 2), (1, 2)])
def test_subsampling_does_not_hear_padding(strides):
    torch.manual_seed(0)
    layer, lengths = Subsampling(5, 6, strides), torch.tensor([21, 8, 1])
    x = torch.randn(3, 21, 5, generator=seeded())
    together, found = layer(x, lengths)
    assert found.tolist() == [layer.frames(n) for n in (21, 8, 1)]
    for row, length in enumerate(lengths.tolist()):
        alone, (count,) = layer(x[row : row + 1, :length], lengths[row : row + 1])
        assert torch.allclose(together[row, :count], alone[0], atol=1e-6)
        assert (together[row, count:] == 0).all()


def test_audio_front_end_gives_25_frames_a_second():
    torch.manual_seed(0)
    layer = AudioResNet().eval()
    x = torch.randn(2, 3 * 640 + 100, generator=seeded())
    frames, lengths = layer(x, torch.tensor([2020, 1300]))
    assert frames.shape == (2, 3, 512)
    assert lengths.tolist() == [3, 2]
    louder, _ = layer(7 * x + 3, torch.tensor([2020, 1300]))
    assert torch.allclose(frames, louder, atol=1e-3)
    with pytest.raises(InputError, match="at least 640 samples"):
        layer(x[:, :100], torch.tensor([100, 100]))


def test_video_front_end_sees_five_frames():
    torch.manual_seed(0)
    layer = VideoResNet().eval()
    video = synthetic_video(1, 7, size=32)
    changed = video.clone()
    changed[:, 6] += 1
    before, lengths = layer(video, torch.tensor([7]))
    difference = (layer(changed, torch.tensor([7]))[0] - before).abs().amax(-1)[0]
    assert before.shape == (1, 7, 512)
    assert lengths.tolist() == [7]
    assert (difference[:4] == 0).all()
    assert (difference[4:] > 0).all()
    assert torch.equal(synthetic_video(1, 2, seed=3, size=8), synthetic_video(1, 2, seed=3, size=8))
    with pytest.raises(InputError, match=r"video is \(B, T, 1, H, W\)"):
        layer(video[:, :, 0], torch.tensor([7]))


def small(decoder=True):
    torch.manual_seed(0)
    encoder = ConformerEncoder(16, 2, 32, 1, 3, norm="layer")
    written = TransformerDecoder(7, 16, 2, 32, 1, dropout=0.0) if decoder else None
    return Recognizer(Subsampling(5, 16), encoder, 7, written, dropout=0.0)


def test_loss_of_ctc_alone_and_with_the_decoder():
    x, lengths = torch.randn(2, 30, 5, generator=seeded()), torch.tensor([30, 22])
    targets, counts = torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.tensor([3, 2])
    model = small()
    log_probs, frames = model(x, lengths)
    ctc = ctc_loss(log_probs, targets, frames, counts)
    given = torch.tensor([[6, 1, 2, 3], [6, 4, 5, 6]])
    wanted = torch.tensor([[1, 2, 3, 6], [4, 5, 6, -1]])
    encoded, _ = model.encode(x, lengths)
    mask = torch.arange(8) < frames[:, None]
    attention = label_smoothing_loss(model.decoder(given, encoded, mask[:, None]), wanted)
    assert torch.allclose(model.losses((x, lengths), targets, counts), 0.1 * ctc + 0.9 * attention)
    plain = small(decoder=False)
    log_probs, frames = plain(x, lengths)
    assert torch.allclose(plain.losses((x, lengths), targets, counts), ctc_loss(log_probs, targets, frames, counts))


def test_an_utterance_is_recognised_the_same_in_a_batch():
    model = small(decoder=False).eval()
    x, lengths = torch.randn(2, 30, 5, generator=seeded()), torch.tensor([30, 13])
    together, frames = model(x, lengths)
    alone, _ = model(x[1:, :13], lengths[1:])
    assert torch.allclose(together[1, : frames[1]], alone[0], atol=1e-5)
    assert torch.allclose(together.exp().sum(-1), torch.ones(2, 8), atol=1e-5)


def test_audio_and_video_are_fused_frame_by_frame():
    torch.manual_seed(0)
    model = base_recognizer("audiovisual", 7, **SMALL)
    assert isinstance(model, AudioVisualRecognizer)
    video, audio = synthetic_video(2, 4, size=16), torch.randn(2, 4 * 640, generator=seeded())
    lengths = torch.tensor([4, 3])
    loss = model.losses((video, audio, lengths), torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]))
    loss.backward()
    assert loss.isfinite()
    silent = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0}
    # A bias on keys shifts all scores of a query alike, and one before a batch norm is taken out again.
    assert all(name.endswith(("linear_k.bias", "fusion.0.bias")) for name in silent)
    model.eval()
    before = model(video, audio, lengths)[0]
    assert before.shape == (2, 4, 7)
    for changed in ((video + 1, audio), (video, audio.flip(1))):
        assert not torch.allclose(model(*changed, lengths)[0], before, atol=1e-4)
    with pytest.raises(InputError, match="4 frames of video do not go with 3 of audio"):
        model(video, audio[:, : 3 * 640], torch.tensor([3, 3]))


def test_the_decoders_maps_are_told_from_the_encoders():
    asked = []

    def linear(name, n, m):
        asked.append(name)
        return nn.Linear(n, m)

    base_recognizer("audiovisual", 7, linear, **SMALL)
    assert {name.split(".")[0] for name in asked} == {"video", "audio", "decoder"}
    assert len(asked) == len(set(asked)) == 8 + 8 + 10
    with pytest.raises(InputError, match="did you mean 'video'"):
        base_recognizer("vidio")
