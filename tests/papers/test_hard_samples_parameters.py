"""The parameters of hard-samples: presets that fit together, and what is refused before a kernel starts."""

import pytest

from tenfold.errors import InputError
from tenfold.papers.hard_samples.parameters import DATA, FIGURED, JUDGED, LARGE, NETS, SUBJECTS, Parameters
from tenfold.runner.parameters import SCALES, resolve


@pytest.mark.parametrize("scale", SCALES)
def test_presets_hold_what_claims_are_about(scale):
    p = resolve(Parameters, scale)
    for grid in (p.sparsities, p.other_sparsities):
        assert {FIGURED, JUDGED} <= set(grid)
    assert 0.2 in p.grid_ratios and p.ratios[0] > p.ratios[1]


def test_the_paper_scale_is_the_published_recipe():
    p = resolve(Parameters, "paper")
    assert (p.epochs, p.batch, p.updates, p.replicates) == (200, 128, 50, 3)
    assert (p.first, p.second, p.third) == ("cifar100/resnet18", "tinyimagenet/resnet34", "cifar100/vgg19")
    assert p.ratios == (0.5, 0.3) and p.corruption == "mixture"
    assert p.epsilon == 8 / 255 and (p.attack_steps, p.test_attack_steps) == (10, 20)
    assert p.sparsities == p.other_sparsities == tuple(s / 10 for s in range(1, 10))


def test_differences_have_five_seeds_on_a_laptop():
    assert resolve(Parameters, "laptop").replicates >= 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first": "digits"}, "first: 'digits' is not images/network"),
        ({"third": "digits/vgg19"}, "vgg19 is for colour images"),
        ({"sparsities": "0.5,0.8"}, "sparsities must hold 0.9"),
        ({"other_sparsities": "0.9,0.8"}, "must increase"),
        ({"ratios": "0.1,0.5"}, "the high one first"),
        ({"grid_ratios": "0.5"}, "grid_ratios must hold 0.2"),
        ({"grid_ratios": "0.2,1.5"}, "between 0 and 1, not 1.5"),
        ({"robust_first": "mnist/vgg16"}, "vgg16 is for colour images"),
        ({"folder": "nowhere-at-all"}, "there is no folder"),
        ({"corruption": "fog"}, "unknown value of corruption: 'fog'"),
    ],
)
def test_what_cannot_work_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        resolve(Parameters, "smoke", 0, changes)


def test_a_folder_is_kept_as_an_absolute_path(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve(Parameters, "smoke", 0, {"folder": "mine"}).folder == str((tmp_path / "mine").resolve())


@pytest.mark.parametrize("scale", SCALES)
def test_every_subject_names_images_and_a_network(scale):
    p = resolve(Parameters, scale)
    for name in SUBJECTS:
        data, net = getattr(p, name).split("/")
        assert data in DATA and net in NETS
        assert (net in LARGE) == (scale == "paper")
