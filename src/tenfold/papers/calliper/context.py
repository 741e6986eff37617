"""The ground of the paper's maps, from the data that are at hand."""

from __future__ import annotations

from tenfold.datasets import london
from tenfold.urban.basemap import Context

KIND = {"real": "real", "mirror": "real", "embedded": "simplified, as they come with the checkout"}


def context(source: str = "auto") -> Context:
    """Return London's outline, boroughs, river, railways and Central Activities Zone; what is not at hand is None.

    `source` is "auto" or "simulated", as for the loaders of `tenfold.datasets.london`: simulated has the embedded
    boroughs alone, whose gap is the river. Raises `InputError` for another source.
    """
    outline, boroughs = london.outline(source), london.boroughs(source)
    whole = source == "auto"
    layers = {
        "thames": london.thames() if whole else None,
        "tube": london.tube_lines() if whole else None,
        "caz": london.central_activities_zone() if whole else None,
        "water": london.water() if whole else None,
    }
    frames = [outline, boroughs, *(layer for layer in layers.values() if layer is not None)]
    names = tuple(dict.fromkeys(frame.attrs["dataset"] for frame in frames))
    note = f"Borough outlines {KIND.get(boroughs.attrs['kind'], boroughs.attrs['kind'])}."
    return Context(outline, boroughs, **layers, note=note, data=names)
