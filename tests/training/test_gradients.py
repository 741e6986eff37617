"""Norms and clipping of each replica's gradient."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from tenfold.training.gradients import clip, norms

SHAPES = ((6, 2, 3, 3), (3,), (6, 5), (3,))


def parameters(seed=0, replicas=3):
    generator = torch.Generator().manual_seed(seed)
    found = []
    for shape in SHAPES:
        parameter = nn.Parameter(torch.zeros(shape[0] * replicas, *shape[1:]))
        parameter.grad = torch.randn(parameter.shape, generator=generator)
        found.append(parameter)
    return [*found, nn.Parameter(torch.zeros(replicas))]


def of(all_, number, replicas=3):
    """The parameters of one replica alone."""
    singles = []
    for parameter in all_:
        single = nn.Parameter(parameter.detach().view(replicas, -1)[number].clone())
        if parameter.grad is not None:
            single.grad = parameter.grad.reshape(replicas, -1)[number].clone()
        singles.append(single)
    return singles


@pytest.mark.parametrize("limits", [(0.5, math.inf, 3.0), (100.0, 1e-3, math.inf)])
def test_each_replica_is_clipped_as_torch_clips_it_alone(limits):
    stack = parameters()
    singles = [of(stack, i) for i in range(3)]
    found = norms(stack, 3)
    clip(stack, found, torch.tensor(limits))
    for i, (single, limit) in enumerate(zip(singles, limits, strict=True)):
        torch.testing.assert_close(found[i], clip_grad_norm_(single, limit))
        for one, other in zip(of(stack, i), single, strict=True):
            if one.grad is not None:
                torch.testing.assert_close(one.grad, other.grad)


def test_one_replica_alone_and_weights_in_another_layout():
    plain, last = parameters(replicas=1), parameters(replicas=1)
    last[0].grad = last[0].grad.contiguous(memory_format=torch.channels_last)
    for group in (plain, last):
        clip(group, norms(group, 1), torch.tensor([0.25]))
        assert norms(group, 1).item() == pytest.approx(0.25, rel=1e-5)
    assert torch.equal(plain[0].grad, last[0].grad)
    stack = parameters()
    stack[0].grad = stack[0].grad.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(norms(stack, 3), norms(parameters(), 3))
    clip(stack, norms(stack, 3), torch.full((3,), 0.5))
    torch.testing.assert_close(norms(stack, 3), torch.full((3,), 0.5))


def test_a_replica_that_blows_up_leaves_the_others_alone_and_itself_where_it_has_no_limit():
    stack = parameters()
    stack[0].grad[:6] = math.inf
    before = [stack[2].grad.clone(), stack[0].grad.clone()]
    clip(stack, norms(stack, 3), torch.tensor([math.inf, math.inf, 1e6]))
    assert torch.equal(stack[2].grad, before[0]) and torch.equal(stack[0].grad, before[1])
    clip(stack, norms(stack, 3), torch.tensor([1.0, math.inf, math.inf]))
    assert torch.equal(stack[2].grad[6:], before[0][6:])


def test_without_gradients_norms_are_zero():
    assert norms([nn.Parameter(torch.ones(4))], 2).tolist() == [0, 0]
