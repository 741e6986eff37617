"""Methods and their timetables: defaults of the papers, when what happens, densities on the way."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.sparsity.methods import METHODS, Method
from tenfold.sparsity.timetable import Action, timetable

STEPS = 88_000
"""Of the paper: 250 epochs of 352 batches."""


def test_defaults_of_the_papers():
    assert Method("dense").density == 1.0
    assert (Method("rigl", 0.01).drop, Method("rigl", 0.01).rule) == ((0.5, 0.005), "itop")
    assert (Method("set", 0.01).drop, Method("set", 0.01).rule) == ((0.2, 0.001), "set")
    assert Method("gmp", 0.1).window == (0.1, 0.8)
    assert Method("granet", 0.1).window == (0.0, 110 / 160)
    assert Method("static", 0.1).allocation == "erk"
    assert Method("rigl", 0.1).cycles == (2, 0.2, 1.0) and Method("rigl", 0.1).multiplier == 3


def test_a_method_is_a_value():
    assert Method("rigl", 0.1) == Method("rigl", 0.1, drop=(0.5, 0.005))
    assert replace(Method("rigl", 0.1), interval=7) == Method("rigl", 0.1, interval=7)
    with pytest.raises(FrozenInstanceError):
        Method("rigl", 0.1).density = 0.5


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"set", "rigl", "gmp", "granet"}))
def test_fixed_masks_have_no_timetable(name):
    assert timetable(Method(name, 1.0), 100) == {}


def test_updates_of_the_paper():
    rigl, fewer = timetable(Method("rigl", 0.01, interval=4000), STEPS), timetable(Method("rigl", 0.01), STEPS)
    assert list(rigl) == list(range(4000, STEPS + 1, 4000))
    assert rigl == fewer  # 22 in a run
    assert len(timetable(Method("set", 0.01, interval=1500), STEPS)) == 58
    assert rigl[44_000] == Action(0.01, fraction=pytest.approx(0.2525))
    assert rigl[STEPS] == Action(0.01, fraction=0.005)
    assert all(action.fraction > 0 and not action.resize and not action.prune for action in rigl.values())


@pytest.mark.parametrize("number", [1, 7, 22, 58])
def test_updates_are_spread_over_the_run(number):
    steps = list(timetable(Method("rigl", 0.1, updates_per_run=number), 1081))
    assert len(steps) == number and steps[-1] == 1081
    gaps = np.diff([0, *steps])
    assert gaps.max() - gaps.min() <= 1


def test_no_more_updates_than_steps():
    assert list(timetable(Method("rigl", 0.1, updates_per_run=58), 10)) == list(range(1, 11))


def test_updates_may_stop_early():
    assert list(timetable(Method("rigl", 0.1, interval=10, stop=0.75), 100)) == [10, 20, 30, 40, 50, 60, 70]


@pytest.mark.parametrize("shape", ["cosine", "triangular"])
@pytest.mark.parametrize("rhythm", [{"cycle_updates": 66}, {"cycle_interval": 100}, {"cycle_interval": 999}])
def test_cycles_of_density(shape, rhythm):
    """Two cycles of 50 epochs: never above 3 d, d at their end exactly, and then moves every 4000 steps."""
    method = Method("rigl", 0.0019, cyclic=True, cycles=(2, 17_600, 1.0), cycle_shape=shape, interval=4000, **rhythm)
    table = timetable(method, STEPS)
    cycle = {t: action for t, action in table.items() if t <= 35_200}
    densities = np.array([action.density for action in cycle.values()])
    assert all(action.resize and action.fraction == 0 for action in cycle.values())
    assert densities[-1] == 0.0019
    assert densities.min() >= 0.0019 and 0.97 * 0.0057 < densities.max() <= 0.0057
    assert [t for t in table if t > 35_200] == list(range(36_000, STEPS + 1, 4000))
    assert all(action == Action(0.0019, fraction=action.fraction) for t, action in table.items() if t > 35_200)
    assert len(cycle) == rhythm.get("cycle_updates", 35_200 // rhythm.get("cycle_interval", 1))


def test_the_schedule_alone_would_miss_the_target():
    """At 999 steps apart the last update of the cycles, at 34,965, lies before their end."""
    method = Method("rigl", 0.0019, cyclic=True, cycles=(2, 17_600, 1.0), cycle_interval=999)
    table = timetable(method, STEPS)
    assert table[34_965].density == 0.0019
    assert table[33_966].density > 0.0019


def test_lengths_of_cycles_in_shares_of_the_run():
    steps = Method("set", 0.1, cyclic=True, cycles=(2, 20, 2.0), cycle_interval=5)
    shares = Method("set", 0.1, cyclic=True, cycles=(2, 0.2, 2.0), cycle_interval=5)
    assert timetable(steps, 100) == timetable(shares, 100)
    assert max(t for t, action in timetable(steps, 100).items() if action.resize) == 60


def test_cycles_stop_at_dense():
    table = timetable(Method("rigl", 0.5, cyclic=True, cycle_interval=1), 100)
    assert max(action.density for action in table.values()) == 1.0


@pytest.mark.parametrize("name", ["gmp", "granet"])
def test_pruning_is_cubic_and_lands_exactly(name):
    """1000 steps, updates every 20: GMP prunes from 100 to 800; sparsity grows, ever more slowly."""
    table = timetable(Method(name, 0.07, interval=20), 1000)
    pruned = {t: action.density for t, action in table.items() if action.prune}
    first, last = (100, 800) if name == "gmp" else (20, 680)
    assert (min(pruned), max(pruned)) == (first, last)
    assert pruned[first] == 1.0 and pruned[last] == 0.07
    middle = (first + last) // 2 // 20 * 20
    assert pruned[middle] == pytest.approx(0.07 + 0.93 * (1 - (middle - first) / (last - first)) ** 3)
    steps = np.diff(list(pruned.values()))
    assert (steps < 0).all() and (np.diff(steps) > 0).all()
    assert all((action.fraction > 0) == (name == "granet") for action in table.values())
    if name == "granet":
        assert list(table) == list(range(20, 1001, 20))
        assert table[1000] == Action(0.07, fraction=0.005)


def test_pruning_from_a_sparse_start():
    table = timetable(Method("granet", 0.1, initial=0.5, interval=10), 100)
    assert table[10].density == 0.5
    assert max(action.density for action in table.values()) == 0.5


def test_a_window_with_one_update_prunes_at_once():
    table = timetable(Method("gmp", 0.1, window=(0.5, 0.5), interval=10), 100)
    assert table == {50: Action(0.1, prune=True)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Method("rigel", 0.1), "did you mean 'rigl'"),
        (lambda: Method("rigl", 0.0), "density"),
        (lambda: Method("dense", 0.5), "a dense network has density 1"),
        (lambda: Method("rigl", 1.5), "density"),
        (lambda: Method("rigl", 0.1, rule="set"), "rule of rigl"),
        (lambda: Method("set", 0.1, rule="rigl"), "rule of set"),
        (lambda: Method("static", 0.1, rule="itop"), "rule means nothing to the method static"),
        (lambda: Method("static", 0.1, interval=10), "interval means nothing"),
        (lambda: Method("rigl", 0.1, window=(0, 1)), "window means nothing"),
        (lambda: Method("gmp", 0.1, drop=(0.5, 0.1)), "drop means nothing"),
        (lambda: Method("rigl", 0.1, allocation="erq"), "allocation"),
        (lambda: Method("rigl", 0.1, cycle_shape="square"), "shape of a cycle"),
        (lambda: Method("gmp", 0.1, cyclic=True), "no cycles"),
        (lambda: Method("rigl", 0.1, drop=(0.5, 1.1)), "drop fractions"),
        (lambda: Method("gmp", 0.1, window=(0.8, 0.1)), "window"),
        (lambda: Method("granet", 0.5, initial=0.1), "initial"),
        (lambda: Method("rigl", 0.1, multiplier=0.5), "multiplier"),
        (lambda: Method("rigl", 0.1, interval=10, updates_per_run=5), "not both"),
        (lambda: Method("rigl", 0.1, interval=0), "at least 1"),
        (lambda: Method("rigl", 0.1, cycle_interval=10, cycle_updates=5), "not both"),
        (lambda: timetable(Method("rigl", 0.1), 0), "at least one step"),
        (lambda: timetable(Method("rigl", 0.1, cyclic=True, cycles=(2, 60, 1.0)), 100), "do not fit"),
        (lambda: timetable(Method("rigl", 0.1, cyclic=True, cycle_interval=50), 100), "no update in cycles"),
        (lambda: timetable(Method("gmp", 0.1, interval=90), 100), "no update of gmp"),
    ],
)
def test_bad_settings_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
