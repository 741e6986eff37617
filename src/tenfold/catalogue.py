"""What the workbook holds: its papers with minutes and last verdicts, and a paper's parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tenfold.runner import workbook
from tenfold.runner.parameters import SCALES, Parameters, load
from tenfold.runner.progress import clock


def papers(slugs: Sequence[str]) -> str:
    """Return a line per paper and scale: the budget, the last run's time, its verdicts."""
    lines = []
    for slug in slugs:
        cls = load(slug)
        lines.append(f"{slug}  {cls.title}")
        lines += [f"  {scale:7} {_state(cls, scale)}" for scale in SCALES]
    return "\n".join(lines)


def _state(cls: type[Parameters], scale: str) -> str:
    budget = cls.budget[scale]
    limit = f"at most {clock(budget.minutes * 60)}, {budget.memory_gb:g} GB"
    last = workbook.record(workbook.folder(cls.slug, scale))
    if not last:
        return f"{limit}; not run yet"
    verdicts = Counter(claim["verdict"] for claim in last.get("claims", []))
    counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    return f"{limit}; last {clock(last['seconds'])}: {counted or 'no claims judged'}"


def parameters(cls: type[Parameters]) -> str:
    """Return a paper's parameters: name, presets at the three scales, limits, help."""
    lines = [f"{cls.slug}  {cls.title}", f"  presets at {' | '.join(SCALES)}"]
    for name, spec in cls.specs().items():
        presets = " | ".join(_shown(getattr(spec, scale)) for scale in SCALES)
        lines.append(f"  {name} = {presets}{_limits(spec)}\n      {spec.help}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _limits(spec) -> str:
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.choices is not None:
        return f"{unit}  (one of {', '.join(map(str, spec.choices))})"
    if spec.low is None and spec.high is None:
        return unit
    low, high = ("" if end is None else f"{end:g}" for end in (spec.low, spec.high))
    return f"{unit}  ({low} to {high})"
