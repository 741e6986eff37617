"""What a location embedding is trained against: the text of its POI, or the class of its POI."""

from __future__ import annotations

import math

import torch
from torch import nn

from tenfold.urban.layers import kept, linear
from tenfold.urban.loss import distinct_clip_loss, multi_positive_loss, space2vec_loss

NEGATIVES = 10
CLASS_WIDTH = 64
LOG_SCALE = math.log(1 / 0.07)


class TextHead(nn.Module):
    """u = P e + p of frozen text features e (T, E), and a temperature exp(s), s = ln(1/0.07) at first.

    objective: "clip" or "multipositive", a loss of `loss.py`. 49,281 parameters for E = 384 and 128 outputs.
    """

    def __init__(
        self,
        features: torch.Tensor,
        out: int,
        objective: str = "clip",
        normalize_text: bool = False,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.projection = linear(features.shape[1], out, generator)
        self.log_scale = nn.Parameter(torch.tensor(LOG_SCALE))
        self.register_buffer("features", features, persistent=False)
        self.loss = {"clip": distinct_clip_loss, "multipositive": multi_positive_loss}[objective]
        self.normalize_text = normalize_text

    def forward(self, location: torch.Tensor, index: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the loss of locations z (B, out) with texts `index` (B,)."""
        features = self.features
        # A text that is not in the batch costs a row of logits: look for those that are only where most are not.
        if len(features) > len(index):
            present, index = torch.unique(index, return_inverse=True)
            features = features[present]
        return self.loss(self.projection(features), index, location, self.log_scale, self.normalize_text)


class ClassHead(nn.Module):
    """Space2Vec: class vectors E (C, 64) and d(z) = W2 Dropout(ReLU(W1 z + b1)) + b2, with ten negatives per row.

    index: (N,), the classes of all rows. Negatives are the classes of rows drawn at random, so that E_c . d(x)
    learns ln P(c|x)/P(c); how the official run drew its own is not published.
    """

    def __init__(
        self,
        index: torch.Tensor,
        classes: int,
        out: int,
        dropout: float = 0.5,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(classes, CLASS_WIDTH, generator=generator))
        self.inner, self.outer = linear(out, CLASS_WIDTH, generator), linear(CLASS_WIDTH, CLASS_WIDTH, generator)
        self.register_buffer("index", index, persistent=False)
        self.dropout = dropout

    def forward(self, location: torch.Tensor, index: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the loss of locations z (B, out) with classes `index` (B,)."""
        hidden = self.inner(location).relu()
        if self.training and self.dropout:
            hidden = hidden * kept(hidden, self.dropout, generator)
        shape = (len(index), NEGATIVES)
        rows = torch.randint(len(self.index), shape, generator=generator, device=location.device)
        return space2vec_loss(self.outer(hidden), self.vectors[index], self.vectors[self.index[rows]])
