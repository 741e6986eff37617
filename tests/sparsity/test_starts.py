"""First masks: of scores, of trained networks, at random, each as its replica would get it alone."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.nets import replica
from tenfold.sparsity.methods import Method
from tenfold.sparsity.scores import grasp_scores, prune_by_score, snip_scores, synflow_masks
from tenfold.sparsity.sparsifier import Sparsifier
from tests.sparsity.stacks import WIDTH, masks_of, network, rows, run_of, same, train


@pytest.fixture(scope="module")
def data():
    return rows()


@pytest.fixture(scope="module")
def dense(data):
    """The state of a dense network after training."""
    return train([Method("dense")], data)[0].state_dict()


def test_omp_and_lth_share_the_mask_and_differ_in_the_start(data, dense):
    methods = [Method("omp", 0.3), Method("lth", 0.3), Method("omp-erk", 0.3)]
    model, rule = network([0, 0, 0]), Sparsifier(methods, pretrained=[dense] * 3)
    initial = replica(model, 1).state_dict()
    rule.start(run_of(model, [0, 0, 0]))
    assert same(masks_of(rule, 0), masks_of(rule, 1))
    whole = torch.cat([dense[name].abs().flatten() for name in rule.masks.names])
    threshold = whole.sort(descending=True).values[int(0.3 * len(whole)) - 1]
    for name in rule.masks.names:
        assert torch.equal(masks_of(rule)[name], (dense[name].abs() >= threshold).float())
        kept = masks_of(rule, 2)[name].bool()
        assert dense[name][kept].abs().min() > dense[name][~kept].abs().max()
    for number, start in ((0, dense), (1, initial), (2, dense)):
        state = replica(model, number).state_dict()
        for name, value in state.items():
            mask = masks_of(rule, number).get(name, 1)
            assert torch.equal(value, start[name] * mask)


def test_scores_are_those_of_the_replica_alone(data):
    """Two seeds in one stack: the masks that each network gets by itself."""
    names = ("snip", "grasp", "synflow")
    methods = [Method(name, density, rounds=5) for name in names for density in (0.1, 0.3)]
    model = network([1, 2] * 3)
    rule = Sparsifier(methods, batch=data)
    singles = [replica(model, i) for i in range(6)]
    rule.start(run_of(model, [1, 2] * 3))
    for i, (method, alone) in enumerate(zip(methods, singles, strict=True)):
        if method.name == "synflow":
            expected = synflow_masks(alone, (WIDTH,), method.density, 5)
        else:
            score = {"snip": snip_scores, "grasp": grasp_scores}[method.name]
            expected = prune_by_score(score(alone, *data), method.density)
        found = masks_of(rule, i)
        differing = sum(int((found[name] != expected[name]).sum()) for name in found)
        assert differing <= (0 if method.name == "synflow" else 2)  # rounding at the threshold


def test_a_batch_for_each_replica(data):
    x, y = data
    stacked = (torch.stack([x[:48], x[48:]]), torch.stack([y[:48], y[48:]]))
    rule, other = (Sparsifier([Method("snip", 0.2)] * 2, batch=batch) for batch in (stacked, (x[:48], y[:48])))
    rule.start(run_of(network([0, 0]), [0, 0]))
    other.start(run_of(network([0, 0]), [0, 0]))
    assert same(masks_of(rule, 0), masks_of(other, 0)) and same(masks_of(other, 0), masks_of(other, 1))
    assert not same(masks_of(rule, 0), masks_of(rule, 1))


def test_resampled_snip_has_the_counts_and_not_the_places(data):
    rule = Sparsifier([Method("snip", 0.2), Method("snip-resampled", 0.2)], batch=data)
    rule.start(run_of(network([0, 0]), [0, 0]))
    assert rule.masks.counts()[0].tolist() == rule.masks.counts()[1].tolist()
    assert not same(masks_of(rule, 0), masks_of(rule, 1))


def test_random_masks_are_even_over_the_whole_network():
    rule = Sparsifier([Method("random", 0.5)] * 40)
    rule.start(run_of(network(range(40)), list(range(40))))
    sizes, counts = torch.tensor(rule.masks.sizes), rule.masks.counts().double()
    assert (counts.sum(1) == round(0.5 * int(sizes.sum()))).all()
    # Standard deviation of a layer's count below sqrt(n)/2.
    assert ((counts.mean(0) - 0.5 * sizes).abs() < 5 * sizes.sqrt() / 2 / 40**0.5).all()


def test_an_absolute_floor_overshoots_the_budget_and_the_trace_says_so():
    rule = Sparsifier([Method("static", 0.02, allocation="east-floor", floor=0.05)])
    rule.start(run_of(network([0]), [0]))
    assert rule.trace.target_density.item() == 0.02
    assert rule.trace.density.item() == rule.masks.density().item() > 2 * 0.02


def test_seeds_alone_decide_the_first_masks():
    rule = Sparsifier([Method("static", 0.1), Method("set", 0.1), Method("rigl", 0.1)])
    rule.start(run_of(network([3, 3, 4]), [3, 3, 4]))
    assert same(masks_of(rule, 0), masks_of(rule, 1))
    assert not same(masks_of(rule, 0), masks_of(rule, 2))


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        ([Method("static", 0.1)] * 2, {}, "2 methods for 1 replicas"),
        ([Method("snip", 0.1)], {}, "snip scores weights on a batch"),
        ([Method("synflow", 0.1)], {}, "synflow scores weights on a batch"),
        ([Method("lth", 0.1)], {}, "lth needs the state of a trained dense network"),
        ([Method("omp", 0.1)], {"pretrained": [None, None]}, "2 trained networks for 1"),
        ([Method("static", 1e-6)], {}, "cannot give one to each"),
        ([Method("gmp", 1e-6)], {}, "keeps no weight"),
        ([Method("rigl", 0.1, cyclic=True, cycles=(2, 10, 1.0))], {}, "do not fit"),
    ],
)
def test_bad_input_is_refused(methods, options, message):
    with pytest.raises(InputError, match=message):
        Sparsifier(methods, **options).start(run_of(network([0]), [0]))
