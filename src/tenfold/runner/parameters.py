"""Typed parameters: one frozen dataclass per paper, three presets, checked before anything heavy starts."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from tenfold import project
from tenfold.errors import InputError, unknown

SCALES = ("smoke", "laptop", "paper")


@dataclass(frozen=True)
class Budget:
    """What one run costs at most: minutes on two cores (or as the preset says) and memory in GB."""

    minutes: float
    memory_gb: float


@dataclass(frozen=True)
class Spec:
    """One parameter's presets and limits; `low` and `high` are included in the range."""

    smoke: Any
    laptop: Any
    paper: Any
    help: str
    unit: str = ""
    choices: tuple | None = None
    low: float | None = None
    high: float | None = None


def parameter(smoke: Any, laptop: Any, paper: Any, *, help: str, **limits: Any) -> Any:
    """Declare a field of a paper's `Parameters`: its preset at each scale, its help, its limits."""
    return field(default=laptop, metadata={"spec": Spec(smoke, laptop, paper, help, **limits)})


@dataclass(frozen=True)
class Parameters:
    """What every paper's parameters have in common; a paper adds its own fields by `parameter(...)`."""

    slug: ClassVar[str]
    title: ClassVar[str]
    budget: ClassVar[dict[str, Budget]]

    scale: str = "laptop"
    seed: int = 0

    @classmethod
    def specs(cls) -> dict[str, Spec]:
        """Return the paper's own parameters by name, in the order in which they are declared."""
        return {f.name: f.metadata["spec"] for f in fields(cls) if "spec" in f.metadata}

    def changed(self) -> dict[str, Any]:
        """Return the parameters that differ from the scale's preset."""
        specs = self.specs().items()
        return {name: getattr(self, name) for name, spec in specs if getattr(self, name) != getattr(spec, self.scale)}


def slugs() -> list[str]:
    """Return the papers of this workbook: every notebook that has a module under `tenfold.papers`."""
    stems = sorted(path.stem for path in (project.root() / "notebooks").glob("*.ipynb"))
    papers = project.root() / "src" / "tenfold" / "papers"
    names = {path.stem for path in papers.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return [stem for stem in stems if stem.replace("-", "_") in names]


def load(slug: str) -> type[Parameters]:
    """Return the `Parameters` class of a paper; an unknown slug is an `InputError`."""
    if slug not in slugs():
        raise unknown("paper", slug, slugs())
    return importlib.import_module(f"tenfold.papers.{slug.replace('-', '_')}").Parameters


def resolve(
    cls: type[Parameters], scale: str = "laptop", seed: Any = 0, overrides: Mapping | None = None
) -> Parameters:
    """Return the scale's preset with the overrides put in; None and absent both mean the preset.

    Overrides may be strings (from the command line) or values (from a notebook).
    Unknown names, wrong types and impossible values are an `InputError` that names the nearest right one.
    """
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    specs, types = cls.specs(), get_type_hints(cls)
    values = {name: getattr(spec, scale) for name, spec in specs.items()}
    for name, value in (overrides or {}).items():
        if name not in specs:
            raise unknown(f"parameter of {cls.slug}", name, specs)
        if value is not None:
            values[name] = _checked(name, _typed(name, value, types[name]), specs[name])
    seed = _typed("seed", seed, int)
    if seed < 0:
        raise InputError(f"seed must be 0 or more, not {seed}")
    return replace(cls(), scale=scale, seed=seed, **values)


def _typed(name: str, value: Any, kind: Any) -> Any:
    """Return `value` as `kind`: int, float, bool, str, or a tuple of one of these (text is split at commas)."""
    if get_origin(kind) is tuple:
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise InputError(f"{name} must be a list, not {value!r}")
        return tuple(_typed(name, item, get_args(kind)[0]) for item in items)
    try:
        return _scalar(value, kind)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be {_words(kind)}, not {value!r}") from None


def _scalar(value: Any, kind: type) -> Any:
    if kind is bool:
        text = str(value).lower()
        if text not in ("true", "false", "yes", "no", "1", "0"):
            raise ValueError
        return text in ("true", "yes", "1")
    if isinstance(value, bool) or (kind is str and not isinstance(value, str)):
        raise TypeError
    if kind is int and isinstance(value, float) and value != int(value):
        raise ValueError
    return kind(value)


def _words(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind]


def _checked(name: str, value: Any, spec: Spec) -> Any:
    """Return `value` when it, or each item of it, is among the choices and within the range."""
    if isinstance(value, tuple) and not value:
        raise InputError(f"{name} must name at least one value")
    for item in value if isinstance(value, tuple) else (value,):
        if spec.choices is not None and item not in spec.choices:
            raise unknown(f"value of {name}:", str(item), map(str, spec.choices))
        if isinstance(item, float) and not math.isfinite(item):
            raise InputError(f"{name} must be finite, not {item}")
        if spec.low is not None and item < spec.low:
            raise InputError(f"{name} must be at least {spec.low}{_unit(spec)}, not {item}")
        if spec.high is not None and item > spec.high:
            raise InputError(f"{name} must be at most {spec.high}{_unit(spec)}, not {item}")
    return value


def _unit(spec: Spec) -> str:
    return f" {spec.unit}" if spec.unit else ""
