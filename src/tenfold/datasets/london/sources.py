"""Where a layer of London comes from: real files, all or none of them, or what stands in for them."""

from __future__ import annotations

import geopandas as gpd

from tenfold.datasets.provenance import Resolution
from tenfold.datasets.resolution import resolve
from tenfold.errors import InputError, unknown

SOURCES = ("auto", "simulated")


def real(source: str, *names: str) -> list[Resolution]:
    """Return where the data sets `names` are, or an empty list: half of them would be no substitute.

    The source "simulated" asks for none of them. Raises `InputError` for any other source than "auto".
    """
    if source not in SOURCES:
        raise unknown("source", source, SOURCES)
    found: list[Resolution] = []
    for name in names if source == "auto" else ():
        found.append(resolve(name, missing_ok=True))
        if found[-1].source == "absent":
            return []
    return found


def read(resolution: Resolution, name: str, **options) -> gpd.GeoDataFrame:
    """Read one vector file of a resolution; `InputError` in one line where it cannot be read."""
    path = resolution.folder / name
    try:
        return gpd.read_file(path, **options)
    except (OSError, ValueError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read: {first}") from error


def stamped(frame: gpd.GeoDataFrame, *found: Resolution) -> gpd.GeoDataFrame:
    """Write on `frame` which data it shows: names for figures in `attrs`, the first of them alone and all of them.

    `attrs["dataset"]` and `attrs["datasets"]` are names, `attrs["kind"]` is real, mirror, embedded or synthetic.
    """
    names = tuple(item.name for item in found)
    frame.attrs |= {"dataset": names[0], "datasets": names, "kind": found[0].kind}
    return frame
