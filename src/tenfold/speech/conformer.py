"""The Conformer encoder: macaron feed-forwards around attention with relative positions and a convolution."""

from __future__ import annotations

from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.speech.attention import (
    LinearFactory,
    RelPositionalEncoding,
    RelPositionMultiheadAttention,
    dense,
    unbiased,
)
from tenfold.speech.convolution import ConvolutionModule, mask_of

EPSILON = 1e-12  # of the layer norms, as in the public code


class FeedForward(nn.Module):
    """y = W_2 dropout(relu(W_1 x + b_1)) + b_2, x and y (..., d), inside ff wide.

    ReLU as in the public code mpc001/auto_avsr; arXiv 2005.08100 has Swish.
    """

    def __init__(self, d: int, ff: int, dropout: float = 0.0, linear: LinearFactory = dense, name: str = ""):
        super().__init__()
        self.w_1 = linear(f"{name}w_1", d, ff)
        self.w_2 = linear(f"{name}w_2", ff, d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return y of x."""
        return self.w_2(self.dropout(self.w_1(x).relu()))


class ConformerBlock(nn.Module):
    """x <- x + FF1(LN x)/2; x <- x + MHSA(LN x); x <- x + Conv(LN x); x <- x + FF2(LN x)/2; x <- LN x.

    x (B, T, d), codes (1, 2T-1, d), mask (B, T) or None; `name` is the prefix of what the factories are asked for.
    Source: arXiv 2005.08100.
    """

    def __init__(
        self,
        d: int,
        heads: int,
        ff: int,
        kernel: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm: str = "batch",
        linear: LinearFactory = dense,
        positions: LinearFactory = unbiased,
        pointwise: LinearFactory = dense,
        name: str = "",
    ):
        super().__init__()
        self.feed_forward_macaron = FeedForward(d, ff, dropout, linear, f"{name}feed_forward_macaron.")
        self.self_attn = RelPositionMultiheadAttention(
            d, heads, attention_dropout, linear, positions, f"{name}self_attn."
        )
        self.conv_module = ConvolutionModule(d, kernel, norm, pointwise, f"{name}conv_module.")
        self.feed_forward = FeedForward(d, ff, dropout, linear, f"{name}feed_forward.")
        for part in ("ff_macaron", "mha", "conv", "ff", "final"):
            self.add_module(f"norm_{part}", nn.LayerNorm(d, eps=EPSILON))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, codes: Tensor, mask: Tensor | None = None, conv_mask: Tensor | None = None) -> Tensor:
        """Return the block's output; mask hides keys (B, 1, T), conv_mask frames of the convolution (B, T)."""
        # x <- x + FF1(LN x)/2; x <- x + MHSA(LN x)
        x = x + 0.5 * self.dropout(self.feed_forward_macaron(self.norm_ff_macaron(x)))
        h = self.norm_mha(x)
        x = x + self.dropout(self.self_attn(h, h, h, codes, mask))
        # x <- x + Conv(LN x); x <- x + FF2(LN x)/2; x <- LN x
        x = x + self.dropout(self.conv_module(self.norm_conv(x), conv_mask))
        x = x + 0.5 * self.dropout(self.feed_forward(self.norm_ff(x)))
        return self.norm_final(x)


class ConformerEncoder(nn.Module):
    """Positions, `blocks` Conformer blocks and a last norm: x (B, T, d) -> y (B, T, d).

    ff: width of the feed-forwards; kernel: of the depthwise convolution, odd; norm: "batch" or "layer", in the
    convolution. linear(name, inputs, outputs) builds the four maps of each attention and the two of each feed-forward
    ("encoders.0.self_attn.linear_q", "encoders.0.feed_forward.w_1", ...), positions the map W_p ("...linear_pos"),
    pointwise the two maps of the convolution module. mask_convolution: padding is hidden from the convolution too,
    so that an utterance gives the same alone and in a batch; False is what the public code does.

    Parameters have the names of the encoder in the public code mpc001/auto_avsr, so that its weights load.
    Raises InputError for sizes that do not fit. Source: arXiv 2005.08100.
    """

    def __init__(
        self,
        d: int,
        heads: int,
        ff: int,
        blocks: int,
        kernel: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm: str = "batch",
        linear: LinearFactory = dense,
        positions: LinearFactory = unbiased,
        pointwise: LinearFactory = dense,
        mask_convolution: bool = True,
    ):
        super().__init__()
        if blocks < 1 or ff < 1:
            raise InputError(f"an encoder needs blocks and feed-forwards of at least 1, not {blocks} and {ff}")
        self.d, self.mask_convolution = d, mask_convolution
        self.embed = RelPositionalEncoding(d, dropout)
        sizes = (d, heads, ff, kernel, dropout, attention_dropout, norm)
        self.encoders = nn.ModuleList(
            ConformerBlock(*sizes, linear, positions, pointwise, f"encoders.{i}.") for i in range(blocks)
        )
        self.after_norm = nn.LayerNorm(d, eps=EPSILON)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return y of x; mask: lengths (B,), or (B, T) or (B, 1, T), True for frames that are no padding."""
        if x.ndim != 3 or x.shape[-1] != self.d:
            raise InputError(f"an encoder of width {self.d} takes (B, T, {self.d}), not {tuple(x.shape)}")
        if mask is not None:
            mask = (mask_of(mask, x.shape[1]) if mask.ndim == 1 else mask.bool().view(len(x), -1))[:, None]
        x, codes = self.embed(x)
        conv_mask = mask[:, 0] if mask is not None and self.mask_convolution else None
        for block in self.encoders:
            x = block(x, codes, mask, conv_mask)
        return self.after_norm(x)
