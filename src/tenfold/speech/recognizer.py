"""Recognisers: a front end, a Conformer encoder, a CTC head and, at paper scale, an attention decoder."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from tenfold.errors import InputError, unknown
from tenfold.speech.attention import LinearFactory, dense
from tenfold.speech.conformer import ConformerEncoder
from tenfold.speech.convolution import mask_of
from tenfold.speech.decoder import TransformerDecoder, framed
from tenfold.speech.frontends import AudioResNet, VideoResNet
from tenfold.speech.losses import IGNORED, ctc_losses, hybrid_loss, label_smoothing_loss


class Subsampling(nn.Module):
    """Convolutions over time (3 frames, Swish), by default two with stride 2: (B, T, F) -> (B, ceil(T / 4), d).

    What lies beyond an utterance's length is 0 before each, so that padding does not matter.
    """

    def __init__(self, bands: int, d: int, strides: tuple[int, ...] = (2, 2)):
        super().__init__()
        widths = (bands, *[d] * len(strides))
        self.strides, self.width = tuple(strides), d
        self.layers = nn.ModuleList(
            nn.Conv1d(n, m, 3, stride=stride, padding=1)
            for n, m, stride in zip(widths, widths[1:], strides, strict=False)
        )

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frames and how many of each utterance count."""
        x = features.transpose(1, 2)
        x = x * mask_of(lengths, x.shape[-1])[:, None]
        for layer, stride in zip(self.layers, self.strides, strict=True):
            x = nn.functional.silu(layer(x))
            lengths = -(-lengths // stride)
            x = x * mask_of(lengths, x.shape[-1])[:, None]
        return x.transpose(1, 2), lengths

    def frames(self, length: int) -> int:
        """Return how many frames are left of so many."""
        return functools.reduce(lambda n, stride: -(-n // stride), self.strides, length)


class CTCHead(nn.Module):
    """ln softmax(W dropout(x) + b): (B, T, d) -> (B, T, V)."""

    def __init__(self, d: int, outputs: int, dropout: float = 0.1):
        super().__init__()
        self.ctc_lo, self.dropout = nn.Linear(d, outputs), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the log posteriors."""
        return self.ctc_lo(self.dropout(x)).log_softmax(-1)


class Recognizer(nn.Module):
    """front end -> linear map where widths differ -> encoder -> CTC head, and a decoder or none.

    frontend(x, lengths) -> (frames (B, T, width), lengths); the rest is as in `ConformerEncoder` and
    `TransformerDecoder`. Parameters have the names of the public code mpc001/auto_avsr.
    """

    def __init__(
        self,
        frontend: nn.Module,
        encoder: ConformerEncoder,
        outputs: int,
        decoder: TransformerDecoder | None = None,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.frontend, self.encoder, self.decoder = frontend, encoder, decoder
        self.proj_encoder = nn.Identity() if frontend.width == encoder.d else nn.Linear(frontend.width, encoder.d)
        self.ctc = CTCHead(encoder.d, outputs, dropout)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoder's output (B, T', d) and the lengths (B,) that count."""
        x, lengths = self.frontend(x, lengths)
        return self.encoder(self.proj_encoder(x), mask_of(lengths, x.shape[1])), lengths

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log posteriors of CTC (B, T', V) and the lengths (B,) that count."""
        x, lengths = self.encode(x, lengths)
        return self.ctc(x), lengths

    def losses(self, inputs: tuple[Tensor, ...], targets: Tensor, lengths: Tensor, weight: float = 0.1) -> Tensor:
        """Return the loss of a batch in nats per utterance: CTC, or with a decoder w CTC + (1 - w) cross entropy.

        inputs: what `encode` takes; targets (B, U), lengths (B,); smoothing 0.1.
        """
        x, frames = self.encode(*inputs)
        ctc = ctc_losses(self.ctc(x), targets, frames, lengths).mean()
        if self.decoder is None:
            return ctc
        given, wanted = framed(targets, lengths, self.decoder.mark)
        logits = self.decoder(given, x, mask_of(frames, x.shape[1])[:, None])
        return hybrid_loss(ctc, label_smoothing_loss(logits, wanted, 0.1, IGNORED), weight)


class AudioVisualRecognizer(Recognizer):
    """Two encoders side by side, fused by linear, batch norm, ReLU, linear; then one CTC head and one decoder.

    video (B, T, 1, H, W), audio (B, 640 T), lengths (B,) in frames of video. Source: arXiv 2102.06657, section 3, with
    the front ends and sizes of the public code mpc001/auto_avsr.
    """

    def __init__(
        self,
        video: Recognizer,
        audio: Recognizer,
        outputs: int,
        decoder: TransformerDecoder | None = None,
        fusion: int = 8192,
        dropout: float = 0.1,
    ):
        super().__init__(video.frontend, video.encoder, outputs, decoder, dropout)
        self.proj_encoder = video.proj_encoder
        self.aux_frontend, self.aux_encoder = audio.frontend, audio.encoder
        self.aux_proj_encoder = audio.proj_encoder
        d = video.encoder.d
        self.fusion = nn.Sequential(
            nn.Linear(d + audio.encoder.d, fusion), nn.BatchNorm1d(fusion), nn.ReLU(), nn.Linear(fusion, d)
        )

    def encode(self, video: Tensor, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fused frames (B, T, d) and the lengths (B,)."""
        seen, frames = super().encode(video, lengths)
        x, _ = self.aux_frontend(audio, lengths * self.aux_frontend.samples)
        if x.shape[1] != seen.shape[1]:
            raise InputError(f"{seen.shape[1]} frames of video do not go with {x.shape[1]} of audio")
        heard = self.aux_encoder(self.aux_proj_encoder(x), mask_of(frames, x.shape[1]))
        return self.fusion(torch.cat([seen, heard], dim=-1).flatten(0, 1)).unflatten(0, seen.shape[:2]), frames

    def forward(self, video: Tensor, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log posteriors of CTC and the lengths."""
        x, lengths = self.encode(video, audio, lengths)
        return self.ctc(x), lengths


# Of the public code mpc001/auto_avsr: 5047 subwords, the blank, and a mark of begin and end.
BASE = {"d": 768, "heads": 12, "ff": 3072, "blocks": 12, "kernel": 31, "dropout": 0.1}
BASE_DECODER = {"d": 768, "heads": 12, "ff": 3072, "blocks": 6, "dropout": 0.1}
BASE_OUTPUTS = 5049
FRONTENDS = {"audio": AudioResNet, "video": VideoResNet}


def base_recognizer(
    modality: str = "audio",
    outputs: int = BASE_OUTPUTS,
    linear: LinearFactory = dense,
    encoder: dict[str, Any] | None = None,
    decoder: dict[str, Any] | None = None,
) -> Recognizer:
    """Return the base model of mpc001/auto_avsr: "audio" (243,049,202 parameters), "video", or "audiovisual".

    encoder, decoder: sizes in place of the base's; linear builds the maps of attention and feed-forwards in both, the
    decoder's under names that begin with "decoder.". Of "audiovisual" the fused code is not public: two such encoders
    and the fusion of arXiv 2102.06657. Raises InputError for another modality.
    """
    if modality not in (*FRONTENDS, "audiovisual"):
        raise unknown("modality", modality, (*FRONTENDS, "audiovisual"))
    prefixed = lambda prefix: lambda name, n, m: linear(prefix + name, n, m)  # noqa: E731
    written = TransformerDecoder(outputs, linear=prefixed("decoder."), **BASE_DECODER | (decoder or {}))
    if modality == "audiovisual":
        sides = [_side(kind, outputs, prefixed(f"{kind}."), encoder) for kind in ("video", "audio")]
        return AudioVisualRecognizer(*sides, outputs, written)
    side = _side(modality, outputs, prefixed(""), encoder)
    return Recognizer(side.frontend, side.encoder, outputs, written)


def _side(kind: str, outputs: int, linear: LinearFactory, encoder: dict[str, Any] | None) -> Recognizer:
    return Recognizer(FRONTENDS[kind](), ConformerEncoder(linear=linear, **BASE | (encoder or {})), outputs)
