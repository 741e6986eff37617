import os
import time
from pathlib import Path

import pytest

from tenfold.errors import InputError
from tenfold.runner.executors import Local, Slurm, _options, executor


def double(x):
    return 2 * x


def fragile(x):
    if x == "die":
        os._exit(9)
    if x == "raise":
        raise ValueError("wrong")
    return x, os.environ["OMP_NUM_THREADS"], os.getpid()


def test_all_items_come_back_with_their_index():
    outcomes = list(executor("local", 2).map(double, [3, 5, 7]))
    assert sorted((outcome.index, outcome.value) for outcome in outcomes) == [(0, 6), (1, 10), (2, 14)]


def test_a_dying_process_or_an_error_costs_only_its_own_item():
    outcomes = {o.index: o for o in executor("local", 1, threads=3).map(fragile, ["a", "die", "raise", "b"])}
    assert outcomes[0].value[:2] == ("a", "3")
    assert "died" in str(outcomes[1].error)
    assert isinstance(outcomes[2].error, ValueError)
    assert outcomes[3].value[0] == "b"
    assert outcomes[3].value[2] != outcomes[0].value[2]


def test_an_unknown_executor_is_refused():
    with pytest.raises(InputError, match="did you mean 'slurm'"):
        executor("slrm", 1)


def test_slurm_goes_through_submitit(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path))
    outcomes = list(Slurm(2, cluster="local").map(double, [3, 5]))
    assert sorted((outcome.index, outcome.value) for outcome in outcomes) == [(0, 6), (1, 10)]


def test_slurm_hands_errors_back(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path))
    (outcome,) = Slurm(1, cluster="local").map(fragile, ["raise"])
    assert "wrong" in str(outcome.error)


def test_without_slurm_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no Slurm here"):
        executor("slurm", 1)


def test_slurm_options_are_read_from_text():
    assert _options("partition=gpu,mem_gb=32") == {"slurm_partition": "gpu", "mem_gb": 32}
    with pytest.raises(InputError):
        _options("gpu")


def test_a_misspelt_slurm_option_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path))
    monkeypatch.setenv("TENFOLD_SLURM", "memgb=4")
    with pytest.raises(InputError, match="TENFOLD_SLURM: ") as caught:
        Slurm(1, cluster="local")
    assert "\n" not in str(caught.value)


def test_slurm_pins_threads_that_numpy_has_taken_already(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path))
    (outcome,) = Slurm(1, threads=1, cluster="local").map(pools, [0])
    assert set(outcome.value) == {1}


def pools(item):
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_info

    return [pool["num_threads"] for pool in threadpool_info()]


def test_an_abandoned_sweep_starts_nothing_new(tmp_path):
    """Item n waits for its gate; once the sweep is left with item 1 in the making, items 2 to 4 never start."""
    engine = Local(1)
    outcomes = engine.map(gated, [(str(tmp_path), n) for n in range(5)])
    (tmp_path / "gate-0").touch()
    next(outcomes)
    outcomes.close()
    for n in range(1, 5):
        (tmp_path / f"gate-{n}").touch()
    # First come, first served: when this is done, whatever was not abandoned is done too.
    assert [outcome.value for outcome in engine.map(double, [4])] == [8]
    assert len(list(tmp_path.glob("done-*"))) <= 2


def test_work_begins_before_anybody_waits(tmp_path):
    (tmp_path / "gate-0").touch()
    engine = Local(1)
    first = engine.map(gated, [(str(tmp_path), 0)])
    list(engine.map(double, [1]))
    assert (tmp_path / "done-0").exists()
    assert len(list(first)) == 1


def gated(item):
    folder, n = item
    while not (Path(folder) / f"gate-{n}").exists():
        time.sleep(0.01)
    (Path(folder) / f"done-{n}").touch()
