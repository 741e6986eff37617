"""A toy paper in a checkout of its own: parameters, claims, data, results, all under a temporary folder."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import pytest
import yaml

from tenfold import datasets, project
from tenfold.book import Book, book, claims, display
from tenfold.runner.parameters import Budget, Parameters, parameter

CLAIM = {
    "id": "C1",
    "source": "Table 1",
    "sentence": "Method a beats method b.",
    "kind": "ordering",
    "measure": {"table": "runs", "column": "a", "minus": "b", "by": "seed"},
    "accept": {"above": 0},
    "null": 0,
    "noise": 0.1,
    "scales": ["smoke", "laptop", "paper"],
}


@dataclass(frozen=True)
class Toy(Parameters):
    slug: ClassVar[str] = "toy"
    title: ClassVar[str] = "A toy"
    budget: ClassVar[dict[str, Budget]] = dict.fromkeys(("smoke", "laptop", "paper"), Budget(0.1, 0.5))
    bins: int = parameter(3, 14, 30, help="bins", low=1, high=30)
    tilts: tuple[float, ...] = parameter((1.0,), (1.0, 2.0), (1.0, 2.0, 3.0), help="tilts")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty checkout with the paper 'toy'; results and data of the real one are out of reach."""
    style = project.root() / "notebooks" / "matplotlibrc"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "claims").mkdir(parents=True)
    shutil.copy(style, tmp_path / "notebooks" / "matplotlibrc")
    (tmp_path / "notebooks" / "toy.ipynb").write_text("{}")
    monkeypatch.setattr(project, "root", lambda: tmp_path)
    monkeypatch.delenv("TENFOLD_OUT", raising=False)
    monkeypatch.setenv("TENFOLD_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(book, "load", lambda slug: Toy)
    datasets.reset()
    yield tmp_path
    datasets.reset()


@pytest.fixture
def toy_data():
    """Data that this process has made, so that figures may show them."""
    return datasets.synthetic("toy-set", "0" * 64, "Toy set").name


@pytest.fixture
def opened(checkout, toy_data):
    """The open book of the toy paper at smoke scale, with data at hand."""
    return Book.open("toy", {"scale": "smoke", "seed": 7, "bins": None, "tilts": None})


@pytest.fixture
def write(checkout):
    """Write entries as the claims of 'toy', or of another paper."""

    def write(*entries, slug="toy"):
        claims.path(slug).write_text(yaml.safe_dump(list(entries)))

    return write


@pytest.fixture
def entry():
    """Build the toy claim with some keys changed; a value of ... removes a key."""

    def entry(**changes):
        made = {**copy.deepcopy(CLAIM), **changes}
        return {key: value for key, value in made.items() if value is not ...}

    return entry


@pytest.fixture
def shown(monkeypatch):
    """What a reader sees below the cells, as in a live notebook."""
    seen = SimpleNamespace(texts=[], images=[])
    monkeypatch.setattr(display, "live", lambda: True)
    monkeypatch.setattr(display, "markdown", seen.texts.append)
    monkeypatch.setattr(display, "image", lambda path, inches: seen.images.append((path.name, inches)))
    return seen
