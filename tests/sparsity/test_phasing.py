"""Phasing of DyReLU: beta by epoch, freezing, and the plain network that is left."""

import pytest
import torch

from tenfold.errors import InputError
from tenfold.nets import DyReLU, hyperfunction_parameters, initialise, resnet
from tenfold.sparsity.phasing import Phasing
from tenfold.training import Recipe, Resident, Rule, fit, predict

RECIPE = Recipe(epochs=8, batch=8, lr=0.02)


class Watch(Rule):
    """What the activations are in each epoch, and their hyperfunctions after it."""

    def __init__(self):
        self.betas, self.weights = [], []

    def epoch(self, run):
        betas = {module.beta for module in run.model.modules() if isinstance(module, DyReLU)}
        self.betas.append(betas.pop())
        assert not betas
        self.weights.append(torch.cat([p.detach().flatten() for p in hyperfunction_parameters(run.model)]))


def train(*arguments, **options):
    model = resnet([1, 1], (4, 6), activation="dyrelu", in_channels=1, replicas=2)
    initialise(model, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    g = torch.Generator().manual_seed(2)
    x, y, watch = torch.rand(16, 1, 6, 6, generator=g), torch.randint(10, (16,), generator=g), Watch()
    fit(model, Resident(x, y), RECIPE, [0, 1], rules=[Phasing(*arguments, **options), watch])
    return model, x, watch


def test_beta_by_epoch():
    _, _, watch = train(2.5, 6)
    assert watch.betas == pytest.approx([1, 1, 1 - 0.5 / 3.5, 1 - 1.5 / 3.5, 1 - 2.5 / 3.5, 0, 0, 0])


def test_after_the_end_the_network_is_plain_and_its_hyperfunctions_rest():
    model, x, watch = train(2, 5)
    plain = resnet([1, 1], (4, 6), in_channels=1, replicas=2)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if name in plain.state_dict()})
    assert torch.equal(predict(model, x), predict(plain, x))
    assert all(parameter.grad is None for parameter in hyperfunction_parameters(model))
    moved = [not torch.equal(*pair) for pair in zip(watch.weights, watch.weights[1:], strict=False)]
    assert moved == [True] * 4 + [False] * 3  # the epochs 1 to 4 have beta > 0


@pytest.mark.parametrize(("start", "learning"), [(3, 2), (2.5, 2)])
def test_frozen_hyperfunctions_do_not_learn(start, learning):
    """From the first epoch >= s on, also where no epoch equals s."""
    _, _, watch = train(start, 8, freeze=True)
    moved = [not torch.equal(*pair) for pair in zip(watch.weights, watch.weights[1:], strict=False)]
    assert moved == [True] * learning + [False] * (7 - learning)
    assert 0 < watch.betas[5] < 1


def test_phasing_cannot_end_before_it_starts():
    with pytest.raises(InputError, match="phasing"):
        Phasing(5, 4)
