"""Second moments of inputs: batches, shards, marks, and maps that share what they receive."""

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.pruning import InputStatistics, collect


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def inputs(seed=0, shape=(6, 5, 8)):
    return torch.randn(shape, generator=seeded(seed))


class Branches(nn.Module):
    """Two maps of the same tensor, then one of their product, and one that nothing calls."""

    def __init__(self):
        super().__init__()
        self.gate, self.up = nn.Linear(8, 12), nn.Linear(8, 12)
        self.down, self.idle = nn.Linear(12, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.down(self.gate(x) * self.up(x))

    def maps(self, *names):
        return {name: getattr(self, name) for name in names or ("gate", "up", "down")}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Branches()


@pytest.mark.parametrize("gram", [False, True])
def test_batches_and_shards_add_up_to_one_pass(gram):
    x = inputs(shape=(64, 50, 8)) * 10
    whole, streamed = InputStatistics(8, gram), InputStatistics(8, gram)
    whole.add(x.flatten(0, 1), 64)
    shards = [InputStatistics(8, gram) for _ in range(4)]
    for number, part in enumerate(x.split(3)):
        streamed.add(part.flatten(0, 1), len(part))
        shards[number % 4].add(part.flatten(0, 1), len(part))
    for other in shards[1:]:
        shards[0].merge(other)
    exact = x.double().square().sum((0, 1))
    for found in (whole, streamed, shards[0]):
        assert (found.tokens, found.windows) == (3200, 64)
        assert torch.allclose(found.sq_norm.double(), exact, rtol=1e-6, atol=0)
        if gram:
            product = x.flatten(0, 1).double().T @ x.flatten(0, 1).double()
            assert (found.gram.double() - product).abs().max() < 1e-6 * product.max()
            assert torch.allclose(found.hessian(), found.gram * 2 / 64)


def test_without_processes_nothing_is_reduced():
    found = InputStatistics(8)
    found.add(inputs().flatten(0, 1), 6)
    before = found.sq_norm.clone()
    found.reduce()
    assert torch.equal(found.sq_norm, before)
    assert (found.tokens, found.windows) == (30, 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sums_are_float32_whatever_comes_in(dtype):
    x = (inputs(shape=(400, 8)) * 30).to(dtype)  # float16 overflows beyond 65504
    found = InputStatistics(8, gram=True)
    found.add(x, 1)
    assert found.gram.dtype == torch.float32
    assert torch.allclose(found.sq_norm.double(), x.double().square().sum(0), rtol=1e-5)


@pytest.mark.parametrize("gram", [False, True])
def test_maps_with_the_same_input_share_their_statistics(net, gram):
    x, y = inputs(1), inputs(2, (3, 5, 8))

    def run():
        net(x)
        net(y)

    found = collect(net.maps(), run, gram)
    both = torch.cat([x, y])
    middle = net.gate(both) * net.up(both)
    assert found["gate"] is found["up"]
    assert found["down"] is not found["gate"]
    assert (found["gate"].gram is not None) == gram
    assert torch.allclose(found["gate"].sq_norm, both.square().sum((0, 1)), rtol=1e-5)
    assert torch.allclose(found["down"].sq_norm, middle.square().sum((0, 1)), rtol=1e-5)
    assert (found["down"].tokens, found["down"].windows) == (45, 9)
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_shared_inputs_are_summed_once(net, monkeypatch):
    added, add = [], InputStatistics.add
    monkeypatch.setattr(InputStatistics, "add", lambda self, x, n: (added.append(x.shape), add(self, x, n)))
    collect(net.maps(), lambda: net(inputs()), True)
    assert added == [(30, 8), (30, 12)]


def test_equal_but_distinct_inputs_are_not_shared(net):
    x = inputs()
    found = collect(net.maps("gate", "up"), lambda: (net.gate(x), net.up(x.clone())), False)
    assert found["gate"] is not found["up"]


def test_only_marked_tokens_count(net):
    x = inputs()
    count = torch.rand(6, 5, generator=seeded(3)) > 0.4
    found = collect(net.maps(), lambda: [net(part) for part in x.split(4)], True, count)
    assert found["up"].tokens == int(count.sum())
    assert torch.allclose(found["up"].gram, x[count].T @ x[count], rtol=1e-5, atol=1e-5)
    middle = (net.gate(x) * net.up(x))[count]
    assert torch.allclose(found["down"].sq_norm, middle.square().sum(0), rtol=1e-5)


def test_marks_by_name(net):
    x = inputs()
    count = torch.zeros(6, 5, dtype=torch.bool)
    count[:, 0] = True
    found = collect(net.maps(), lambda: net(x), False, {"up": count})
    assert found["up"] is not found["gate"]
    assert [found[name].tokens for name in ("gate", "up", "down")] == [30, 6, 30]
    assert torch.allclose(found["up"].sq_norm, x[:, 0].square().sum(0))


def test_rows_without_positions(net):
    x = inputs(shape=(7, 8))
    found = collect(net.maps("idle"), lambda: net.idle(x), False, torch.arange(7) < 4)
    assert torch.allclose(found["idle"].sq_norm, x[:4].square().sum(0))


def test_what_cannot_be_right(net):
    x, short = inputs(), torch.ones(2, 5, dtype=torch.bool)
    with pytest.raises(InputError, match="no data reached idle"):
        collect(net.maps("idle", "gate"), lambda: net(x), False)
    with pytest.raises(InputError, match="marks"):
        collect(net.maps(), lambda: net(x), False, short)
    assert not any(module._forward_pre_hooks for module in net.modules())
    with pytest.raises(InputError, match="gram"):
        InputStatistics(8).hessian()
    with pytest.raises(InputError, match="inputs are"):
        InputStatistics(8).add(inputs(), 6)
    with pytest.raises(InputError, match="do not add"):
        InputStatistics(8).merge(InputStatistics(8, gram=True))


@pytest.mark.parametrize("order", [("gate", "up", "gate"), ("gate", "up", None, "gate", None, "up")])
def test_maps_that_share_some_inputs_only_are_refused(net, order):
    def run():
        x = inputs()
        for name in order:
            x = inputs() if name is None or name == order[0] else x
            if name:
                net.maps()[name](x)

    with pytest.raises(InputError, match="share only some"):
        collect(net.maps("gate", "up"), run, False)
