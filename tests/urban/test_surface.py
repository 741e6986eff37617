"""What other programs build on: the public names of the room, and the order and defaults of their arguments."""

import inspect

import pytest

from tenfold import urban
from tenfold.datasets import london

SIGNATURES = {
    "GridEncoder": "frequencies=32, lambda_min=100.0, lambda_max=10000.0",
    "TheoryEncoder": "frequencies=32, lambda_min=100.0, lambda_max=10000.0",
    "LocationEncoder": "encoding, width=256, blocks=4, out=128, dropout=0.5",
    "clip_loss": "text, location, log_scale, normalize_text=False",
    "minilm": "texts",
    "distribution_metrics": "target, predicted",
    "space2vec_loss": "location, positive, negatives",
    "blocked_folds": "groups, k, seed",
}


def told(function):
    """Return the positional arguments of a function with their defaults, without types."""
    found = inspect.signature(function).parameters.values()
    positional = [one for one in found if one.kind is one.POSITIONAL_OR_KEYWORD]
    return ", ".join(one.name if one.default is one.empty else f"{one.name}={one.default!r}" for one in positional)


@pytest.mark.parametrize("name", SIGNATURES)
def test_promised_names_take_the_promised_arguments(name):
    assert name in urban.__all__
    assert told(getattr(urban, name)) == SIGNATURES[name]


def test_every_public_name_exists_once_and_in_order():
    assert sorted(urban.__all__) == sorted(set(urban.__all__))
    assert [name for name in urban.__all__ if not hasattr(urban, name)] == []


@pytest.mark.parametrize("name", ["pois", "ns_sec", "boroughs", "lsoas", "hexagons"])
def test_london_can_be_asked_without_arguments(name):
    assert name in london.__all__
    function = inspect.signature(getattr(london, name))
    function.bind()
    assert next(iter(function.parameters.values())).default == "auto", "real where it is at hand"
