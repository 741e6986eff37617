"""The rule that masks a stack in training: budgets, identities between methods, company, resumption."""

import numpy as np
import pytest
import torch

from tenfold.errors import InputError
from tenfold.nets import assemble, initialise, mlp, prunable, resnet, share_counts
from tenfold.sparsity.erk import erk_counts, uniform_counts
from tenfold.sparsity.masks import BudgetError, Masks
from tenfold.sparsity.methods import FIXED, METHODS, Method
from tenfold.sparsity.sparsifier import Sparsifier
from tenfold.training import Recipe, Resident, fit
from tests.sparsity.stacks import CLASSES, RECIPE, masks_of, network, rows, run_of, same, train


@pytest.fixture(scope="module")
def data():
    return rows()


@pytest.fixture(scope="module")
def dense(data):
    """The state of a dense network after training."""
    return train([Method("dense")], data)[0].state_dict()


def frequent(name, density, **more):
    """A method that changes its masks as often as a short run lets it."""
    often = {} if name in ("dense", *FIXED) else {"interval": 2}
    return Method(name, density, **often, **more)


EVERY = [frequent(name, 1.0 if name == "dense" else 0.2) for name in METHODS]
CYCLIC = [
    Method("rigl", 0.1, cyclic=True, cycles=(2, 4, 1.0), cycle_interval=1, interval=2),
    Method("set", 0.1, cyclic=True, cycles=(2, 4, 1.0), cycle_interval=1, interval=2),
    Method("rigl", 0.1, rule="rigl", interval=1),
    Method("set", 0.1, rule="itop", interval=1),
]


@pytest.fixture(scope="module")
def everything(data, dense):
    """All methods side by side, audited after every step."""
    methods = EVERY + CYCLIC
    return methods, *train(methods, data, batch=data, pretrained=[dense] * len(methods))


def test_all_methods_end_on_their_budgets(everything):
    methods, _, _, rule = everything
    total = sum(rule.masks.sizes)
    for method, density in zip(methods, rule.masks.density().tolist(), strict=True):
        assert density * total == pytest.approx(method.density * total, abs=1), method.name
    assert rule.masks.counts()[METHODS.index("dense")].tolist() == rule.masks.sizes


def test_layers_have_the_counts_of_their_allocation(everything):
    _, _, _, rule = everything
    counts = dict(zip(METHODS, rule.masks.counts().tolist(), strict=False))
    erk = erk_counts(rule.masks.shapes, 0.2)
    assert erk == counts["static"] == counts["set"] == counts["rigl"] == counts["omp-erk"]
    assert counts["uniform"] == uniform_counts(rule.masks.shapes, 0.2) != erk
    assert counts["snip-resampled"] == counts["snip"]


def test_moves_grow_as_many_as_they_drop_and_cycles_end_exactly(everything):
    methods, _, _, rule = everything
    trace = rule.trace
    assert list(trace.columns) == [
        "step", "replica", "target_density", "density", "learnable", "effective", "grown", "dropped",
    ]  # fmt: skip
    moved = trace[trace.replica.isin([i for i, m in enumerate(methods) if m.name in ("set", "rigl") and not m.cyclic])]
    assert (moved.grown == moved.dropped).all() and (moved[moved.step > 0].grown > 0).any()
    total = sum(rule.masks.sizes)
    for i in range(len(METHODS), len(METHODS) + 2):
        cycle = trace[(trace.replica == i) & (trace.step <= 8)]
        assert cycle.step.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
        assert (cycle.density * total).tolist() == [round(d * total) for d in cycle.target_density]
        assert cycle.target_density.tolist() == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.2, 0.1, 0.2, 0.3, 0.1])
        assert cycle.target_density.iloc[-1] == 0.1
        assert cycle.density.max() <= 0.3 + 1 / total
        after = trace[(trace.replica == i) & (trace.step > 8)]
        assert after.step.tolist() == [10, 12] and set(after.density * total) == {round(0.1 * total)}


def test_pruning_never_revives(everything):
    _, _, _, rule = everything
    trace = rule.trace[rule.trace.replica == METHODS.index("gmp")]
    assert trace.density.is_monotonic_decreasing and trace.density.iloc[0] == 1
    assert (trace.grown == 0).all()
    assert trace.dropped.sum() == round((1 - trace.density.iloc[-1]) * sum(rule.masks.sizes))


