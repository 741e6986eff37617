"""What a recogniser minimises: CTC over alignments, label-smoothed cross entropy of the attention decoder."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tenfold.errors import InputError

BLANK = 0
IGNORED = -1  # the target of padding


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int = BLANK
) -> Tensor:
    """Return the CTC loss in nats, summed over the batch and divided by its size.

    L = -1/B sum_b ln sum_{a in A(y_b)} prod_t p_t(a_t), A(y) all paths that give y when repeats are merged and then
    blanks removed. log_probs (B, T, V), targets (B, U) padded with anything, lengths (B,). An utterance with no path,
    T < U + repeats, counts 0. Raises InputError for an empty transcript. Source: Graves et al. 2006, ICML, 369-376.
    """
    return ctc_losses(log_probs, targets, input_lengths, target_lengths, blank).mean()


def ctc_losses(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int = BLANK
) -> Tensor:
    """Return the CTC loss (B,) of each utterance; see `ctc_loss`."""
    if targets.numel() == 0 or int(target_lengths.min()) < 1:
        raise InputError("a transcript must not be empty")
    return functional.ctc_loss(
        log_probs.transpose(0, 1).float(),
        targets,
        input_lengths,
        target_lengths,
        blank=blank,
        reduction="none",
        zero_infinity=True,
    )


def label_smoothing_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.1, ignore: int = IGNORED) -> Tensor:
    """Return KL(q || p) in nats, summed over the tokens and divided by the batch.

    q = 1 - a on the target and a / (V - 1) elsewhere, a = `smoothing`; p = softmax(logits). logits (B, U, V), targets
    (B, U); targets `ignore` count nothing. Raises InputError for a outside [0, 1), a vocabulary of one unit and
    targets beyond it. Source: arXiv 1512.00567, section 7, in the form of the public code mpc001/auto_avsr.
    """
    units = logits.shape[-1]
    if not 0 <= smoothing < 1 or units < 2:
        raise InputError(f"label smoothing needs a share in [0, 1) and 2 units or more, not {smoothing} and {units}")
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    counted = targets != ignore
    chosen = targets.masked_fill(~counted, 0)
    if int(chosen.min()) < 0 or int(chosen.max()) >= units:
        raise InputError(f"a target lies beyond the {units} units")
    q = torch.full_like(logits, smoothing / (units - 1)).scatter_(-1, chosen[..., None], 1 - smoothing)
    # KL(q || p) = sum q (ln q - ln p)
    divergence = (torch.xlogy(q, q) - q * logits.log_softmax(-1)).sum(-1)
    return divergence.masked_fill(~counted, 0.0).sum() / len(logits)


def hybrid_loss(ctc: Tensor, attention: Tensor, weight: float = 0.1) -> Tensor:
    """Return w CTC + (1 - w) attention, w = 0.1 in the public code mpc001/auto_avsr."""
    if not 0 <= weight <= 1:
        raise InputError(f"the weight of CTC lies in [0, 1], not {weight}")
    return weight * ctc + (1 - weight) * attention
