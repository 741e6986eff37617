"""The loop: steps by hand, the order of a step, replicas that do not know of each other, what the history says."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tenfold.errors import InputError
from tenfold.nets import replica
from tenfold.training import Recipe, Resident, Rule, accuracy, crop_flip, cross_entropy, fit, predict
from tests.training.stacks import RECIPE, ROWS, images, resident, same, stack, weights

X = torch.randn(12, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
Y = torch.arange(12) % 3


def linear():
    model = nn.Linear(4, 3, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.arange(12.0).view(3, 4) / 10 - 0.5)
    return model


def gradient(weight, rows=slice(None)):
    """The gradient of the mean cross entropy of z = W x by hand: (softmax z - onehot)^T x / B."""
    z = X[rows].numpy() @ weight.T
    share = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return (share - np.eye(3)[Y[rows]]).T @ X[rows].numpy() / len(z)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_by_hand(nesterov):
    """v <- 0.9 v + g + 0.01 w; w <- w - lr v, or - lr (g + 0.01 w + 0.9 v); the rate falls in the second half."""
    model, by_hand = linear(), linear().weight.detach().numpy()
    velocity = np.zeros_like(by_hand)
    recipe = Recipe(epochs=4, batch=12, lr=0.5, nesterov=nesterov, weight_decay=0.01, milestones=(0.5,))
    fit(model, Resident(X, Y), recipe, [0])
    for rate in (0.5, 0.5, 0.05, 0.05):
        g = gradient(by_hand) + 0.01 * by_hand
        velocity = 0.9 * velocity + g
        by_hand = by_hand - rate * (g + 0.9 * velocity if nesterov else velocity)
    np.testing.assert_allclose(model.weight.detach(), by_hand, rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_by_hand(optimizer):
    model, w = linear(), linear().weight.detach().numpy()
    m = v = np.zeros_like(w)
    settings = {"lr": 0.1, "weight_decay": 0.1, "betas": (0.8, 0.95), "schedule": "constant"}
    fit(model, Resident(X, Y), Recipe(epochs=3, batch=12, optimizer=optimizer, **settings), [0])
    for t in (1, 2, 3):
        g = gradient(w)
        if optimizer == "adam":
            g = g + 0.1 * w
        else:
            w = w - 0.1 * 0.1 * w
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        w = w - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
    np.testing.assert_allclose(model.weight.detach(), w, rtol=1e-7)


def test_a_short_batch_counts_by_its_rows():
    """Steps of 8 and 4 rows: the epoch's loss and accuracy are means over rows, each before its step."""
    model, data = linear(), Resident(X, Y)
    (order,) = data.order([5], 1)
    recipe = Recipe(epochs=1, batch=8, lr=0.3, schedule="constant", weight_decay=0, momentum=0)
    history = fit(model, data, recipe, [5])
    first = linear().weight.detach().numpy()
    second = first - 0.3 * gradient(first, order[:8])
    np.testing.assert_allclose(model.weight.detach(), second - 0.3 * gradient(second, order[8:]), rtol=1e-12)
    losses, hits = [], []
    for weight, rows in ((first, order[:8]), (second, order[8:])):
        z = X[rows] @ torch.from_numpy(weight).T
        losses += nn.functional.cross_entropy(z, Y[rows], reduction="none").tolist()
        hits += (z.argmax(1) == Y[rows]).tolist()
    assert history["loss"].item() == pytest.approx(np.mean(losses))
    assert history["accuracy"].item() == pytest.approx(np.mean(hits))


class Witness(Rule):
    """Notes every call, with the steps taken, whether gradients are there, and their norms."""

    def __init__(self):
        self.calls, self.norms = [], []

    def start(self, run):
        self.calls.append(("start", run.epoch, run.step))

    def epoch(self, run):
        self.calls.append(("epoch", run.epoch, run.step))

    def after_backward(self, run):
        self.calls.append(("after_backward", run.epoch, run.step))
        self.before = [p.detach().clone() for p in run.model.parameters()]

    def after_step(self, run):
        self.calls.append(("after_step", run.epoch, run.step))
        left = [p.grad.reshape(run.replicas, -1) for p in run.model.parameters()]
        self.norms.append((run.grad_norms, torch.cat(left, 1).norm(dim=1)))
        assert not same(self.before, run.model.parameters())

    def finish(self, run):
        self.calls.append(("finish", run.epoch, run.step))


