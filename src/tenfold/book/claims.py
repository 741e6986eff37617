"""The claims of a paper: what each says, how it is measured, what it accepts, what it must reject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tenfold import project
from tenfold.book import entries
from tenfold.book.document import document
from tenfold.book.region import Region
from tenfold.errors import InputError
from tenfold.runner.parameters import SCALES

# Each kind, and the second column by which its measure is formed.
OPERANDS = {"value": None, "ordering": "minus", "ratio": "over", "slope": "against", "identity": "minus"}

_MEASURE = {"table", "column", "where", "minus", "over", "against", "by", "interval"}
_PUBLISHED = {"value", "plus", "minus", "provenance"}
_REQUIRED = ("id", "source", "sentence", "kind", "measure", "accept", "null", "noise", "scales")
_CLAIM = {*_REQUIRED, "unit", "published", "needs", "note"}


@dataclass(frozen=True)
class Measure:
    """How a claim is computed: which rows of which table, which column, and what is done with it."""

    table: str
    column: str
    where: Mapping[str, Any] = field(default_factory=dict)
    minus: str | None = None
    over: str | None = None
    against: str | None = None
    by: str | None = None
    interval: tuple[str, str] | None = None


@dataclass(frozen=True)
class Published:
    """What the paper says: a number or None, its uncertainty, and where it stands."""

    value: float | None = None
    plus: float | None = None
    minus: float | None = None
    provenance: str = ""


@dataclass(frozen=True)
class Claim:
    """One testable sentence of a paper; `region` is None only for a value without a published number."""

    id: str
    source: str
    sentence: str
    kind: str
    measure: Measure
    region: Region | None
    null: float
    noise: float
    scales: tuple[str, ...]
    published: Published = Published()
    needs: tuple[str, ...] = ()
    unit: str = ""
    note: str = ""
    file: str = ""

    @property
    def unanswerable(self) -> bool:
        """Tell whether the claim is about a number that the paper does not give."""
        return self.kind == "value" and self.published.value is None

    def error(self, problem: object) -> InputError:
        """Return the error that lays `problem` at this claim's door."""
        return InputError(f"claim {self.id} ({self.file}): {problem}")


def path(slug: str) -> Path:
    """Return where the claims of a paper stand."""
    return project.root() / "data" / "claims" / f"{slug}.yaml"


def slugs() -> list[str]:
    """Return every paper that has a notebook or claims."""
    notebooks, claims = project.root() / "notebooks", project.root() / "data" / "claims"
    return sorted({file.stem for file in (*notebooks.glob("*.ipynb"), *claims.glob("*.yaml"))})


def load(slug: str) -> list[Claim]:
    """Return the claims of a paper, checked; a claim that could not fail is an `InputError`.

    Refused, with the claim and the file: unknown or missing keys, duplicate ids, an empty region,
    a null inside the accepted region, a measure without replicates or interval.
    """
    place = path(slug)
    name = f"data/claims/{place.name}"
    if not place.is_file():
        raise InputError(f"there are no claims of {slug}: {name} is missing")
    listed = document(place.read_text(encoding="utf-8"), name)
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{name} must be a list of claims")
    claims = [_claim(entry, f"number {number} ({name})", name) for number, entry in enumerate(listed, 1)]
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise claim.error("another claim has the same id")
        seen.add(claim.id)
    return claims


def _claim(entry: Any, where: str, name: str) -> Claim:
    """Return one entry as a claim; `where` names it until its own id is known."""
    if isinstance(entry, Mapping) and isinstance(entry.get("id"), str):
        where = f"{entry['id']} ({name})"
    try:
        claim = _read(entry, name)
        _can_fail(claim)
    except InputError as error:
        raise InputError(f"claim {where}: {error}") from None
    return claim


def _read(entry: Any, name: str) -> Claim:
    entries.keys(entry, _CLAIM, "key")
    if missing := [key for key in _REQUIRED if key not in entry]:
        raise InputError(f"{missing[0]} is missing")
    kind = entries.choice("kind", entry["kind"], OPERANDS)
    published = _published(entry.get("published"))
    return Claim(
        **{key: entries.text(key, entry[key]) for key in ("id", "source", "sentence")},
        **{key: entries.text(key, entry.get(key) or "", empty=True) for key in ("unit", "note")},
        kind=kind,
        measure=_measure(entry["measure"], kind),
        region=_region(entry["accept"], kind, published.value),
        null=entries.number("null", entry["null"]),
        noise=entries.positive("noise", entry["noise"]),
        scales=_scales(entry["scales"]),
        published=published,
        needs=_needs(entry.get("needs", [])),
        file=name,
    )


