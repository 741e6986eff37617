"""CTC against the sum over all paths, label smoothing against torch, the schedule."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

from tenfold.errors import InputError
from tenfold.speech import collapse, ctc_loss, ctc_losses, hybrid_loss, label_smoothing_loss, warmup_cosine


def posteriors(frames, units, seed=0, batch=1):
    table = torch.randn(batch, frames, units, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return table.log_softmax(-1)


def brute(log_probs, target):
    """Return -ln of the sum of the probabilities of all paths that collapse to the target."""
    frames, units = log_probs.shape
    paths = itertools.product(range(units), repeat=frames)
    terms = [sum(log_probs[t, a] for t, a in enumerate(path)) for path in paths if collapse(path) == target]
    return -torch.stack(terms).logsumexp(0).item() if terms else math.inf


@pytest.mark.parametrize("target", [[1], [2, 1], [1, 1], [2, 2]])
@pytest.mark.parametrize("frames", [1, 3, 5])
def test_ctc_is_the_sum_over_all_paths(frames, target):
    table = posteriors(frames, 3)
    found = ctc_loss(table, torch.tensor([target]), torch.tensor([frames]), torch.tensor([len(target)])).item()
    expected = brute(table[0], target)
    assert found == pytest.approx(expected if math.isfinite(expected) else 0.0, abs=1e-5)


def test_too_few_frames_count_nothing():
    """T < U + repeats: no path, so a loss of 0 and no gradient, beside an utterance that has one."""
    table = posteriors(3, 3, batch=2).requires_grad_()
    targets, lengths = torch.tensor([[1, 1, 2], [1, 2, 0]]), torch.tensor([3, 2])
    losses = ctc_losses(table, targets, torch.tensor([3, 3]), lengths)
    assert losses[0] == 0
    assert losses[1].item() == pytest.approx(brute(table[1].detach(), [1, 2]), rel=1e-5)
    ctc_loss(table, targets, torch.tensor([3, 3]), lengths).backward()
    assert (table.grad[0] == 0).all()
    assert table.grad[1].abs().max() > 0


def test_padding_of_targets_and_frames_does_not_matter():
    table, targets = posteriors(6, 4, batch=2), torch.tensor([[1, 3, -1], [2, 2, 1]])
    frames, lengths = torch.tensor([4, 6]), torch.tensor([2, 3])
    found = ctc_losses(table, targets, frames, lengths)
    first = ctc_loss(table[:1, :4], targets[:1, :2], frames[:1], lengths[:1])
    second = ctc_loss(table[1:], targets[1:], frames[1:], lengths[1:])
    assert torch.allclose(found, torch.stack([first, second]))
    assert torch.allclose(ctc_loss(table, targets, frames, lengths), found.sum() / 2)
    with pytest.raises(InputError, match="transcript must not be empty"):
        ctc_loss(table, targets, frames, torch.tensor([0, 3]))


def test_label_smoothing_is_the_divergence():
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets = torch.tensor([[1, 4, -1], [0, 2, 3]])
    expected = 0.0
    for b, u in itertools.product(range(2), range(3)):
        if targets[b, u] >= 0:
            q = torch.full((5,), 0.1 / 4, dtype=torch.float64)
            q[targets[b, u]] = 0.9
            expected += functional.kl_div(logits[b, u].log_softmax(0), q, reduction="sum").item() / 2
    assert label_smoothing_loss(logits, targets).item() == pytest.approx(expected, rel=1e-10)


def test_no_smoothing_is_the_cross_entropy():
    logits, targets = (
        torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(2)),
        torch.tensor([[1, 4, -1], [0, 2, 3]]),
    )
    plain = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum") / 2
    assert label_smoothing_loss(logits, targets, 0.0).item() == pytest.approx(plain.item(), rel=1e-6)
    best = torch.full((1, 1, 5), 0.1 / 4).log()
    best[..., 2] = math.log(0.9)
    assert label_smoothing_loss(best, torch.tensor([[2]])).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="beyond the 5 units"):
        label_smoothing_loss(logits, targets + 3)
    with pytest.raises(InputError, match=r"share in \[0, 1\)"):
        label_smoothing_loss(logits, targets, 1.0)


def test_the_two_losses_are_weighed():
    assert hybrid_loss(torch.tensor(2.0), torch.tensor(10.0)).item() == pytest.approx(0.1 * 2 + 0.9 * 10)
    with pytest.raises(InputError, match="weight of CTC"):
        hybrid_loss(torch.tensor(0.0), torch.tensor(0.0), 1.5)


def test_warm_up_and_cosine():
    assert warmup_cosine(0, 10, 100, 1e-3) == 0
    assert warmup_cosine(5, 10, 100, 1e-3) == pytest.approx(5e-4)
    assert warmup_cosine(10, 10, 100, 1e-3) == pytest.approx(1e-3)
    assert warmup_cosine(55, 10, 100, 1e-3) == pytest.approx(5e-4)
    assert warmup_cosine(100, 10, 100, 1e-3, 1e-5) == pytest.approx(1e-5)
    rates = [warmup_cosine(t, 10, 100) for t in range(101)]
    assert sorted(rates[10:], reverse=True) == rates[10:]
    for step, warmup in ((101, 10), (-1, 10), (0, 100)):
        with pytest.raises(InputError, match="a schedule needs"):
            warmup_cosine(step, warmup, 100)


def test_torchs_schedulers_give_the_same_rates():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=2e-3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for step in range(41):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(warmup_cosine(step + 7, 7, 47, 2e-3), abs=1e-9)
        optimizer.step()
        cosine.step()