def test_the_order_of_a_step():
    witness = Witness()
    fit(stack([0]), resident(), Recipe(epochs=2, batch=25), [0], rules=[witness])
    one = [("epoch", 1, 0), ("after_backward", 1, 0), ("after_step", 1, 1)]
    one += [("after_backward", 1, 1), ("after_step", 1, 2)]
    two = [(name, 2, taken + 2) for name, _, taken in one]
    assert witness.calls == [("start", 1, 0), *one, *two, ("finish", 2, 4)]


def test_a_run_tells_where_it_is():
    class Look(Rule):
        def after_step(self, run):
            assert (run.replicas, run.seeds, run.steps_per_epoch, run.total_steps) == (2, [4, 4], 4, 12)
            x, y = run.batch
            assert x.shape[:2] == y.shape and len(y) == 2
            assert run.optimizer.param_groups[0]["lr"] == run.recipe.rate(run.step - 1, 4)
            assert all("momentum_buffer" in run.optimizer.state[p] for p in run.model.parameters())

    fit(stack([4, 4]), resident(), RECIPE, [4, 4], rules=[Look()])


def test_each_replica_is_clipped_to_its_own_norm():
    witness, seeds = Witness(), [0, 1, 2]
    fit(stack(seeds), resident(), Recipe(epochs=1, batch=16, clip=(None, 0.01, 1e6)), seeds, rules=[witness])
    for before, after in witness.norms:
        torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
        assert before[1] > 0.02
        assert after[1].item() == pytest.approx(0.01, rel=1e-3)


def test_training_is_in_training_mode_whatever_came_in():
    models = [stack([0]), stack([0]).eval()]
    for model in models:
        fit(model, resident(), RECIPE, [0])
    assert same(weights(models[0]), weights(models[1]))


def test_norms_are_there_without_clipping_too():
    witness = Witness()
    fit(stack([0, 1]), resident(), RECIPE, [0, 1], rules=[witness])
    for before, after in witness.norms:
        torch.testing.assert_close(before, after)
        assert (before > 0).all()


@pytest.mark.parametrize("kind", ["convnet", "mlp"])
def test_a_stack_equals_its_replicas_trained_alone(kind):
    seeds, rows = [3, 1, 3], np.random.default_rng(0).permuted(np.tile(np.arange(ROWS), (3, 1)), axis=1)[:, :40]
    recipe = Recipe(epochs=3, batch=16, lr=0.05, clip=(None, 0.5, 0.5))
    x, y = images()
    together = stack(seeds, kind)
    augment = crop_flip(1)
    history = fit(together, Resident(x, y, rows, augment), recipe, seeds, test=(x, y), test_every=1)
    for i, seed in enumerate(seeds):
        alone, single = stack([seed], kind), Recipe(epochs=3, batch=16, lr=0.05, clip=recipe.clip[i])
        own = fit(alone, Resident(x, y, rows[i : i + 1], augment), single, [seed], test=(x, y), test_every=1)
        for one, other in zip(weights(replica(together, i)), weights(alone), strict=True):
            torch.testing.assert_close(one.view(other.shape), other, atol=2e-5, rtol=1e-4)
        mine = history[history["replica"] == i].reset_index(drop=True)
        np.testing.assert_allclose(mine["loss"], own["loss"], rtol=1e-4)
        np.testing.assert_allclose(mine["accuracy"], own["accuracy"], atol=1e-12)
        assert (mine["seed"] == seed).all()


