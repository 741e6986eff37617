"""The verdict on a claim: where its evidence lies against the region that it accepts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from tenfold.book.claims import Claim
from tenfold.book.measure import FEWEST, Evidence, Tables, evidence
from tenfold.book.numerals import interval

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
INCONCLUSIVE = "inconclusive"
NOT_TESTABLE = "not testable at this scale"
NO_NUMBER = "no published number"

# From best to worst: a fall along this list is news.
VERDICTS = (REPRODUCED, INCONCLUSIVE, NOT_REPRODUCED, NO_NUMBER, NOT_TESTABLE)


@dataclass(frozen=True)
class Verdict:
    """A verdict with everything that one needs to doubt it; `region` is [low, high], None for no bound."""

    id: str
    verdict: str
    effect: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    region: list[float | None] | None
    accepted: str
    null: float
    published: float | None
    plus: float | None
    minus: float | None
    provenance: str
    sentence: str
    source: str
    kind: str
    noise: float
    reason: str

    def record(self) -> dict[str, Any]:
        """Return the verdict as plain JSON values."""
        return asdict(self)


def judge(claim: Claim, tables: Tables, scale: str, real: Collection[str] = ()) -> Verdict:
    """Return the verdict on a claim at a scale; `tables(name)` gives a recorded table.

    A claim that needs data which are not among the `real` ones of this run is not testable: stand-ins judge nothing.
    reproduced: the interval lies wholly inside the accepted region; not reproduced: wholly outside;
    inconclusive: across its edge, or fewer than three replicates.
    """
    if scale not in claim.scales:
        reason = f"needs the scale {' or '.join(claim.scales)}"
        return _verdict(claim, NOT_TESTABLE, Evidence(None, None, None, 0, ""), reason)
    if absent := [name for name in claim.needs if name not in real]:
        reason = f"needs {' and '.join(absent)}, which this run did not have"
        return _verdict(claim, NOT_TESTABLE, Evidence(None, None, None, 0, ""), reason)
    found = evidence(claim, tables)
    if claim.unanswerable:
        return _verdict(claim, NO_NUMBER, found, f"the paper gives none; ours is {_told(claim, found)}")
    if found.low is None:
        count = f"{found.n} {found.of}, and an interval needs {FEWEST}"
        return _verdict(claim, INCONCLUSIVE, found, f"{_told(claim, found)}: {count}")
    word, where = _placed(claim, found)
    return _verdict(
        claim, word, found, f"{_told(claim, found)} {where} the region {claim.region}, n = {found.n} {found.of}"
    )


def _placed(claim: Claim, found: Evidence) -> tuple[str, str]:
    if claim.region.covers(found.low, found.high):
        return REPRODUCED, "lies wholly inside"
    if claim.region.excludes(found.low, found.high):
        return NOT_REPRODUCED, "lies wholly outside"
    return INCONCLUSIVE, "crosses the edge of"


def _told(claim: Claim, found: Evidence) -> str:
    return interval(found.effect, found.low, found.high, claim.unit)


def _verdict(claim: Claim, word: str, found: Evidence, reason: str) -> Verdict:
    return Verdict(
        id=claim.id,
        verdict=word,
        effect=found.effect,
        low=found.low,
        high=found.high,
        n=found.n,
        unit=claim.unit,
        region=claim.region.ends() if claim.region else None,
        accepted=str(claim.region) if claim.region else "",
        null=claim.null,
        published=claim.published.value,
        plus=claim.published.plus,
        minus=claim.published.minus,
        provenance=claim.published.provenance,
        sentence=claim.sentence,
        source=claim.source,
        kind=claim.kind,
        noise=claim.noise,
        reason=reason,
    )
