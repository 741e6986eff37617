"""The attention decoder: transcripts unit by unit, looking at what was written and at what was heard."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tenfold.errors import InputError
from tenfold.speech.attention import LinearFactory, MultiheadAttention, dense, sinusoids
from tenfold.speech.conformer import EPSILON, FeedForward
from tenfold.speech.losses import IGNORED, ctc_losses


class PositionalEncoding(nn.Module):
    """sqrt(d) x + the codes of positions 0, 1, ...; x (B, U, d). Source: arXiv 1706.03762."""

    def __init__(self, d: int, dropout: float = 0.0):
        super().__init__()
        self.d, self.dropout = d, nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its positions."""
        positions = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        return self.dropout(math.sqrt(self.d) * x + sinusoids(positions, self.d).to(x.dtype))


class DecoderBlock(nn.Module):
    """x <- x + SelfAttention(LN x); x <- x + SourceAttention(LN x, memory); x <- x + FF(LN x)."""

    def __init__(self, d: int, heads: int, ff: int, dropout: float, linear: LinearFactory, name: str):
        super().__init__()
        self.self_attn = MultiheadAttention(d, heads, dropout, linear, f"{name}self_attn.")
        self.src_attn = MultiheadAttention(d, heads, dropout, linear, f"{name}src_attn.")
        self.feed_forward = FeedForward(d, ff, dropout, linear, f"{name}feed_forward.")
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d, eps=EPSILON) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, memory: Tensor, memory_mask: Tensor | None) -> Tensor:
        """Return the block's output (B, U, d)."""
        h = self.norm1(x)
        x = x + self.dropout(self.self_attn(h, h, h, mask))
        x = x + self.dropout(self.src_attn(self.norm2(x), memory, memory, memory_mask))
        return x + self.dropout(self.feed_forward(self.norm3(x)))


class TransformerDecoder(nn.Module):
    """Logits (B, U, V) of the next unit, given units (B, U) that begin with the mark V - 1 of begin and end.

    memory (B, T, d), memory_mask (B, 1, T). linear(name, inputs, outputs) builds the maps of both attentions and of
    the feed-forwards ("decoders.0.src_attn.linear_q", ...). Parameters have the names of the public code
    mpc001/auto_avsr. Source: arXiv 1706.03762, norms before the parts.
    """

    def __init__(
        self,
        outputs: int,
        d: int,
        heads: int,
        ff: int,
        blocks: int,
        dropout: float = 0.1,
        linear: LinearFactory = dense,
    ):
        super().__init__()
        if outputs < 2 or blocks < 1:
            raise InputError(f"a decoder needs 2 outputs and a block or more, not {outputs} and {blocks}")
        self.mark = outputs - 1
        self.embed = nn.Sequential(nn.Embedding(outputs, d), PositionalEncoding(d, dropout))
        self.decoders = nn.ModuleList(
            DecoderBlock(d, heads, ff, dropout, linear, f"decoders.{i}.") for i in range(blocks)
        )
        self.after_norm = nn.LayerNorm(d, eps=EPSILON)
        self.output_layer = nn.Linear(d, outputs)

    def forward(self, units: Tensor, memory: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        """Return the logits; a unit is told from those before it alone."""
        # Padding stands to the right, where no unit before it looks.
        seen = torch.ones(units.shape[1], units.shape[1], dtype=torch.bool, device=units.device).tril()[None]
        x = self.embed(units)
        for block in self.decoders:
            x = block(x, seen, memory, memory_mask)
        return self.output_layer(self.after_norm(x))


def framed(targets: Tensor, lengths: Tensor, mark: int) -> tuple[Tensor, Tensor]:
    """Return what a decoder is given, (B, U + 1): the mark and the units; and what it is to say: units and the mark.

    Padding is given as the mark and wanted as `IGNORED`.
    """
    rows = torch.arange(targets.shape[1] + 1, device=targets.device)
    ends = lengths[:, None]
    padded = nn.functional.pad(targets, (0, 1))
    wanted = torch.where(rows < ends, padded, torch.where(rows == ends, mark, IGNORED))
    given = torch.where(rows <= ends, nn.functional.pad(targets, (1, 0), value=mark), mark)
    return given, wanted


@torch.no_grad()
def attention_beam(
    decoder: TransformerDecoder,
    memory: Tensor,
    beam: int = 40,
    longest: int | None = None,
    ctc: Tensor | None = None,
    weight: float = 0.1,
) -> list[tuple[list[int], float]]:
    """Return transcripts of one utterance with their scores, best first.

    memory (T, d). score = (1 - w) ln p_attention + w ln p_ctc, the latter of the finished transcripts alone, from the
    log posteriors ctc (T, V) where they are given: the `beam` best of the decoder are scored anew. longest: units at
    most, T by default; the decoder should be in evaluation mode. Raises InputError for a beam below 1. Source: Hori,
    Watanabe and Hershey 2017, ACL, 518-529 (rescoring).
    """
    if beam < 1:
        raise InputError(f"a beam is 1 or wider, not {beam}")
    longest = len(memory) if longest is None else longest
    alive, finished = [([], 0.0)], []
    for _ in range(longest + 1):
        units = torch.tensor([[decoder.mark, *prefix] for prefix, _ in alive], device=memory.device)
        table = decoder(units, memory.expand(len(alive), *memory.shape))[:, -1].log_softmax(-1).double()
        table += torch.tensor([score for _, score in alive], device=memory.device, dtype=table.dtype)[:, None]
        ended = [(prefix, float(row[decoder.mark])) for (prefix, _), row in zip(alive, table, strict=True)]
        finished = sorted(finished + ended, key=lambda item: -item[1])[:beam]
        table[:, [0, decoder.mark]] = -math.inf
        values, places = table.flatten().topk(min(beam, table.numel()))
        found = zip(values.tolist(), places.tolist(), strict=True)
        alive = [([*alive[i // table.shape[1]][0], i % table.shape[1]], v) for v, i in found if v > -math.inf]
        # A longer transcript is never likelier.
        if not alive or (len(finished) == beam and alive[0][1] < finished[-1][1]):
            break
    return finished if ctc is None else _rescored(finished, ctc, weight)


def _rescored(finished: list[tuple[list[int], float]], ctc: Tensor, weight: float) -> list[tuple[list[int], float]]:
    spoken = [(units, score) for units, score in finished if 0 < len(units) <= len(ctc)]
    if not spoken:
        return finished
    lengths = torch.tensor([len(units) for units, _ in spoken])
    targets = nn.utils.rnn.pad_sequence([torch.tensor(units) for units, _ in spoken], batch_first=True)
    frames = torch.full_like(lengths, len(ctc))
    losses = ctc_losses(ctc.cpu().expand(len(spoken), *ctc.shape), targets, frames, lengths).tolist()
    # score = (1 - w) ln p_attention + w ln p_ctc; a loss of 0 stands for a transcript that no path gives
    heard = [-loss if loss else -math.inf for loss in losses]
    pairs = zip(spoken, heard, strict=True)
    return sorted(((units, (1 - weight) * s + weight * c) for (units, s), c in pairs), key=lambda item: -item[1])
