"""What a POI text speaks of: infrastructure, green, homes or centre, told by the words in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

THEMES = ("infrastructure", "green", "homes", "centre")

# Beginnings of words; whole words where they end in a full stop. The first line with a word of the text decides, so
# that a car park is no park, a garden centre no garden, and no school sells school uniforms.
LINES = (
    ("centre", "farm shop, garden centre, greengrocer, retail park, sells, theme park"),
    (
        "infrastructure",
        "airport, bus., buses, business park, car park, construction, depot., depots., distribution, engineering, "
        "factor, haulage, industr, infrastructure, manufactur, petrol, produces, railway, recycling, station., "
        "stations., storage, transport, utilit, warehouse, waste",
    ),
    (
        "green",
        "allotment, cemeter, common., commons., countryside, farm., farms., garden, golf, green., heath., heaths., "
        "lake, nature, park., parks., playing field, recreation ground, reservoir, wood., woods., woodland",
    ),
    (
        "homes",
        "care home, church, clinic, communit, convenience, dentist, doctor, education, food shop, hairdress, health, "
        "hospital, nurser, playground, post office, primary, school, secondary, supermarket, worship",
    ),
    (
        "centre",
        "art., arts., attraction, bank., banks., bar., bars., cafe, cinema, coffee, cycle hire, drink, eating, embass, "
        "entertainment, exhibition, fast food, galler, hotel, legal, museum, music, night, office, performing, pub., "
        "pubs., restaurant, retail, shop, store, theatre",
    ),
)


def themes(texts: Sequence[str]) -> list[str | None]:
    """Return the theme of each POI text or class name, one of THEMES; None for one without any of the words."""
    return [next((theme for theme, pattern in _PATTERNS if pattern.search(text.lower())), None) for text in texts]


def _pattern(words: str) -> re.Pattern[str]:
    parts = (re.escape(word.rstrip(".")) + r"\b" * word.endswith(".") for word in words.split(", "))
    return re.compile(rf"\b(?:{'|'.join(parts)})")


_PATTERNS = [(theme, _pattern(words)) for theme, words in LINES]
