"""Fine-tuning: exactly the chosen part moves, the rest keeps its bits, and the counts are those counted."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language import attach
from tenfold.language import merge as merge_adapters
from tenfold.lowrank import LowRankLinear, compress, maps, merge, optimizer_bytes, train_only, trainable
from tenfold.training import Recipe
from tests.lowrank.matrices import ids, llama, logits


@pytest.fixture
def small():
    model = compress(llama(), 0.5)
    kinds = {isinstance(module, LowRankLinear) for module in maps(model).values()}
    assert kinds == {True, False}
    return model


def stepped(model):
    """Which parameters one step of AdamW changes."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    recipe = Recipe(1, 1, lr=1e-3, optimizer="adamw", weight_decay=0.1)
    optimizer = recipe.build(model)
    model(ids(), labels=ids()).loss.backward()
    optimizer.step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def kinds_of(model):
    """Names of parameters: factors, dense maps, gains, the rest."""
    found = {"lrc": set(), "n-lrc": set(), "norms": set(), "rest": set()}
    low = {name for name, module in maps(model).items() if isinstance(module, LowRankLinear)}
    for name, p in model.named_parameters():
        parent = name.rpartition(".")[0]
        kind = "lrc" if parent in low else "n-lrc" if parent in maps(model) else "norms" if p.ndim == 1 else "rest"
        found[kind].add(name)
    return found


@pytest.mark.parametrize("norms", [True, False])
@pytest.mark.parametrize("part", ["lrc", "n-lrc", "both"])
def test_only_the_part_moves(small, part, norms):
    kinds = kinds_of(small)
    wanted = set().union(*(kinds[kind] for kind in (["lrc", "n-lrc"] if part == "both" else [part])))
    wanted |= kinds["norms"] if norms else set()
    assert train_only(small, part, norms=norms) is small
    assert {name for name, p in small.named_parameters() if p.requires_grad} == wanted
    assert stepped(small) == wanted
    counts = trainable(small)
    sizes = {name: p.numel() for name, p in small.named_parameters()}
    assert counts["trainable"] == sum(sizes[name] for name in wanted)
    assert counts["total"] == sum(sizes.values())
    assert counts["share"] == pytest.approx(counts["trainable"] / counts["total"])
    assert optimizer_bytes(small) == 8 * counts["trainable"]


def test_everything_and_back(small):
    assert trainable(train_only(small, "all"))["share"] == 1
    assert trainable(train_only(small, "lrc"))["share"] < 0.6
    counts = [trainable(train_only(small, part, norms=False))["trainable"] for part in ("lrc", "n-lrc", "both")]
    assert counts[0] + counts[1] == counts[2]


def test_training_lowers_the_loss(small):
    train_only(small, "lrc")
    optimizer = torch.optim.AdamW([p for p in small.parameters() if p.requires_grad], lr=5e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = small(ids(), labels=ids()).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.05


def test_adapters_go_on_merged_maps(small):
    before = logits(small)
    attach(merge(small), 4, 8, ["q_proj", "k_proj"])
    assert torch.allclose(logits(small), before, atol=1e-4)
    assert trainable(small)["trainable"] == 3 * 2 * 4 * 64
    merge_adapters(small)
    assert torch.allclose(logits(small), before, atol=1e-4)


def test_what_is_refused(small):
    with pytest.raises(InputError, match="did you mean 'n-lrc'"):
        train_only(small, "nlrc")
    with pytest.raises(InputError, match="no map to train as 'lrc'"):
        train_only(llama(), "lrc")
    with pytest.raises(InputError, match="no map to train as 'n-lrc'"):
        train_only(compress(llama(), 0.9, "all"), "n-lrc")
