"""The presets of gb-igw, and the combinations that cannot work together."""

import dataclasses

import pytest

from tenfold.errors import InputError
from tenfold.papers.gb_igw.labels import ARRAY, MODEL
from tenfold.papers.gb_igw.parameters import BINS, MODELS, NEEDED, Parameters
from tenfold.pta import FreeSpectrum, model_names
from tenfold.runner.parameters import SCALES, resolve


@pytest.mark.parametrize("scale", SCALES)
def test_each_scale_stands_on_its_own(scale):
    found = resolve(Parameters, scale, 0, {})
    assert found.scale == scale
    assert found.changed() == {}
    assert set(NEEDED) <= set(found.models) <= set(MODELS)
    assert found.dataset in found.arrays


def test_scales_are_the_same_code_with_growing_numbers():
    smoke, laptop, paper = (resolve(Parameters, scale, 0, {}) for scale in SCALES)
    for name in ("log2_points", "replicates", "chain_steps"):
        assert getattr(smoke, name) <= getattr(laptop, name) <= getattr(paper, name)
    for name in ("arrays", "models"):
        assert set(getattr(smoke, name)) <= set(getattr(laptop, name)) <= set(getattr(paper, name))
    assert min(smoke.replicates, laptop.replicates) >= 3, "fewer seeds give no interval"
    assert smoke.budget["smoke"].minutes * 60 <= 20
    assert laptop.budget["laptop"].minutes <= 4 and laptop.budget["laptop"].memory_gb <= 4


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            {"bins": 21, "dataset": "epta_dr2new_hd", "arrays": "epta_dr2new_hd"},
            "at most 20 for epta_dr2new_hd, not 21",
        ),
        ({"bins": 41}, "at most 40"),
        ({"models": "power_law,igw"}, "models must include gb1_log, gb1_linear, sfsr"),
        ({"models": ["igw", "gb1_log", "gb1_linear", "sfsr"]}, "models must include power_law:"),
        ({"dataset": "ppta_dr3_hd"}, "arrays must include ppta_dr3_hd:"),
        ({"dataset": "ipta_dr2_cp", "arrays": "ipta_dr2_cp"}, "arrays must include ng15_hd:"),
        ({"dataset": "ng15"}, "did you mean 'ng15_"),
        ({"arrays": "ng15_hd,epta_dr2_hd"}, "did you mean 'epta_dr2new_hd'"),
        ({"arrays": ""}, "at least one"),
        ({"end_rule": "abs_eps"}, "did you mean 'abs_eps1'"),
        ({"transfer": "kuro"}, "transfer"),
        ({"log2_points": 9}, "at least 10"),
        ({"log2_points": 40}, "at most 22"),
        ({"log2_points": 12.5}, "whole number"),
        ({"replicates": 0}, "at least 1"),
        ({"delta_n_eff": "nan"}, "finite"),
        ({"delta_n_eff": 0}, "at least 0.01"),
        ({"log_points": 12}, "did you mean 'log2_points'"),
    ],
)
def test_what_cannot_be_is_refused(overrides, words):
    with pytest.raises(InputError, match=words):
        resolve(Parameters, "smoke", 0, overrides)


def test_any_array_may_be_the_main_one():
    arrays = {"arrays": "ng15_hd,ipta_dr2_cp"}
    found = resolve(Parameters, "smoke", 3, {"dataset": "ipta_dr2_cp", "bins": "30", **arrays})
    assert (found.seed, found.dataset, found.bins) == (3, "ipta_dr2_cp", 30)


def test_they_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve(Parameters, "smoke", 0, {}).bins = 3


def test_every_model_exists_and_every_name_has_a_label():
    assert set(MODELS) == set(model_names())
    assert set(MODELS) <= set(MODEL)
    assert set(BINS) <= set(ARRAY)


@pytest.mark.parametrize("dataset", ["ng15_hd", "epta_dr2new_hd", "ppta_dr3_hd", "ipta_dr2_cp"])
def test_the_number_of_bins_told_is_never_too_small_for_the_recommended_ones(dataset):
    assert FreeSpectrum.load(dataset).bins <= BINS[dataset]


@pytest.mark.mirror
@pytest.mark.parametrize("dataset", list(BINS))
def test_the_number_of_bins_told_is_that_of_the_table(dataset, mirror):
    assert FreeSpectrum.load(dataset, bins=BINS[dataset]).bins == BINS[dataset]
    with pytest.raises(InputError, match="bins"):
        FreeSpectrum.load(dataset, bins=BINS[dataset] + 1)
