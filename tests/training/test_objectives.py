"""Cross entropy and accuracy of each replica, and predictions that leave the model as it was."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tenfold.errors import InputError
from tenfold.training import accuracy, cross_entropy, predict, smoothed
from tests.training.stacks import images, stack


class Given(nn.Module):
    """A stack of two whose logits are its inputs."""

    replicas = 2

    def forward(self, x):
        return x


def measured(objective, logits, y):
    """Return the losses, and what was logged, for given logits."""
    logged = {}
    run = SimpleNamespace(model=Given(), log=logged.update)
    return objective(run, logits, y), logged


def test_cross_entropy_of_each_replica():
    """Replica 0 knows nothing: ln K. Replica 1 gives odds of 3 to its label: -ln(3/(3+K-1)), or to another."""
    logits = torch.zeros(2, 2, 4)
    logits[1, :, 2] = math.log(3)
    losses, logged = measured(cross_entropy, logits, torch.tensor([[0, 1], [2, 3]]))
    torch.testing.assert_close(losses, torch.tensor([math.log(4), -(math.log(3 / 6) + math.log(1 / 6)) / 2]))
    assert logged["accuracy"].tolist() == [0.5, 0.5]


def test_label_smoothing_by_its_formula():
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0]])
    targets = 0.7 * nn.functional.one_hot(y, 3) + 0.3 / 3
    by_hand = -(targets * logits.log_softmax(-1)).sum(-1).mean(-1)
    torch.testing.assert_close(measured(smoothed(0.3), logits, y)[0], by_hand)
    torch.testing.assert_close(measured(smoothed(0), logits, y)[0], measured(cross_entropy, logits, y)[0])
    with pytest.raises(InputError, match="label smoothing"):
        smoothed(1.0)


def test_low_precision_logits_are_averaged_in_float32():
    losses, _ = measured(cross_entropy, torch.zeros(2, 300, 7, dtype=torch.bfloat16), torch.zeros(2, 300))
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, torch.full((2,), math.log(7)))


def test_accuracy_takes_labels_shared_or_of_each_replica():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
    assert accuracy(logits, torch.tensor([0, 1])).tolist() == [1.0, 0.5]
    assert accuracy(logits, torch.tensor([[1, 1], [0, 0]])).tolist() == [0.5, 1.0]


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_predictions_do_not_depend_on_the_batch_and_leave_no_trace(seeds):
    model, (x, _) = stack(seeds), images()
    model.train()
    before = [value.clone() for value in model.state_dict().values()]
    logits = predict(model, x)
    assert logits.shape == (len(seeds), len(x), 3) and not logits.requires_grad
    torch.testing.assert_close(logits, predict(model, x.numpy(), batch=7))
    assert model.training and all(map(torch.equal, before, model.state_dict().values()))
    model.eval()
    expected = model((x / 255).expand(len(seeds), *x.shape))
    torch.testing.assert_close(logits, expected)
    predict(model, x)
    assert not model.training


def test_a_plain_module_counts_as_one_replica():
    model = nn.Linear(4, 2).double()
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(predict(model, x)[0], model(x))


def test_a_prediction_of_nothing_is_refused():
    with pytest.raises(InputError, match="at least one row"):
        predict(nn.Linear(2, 2), torch.zeros(0, 2))
