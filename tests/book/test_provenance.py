"""Provenance: commit and machine as they are, and a plain answer where something is missing."""

import os
import subprocess
import sys

import pytest

from tenfold import project
from tenfold.book import provenance


@pytest.fixture(autouse=True)
def forgotten():
    """Answers are kept for a process; tests want fresh ones."""
    kept = [provenance.commit, provenance.dirty, provenance.packages, provenance.cpu, provenance.accelerator]
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


def git(folder, *arguments):
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **identity}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A checkout with one commit."""
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    monkeypatch.setattr(project, "root", lambda: tmp_path)
    return tmp_path


def test_a_clean_checkout_has_its_commit(repository):
    assert provenance.commit() == git(repository, "rev-parse", "HEAD")
    assert provenance.dirty() is False


@pytest.mark.parametrize("change", ["a", "new"])
def test_a_changed_checkout_is_dirty(repository, change):
    (repository / change).write_text("2")
    assert provenance.dirty() is True


def test_no_git_no_commit_and_a_stranger_s_repository_do_not_count(repository, monkeypatch, tmp_path_factory):
    inside = repository / "inside"
    inside.mkdir()
    monkeypatch.setattr(project, "root", lambda: inside)
    assert provenance.commit() is None and provenance.dirty() is None
    provenance.commit.cache_clear()
    monkeypatch.setattr(project, "root", lambda: tmp_path_factory.mktemp("plain"))
    assert provenance.commit() is None
    provenance.commit.cache_clear()
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() is None


def smi(folder, monkeypatch, text, status=0):
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{text}'\nexit {status}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.skipif(sys.platform != "linux", reason="a shell script plays the driver's tool")
@pytest.mark.parametrize(
    ("text", "status", "visible", "answer"),
    [
        ("NVIDIA H100 80GB HBM3\\n", 0, None, "NVIDIA H100 80GB HBM3"),
        ("A\\nA\\nB\\n", 0, None, "2 x A, B"),
        ("A\\nA\\nB\\n", 0, "2", "B"),
        ("A\\nA\\n", 0, "0,1", "2 x A"),
        ("A\\n", 0, "GPU-1234", "A"),
        ("A\\n", 0, "", "none"),
        ("A\\n", 0, "-1", "none"),
        ("A\\n", 0, "7", "none"),
        ("no driver\\n", 9, None, "none"),
        ("", 0, None, "none"),
    ],
)
def test_the_gpu_is_what_the_driver_says(tmp_path, monkeypatch, text, status, visible, answer):
    smi(tmp_path, monkeypatch, text, status)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert provenance.accelerator() == answer


def test_threads_are_those_pinned_or_those_given(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert provenance.threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= provenance.threads() <= os.cpu_count()


def test_the_packages_are_those_that_compute():
    found = provenance.packages()
    assert {"tenfold", "numpy", "scipy", "pandas", "matplotlib"} <= set(found)
    assert not {"pytest", "ruff", "sphinx"} & set(found)


def test_there_is_always_a_processor():
    assert provenance.cpu()


def test_nothing_heavy_is_imported():
    """The command line asks for provenance and claims: neither may cost seconds."""
    code = "import sys, tenfold.book.command, tenfold.book.provenance as p; p.provenance();"
    code += "print(*{'numpy', 'pandas', 'matplotlib', 'scipy', 'torch', 'IPython', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
