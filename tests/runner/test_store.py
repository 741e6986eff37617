import json
from pathlib import Path

import pytest

from tenfold import datasets, project
from tenfold.errors import InputError
from tenfold.runner import executors, store
from tenfold.runner.store import Call, cached, kept, sweep


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("TENFOLD_CORES", "2")
    monkeypatch.delenv("TENFOLD_FORCE", raising=False)
    datasets.reset()
    # Workers keep the environment that they were started with.
    executors.executor.cache_clear()
    return tmp_path


def square(x, log, power=2):
    with Path(log).open("a") as stream:
        stream.write(f"{x}\n")
    return {"x": x, "y": x**power}


def stumbling(x, log):
    if x == 3 and not Path(log).with_suffix(".mended").exists():
        raise ValueError("three is not ready")
    return square(x, log)


def resuming(log, checkpoint):
    """Get one step further at each call, as a training that is killed does; done at the third."""
    step = checkpoint / "step"
    done = int(step.read_text()) if step.exists() else 0
    with Path(log).open("a") as stream:
        stream.write(f"{done}\n")
    step.write_text(str(done + 1))
    if done < 2:
        raise KeyboardInterrupt
    return done


def reading(log):
    square(0, log)
    return str(datasets.resolve("g_star", offline=True).source)


def inventing(log):
    square(1, log)
    datasets.synthetic("invented", "", "made up here")
    return 1


def calls(log):
    return Path(log).read_text().split() if Path(log).exists() else []


def test_a_call_is_made_once(place):
    log = str(place / "log")
    assert cached(square, x=3, log=log) == cached(square, x=3, log=log) == {"x": 3, "y": 9}
    assert calls(log) == ["3"]
    assert cached(square, x=3, log=log, power=3)["y"] == 27


def test_force_makes_it_again(place, monkeypatch):
    log = str(place / "log")
    cached(square, x=3, log=log)
    monkeypatch.setenv("TENFOLD_FORCE", "1")
    cached(square, x=3, log=log)
    assert calls(log) == ["3", "3"]


def test_what_a_job_takes_is_made_once_even_where_force_is(place, monkeypatch):
    log = str(place / "log")
    monkeypatch.setenv("TENFOLD_FORCE", "1")
    assert kept(square, x=3, log=log) == kept(square, x=3, log=log) == {"x": 3, "y": 9}
    assert calls(log) == ["3"], "made where nobody had, and no second time"
    sweep(square, [{"x": 3}], log=log)
    kept(square, x=3, log=log)
    assert calls(log) == ["3", "3"], "the sweep makes it anew, the job takes it"
    monkeypatch.setattr(store, "_code", lambda module: "another digest")
    kept(square, x=3, log=log)
    assert calls(log) == ["3"] * 3, "what other code made does not count"


def test_changed_code_makes_it_again(place, monkeypatch):
    log = str(place / "log")
    cached(square, x=3, log=log)
    monkeypatch.setattr(store, "_code", lambda module: "another digest")
    cached(square, x=3, log=log)
    assert calls(log) == ["3", "3"]


def test_changed_data_make_it_again(place, monkeypatch):
    log = str(place / "log")
    monkeypatch.setenv("TENFOLD_CACHE", str(place / "cache"))
    monkeypatch.setenv("TENFOLD_MIRROR", str(place / "nowhere"))
    assert cached(reading, log=log) == "embedded"
    datasets.reset()
    assert cached(reading, log=log) == "embedded"
    assert calls(log) == ["0"]
    assert [item.name for item in datasets.used()] == ["g_star"]
    monkeypatch.setattr(datasets, "fingerprint", lambda name: "mirror:other")
    cached(reading, log=log)
    assert calls(log) == ["0", "0"]


def test_synthetic_data_do_not_make_it_again(place):
    log = str(place / "log")
    cached(inventing, log=log)
    cached(inventing, log=log)
    assert calls(log) == ["1"]
    assert [item.name for item in datasets.used()] == ["invented"]


def test_a_sweep_makes_only_what_is_missing(place):
    log = str(place / "log")
    cached(square, x=2, log=log)
    found = sweep(square, [{"x": x} for x in (1, 2, 3)], log=log)
    assert [item["y"] for item in found] == [1, 4, 9]
    assert sorted(calls(log)) == ["1", "2", "3"]


def test_a_failing_point_raises_after_the_others_are_stored(place):
    log = place / "log"
    with pytest.raises(ValueError, match="three is not ready"):
        sweep(stumbling, [{"x": x} for x in (3, 1, 2)], log=str(log))
    log.with_suffix(".mended").touch()
    assert [item["y"] for item in sweep(stumbling, [{"x": x} for x in (3, 1, 2)], log=str(log))] == [9, 1, 4]
    assert sorted(calls(log)) == ["1", "2", "3"]


def test_an_interrupted_call_resumes_from_its_checkpoint(place):
    log = str(place / "log")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            cached(resuming, log=log)
    assert cached(resuming, log=log) == 2
    assert calls(log) == ["0", "1", "2"]
    assert not list((place / "results").rglob("checkpoint"))


def test_a_half_written_result_does_not_count(place):
    log = str(place / "log")
    cached(square, x=3, log=log)
    (Call(square, {"x": 3, "log": log}).folder / "meta.json").unlink()
    cached(square, x=3, log=log)
    assert calls(log) == ["3", "3"]


def test_a_sweep_tells_how_far_it_is(place, monkeypatch):
    monkeypatch.setenv("TENFOLD_PROGRESS", str(place / "progress.json"))
    sweep(square, [{"x": x} for x in (1, 2)], log=str(place / "log"))
    assert json.loads((place / "progress.json").read_text())["detail"] == "square 2/2"


def test_what_cannot_be_cached_is_refused(place):
    with pytest.raises(InputError, match="lambdas"):
        cached(lambda x: x, x=1)
    with pytest.raises(InputError, match="plain values"):
        cached(square, x=object(), log="")


def test_results_lie_in_the_results_folder(place):
    assert Call(square, {"x": 1}).folder.is_relative_to(project.results())
