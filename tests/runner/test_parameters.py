from dataclasses import FrozenInstanceError, dataclass
from typing import ClassVar

import pytest

from tenfold.errors import InputError
from tenfold.runner.parameters import Budget, Parameters, parameter, resolve


@dataclass(frozen=True)
class Toy(Parameters):
    slug: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"
    budget: ClassVar[dict[str, Budget]] = {}
    bins: int = parameter(3, 4, 5, help="bins", low=1, high=30)
    tilt: float = parameter(1.0, 2.0, 3.0, help="tilt", unit="rad", low=-5.0)
    model: str = parameter("igw", "igw", "gb1", help="model", choices=("igw", "gb1"))
    sets: tuple[str, ...] = parameter(("a",), ("a", "b"), ("a", "b"), help="sets", choices=("a", "b"))
    dry: bool = parameter(True, False, False, help="dry")


@pytest.mark.parametrize(("scale", "bins"), [("smoke", 3), ("laptop", 4), ("paper", 5)])
def test_each_scale_takes_its_preset(scale, bins):
    found = resolve(Toy, scale)
    assert (found.scale, found.bins) == (scale, bins)
    assert found.changed() == {}


def test_text_and_values_give_the_same():
    text = resolve(Toy, "smoke", "7", {"bins": "9", "tilt": "0.5", "sets": "a, b", "dry": "false"})
    value = resolve(Toy, "smoke", 7, {"bins": 9, "tilt": 0.5, "sets": ["a", "b"], "dry": False})
    assert text == value
    assert text.changed() == {"bins": 9, "tilt": 0.5, "sets": ("a", "b"), "dry": False}


def test_none_means_the_preset():
    assert resolve(Toy, "paper", 0, {"bins": None}).bins == 5


def test_parameters_are_frozen():
    with pytest.raises(FrozenInstanceError):
        resolve(Toy).bins = 3


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"bns": 9}, "did you mean 'bins'"),
        ({"bins": "many"}, "bins must be a whole number, not 'many'"),
        ({"bins": 2.5}, "bins must be a whole number"),
        ({"bins": True}, "bins must be a whole number"),
        ({"bins": 0}, "bins must be at least 1"),
        ({"bins": 31}, "bins must be at most 30"),
        ({"tilt": "nan"}, "tilt must be finite"),
        ({"tilt": -6}, "at least -5.0 rad"),
        ({"model": "gb2"}, "did you mean 'gb1'"),
        ({"model": 3}, "model must be a text"),
        ({"sets": "a,c"}, "unknown value of sets: 'c'"),
        ({"sets": ""}, "at least one value"),
        ({"sets": 4}, "sets must be a list"),
        ({"dry": "perhaps"}, "dry must be true or false"),
    ],
)
def test_wrong_values_are_refused_in_one_line(overrides, words):
    with pytest.raises(InputError) as caught:
        resolve(Toy, "laptop", 0, overrides)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("scale", "seed"), [("lptop", 0), ("laptop", -1), ("laptop", "x"), ("laptop", 1.5)])
def test_wrong_scale_and_seed_are_refused(scale, seed):
    with pytest.raises(InputError):
        resolve(Toy, scale, seed)
