"""Who is compared with whom: every network once, stacks of one architecture, impossible wishes refused."""

import pytest

from tenfold.errors import InputError
from tenfold.papers.east import Parameters, networks
from tenfold.papers.east.plans import ALL, Plan, grid, stacks
from tenfold.runner.parameters import SCALES, resolve

pytestmark = pytest.mark.xdist_group("east")


def parameters(scale="smoke", **changed):
    return resolve(Parameters, scale, 0, changed)


@pytest.mark.parametrize("scale", SCALES)
def test_every_network_is_trained_once_and_every_comparison_has_its_partners(scale):
    p = parameters(scale)
    plans = grid(p)
    keys = {(plan.row, plan.sparsity, plan.seed) for plan in plans}
    assert len(keys) == len(plans) == len(set(plans))
    seeds = range(p.seed, p.seed + p.replicates)
    assert {(row, s, seed) for row in ("rigl", "east") for s in p.sparsities for seed in seeds} <= keys
    assert {(row, s, seed) for row in p.baselines for s in p.baseline_sparsities for seed in seeds} <= keys
    at = p.ablation_sparsity
    wanted = {"rigl-unclipped", "east-unclipped", "set", "set+parts", "rigl+dyrelu", "rigl+share+cyclic"}
    assert {(row, at, seed) for row in wanted for seed in seeds} <= keys
    assert {("dense", 0.0, seed) for seed in seeds} <= keys


@pytest.mark.parametrize("size", [1, 4, 9])
def test_stacks_hold_every_plan_once_and_one_architecture_each(size):
    plans = grid(parameters("laptop"))
    cut = stacks(plans, size)
    assert sorted(map(hash, plans)) == sorted(hash(plan) for stack in cut for plan in stack)
    assert all(len({(plan.dyrelu, plan.share) for plan in stack}) == 1 for stack in cut)
    assert max(map(len, cut)) <= size
    assert cut[0][0].dyrelu and not cut[-1][0].dyrelu, "the costliest first"


def test_the_three_parts_on_rigl_are_called_east():
    assert Plan("rigl", 0.9, 0, **ALL).row == "east"
    assert Plan("set", 0.9, 0, **ALL).row == "set+parts"
    assert Plan("rigl", 0.9, 0, dyrelu=True, cyclic=True).row == "rigl+dyrelu+cyclic"
    assert Plan("rigl", 0.9, 0, **ALL, clipped=False).row == "east-unclipped"
    assert Plan("rigl", 0.9, 0, **ALL, allocation="east-floor").row == "east-floor"


@pytest.mark.parametrize("scale", SCALES)
def test_the_presets_leave_every_layer_a_weight(scale):
    networks.check_budget(parameters(scale))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sparsities": (0.98, 0.995, 0.99999)}, "leaves 1 weights for the 22 layers"),
        ({"sparsities": (0.98, 0.9)}, "sparsities must increase"),
        ({"sparsities": (0.995,)}, "0.98 of baselines or ablation is not among"),
        ({"ablation_sparsity": 0.9}, "0.9 of baselines or ablation is not among"),
        ({"baselines": ("set", "synflow", "rigel")}, "'rigel' is none of"),
        ({"baselines": ("static",)}, "'set' and 'synflow'"),
        ({"lr_drops": (0.7, 0.5)}, "lr_drops must increase"),
        ({"images": 30}, "at least two batches"),
        ({"width": 0}, "width"),
        ({"dataset": "imagenet"}, "image_size: "),
        ({"net": "resnet19"}, "resnet18"),
        ({"images_folder": "/no/such/place"}, "images_folder: "),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changed, words):
    with pytest.raises(InputError) as caught:
        parameters(**changed)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_sharing_raises_the_density_of_what_is_owned():
    kind = networks.architecture(parameters("paper"))
    plain, shared = networks.skeleton(kind), networks.skeleton(kind, share=True)
    assert networks.owned_density(plain, 0.001) == 0.001
    assert networks.owned_density(shared, 0.001) == pytest.approx(0.001 * 21_265_088 / 11_164_352)
    assert networks.owned_density(shared, 0.9) == 1.0, "never above one"