def test_the_share_ever_active(everything):
    methods, _, _, rule = everything
    ever, density = rule.ever_active(), rule.masks.density()
    for i, method in enumerate(methods):
        assert (ever[i] == density[i]) if not method.dynamic else (density[i] < ever[i] <= 1)
    assert ever[METHODS.index("gmp")] == 1


def test_layer_counts_at_start_and_end(everything):
    _, _, _, rule = everything
    table = rule.layer_counts()
    ends = table.pivot(index="replica", columns="layer", values="end")[rule.masks.names].to_numpy()
    assert np.array_equal(ends, rule.masks.counts().numpy())
    gmp = table[table.replica == METHODS.index("gmp")]
    assert (gmp.start == gmp.weights).all() and gmp.end.sum() < gmp.start.sum()


def test_the_history_learns(everything):
    """Dense below a fixed mask of a fifth, and that below guessing, ln 4."""
    _, _, history, _ = everything
    last = history[history.epoch == 4].set_index("replica").loss
    assert last[METHODS.index("dense")] < last[METHODS.index("static")] < np.log(CLASSES)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("omp", "omp-erk")])
def test_density_one_is_dense_training_bit_for_bit(data, dense, name):
    """The trained dense network of `omp` and `omp-erk` is another start; `lth` rewinds to the same."""
    more = {"cyclic": True, "cycles": (1, 4, 1.0), "cycle_interval": 1} if name in ("rigl", "set") else {}
    model, history, rule = train([frequent(name, 1.0, **more)], data, batch=data, pretrained=[dense])
    assert same(model.state_dict(), dense)
    reference = fit(network([0]), Resident(*data), RECIPE, [0])
    assert history.loss.tolist() == reference.loss.tolist()
    assert rule.masks.density().item() == 1


@pytest.mark.parametrize(("off_by_one", "left"), [(False, 44), (True, 43)])
def test_pruning_lands_on_the_budget_or_one_below(off_by_one, left):
    """448 weights at density 0.1: int(44.8) = 44, or 43 as in the published code."""
    model = initialise(mlp(16, (16,), 12), [torch.Generator().manual_seed(0)])
    run = run_of(model, [0])
    rule = Sparsifier([Method("gmp", 0.1, interval=1, off_by_one=off_by_one)])
    rule.start(run)
    assert sum(rule.masks.sizes) == 448
    for run.step in range(1, 13):
        rule.after_step(run)
    assert int(rule.masks.counts().sum()) == left
    weight = torch.cat([w.detach().flatten().abs() for w in prunable(model).values()])
    assert int((weight > 0).sum()) == left


def shaken(methods, seeds, networks):
    """Masks after steps whose weights and gradients are given, replica by replica: free of rounding."""
    model = assemble(networks) if len(networks) > 1 else networks[0]
    run, rule = run_of(model, seeds), Sparsifier(methods)
    rule.start(run)
    generators = [torch.Generator().manual_seed(100 + seed) for seed in seeds]
    for run.step in range(1, 13):
        for weight in prunable(model).values():
            rows = weight.data.view(len(seeds), -1)
            for row, g in zip(rows, generators, strict=True):
                row.add_(torch.randn(rows.shape[1], generator=g))
            weight.grad = torch.stack([torch.randn(rows.shape[1], generator=g) for g in generators]).view_as(weight)
        rule.after_step(run)
    return rule


def test_company_changes_nothing():
    """Twelve steps with updates of every kind: a replica's masks are those it has alone."""
    methods = [
        Method("set", 0.1, interval=3),
        Method("rigl", 0.2, interval=2),
        Method("dense"),
        Method("rigl", 0.1, cyclic=True, cycles=(1, 6, 1.0), cycle_interval=1, interval=2),
        Method("set", 0.1, cyclic=True, cycles=(1, 6, 1.0), cycle_interval=2, interval=2),
        Method("rigl", 0.15, rule="rigl", interval=3),
        Method("granet", 0.1, interval=2),
        Method("set", 0.9, interval=3, rule="itop"),
    ]
    seeds = [5, 6, 5, 7, 5, 8, 9, 5]
    together = shaken(methods, seeds, [network([seed]) for seed in seeds])
    for i, (method, seed) in enumerate(zip(methods, seeds, strict=True)):
        alone = shaken([method], [seed], [network([seed])])
        assert same(masks_of(together, i), masks_of(alone)), method
        columns = together.trace[together.trace.replica == i].drop(columns="replica").reset_index(drop=True)
        assert columns.equals(alone.trace.drop(columns="replica"))