def test_the_same_seed_gives_the_same_bits_and_global_randomness_is_left_alone():
    runs = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        model = stack([0, 1])
        runs.append((fit(model, resident(augment=crop_flip(1)), RECIPE, [0, 1]), weights(model)))
        assert torch.equal(state, torch.get_rng_state())
    assert same(runs[0][1], runs[1][1])
    assert runs[0][0].drop(columns="seconds").equals(runs[1][0].drop(columns="seconds"))
    other = stack([0, 1])
    fit(other, resident(augment=crop_flip(1)), RECIPE, [0, 2])
    assert same(weights(replica(other, 0)), weights(replica(model, 0)))
    assert not same(weights(replica(other, 1)), weights(replica(model, 1)))


def test_the_history_tells_epoch_by_epoch_and_replica_by_replica():
    x, y = images(seed=5)
    model = stack([8, 9])
    history = fit(model, resident(), Recipe(epochs=5, batch=16, warmup=1), [8, 9], test=(x, y), test_every=2)
    assert list(history) == ["epoch", "replica", "seed", "lr", "loss", "accuracy", "test_accuracy", "seconds"]
    assert history["epoch"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert history["replica"].tolist() == [0, 1] * 5 and history["seed"].tolist() == [8, 9] * 5
    np.testing.assert_allclose(history["lr"][::2], [0.1, 0.1, 0.01, 0.001, 0.001])
    tested = history.groupby("epoch")["test_accuracy"].count()
    assert tested.tolist() == [0, 2, 0, 2, 2]
    assert history["test_accuracy"][8:].tolist() == pytest.approx(accuracy(predict(model, x), y).tolist())
    assert (history["seconds"] > 0).all()


def test_drop_last_takes_whole_batches_only():
    witness = Witness()
    history = fit(stack([0]), resident(), Recipe(epochs=1, batch=16, drop_last=True), [0], rules=[witness])
    assert witness.calls[-1] == ("finish", 1, 3)
    assert history["accuracy"].item() * 48 == pytest.approx(round(history["accuracy"].item() * 48))


def test_any_objective_on_any_tuple_of_tensors():
    """A pair of rows and a weight, no labels: the loop knows nothing of classes."""

    def preference(run, chosen, rejected, weight):
        margin = run.model(chosen[0]) - run.model(rejected[0])
        run.log(margin=margin.mean().view(1))
        return (-nn.functional.logsigmoid(margin[:, 0]) * weight[0]).mean().view(1)

    model = nn.Linear(4, 1).double()
    data = Resident(X + 1, (X, torch.ones(12)))
    history = fit(model, data, Recipe(epochs=30, batch=5, schedule="cosine"), [0], objective=preference)
    assert list(history) == ["epoch", "replica", "seed", "lr", "loss", "margin", "seconds"]
    # chosen - rejected is (1, 1, 1, 1) in every pair: the margin is the sum of the weights.
    assert history["margin"].iloc[-1] == pytest.approx(model.weight.sum().item(), abs=0.05)
    assert history["loss"].iloc[-1] < 0.2 < history["loss"].iloc[0]


def test_an_objective_has_generators_of_each_replica():
    """Noise of a replica is the same in every stack, and new in each epoch."""
    draws = {}

    def noisy(run, x, y):
        for i, generator in enumerate(run.generators):
            draws.setdefault((tuple(run.seeds), run.epoch, i), []).append(torch.rand((), generator=generator).item())
        return cross_entropy(run, x, y)

    for seeds in ([6], [5, 6]):
        fit(stack(seeds), resident(), RECIPE, seeds, objective=noisy)
    assert draws[(6,), 1, 0] == draws[(5, 6), 1, 1]
    assert len({value for values in draws.values() for value in values}) == 2 * 3 * 4


def test_a_function_may_test_what_it_likes():
    history = fit(stack([0, 1]), resident(), RECIPE, [0, 1], test=lambda run: {"norm": torch.ones(2) * run.epoch})
    assert history["norm"].tolist()[4:] == [3.0, 3.0]
    assert history["norm"].isna().tolist()[:4] == [True] * 4


def test_progress_gets_the_records_of_each_epoch_and_the_line_says_what_is_left(capsys):
    seen = []
    fit(stack([0, 1]), resident(), RECIPE, [0, 1], progress=seen.append)
    assert [[(r["epoch"], r["replica"]) for r in records] for records in seen] == [
        [(epoch, 0), (epoch, 1)] for epoch in (1, 2, 3)
    ]
    assert capsys.readouterr() == ("", "")
    fit(stack([0, 1]), resident(), RECIPE, [0, 1], progress=True)
    lines = capsys.readouterr().err.split("\r")[1:]
    assert [line.split(",")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("loss" in line and "accuracy" in line and "left" in line for line in lines)
    assert lines[-1].strip().endswith("0:00:00 left") and lines[-1].endswith("\n")


class Syncs(TorchDispatchMode):
    """Notes operations after which Python knows a number of the device: .item(), nonzero, copies to another device."""

    WAITING = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select", "unique")

    def __init__(self):
        super().__init__()
        self.found, self.calls = [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        name = func.overloadpacket.__name__
        if name in self.WAITING or (name == "index" and any(t.dtype == torch.bool for t in args[1] if t is not None)):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def test_no_step_waits_for_the_device():
    """With augmentation and clipping: numbers come to Python once an epoch, when the steps are over."""

    class Between(Rule):
        def epoch(self, run):
            self.mode = Syncs()
            self.mode.__enter__()

        def after_step(self, run):
            if run.step % run.steps_per_epoch == 0:
                self.mode.__exit__(None, None, None)

    rule = Between()
    fit(stack([0, 1]), resident(augment=crop_flip(1)), Recipe(epochs=1, batch=16, clip=1.0), [0, 1], rules=[rule])
    assert rule.mode.calls > 400
    assert rule.mode.found == []
    with Syncs() as control:
        torch.ones(()).item()
    assert control.found == ["_local_scalar_dense"]


def test_low_precision_trains_and_keeps_weights_in_float32():
    losses = []
    for precision in ("fp32", "bf16"):
        model = stack([0, 1])
        history = fit(model, resident(), Recipe(epochs=3, batch=16, lr=0.05, precision=precision), [0, 1])
        losses.append(history["loss"])
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    np.testing.assert_allclose(*losses, rtol=0.05)
    assert not np.array_equal(*losses)


def test_diverging_replicas_do_not_touch_the_others():
    seeds = [0, 1]
    broken, whole = stack(seeds), stack(seeds)
    with torch.no_grad():
        next(broken.parameters()).view(2, -1)[0] = math.nan
    ill = fit(broken, resident(), RECIPE, seeds)
    well = fit(whole, resident(), RECIPE, seeds)
    assert ill["loss"][0::2].isna().all()
    np.testing.assert_allclose(ill["loss"][1::2], well["loss"][1::2], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seeds": [0]}, "1 seeds for 2 replicas"),
        ({"seeds": [0, -1]}, "at least 0"),
        ({"seeds": [0, 0.5]}, "whole numbers"),
        ({"recipe": Recipe(1, 8, clip=(1.0,))}, "clip has 1 entries for 2 replicas"),
        ({"recipe": Recipe(1, 64, drop_last=True)}, "do not fill one batch"),
        ({"data": Resident(*images(), rows=[[0, 1]])}, "rows of 1 replicas for 2 seeds"),
        ({"objective": lambda run, x, y: cross_entropy(run, x, y).mean()}, "2 losses, one per replica"),
        ({"test_every": 0}, "every 1 epoch or more"),
        ({"checkpoint_every": 0}, "every 1 epoch or more"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(change, word):
    arguments = {"data": resident(), "recipe": RECIPE, "seeds": [0, 1]} | change
    with pytest.raises(InputError, match=word) as caught:
        fit(stack([0, 1]), **arguments)
    assert "\n" not in str(caught.value)