def _can_fail(claim: Claim) -> None:
    """Refuse a region that nothing enters, or that the null enters too."""
    if claim.region is None:
        return
    if claim.region.empty:
        raise InputError(f"accept: nothing lies in the region {claim.region}")
    if claim.region.holds(claim.null):
        raise InputError(f"the null {claim.null:g} lies in the accepted region ({claim.region}): cannot fail")


def _measure(entry: Any, kind: str) -> Measure:
    entries.keys(entry, _MEASURE, "key of measure:")
    names = ("table", "column", "minus", "over", "against", "by")
    texts = {key: entries.text(f"measure: {key}", entry[key]) for key in names if key in entry}
    if missing := [key for key in ("table", "column") if key not in texts]:
        raise InputError(f"measure: {missing[0]} is missing")
    measure = Measure(**texts, where=_where(entry.get("where", {})), interval=_pair(entry.get("interval")))
    _operand(measure, kind)
    _spread(measure, kind)
    return measure


def _operand(measure: Measure, kind: str) -> None:
    """Refuse a second column that the kind does not know, and a kind that lacks its own."""
    operand = OPERANDS[kind]
    for other in ("minus", "over", "against"):
        if getattr(measure, other) is not None and other != operand:
            raise InputError(f"measure: '{other}' has no meaning for the kind {kind}")
    given = operand is not None and getattr(measure, operand) is not None
    if given and measure.interval:
        raise InputError(f"measure: 'interval' is that of one column, so '{operand}' cannot stand beside it")
    if kind in ("ratio", "slope") and not given and not measure.interval:
        raise InputError(f"measure: the kind {kind} needs '{operand}'")


def _spread(measure: Measure, kind: str) -> None:
    """Refuse a measure that says nothing, or two things, about its uncertainty."""
    given = [key for key in ("by", "interval") if getattr(measure, key) is not None]
    if kind == "identity" and given:
        raise InputError(f"measure: an identity holds in every row, so '{given[0]}' has no meaning")
    if kind != "identity" and len(given) != 1:
        raise InputError("measure: give either 'by' (column of replicates) or 'interval' (two columns)")


def _region(entry: Any, kind: str, published: float | None) -> Region | None:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise InputError("accept must have exactly one of: above, below, within, between")
    (form, bound) = next(iter(entry.items()))
    regions = {
        "above": lambda: Region.above(entries.number("accept: above", bound)),
        "below": lambda: Region.below(entries.number("accept: below", bound)),
        "between": lambda: Region(*entries.numbers("accept: between", bound), closed=True),
        "within": partial(_within, bound, kind, published),
    }
    return regions[entries.choice("form of accept:", form, regions)]()


def _within(bound: Any, kind: str, published: float | None) -> Region | None:
    tolerance = entries.positive("accept: within", bound)
    centre = 0.0 if kind == "identity" else published
    if centre is not None:
        return Region(centre - tolerance, centre + tolerance, closed=True)
    if kind == "value":
        return None
    raise InputError(f"accept: 'within' needs a published value for the kind {kind}")


def _published(entry: Any) -> Published:
    if entry is None:
        return Published()
    entries.keys(entry, _PUBLISHED, "key of published:")
    numbers = {
        key: entries.number(f"published: {key}", entry[key])
        for key in ("value", "plus", "minus")
        if entry.get(key) is not None
    }
    return Published(**numbers, provenance=entries.text("published: provenance", entry.get("provenance")))


def _where(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise InputError("measure: where must be a mapping of columns to values")
    for column, value in entry.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(item, str | int | float) for item in values):
            raise InputError(f"measure: where: {column} must be a value or a list of values, not {value!r}")
    return {str(column): value for column, value in entry.items()}


def _pair(entry: Any) -> tuple[str, str] | None:
    if entry is None:
        return None
    if not isinstance(entry, list) or len(entry) != 2 or not all(isinstance(item, str) for item in entry):
        raise InputError("measure: interval must name two columns: [low, high]")
    return entry[0], entry[1]


def _needs(entry: Any) -> tuple[str, ...]:
    if not isinstance(entry, list):
        raise InputError(f"needs must be a list of names of data sets, not {entry!r}")
    return tuple(entries.text("needs", item) for item in entry)


def _scales(entry: Any) -> tuple[str, ...]:
    if not isinstance(entry, list) or not entry:
        raise InputError(f"scales must be a list of some of: {', '.join(SCALES)}")
    return tuple(entries.choice("scale", item, SCALES) for item in entry)
