"""Conditions: which images a network sees, and that every figure and claim finds its networks in the grid."""

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.papers.hard_samples import conditions
from tenfold.papers.hard_samples.conditions import Condition, rows
from tenfold.papers.hard_samples.methods import LOOKS, PUBLISHED, VARIANTS
from tenfold.papers.hard_samples.parameters import FIGURED, JUDGED, LABEL_NOISE, LOW_VOLUME, Parameters
from tenfold.runner.parameters import SCALES, resolve

LABELS = np.arange(60) % 3
SCORES = np.random.default_rng(0).permutation(60) / 60


def chosen(selection, ratio=0.5, seed=0):
    return rows(Condition("digits/mlp", selection, ratio), seed, LABELS, SCORES)


def test_hard_and_easy_are_the_two_ends_of_the_scores():
    hard, easy = chosen("hard"), chosen("easy")
    assert len(hard) == len(easy) == 30 and not set(hard) & set(easy)
    assert SCORES[hard].min() > SCORES[easy].max()
    assert set(chosen("hard", 0.1)) < set(chosen("hard", 0.3)) < set(hard), "nested"


def test_the_official_subset_is_the_same_for_every_seed_and_the_redrawn_one_is_not():
    expected = sorted(np.random.RandomState(12345).choice(60, 30, replace=False).tolist())
    assert chosen("random", seed=0) == chosen("random", seed=7) == expected
    assert chosen("redrawn", seed=0) != chosen("redrawn", seed=1)
    assert chosen("redrawn", seed=4) == chosen("redrawn", seed=4)
    assert expected not in [chosen("redrawn", seed=seed) for seed in range(20)]


def test_balanced_keeps_the_shares_of_the_classes():
    found = chosen("balanced", 0.2)
    assert np.bincount(LABELS[found]).tolist() == [4, 4, 4]
    for label in range(3):
        mine = np.flatnonzero(label == LABELS)
        kept = [row for row in found if LABELS[row] == label]
        assert SCORES[kept].min() > SCORES[np.setdiff1d(mine, kept)].max()


def test_all_rows_and_unknown_selections():
    assert chosen("all", 1.0) == list(range(60))
    with pytest.raises(InputError, match="did you mean 'hard'"):
        chosen("hrd")


@pytest.mark.parametrize("scale", SCALES)
def test_every_panel_of_the_paper_has_its_networks(scale):
    p = resolve(Parameters, scale)
    grid, panels = conditions.grid(p), conditions.panels(p)
    for condition, runs in grid.items():
        assert runs[0] == ("dense", 0.0) and len(set(runs)) == len(runs)
        assert all(method in LOOKS for method, _ in runs)
        assert condition.ratio <= 1
    for name in ("2a", "2b", "2c", "2d", "4a", "4b", "4c", "4d", "5a", "5b", "9a", "9b", "9c"):
        sparsities = p.sparsities if name in ("2a", "2c") else p.other_sparsities
        assert {(m, s) for m in PUBLISHED for s in sparsities} <= set(grid[panels[name]]), name
    for name in ("6a", "6b", "6c", "6d"):
        assert panels[name].attacked
        assert {(m, s) for m in PUBLISHED for s in (JUDGED, FIGURED)} <= set(grid[panels[name]]), name
    for name in ("2c", "4c", "2d", "4d", "4b", "13a"):
        assert {(m, FIGURED) for m in (*PUBLISHED, *VARIANTS)} <= set(grid[panels[name]]), name
    for name in ("2c", "4c", "2d"):
        assert {(m, JUDGED) for m in VARIANTS} <= set(grid[panels[name]]), name
    for ratio in p.grid_ratios:
        assert {("set", s) for s in p.sparsities} <= set(grid[Condition(p.first, "hard", ratio)])


@pytest.mark.parametrize("scale", SCALES)
def test_every_control_has_its_networks(scale):
    p = resolve(Parameters, scale)
    grid = conditions.grid(p)
    for subject, ratio in conditions.subsets(p):
        for selection in conditions.SUBSETS:
            assert {("dense", 0.0), ("set", JUDGED), ("snip", JUDGED)} <= set(
                grid[Condition(subject, selection, ratio)]
            )
    ladder = Condition(p.first, "random", LOW_VOLUME, label_noise=LABEL_NOISE)
    assert {(m, s) for m in ("set", "lth") for s in conditions.LADDER} <= set(grid[ladder])
    assert Condition(p.robust_first) in grid, "without attack, to compare with"


def test_the_corrupted_few_are_the_official_subset():
    p = resolve(Parameters, "laptop")
    panels = conditions.panels(p)
    assert {panels[name].selection for name in ("4c", "4d", "5b", "6c", "6d", "9a")} == {"random"}
    assert [panels[f"9{letter}"].severity for letter in "abc"] == [2, 4, 6]
    assert panels["4c"].severity == 5 and panels["2c"].severity == 0
