"""GaLore: best approximations at a refresh, a constant basis between, plain Adam in the limit, and in the loop."""

import math

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.lowrank import GaLore, GaLoreAdamW, GaLoreProjector, galore, held_bytes, optimizer_bytes
from tenfold.training import Recipe, Resident, fit
from tests.lowrank.matrices import matrix, seeded


@pytest.mark.parametrize("shape", [(20, 12), (12, 20), (15, 15)])
@pytest.mark.parametrize("rank", [1, 4, 12])
def test_at_a_refresh_the_best_approximation(shape, rank):
    g = matrix(*shape)
    projector = GaLoreProjector(rank, 10, scale=0.25)
    r = projector.project(g, 0)
    p = projector.basis if shape[0] >= shape[1] else projector.basis.T
    assert torch.allclose(p @ p.T, torch.eye(rank), atol=1e-5)
    assert r.shape == ((shape[0], rank) if shape[0] >= shape[1] else (rank, shape[1]))
    u, s, vh = torch.linalg.svd(g, full_matrices=False)
    best = u[:, :rank] * s[:rank] @ vh[:rank]
    assert torch.allclose(projector.project_back(r), 0.25 * best, atol=1e-5)


def test_between_refreshes_the_basis_stays():
    projector = GaLoreProjector(3, 4)
    bases = []
    for step in range(9):
        projector.project(matrix(10, 8, step), step)
        bases.append(projector.basis.clone())
    for step in range(9):
        assert torch.equal(bases[step], bases[step - step % 4])
    assert not torch.equal(bases[0], bases[4])
    assert not torch.equal(bases[4], bases[8])


def test_a_first_gradient_gives_a_basis_at_any_step():
    projector = GaLoreProjector(2, 100)
    projector.project(matrix(6, 5), 37)
    assert projector.basis.shape == (2, 5)


def layers(seed=0):
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    for i, p in enumerate(net.parameters()):
        p.data = torch.randn(p.shape, generator=seeded(seed + i)) * 0.3
    return net


def trained(net, optimizer, steps=20):
    x, y = matrix(30, 6, 5), matrix(30, 4, 6)
    for _ in range(steps):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    return [p.detach().clone() for p in net.parameters()]


def test_without_a_rank_it_is_torchs_own_adamw():
    ours, theirs = layers(), layers()
    settings = {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.1}
    found = trained(ours, GaLoreAdamW(ours.parameters(), **settings))
    wanted = trained(theirs, torch.optim.AdamW(theirs.parameters(), **settings))
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def written_out(steps, rank, gap, scale, lr, decay):
    """The procedure as it is described, matrix by matrix, in float64."""
    net = layers().double()
    kept = [{} for _ in net.parameters()]
    x, y = matrix(30, 6, 5).double(), matrix(30, 4, 6).double()
    for t in range(steps):
        net.zero_grad()
        (net(x) - y).square().mean().backward()
        for p, state in zip(net.parameters(), kept, strict=True):
            g, right = p.grad, p.ndim == 2 and p.shape[0] >= p.shape[1]
            if p.ndim == 2:
                if t % gap == 0:
                    u, _, vh = torch.linalg.svd(g, full_matrices=False)
                    # Signs of a basis cancel, but not where moments outlive it: those of the largest entry.
                    b = vh[:rank] if right else u[:, :rank].T
                    sign = torch.gather(b, 1, b.abs().argmax(1, keepdim=True)).sign()
                    state["p"] = b * sign
                g = g @ state["p"].T if right else state["p"] @ g
            m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
            v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * g**2
            move = m / (1 - 0.9 ** (t + 1)) / ((v / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8)
            if p.ndim == 2:
                move = scale * (move @ state["p"] if right else state["p"].T @ move)
            p.data = (1 - lr * decay) * p.data - lr * move
    return [p.detach() for p in net.parameters()]


def test_the_procedure_written_out():
    net = layers()
    found = trained(net, GaLoreAdamW(net.parameters(), 0.01, rank=2, update_gap=50, scale=0.5, weight_decay=0.1), 12)
    for a, b in zip(found, written_out(12, 2, 50, 0.5, 0.01, 0.1), strict=True):
        assert torch.allclose(a.double(), b, atol=1e-5)


def test_the_first_step_moves_within_the_projected_space():
    net = layers()
    before = net[0].weight.detach().clone()
    trained(net, GaLoreAdamW(net.parameters(), 0.01, rank=2), 1)
    assert torch.linalg.matrix_rank(net[0].weight.detach() - before, atol=1e-6) == 2


def test_bytes_are_those_counted():
    net = layers()
    names = ["0", "2"]
    for optimizer, counted in (
        (GaLoreAdamW(net.parameters(), rank=2), optimizer_bytes(net, "galore", 2, names=names)),
        (torch.optim.AdamW(net.parameters()), optimizer_bytes(net)),
        (torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), optimizer_bytes(net, "sgd")),
    ):
        trained(net, optimizer, 1)
        assert held_bytes(optimizer) == counted
    assert optimizer_bytes(net, "galore", 2, names=names) == 4 * (2 * (16 + 6) + 2 * (16 + 4) + 2 * 12)