def test_each_update_draws_anew():
    """All weights drawn again twelve times: the share ever active is 1 - (1 - d)^13 in layers that are not full."""
    rule = shaken(
        [Method("set", 0.1, allocation="uniform", rule="itop", interval=1, drop=(1.0, 1.0))], [0], [network([0])]
    )
    # Standard deviation 0.02; the same draw each time would end at 0.2.
    assert rule.ever_active().item() == pytest.approx(1 - 0.9**13, abs=0.1)


def test_the_same_seed_gives_the_same_bits(data):
    state = torch.get_rng_state()
    methods = [frequent("set", 0.1), frequent("rigl", 0.1), CYCLIC[0]]
    (first, one, a), (second, two, b) = (train(methods, data, [0, 1, 2]) for _ in range(2))
    assert same(first.state_dict(), second.state_dict())
    assert one.drop(columns="seconds").equals(two.drop(columns="seconds"))
    assert a.trace.equals(b.trace)
    assert torch.equal(torch.get_rng_state(), state)


def test_training_resumes_with_the_same_bits(data, tmp_path):
    methods = [frequent("set", 0.1), frequent("rigl", 0.1), CYCLIC[0], frequent("gmp", 0.1)]
    seeds = [0, 1, 2, 3]
    whole, _, rule = train(methods, data, seeds)

    class KilledError(Exception):
        pass

    def kill(records):
        if records[0]["epoch"] == 2:
            raise KilledError

    path = tmp_path / "state.pt"
    with pytest.raises(KilledError):
        train(methods, data, seeds, checkpoint=path, checkpoint_every=1, progress=kill)
    resumed, _, again = train(methods, data, seeds, checkpoint=path)
    assert same(whole.state_dict(), resumed.state_dict())
    assert rule.trace.equals(again.trace)
    assert torch.equal(rule.ever_active(), again.ever_active())
    assert rule.layer_counts().equals(again.layer_counts())
    with pytest.raises(InputError, match="other methods"):
        train([Method("static", 0.1)] * 4, data, seeds, checkpoint=path)


def test_sharing_keeps_the_number_of_learnt_weights():
    """d' = d total / owned: as many active weights as the unshared network; each shared use counts once more."""
    owned, _, total = share_counts(resnet([3, 3], (4, 6), 2, in_channels=1))
    model = resnet([3, 3], (4, 6), 2, in_channels=1, replicas=2)
    rule = Sparsifier([Method("static", 0.1 * total / owned), Method("static", 1.0)])
    rule.start(run_of(model, [0, 1]))
    assert int(rule.masks.counts()[0].sum()) == round(0.1 * total)
    trace = rule.trace
    assert trace.learnable[0] == pytest.approx(0.1, abs=1 / total)
    assert trace.learnable[1] == pytest.approx(owned / total) and trace.effective[1] == 1
    shared = [name for name in rule.masks.names if name.startswith(("layer1.1.", "layer2.1."))]
    counts = dict(zip(rule.masks.names, rule.masks.counts()[0].tolist(), strict=True))
    assert len(shared) == 4
    assert trace.effective[0] == pytest.approx((sum(counts.values()) + sum(counts[n] for n in shared)) / total)


def test_the_audit_stops_a_training_that_misses_its_budget(data):
    class Careless(Sparsifier):
        def after_step(self, run):
            super().after_step(run)
            self.masks.values[self.masks.names[0]].view(-1)[:40] = 1

    rule = Careless([Method("static", 0.1)])
    with pytest.raises(BudgetError, match="active weights, not"):
        fit(network([0]), Resident(*data), RECIPE, [0], rules=[rule])


def test_moments_of_adam_are_masked(data):
    recipe = Recipe(epochs=2, batch=32, lr=0.01, optimizer="adamw")
    model, _, rule = train([frequent("rigl", 0.1)], data, recipe=recipe)
    assert isinstance(rule.masks, Masks)
    zeros = sum(int((weight == 0).sum()) for weight in prunable(model).values())
    assert zeros >= sum(rule.masks.sizes) - int(rule.masks.counts().sum())
