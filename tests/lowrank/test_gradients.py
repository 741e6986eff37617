"""Gradients along a training: cosines and subspaces by hand, snapshots that leave the training as it is."""

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.lowrank import (
    Snapshots,
    adjacent_cosine,
    cosine_map,
    gradients,
    singular_values,
    stable_rank,
    subspace_map,
    subspace_overlap,
)
from tenfold.training import Recipe, Resident, fit
from tests.lowrank.matrices import ids, llama, matrix, orthogonal, seeded

RECIPE = Recipe(3, 16, lr=0.05, optimizer="adam", weight_decay=0.0, schedule="constant", channels_last=False)


def test_cosines_by_hand():
    a, b = matrix(5, 4), matrix(5, 4, 1)
    found = cosine_map([a, 2 * a, -a, b])
    assert torch.allclose(found[0, :3], torch.tensor([1.0, 1.0, -1.0]))
    assert found[0, 3].item() == pytest.approx((a * b).sum().item() / (a.norm() * b.norm()).item(), rel=1e-5)
    assert torch.allclose(found, found.T)
    assert torch.allclose(found.diagonal(), torch.ones(4))
    assert torch.allclose(adjacent_cosine([a, 2 * a, -a]), torch.tensor([1.0, -1.0]))
    assert cosine_map([a, 0 * a])[0, 1] == 0
    with pytest.raises(InputError, match="one shape"):
        cosine_map([a, a.T])
    with pytest.raises(InputError, match="at least one"):
        cosine_map([])


def test_subspaces_by_hand():
    stack = torch.stack([matrix(6, 9), 3 * matrix(6, 9, 1)])
    found = subspace_map(stack, 4)
    assert found.shape == (2, 4)
    assert torch.allclose(found, torch.linalg.svdvals(stack)[:, :4], atol=1e-5)
    assert subspace_map(stack).shape == (2, 6)
    q = orthogonal(12).float()
    low = [q[:, :3] @ matrix(3, 8, seed) for seed in (1, 2)]
    assert subspace_overlap(*low, 3) == pytest.approx(1, abs=1e-5)
    assert subspace_overlap(low[0], q[:, 3:6] @ matrix(3, 8), 3) == pytest.approx(0, abs=1e-9)
    random = [subspace_overlap(matrix(60, 60, 2 * i), matrix(60, 60, 2 * i + 1), 6) for i in range(20)]
    assert sum(random) / 20 == pytest.approx(6 / 60, rel=0.2)
    with pytest.raises(InputError, match=r"1 \.\.\. 8"):
        subspace_overlap(*low, 9)


def test_gradients_of_a_model_are_autograds():
    model = llama()
    model.model.layers[0].mlp.up_proj.weight.requires_grad_(False)
    found = gradients(model, lambda net: net(ids(), labels=ids()).loss)
    assert len(found) == 21
    assert all(p.grad is None for p in model.parameters())
    assert not model.model.layers[0].mlp.up_proj.weight.requires_grad
    model.requires_grad_(True)
    model(ids(), labels=ids()).loss.backward()
    for name, gradient in found.items():
        assert torch.allclose(gradient, model.get_submodule(name).weight.grad, atol=1e-6)
    with pytest.raises(InputError, match=r"does not depend on model\.layers\.0\.self_attn\.q_proj"):
        gradients(model, lambda net: net.lm_head.weight.sum())


def net():
    model = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 2))
    for i, p in enumerate(model.parameters()):
        p.data = torch.randn(p.shape, generator=seeded(i)) * 0.4
    return model


def data():
    x = matrix(64, 6)
    return Resident(x, (x[:, 0] > 0).long())


def loss(model):
    x = matrix(20, 6, 9)
    return nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())


def snapshots(**options):
    return Snapshots(loss, 4, ["0", "2"], count=5, **options)


def test_snapshots_leave_the_training_as_it_is_and_hold_what_was_there():
    plain, watched, rule = net(), net(), snapshots()
    first = gradients(watched, loss, ["0"])["0"]
    history = [fit(model, data(), RECIPE, [0], rules=rules) for model, rules in ((plain, []), (watched, [rule]))]
    assert history[0]["loss"].tolist() == history[1]["loss"].tolist()
    for a, b in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(a, b)
    assert rule.steps == [0, 4, 8, 12]
    table = rule.table()
    assert len(table) == 8
    assert list(table) == ["step", "name", "stable_rank", "entropy_rank", "gradient_stable_rank", "gradient_norm"]
    assert rule.weight_map("0").shape == rule.gradient_map("0").shape == (4, 5)
    assert rule.gradient_map("2").shape == (4, 2)
    last = singular_values(watched[0].weight.detach())
    assert torch.allclose(rule.weight_map("0")[-1], last[:5])
    end = table[(table["step"] == 12) & (table["name"] == "0")].iloc[0]
    assert end["stable_rank"] == pytest.approx(stable_rank(last), rel=1e-6)
    start = table[(table["step"] == 0) & (table["name"] == "0")].iloc[0]
    assert start["gradient_norm"] == pytest.approx(first.norm().item(), rel=1e-5)
    cosine = rule.cosine("0")
    assert cosine.shape == (4, 4)
    wanted = gradients(watched, loss, ["0"])["0"]
    found = (first * wanted).sum() / (first.norm() * wanted.norm())
    assert cosine[0, -1].item() == pytest.approx(found.item(), abs=1e-5)


def test_snapshots_survive_an_interruption(tmp_path):
    class Stop(Exception):
        pass

    def stop(records):
        if records[0]["epoch"] == 2:
            raise Stop

    whole, cut, path = snapshots(), snapshots(), tmp_path / "half.pt"
    fit(net(), data(), RECIPE, [0], rules=[whole])
    with pytest.raises(Stop):
        fit(net(), data(), RECIPE, [0], rules=[cut], checkpoint=path, checkpoint_every=1, progress=stop)
    again = snapshots()
    fit(net(), data(), RECIPE, [0], rules=[again], checkpoint=path, checkpoint_every=1)
    assert again.steps == whole.steps
    assert again.table().equals(whole.table())
    assert torch.equal(again.cosine("2"), whole.cosine("2"))


def test_what_is_refused():
    with pytest.raises(InputError, match="every 1 step"):
        Snapshots(loss, 0)
    rule = snapshots(directions=False)
    rule.take(net(), 0)
    with pytest.raises(InputError, match="direction of 0"):
        rule.cosine("0")
    with pytest.raises(InputError, match="weight of 7"):
        rule.weight_map("7")