class Net(nn.Module):
    """Two maps under names that GaLore knows, one under another."""

    def __init__(self):
        super().__init__()
        inner = layers()
        self.up_proj, self.head = inner[0], inner[2]

    def forward(self, x):
        return self.head(torch.tanh(self.up_proj(x)))


def data():
    x = matrix(64, 6, 8)
    return Resident(x, (x[:, 0] > 0).long())


RECIPE = Recipe(4, 16, lr=0.02, optimizer="adamw", weight_decay=0.01, schedule="cosine", warmup=1, channels_last=False)


def test_it_trains_in_the_loop_and_resumes_with_the_same_bits(tmp_path):
    def rules():
        return [GaLore(rank=2, update_gap=5)]

    whole, cut = Net(), Net()
    history = fit(whole, data(), RECIPE, [0], rules=rules())
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]

    class Stop(Exception):
        pass

    def stop(records):
        if records[0]["epoch"] == 2:
            raise Stop

    path = tmp_path / "half.pt"
    with pytest.raises(Stop):
        fit(cut, data(), RECIPE, [0], rules=rules(), checkpoint=path, checkpoint_every=1, progress=stop)
    again = Net()
    fit(again, data(), RECIPE, [0], rules=rules(), checkpoint=path, checkpoint_every=1)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(InputError, match="another training"):
        fit(Net(), data(), RECIPE, [0], rules=[GaLore(rank=3, update_gap=5)], checkpoint=path)


def test_only_named_and_trained_matrices_are_projected():
    net = Net()
    optimizer = galore(net, RECIPE, 2)
    projected = [p for group in optimizer.param_groups if group["rank"] for p in group["params"]]
    assert [p.shape for p in projected] == [(8, 6)]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4
    net.up_proj.weight.requires_grad_(False)
    with pytest.raises(InputError, match="no trained matrix"):
        galore(net, RECIPE, 2)


def test_what_is_refused():
    for rank, gap in ((0, 5), (2, 0)):
        with pytest.raises(InputError, match="at least 1"):
            GaLoreProjector(rank, gap)
    with pytest.raises(InputError, match=r"1 \.\.\. 5, not 6"):
        GaLoreProjector(6).project(matrix(9, 5), 0)
    with pytest.raises(InputError, match="nothing has been projected"):
        GaLoreProjector(2).project_back(matrix(4, 2))
    g = matrix(4, 4)
    g[0, 0] = math.inf
    with pytest.raises(InputError, match="a gradient holds NaN or infinite"):
        GaLoreProjector(2).project(g, 0)
    with pytest.raises(InputError, match="adamw"):
        galore(Net(), Recipe(1, 4), 2)
    with pytest.raises(InputError, match="Adam needs"):
        GaLoreAdamW(Net().parameters(), lr=-1)
    with pytest.raises(InputError, match="has a rank"):
        optimizer_bytes(Net(), "galore")
    with pytest.raises(InputError, match="unknown optimiser"):
        optimizer_bytes(Net(), "lion")
