"""Front ends of the base models: ResNet-18 over raw audio, and over video behind a convolution in space and time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.speech.convolution import mask_of

WIDTHS = (64, 128, 256, 512)
AUDIO_SAMPLES = 640  # of 16 kHz audio in a frame: 25 frames a second, as in video


class BasicBlock(nn.Module):
    """y = swish(norm(conv(swish(norm(conv(x))))) + shortcut(x)), in one dimension or two."""

    def __init__(self, conv: Callable[..., nn.Module], norm: Callable[[int], nn.Module], n: int, m: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = conv(n, m, 3, stride=stride, padding=1, bias=False), norm(m)
        self.conv2, self.bn2 = conv(m, m, 3, padding=1, bias=False), norm(m)
        same = stride == 1 and n == m
        self.downsample = None if same else nn.Sequential(conv(n, m, 1, stride=stride, bias=False), norm(m))

    def forward(self, x: Tensor) -> Tensor:
        """Return y of x."""
        y = nn.functional.silu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return nn.functional.silu(y + (x if self.downsample is None else self.downsample(x)))


class Trunk(nn.Module):
    """Four stages of two blocks, 64 to 512 channels, each but the first halving the resolution."""

    def __init__(self, conv: Callable[..., nn.Module], norm: Callable[[int], nn.Module]):
        super().__init__()
        before = (WIDTHS[0], *WIDTHS[:-1])
        for i, (n, m) in enumerate(zip(before, WIDTHS, strict=True), 1):
            blocks = BasicBlock(conv, norm, n, m, 1 if i == 1 else 2), BasicBlock(conv, norm, m, m, 1)
            self.add_module(f"layer{i}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of the last stage."""
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class AudioTrunk(Trunk):
    """Convolution of 80 samples, 4 apart, before the stages, and means of 20 frames after them."""

    def __init__(self):
        super().__init__(nn.Conv1d, nn.BatchNorm1d)
        self.conv1 = nn.Conv1d(1, WIDTHS[0], 80, stride=4, padding=38, bias=False)
        self.bn1 = nn.BatchNorm1d(WIDTHS[0])

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 512, N // 640) of (B, 1, N)."""
        x = super().forward(nn.functional.silu(self.bn1(self.conv1(x))))
        return nn.functional.avg_pool1d(x, 20)


class AudioResNet(nn.Module):
    """Raw audio (B, N) at 16 kHz, each utterance with mean 0 and variance 1 -> (B, N // 640, 512), 25 frames/s.

    lengths (B,) in samples. Source: arXiv 2303.14307 and its public code mpc001/auto_avsr.
    """

    width, samples = WIDTHS[-1], AUDIO_SAMPLES

    def __init__(self):
        super().__init__()
        self.trunk = AudioTrunk()

    def forward(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames and their numbers."""
        if audio.ndim != 2 or audio.shape[1] < self.samples:
            raise InputError(f"audio is (B, N) with at least {self.samples} samples, not {tuple(audio.shape)}")
        return self.trunk(_standardised(audio, lengths)[:, None]).transpose(1, 2), lengths // self.samples


def _standardised(audio: Tensor, lengths: Tensor, eps: float = 1e-8) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) over the samples of each utterance; padding stays 0."""
    mask, counts = mask_of(lengths, audio.shape[1]), lengths[:, None]
    centred = (audio - (audio * mask).sum(1, keepdim=True) / counts) * mask
    return centred / (centred.square().sum(1, keepdim=True) / counts + eps).sqrt()


class VideoResNet(nn.Module):
    """Video of mouths (B, T, 1, H, W) at 25 frames/s -> (B, T, 512): a convolution over 5 frames, then ResNet-18.

    lengths (B,) in frames. Source: arXiv 2303.14307 and its public code mpc001/auto_avsr (H = W = 88).
    """

    width = WIDTHS[-1]

    def __init__(self):
        super().__init__()
        self.frontend3D = nn.Sequential(
            nn.Conv3d(1, WIDTHS[0], (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False),
            nn.BatchNorm3d(WIDTHS[0]),
            nn.SiLU(),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        self.trunk = Trunk(nn.Conv2d, nn.BatchNorm2d)

    def forward(self, video: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames and their numbers."""
        if video.ndim != 5 or video.shape[2] != 1:
            raise InputError(f"video is (B, T, 1, H, W), not {tuple(video.shape)}")
        x = self.frontend3D(video.transpose(1, 2)).transpose(1, 2)
        features = self.trunk(x.flatten(0, 1)).mean(dim=(-2, -1))
        return features.unflatten(0, video.shape[:2]), lengths


def synthetic_video(batch: int, frames: int, seed: int = 0, size: int = 88, device: str = "cpu") -> Tensor:
    """Return normal random video (B, T, 1, size, size): nobody speaks in it; enough to time a step, never to learn."""
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randn(batch, frames, 1, size, size, generator=generator, device=device)
