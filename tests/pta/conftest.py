"""Tests of the room see what a machine without mirror or network sees, unless they are marked `mirror`."""

import pytest

from tenfold.pta import cosmology


@pytest.fixture(autouse=True)
def data_at_hand(request, monkeypatch, tmp_path):
    """Hide mirror, cache and network from unmarked tests; let every test load the g table anew."""
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    if request.node.get_closest_marker("mirror") is None:
        monkeypatch.setenv("TENFOLD_MIRROR", str(tmp_path / "none"))
        monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    cosmology.freedom.cache_clear()
    yield
    cosmology.freedom.cache_clear()
