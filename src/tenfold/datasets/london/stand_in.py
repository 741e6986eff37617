"""What stands in for London where the real files are not at hand: the simulated city, told on every figure."""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd

from tenfold.datasets.london.simulation import simulation
from tenfold.datasets.provenance import synthetic
from tenfold.datasets.resolution import resolve

# What lies below the simulation: real outlines and real figures of the boroughs.
BASES = ("london_boroughs_simple", "london_ns_sec_figures", "london_poi_figures")


def simulated(draw: Callable[..., gpd.GeoDataFrame], *arguments: int) -> gpd.GeoDataFrame:
    """Return what a method of `Simulation` draws of the city of seed 0, and note what it rests on as used."""
    city = simulation()
    for name in BASES:
        resolve(name)
    synthetic("london_simulation", city.digest, "simulated below the boroughs")
    frame = draw(city, *arguments)
    texts = frame.columns[[frame[name].dtype == object for name in frame]]
    attrs = frame.attrs | {"datasets": ("london_simulation", *BASES)}
    frame = frame.astype(dict.fromkeys(texts, "str"))
    frame.attrs |= attrs
    return frame
