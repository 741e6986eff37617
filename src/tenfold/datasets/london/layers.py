"""The open POI files of London as one kind of table: class, name, file, licence, place in metres."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from tenfold.datasets.london.frame import to_metres
from tenfold.datasets.london.sources import read
from tenfold.datasets.provenance import Resolution

# What it does to a coordinate (m) when OSGB36 angles are taken for WGS84 ones: 113.0 +- 0.9 and -53.9 +- 0.7
# over the rows of the files that carry both.
DATUM_SHIFT = np.array([113.0, -54.0])
# Metres within which two files mean one place when they name the same coordinates.
SAME = 1.0

OSM_CLASSES = {
    "restaurant": "restaurants",
    "cafe": "cafes",
    "fast_food": "fast food outlets",
    "convenience": "convenience stores",
    "supermarket": "supermarkets",
    "bar": "bars",
    "bakery": "bakeries",
}
NAMED_CLASSES = {
    "Arts centre": "arts centres",
    "Cafe": "cafes",
    "Cinema": "cinemas",
    "Museum / gallery": "museums and galleries",
    "Music venue": "music venues",
    "Nightclub": "nightclubs",
    "Pub": "pubs",
    "Scheduled monument": "scheduled monuments",
    "Skate park": "skate parks",
    "Theatre": "theatres",
}
CULTURE_CLASSES = {
    "Libraries.csv": "libraries",
    "Museums_and_public_galleries.csv": "museums and galleries",
    "Music_venues_grassroots.csv": "music venues",
    "Theatres.csv": "theatres",
}
SCHOOL_CLASSES = {"All-through": "all-through schools", "Primary": "primary schools", "Secondary": "secondary schools"}
HOSPITAL_CLASSES = {"Hospital": "hospitals", "Hospitals - Mental health/capacity": "mental health hospitals"}

ODBL, OGL, TFL = "ODbL 1.0", "OGL v3", "TfL open data licence"


def every(place: Resolution, parks_place: Resolution) -> pd.DataFrame:
    """Return the rows of all files, the file first that is believed where two tell of one place."""
    readers = (culture, named, openstreetmap, bus_stops, cycle_hire, schools, hospitals)
    rows = pd.concat([*(reader(place) for reader in readers), parks(parks_place)], ignore_index=True)
    rows["name"] = rows["name"].str.strip()
    return rows


def table(xy: np.ndarray, poi_class, name, source: str, licence) -> pd.DataFrame:
    """Return POIs as a table of class, name, file, licence, easting and northing (m)."""
    columns = {"poi_class": poi_class, "name": name, "source": source, "licence": licence}
    return pd.DataFrame(columns | {"easting": xy[:, 0], "northing": xy[:, 1]}).reset_index(drop=True)


def culture(place: Resolution) -> pd.DataFrame:
    """Return libraries, museums, music venues and theatres of the Cultural Infrastructure Map of 2022."""
    parts = []
    for file, poi_class in CULTURE_CLASSES.items():
        rows = _rows(place, file)
        xy = surveyed(rows) if file != "Theatres.csv" else _degrees(rows) + DATUM_SHIFT
        parts.append(table(xy, poi_class, rows["name"], file, OGL))
    return pd.concat(parts, ignore_index=True)


def named(place: Resolution) -> pd.DataFrame:
    """Return the named points: OpenStreetMap cafes and the Cultural Infrastructure Map, put where they belong.

    Theatres lie one datum shift to the north-west of themselves, and the museums and music venues whose
    coordinates are those of the files of 2022 lie one to the south-east.
    """
    file = "london_pois_named.geojson"
    points = read(place, file, columns=["name", "subcategory"])
    xy = _degrees(points.get_coordinates().rename(columns={"x": "longitude", "y": "latitude"}))
    kind = points["subcategory"].map(NAMED_CLASSES)
    xy[kind == "theatres"] += DATUM_SHIFT
    for other in ("Museums_and_public_galleries.csv", "Music_venues_grassroots.csv"):
        wrong = _degrees(_rows(place, other))
        rows = np.flatnonzero(kind == CULTURE_CLASSES[other])
        xy[rows[cKDTree(wrong).query(xy[rows])[0] < SAME]] -= DATUM_SHIFT
    return table(xy, kind, points["name"], file, np.where(kind == "cafes", ODBL, OGL))


def openstreetmap(place: Resolution) -> pd.DataFrame:
    """Return the unnamed OpenStreetMap points, without pubs and without 25 stray tags.

    At least nine in ten of its pubs stand in the list of the Greater London Authority as well, which is
    named and whole, but tens of metres away, so that no distance tells the few others.
    """
    file = "osm_london_pois.csv"
    rows = _rows(place, file).rename(columns={"lon": "longitude", "lat": "latitude"})
    rows = rows[rows["category"].isin(OSM_CLASSES)]
    return table(_degrees(rows), rows["category"].map(OSM_CLASSES).array, "", file, ODBL)


def bus_stops(place: Resolution) -> pd.DataFrame:
    """Return the bus stops that stand in the street: neither virtual ones nor empty lines."""
    file = "bus-stops.csv"
    rows = _rows(place, file, dtype={"Stop_Code_LBSL": str, "Bus_Stop_Code": str})
    rows = rows[rows["Virtual_Bus_Stop"] == 0]
    # Signs in the names stand for an interchange with railway, underground, tram or river.
    name = rows["Stop_Name"].fillna("").str.replace(r"[<>#\[\]]+|>\w<", " ", regex=True)
    xy = rows[["Location_Easting", "Location_Northing"]].to_numpy(np.float64)
    return table(xy, "bus stops", name.str.split().str.join(" ").str.title().array, file, TFL)


def cycle_hire(place: Resolution) -> pd.DataFrame:
    """Return the docking stations of the cycle hire."""
    points = read(place, "cycle_hire.geojson", columns=["name", "area"])
    return _points(points, "cycle hire docks", points["name"], "cycle_hire.geojson", TFL)


def schools(place: Resolution) -> pd.DataFrame:
    """Return the state schools by phase."""
    file = "london_schools_ofsted.geojson"
    points = read(place, file, columns=["school_name", "phase"])
    return _points(points, points["phase"].map(SCHOOL_CLASSES), points["school_name"], file, OGL)


def hospitals(place: Resolution) -> pd.DataFrame:
    """Return hospitals, mental health hospitals, and what else the regulator lists with them, as clinics."""
    file = "london_hospitals.geojson"
    points = read(place, file, columns=["hospital_name", "type"])
    poi_class = points["type"].map(HOSPITAL_CLASSES).fillna("health clinics")
    return _points(points, poi_class, points["hospital_name"], file, OGL)


def parks(place: Resolution) -> pd.DataFrame:
    """Return one point inside each public park or garden."""
    file = "Greenspace.gpkg"
    areas = read(place, file, columns=["distName1"])
    xy = areas.geometry.representative_point().get_coordinates().to_numpy()
    return table(xy, "public parks", areas["distName1"].fillna(""), file, OGL)


def surveyed(rows: pd.DataFrame) -> np.ndarray:
    """Return (N, 2) easting and northing (m); where one is missing, from longitude and latitude.

    The angles of these files lack the datum shift, which is taken off again.
    """
    xy = rows[["easting", "northing"]].to_numpy(np.float64).copy()
    missing = ~np.isfinite(xy).all(axis=1)
    xy[missing] = _degrees(rows[missing]) - DATUM_SHIFT
    return xy


def _rows(place: Resolution, file: str, **options) -> pd.DataFrame:
    return pd.read_csv(place.folder / file, **options)


def _degrees(rows: pd.DataFrame) -> np.ndarray:
    return to_metres(rows[["longitude", "latitude"]].to_numpy(np.float64))


def _points(points, poi_class, name, file: str, licence: str) -> pd.DataFrame:
    return table(to_metres(points.get_coordinates().to_numpy()), poi_class, name, file, licence)
