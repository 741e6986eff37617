"""Subjects: images that are corrupted once, labels that are wrong where they should be, networks as described."""

import numpy as np
import pytest
import torch

from tenfold import datasets
from tenfold.nets import prunable
from tenfold.papers.hard_samples import runs, subjects
from tenfold.papers.hard_samples.conditions import Condition

from .hard_samples_town import tiny

SETTINGS = runs.settings(tiny())
GREY = torch.full((400, 1, 8, 8), 128, dtype=torch.uint8)


def test_noise_has_the_deviation_of_its_level():
    noisy = subjects.corrupted(GREY, 2, SETTINGS, 0).double() / 255
    assert noisy.std() == pytest.approx(2 * subjects.NOISE, rel=0.02)
    assert (subjects.corrupted(GREY, 0, SETTINGS, 0) == GREY).all(), "level 0 changes nothing"
    assert (subjects.corrupted(GREY, 2, SETTINGS, 0) == subjects.corrupted(GREY, 2, SETTINGS, 0)).all()
    assert (subjects.corrupted(GREY, 2, SETTINGS, 0) != subjects.corrupted(GREY, 2, SETTINGS, 1)).any()


@pytest.mark.parametrize("kind", ["mixture", "gaussian_noise", "contrast"])
def test_the_corruptions_of_the_paper_scale_give_bytes(kind):
    ramp = torch.arange(64, dtype=torch.uint8).mul(4).view(1, 1, 8, 8).repeat(50, 1, 1, 1)
    made = subjects.corrupted(ramp, 5, SETTINGS | {"corruption": kind}, 0)
    assert made.dtype == torch.uint8 and made.shape == ramp.shape and (made != ramp).any()


def test_a_share_of_the_labels_is_wrong_and_the_same_for_all():
    labels = torch.arange(1000) % 10
    given, wrong = subjects.mislabelled(labels, 10, 0.2)
    assert wrong.sum() == 200
    np.testing.assert_array_equal((given != labels).numpy(), wrong)
    assert given.min() >= 0 and given.max() <= 9
    again, _ = subjects.mislabelled(labels, 10, 0.2)
    assert (given == again).all()
    clean, none = subjects.mislabelled(labels, 10, 0.0)
    assert (clean == labels).all() and not none.any()


def test_test_labels_are_never_wrong_and_training_and_test_share_the_level():
    clean = subjects.material(Condition("digits/mlp"), SETTINGS)
    seen = subjects.material(Condition("digits/mlp", severity=5, label_noise=0.3), SETTINGS)
    assert (seen.test_y == clean.test_y).all() and seen.wrong.mean() == pytest.approx(0.3)
    for ours, theirs in ((seen.train_x, clean.train_x), (seen.test_x, clean.test_x)):
        assert ours.shape == theirs.shape and (ours != theirs).double().mean() > 0.5
    assert (seen.images.train_x == clean.train_x).all(), "the clean images stay at hand"


def test_images_are_limited_but_never_multiplied():
    assert len(subjects.load("digits", 100).train_y) == 100
    assert len(subjects.load("digits", 10**6).train_y) == len(subjects.load("digits").train_y)


def test_the_digits_stand_in_for_what_is_nowhere():
    p = subjects.at_hand(tiny(second="fashion900/mlp", fourth="mnist/convnet"))
    assert (p.second, p.fourth) == ("digits/mlp", "digits/convnet")
    assert {item.name: item.source for item in datasets.used()}["fashion900"] == "absent", "looked for, and told"


@pytest.mark.mirror
def test_real_images_are_taken_where_they_are(mirror):
    p = subjects.at_hand(tiny(second="fashion900/mlp", fourth="mnist/mlp"))
    assert (p.second, p.fourth) == ("fashion900/mlp", "mnist/mlp")
    assert subjects.load("fashion900").shape == (1, 14, 14)
    found = subjects.load("mnist")
    assert (len(found.train_y), len(found.test_y), found.shape) == (3000, 1000, (1, 14, 14))


@pytest.mark.parametrize(
    ("subject", "weights"),
    [("digits/mlp", [768, 144, 120]), ("digits/narrow-mlp", [384, 36, 60]), ("digits/convnet", None)],
)
def test_networks_standardise_their_images_and_differ_by_seed(subject, weights):
    found = subjects.load("digits", 150)
    model = subjects.network(subject, found, SETTINGS, [3, 4])
    sizes = [weight.numel() // 2 for weight in prunable(model).values()]
    assert weights is None or sizes == weights
    mean, sd = found.moments()
    assert model.normalise.mean.unique().tolist() == pytest.approx(mean)
    assert model.normalise.sd.unique().tolist() == pytest.approx(sd)
    twin = subjects.network(subject, found, SETTINGS, [3, 3])
    for ours, same in zip(prunable(model).values(), prunable(twin).values(), strict=True):
        halves = ours.view(2, -1)
        assert (
            not torch.equal(*halves) and torch.equal(*same.view(2, -1)) and torch.equal(halves[0], same.view(2, -1)[0])
        )


def test_colour_images_are_augmented_and_grey_ones_are_not():
    assert subjects.augmentation(Condition("digits/mlp")) is None
    assert subjects.augmentation(Condition("mnist/mlp", attacked=True)) is None
    x = torch.rand(1, 2, 3, 32, 32)
    for condition in (Condition("cifar100/resnet18"), Condition("cifar100/resnet18", attacked=True)):
        made = subjects.augmentation(condition)(x, [torch.Generator().manual_seed(0)])
        assert made.shape == x.shape and not torch.equal(made, x)
