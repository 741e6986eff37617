"""The words of a POI: its class, the group the class belongs to, and the sentence that tells both."""

from __future__ import annotations

# Class -> group; both lower case and plain, the groups our own.
CATEGORIES = {
    "all-through schools": "education",
    "arts centres": "performing arts",
    "bakeries": "food shops",
    "bars": "nightlife",
    "bus stops": "public transport",
    "cafes": "eating out",
    "cinemas": "performing arts",
    "convenience stores": "food shops",
    "cycle hire docks": "cycling",
    "fast food outlets": "eating out",
    "health clinics": "health care",
    "hospitals": "health care",
    "libraries": "museums and libraries",
    "mental health hospitals": "health care",
    "museums and galleries": "museums and libraries",
    "music venues": "performing arts",
    "nightclubs": "nightlife",
    "primary schools": "education",
    "public parks": "green space and heritage",
    "pubs": "nightlife",
    "restaurants": "eating out",
    "scheduled monuments": "green space and heritage",
    "secondary schools": "education",
    "skate parks": "sport",
    "supermarkets": "food shops",
    "theatres": "performing arts",
}

# Groups whose classes are goods, not places.
VERBS = {"retail": "that sells", "manufacturing and production": "that produces"}


def describe(poi_class: str, category: str, name: str = "") -> str:
    """Return the text of one POI, lower case: "a place of <class>, a type of <category>".

    Goods of the group "retail" are sold ("a place that sells <class>"), those of "manufacturing and
    production" are produced. A name goes in front: "<name>, a place of ...".
    """
    poi_class, category = poi_class.lower(), category.lower()
    told = f"a place {VERBS.get(category, 'of')} {poi_class}, a type of {category}"
    return f"{name.lower()}, {told}" if name else told
