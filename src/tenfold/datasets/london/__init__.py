"""London: boundaries, census, points of interest and land use, real, mirrored, or simulated below the boroughs.

Coordinates are metres of the British National Grid (EPSG:27700). Every loader takes `source="auto"`, real files
where they are at hand, or "simulated", what a machine without them has; every frame tells its data in `attrs`.
"""

from tenfold.datasets.london.boundaries import borough_of, boroughs, districts, hexagons, outline
from tenfold.datasets.london.census import lsoas, ns_sec
from tenfold.datasets.london.context import central_activities_zone, greenspace, inner_london, thames, tube_lines, water
from tenfold.datasets.london.frame import CRS, FRAME, to_degrees, to_metres
from tenfold.datasets.london.landuse import land_use
from tenfold.datasets.london.poi import pois
from tenfold.datasets.london.simulation import Simulation, simulation
from tenfold.datasets.london.wording import describe

__all__ = [
    "CRS",
    "FRAME",
    "Simulation",
    "borough_of",
    "boroughs",
    "central_activities_zone",
    "describe",
    "districts",
    "greenspace",
    "hexagons",
    "inner_london",
    "land_use",
    "lsoas",
    "ns_sec",
    "outline",
    "pois",
    "simulation",
    "thames",
    "to_degrees",
    "to_metres",
    "tube_lines",
    "water",
]
