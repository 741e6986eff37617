"""Small networks of one shape trained in lockstep: each operation of a step serves all of them.

The gradients are written out, so that a step is a fixed list of operations on preallocated tensors. For networks of
128-64-9 units and batches of 128 a step takes 53 us each on one idle core, more than half of it in the two large
matrix products, which run at the core's speed; a network alone takes 81 us, and modules with autograd seven times
as long as the stack (benchmarks/probes.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.optim.adam import adam

SIZE = 32  # networks in one stack: beyond, their numbers leave the cache; below, calls cost more than sums


def initial(widths: Sequence[int], generator: torch.Generator, dtype: torch.dtype) -> list[Tensor]:
    """Return torch's default initialisation of linear layers, drawn layer by layer, weight before bias.

    W, b ~ U(-1/sqrt(D), 1/sqrt(D)) for fan-in D. The last layer is kept as (K, H), (K, 1), the one before, if there
    is one, as (D, H), (1, H): the layouts for which both products and gradients need no copy.
    """
    drawn = []
    for fan_in, fan_out in pairwise(widths):
        weight, bias = torch.empty(fan_out, fan_in, dtype=dtype), torch.empty(fan_out, dtype=dtype)
        torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
        bound = 1 / math.sqrt(fan_in)
        drawn.append((weight, torch.nn.init.uniform_(bias, -bound, bound, generator=generator)))
    *inner, (weight, bias) = drawn
    return [value for w, b in inner for value in (w.T.contiguous(), b[None])] + [weight, bias[:, None]]


def forward(x: Tensor, weights: Sequence[Tensor], h: Tensor | None = None, z: Tensor | None = None):
    """Return (last hidden layer (M, b, H), logits (M, K, b)) of inputs (M, b, D), in `h` and `z` where given.

    h = ReLU(x W1 + b1), z = W2 h^T + b2; without a hidden layer h = x. Logits with the batch last: a softmax
    over nine neighbouring numbers is 25 times slower.
    """
    *inner, weight, bias = weights
    if inner:
        x = torch.bmm(x, inner[0], out=h).add_(inner[1]).relu_()
    return x, torch.bmm(weight, x.mT, out=z).add_(bias)


class Batch:
    """Room for one batch of b rows for each of M networks, and for what a step computes on the way."""

    def __init__(self, weights: Sequence[Tensor], rows: int):
        *inner, weight, _ = weights
        m, k, h = weight.shape
        empty = weight.new_empty
        self.x = empty(m, rows, inner[0].shape[1] if inner else h)
        self.y, self.z = empty(m, rows, k), empty(m, k, rows)
        self.h, self.back = (empty(m, rows, h), empty(m, rows, h)) if inner else (None, None)

    def load(self, table: Tensor, rows: Tensor, targets: Tensor, numbers: Tensor) -> None:
        """Fill x with `rows` (M b,) of the table and y with `numbers` (M b,) of the targets."""
        torch.index_select(table, 0, rows, out=self.x.view(-1, table.shape[1]))
        torch.index_select(targets, 0, numbers, out=self.y.view(-1, targets.shape[1]))


class Stack:
    """M networks and their Adam moments, each kind of number in one flat buffer, so that Adam is one operation."""

    def __init__(self, members: Tensor, state: Sequence[Sequence[Tensor]], steps: Tensor):
        self.members, self.steps = members, steps.clone()
        self.flat, self.weights = _flat(state[0])
        (self.first, means), (self.second, squares) = map(_flat, state[1:])
        self.state = (self.weights, means, squares)
        self.slope, self.gradients = _flat([torch.zeros_like(value) for value in state[0]])

    def step(self, batch: Batch, share: Tensor, lr: float) -> None:
        """Take one Adam step on the loss sum_r share_r CE(y_r, softmax z_r); share (M, 1, b).

        dz = share (softmax z - y), dW2 = dz h, db2 = sum dz, dh = (dz^T W2) [h > 0], dW1 = x^T dh, db1 = sum dh.
        For rows y that sum to one the gradient of KL(y || softmax z) is the same.
        """
        h, z = forward(batch.x, self.weights, batch.h, batch.z)
        torch.softmax(z, 1, out=z).sub_(batch.y.mT).mul_(share)
        *inner, d_weight, d_bias = self.gradients
        torch.bmm(z, h, out=d_weight)
        torch.sum(z, 2, keepdim=True, out=d_bias)
        if inner:
            back = torch.bmm(z.mT, self.weights[2], out=batch.back).mul_(h.sign_())
            torch.bmm(batch.x.mT, back, out=inner[0])
            torch.sum(back, 1, keepdim=True, out=inner[1])
        adam(
            [self.flat], [self.slope], [self.first], [self.second], [], [self.steps],
            fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=lr, weight_decay=0.0, eps=1e-8, maximize=False,
        )  # fmt: skip


def stacked(members: Tensor, state: Sequence[Sequence[Tensor]], steps: Tensor) -> list[Stack]:
    """Return networks, given with all their numbers (G, ...), as stacks of at most 32 and of nearly equal size."""
    parts = torch.arange(len(members)).tensor_split(math.ceil(len(members) / SIZE))
    return [Stack(members[part], [[value[part] for value in kind] for kind in state], steps) for part in parts]


def compacted(stacks: Sequence[Stack], kept: Tensor) -> list[Stack]:
    """Return new stacks of those networks alone whose mark `kept` (G,), by member number, is set."""
    masks = [kept[stack.members] for stack in stacks]
    if all(bool(mask.all()) for mask in masks):
        return list(stacks)
    members = torch.cat([stack.members[mask] for stack, mask in zip(stacks, masks, strict=True)])
    if len(members) == 0:
        return []
    pairs = [(stack.state, mask) for stack, mask in zip(stacks, masks, strict=True)]
    state = [
        [torch.cat([one[kind][i][mask] for one, mask in pairs]) for i in range(len(stacks[0].weights))]
        for kind in range(3)
    ]
    return stacked(members, state, stacks[0].steps)


def _flat(values: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Return one buffer that holds all values, and the views that are each of them."""
    flat = torch.cat([value.reshape(-1) for value in values])
    parts = flat.split([value.numel() for value in values])
    return flat, [part.view(value.shape) for part, value in zip(parts, values, strict=True)]
