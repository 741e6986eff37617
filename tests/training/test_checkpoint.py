"""Checkpoints: the same bits after an interruption, refusal of what belongs elsewhere, files that stay whole."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tenfold.errors import InputError
from tenfold.training import Recipe, Resident, Rule, crop_flip, fit, smoothed
from tenfold.training.checkpoint import difference
from tests.training.stacks import images, same, stack, weights

SEEDS = [0, 4]
RECIPE = Recipe(epochs=5, batch=16, lr=0.05, clip=1.0)


class Shaker(Rule):
    """Moves the weights at random after each step, with a generator of its own; counts its steps."""

    def __init__(self, size=1e-3):
        self.size = size

    def identity(self):
        return {"size": self.size}

    def start(self, run):
        self.generator, self.steps = torch.Generator().manual_seed(1), 0

    def after_step(self, run):
        self.steps += 1
        with torch.no_grad():
            for p in run.model.parameters():
                p.add_(torch.randn(p.shape, generator=self.generator), alpha=self.size)

    def finish(self, run):
        assert self.steps == run.step == run.total_steps

    def state_dict(self):
        return {"steps": self.steps, "generator": self.generator.get_state(), "none": None}

    def load_state_dict(self, state):
        self.steps = state["steps"]
        self.generator.set_state(state["generator"])


class Killed(Exception):
    pass


def train(path=None, until=None, seeds=SEEDS, recipe=RECIPE, **options):
    """Train a fresh stack, as a new process would; stop as if killed after epoch `until`."""

    def kill(records):
        if records[0]["epoch"] == until:
            raise Killed

    model = options.pop("model", None) or stack(seeds)
    data = options.pop("data", None) or Resident(*images(), augment=crop_flip(1))
    settings = {"rules": [Shaker()], "test": images(seed=2), "test_every": 2, "checkpoint_every": 1} | options
    history = fit(model, data, recipe, seeds, checkpoint=path, progress=kill, **settings)
    return history.drop(columns="seconds"), weights(model)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "run.pt"


@pytest.fixture
def killed(path):
    """The checkpoint of a training that was killed after epoch 2 of 5."""
    with pytest.raises(Killed):
        train(path, until=2)
    return path


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(("until", "every"), [(1, 1), (3, 1), (4, 3), (1, 2)])
def test_a_killed_training_goes_on_with_the_same_bits(path, until, every, optimizer):
    """Whether the last checkpoint is of the killed epoch, of an earlier one, or not there at all."""
    recipe = replace(RECIPE, optimizer=optimizer)
    history, wanted = train(recipe=recipe)
    with pytest.raises(Killed):
        train(path, until, recipe=recipe, checkpoint_every=every)
    assert path.exists() == (until >= every)
    resumed, found = train(path, recipe=recipe, checkpoint_every=every)
    assert resumed.equals(history)
    assert same(found, wanted)


def test_a_finished_training_is_not_done_again(path):
    history, wanted = train(path)
    before, rule = path.read_bytes(), Shaker()
    rule.after_step = None  # a step would fail
    again, found = train(path, rules=[rule])
    assert again.equals(history) and same(found, wanted)
    assert path.read_bytes() == before


def test_where_a_training_runs_may_change(killed):
    train(killed, recipe=replace(RECIPE, device="auto"))


class Other(Rule):
    pass


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model": lambda: stack(SEEDS, widths=(4, 4, 5, 4))}, r"architecture: \S+weight is \[8, 4, 3, 3\] there"),
        ({"model": lambda: stack(SEEDS, "mlp")}, "architecture: .* is only there"),
        ({"recipe": replace(RECIPE, lr=0.1)}, "recipe: lr is 0.05 there, 0.1 here"),
        ({"recipe": replace(RECIPE, clip=(None, 1.0))}, r"recipe: clip is 1.0 there, \(None, 1.0\) here"),
        ({"seeds": [0, 5]}, r"seeds is \[0, 4\] there, \[0, 5\] here"),
        (
            {"objective": smoothed(0.1)},
            r"objective is 'cross_entropy\(\)' there, .*\(label_smoothing=0.1\)' here",
        ),
        ({"rules": []}, "rules is .*Shaker"),
        ({"rules": [Other()]}, "rules is .*Other"),
        ({"rules": [Shaker(2e-3)]}, "rules is .*0.001.* there, .*0.002.* here"),
        ({"data": Resident(*images(seed=1))}, "data is"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_and_kept(killed, change, word):
    before = killed.read_bytes()
    if "model" in change:
        change = {"model": change["model"]()}
    with pytest.raises(InputError, match=f"belongs to another training: {word}") as caught:
        train(killed, **change)
    assert "\n" not in str(caught.value)
    assert killed.read_bytes() == before


class Trap:
    """Pickles into something that writes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_a_damaged_or_foreign_file_is_refused(killed, tmp_path):
    whole = killed.read_bytes()
    trap = tmp_path / "trap"
    torch.save({"identity": Trap(trap)}, tmp_path / "trapped")
    torch.save({"weights": torch.ones(2)}, tmp_path / "foreign")
    torch.save(torch.ones(2), tmp_path / "tensor")
    files = [b"", b"not a checkpoint", whole[: len(whole) // 2], pickle.dumps(Trap(trap), protocol=2)]
    files += [(tmp_path / name).read_bytes() for name in ("trapped", "foreign", "tensor")]
    for content in files:
        killed.write_bytes(content)
        with pytest.raises(InputError, match="is no checkpoint") as caught:
            train(killed)
        assert "\n" not in str(caught.value)
    assert not trap.exists()


def test_a_failing_save_leaves_the_last_checkpoint_whole(killed):
    class Careless(Shaker):
        def state_dict(self):
            return super().state_dict() | {"masks": [{"first": Path()}]}

    before = killed.read_bytes()
    Careless.__qualname__ = Shaker.__qualname__
    with pytest.raises(InputError, match="the state of a rule: masks: first holds a PosixPath"):
        train(killed, rules=[Careless()])
    assert killed.read_bytes() == before
    assert [item.name for item in killed.parent.iterdir()] == ["run.pt"]


def test_the_first_difference_is_told():
    assert difference({"a": [1, 2], "b": {"c": 1}}, {"a": [1, 2], "b": {"c": 1}}) is None
    assert difference({"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "b": {"c": 2, "d": 3}}) == "b: c is 1 there, 2 here"
    assert difference({"a": 1}, {"a": 1, "b": 2}) == "b is missing there"
    assert difference({"a": 1, "b": 2}, {"a": 1}) == "b is only there"
