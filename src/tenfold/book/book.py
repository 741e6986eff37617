"""What a notebook talks to: figures, tables and values go in, and the ledger closes it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold import datasets, files, project
from tenfold.book import display, ledger, style, table
from tenfold.book.card import card
from tenfold.book.provenance import provenance
from tenfold.errors import InputError, unknown
from tenfold.runner.parameters import Parameters, load, resolve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tenfold.runner.store import Pending

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHOWN = 40  # rows of a table below a cell; the file has them all


class Book:
    """The book of one paper at one scale: everything that is put in is on disk when the call returns.

    Attributes: `slug`, `scale`, `seed`, `parameters` (the paper's, resolved), `out` (the result folder).
    """

    def __init__(self, slug: str, parameters: Parameters, out: Path) -> None:
        self.slug = slug
        self.parameters = parameters
        self.out = out
        self._figures: dict[str, dict[str, Any]] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._values: dict[str, dict[str, Any]] = {}
        self._claims: list[dict[str, Any]] = []
        self._save()

    @classmethod
    def open(cls, slug: str, namespace: Mapping[str, Any]) -> Book:
        """Open the book of a paper for a notebook whose `globals()` are `namespace`.

        `scale`, `seed` and the paper's parameters are taken from there; None takes the scale's preset.
        Results go to `TENFOLD_OUT`, else to interactive/<slug> among the results. Figures made from now
        on have the style of notebooks/matplotlibrc. A wrong slug, scale or parameter is an `InputError`.
        """
        kind = load(slug)
        if missing := [name for name in ("scale", "seed") if name not in namespace]:
            raise InputError(f"the notebook of {slug} sets no '{missing[0]}' before it opens its book")
        overrides = {name: namespace[name] for name in kind.specs() if name in namespace}
        parameters = resolve(kind, namespace["scale"], namespace["seed"], overrides)
        style.apply()
        out = os.environ.get("TENFOLD_OUT")
        return cls(slug, parameters, Path(out) if out else project.results() / "interactive" / slug)

    @property
    def scale(self) -> str:
        """The scale: smoke, laptop or paper."""
        return self.parameters.scale

    @property
    def interactive(self) -> bool:
        """Whether a reader runs the notebook, cell by cell; false in a run by `tenfold run`."""
        return "TENFOLD_OUT" not in os.environ

    @property
    def seed(self) -> int:
        """The seed from which every random generator of the notebook descends."""
        return self.parameters.seed

    def figure(
        self,
        id: str,
        figure: Figure,
        numbers: pd.DataFrame,
        data: Sequence[str],
        title: str = "",
        caption: str = "",
    ) -> None:
        """Store a figure as figures/<id>.png, .svg and .csv (the plotted numbers), show it, and close it.

        `data` names the data sets that it shows: they stand in a footer below the drawing. A malformed or
        repeated id, no data, data that were not read, or numbers that are no tidy table are an `InputError`.
        """
        import matplotlib.figure
        from matplotlib import pyplot

        from tenfold.book.figure import save

        self._check_id("figure", id, self._figures)
        if not isinstance(figure, matplotlib.figure.Figure):
            raise InputError(f"figure '{id}' must be a matplotlib Figure, not {type(figure).__name__}")
        data = self._data(f"figure '{id}'", data)
        if not data:
            raise InputError(f"figure '{id}' must name the data that it shows")
        numbers = table.tidy(numbers, f"the numbers of figure '{id}'")
        if numbers.empty:
            raise InputError(f"the numbers of figure '{id}' are empty")
        label = datasets.label(data)
        folder = self.out / "figures"
        files.write_text(folder / f"{id}.csv", table.csv(numbers))
        save(figure, folder, id, f"{label} | tenfold {self.slug}, scale {self.scale}, seed {self.seed}")
        pyplot.close(figure)
        self._figures[id] = {"id": id, "title": title, "caption": caption, "data": data, "label": label}
        self._save()
        display.image(folder / f"{id}.png", figure.get_size_inches()[0])
        self._tell(title, caption)

    def table(self, id: str, frame: pd.DataFrame, caption: str = "", data: Sequence[str] = ()) -> None:
        """Store a tidy table as tables/<id>.csv (every digit) and .md (rounded), and show it.

        A malformed or repeated id, data that were not read, or a frame that CSV would garble are an
        `InputError`.
        """
        self._check_id("table", id, self._tables)
        data = self._data(f"table '{id}'", data)
        frame = table.tidy(frame, f"table '{id}'")
        files.write_text(self.out / "tables" / f"{id}.csv", table.csv(frame))
        files.write_text(self.out / "tables" / f"{id}.md", table.markdown(frame) + "\n")
        self._tables[id] = {"id": id, "caption": caption, "data": data, "rows": len(frame)}
        self._save()
        self._tell("", caption)
        display.markdown(table.markdown(frame, _SHOWN))

    def record(self, name: str, value: Any, unit: str = "") -> None:
        """Record one number, truth or text under a name; a repeated name or NaN is an `InputError`."""
        self._check_new("value", name, self._values)
        plain = value.item() if getattr(value, "ndim", None) == 0 else value
        endless = isinstance(plain, float) and not math.isfinite(plain)
        if endless or not isinstance(plain, bool | int | float | str):
            raise InputError(f"value '{name}' must be a finite number, a truth or a text, not {value!r}")
        self._values[name] = {"name": name, "value": plain, "unit": unit}
        self._save()

    def cached(self, function: Callable, /, **arguments: Any) -> Any:
        """Return `function(**arguments)`, computed once for this code, these arguments and these data."""
        from tenfold.runner import store  # its codec needs pandas

        try:
            return store.cached(function, **arguments)
        finally:
            self._save()

    def sweep(self, function: Callable, points: Sequence[Mapping[str, Any]], /, **fixed: Any) -> list[Any]:
        """Return `[function(**point, **fixed) for point in points]`, points in parallel, each cached."""
        from tenfold.runner import store

        try:
            return store.sweep(function, points, **fixed)
        finally:
            self._save()

    def start(self, function: Callable, points: Sequence[Mapping[str, Any]], /, **fixed: Any) -> Pending:
        """Begin a sweep and return at once; `results()` of what is returned waits for it."""
        from tenfold.runner import store

        return store.start(function, points, **fixed)

    def ledger(self, own: Iterable[str] = ()) -> pd.DataFrame:
        """Judge the paper's claims on the tables stored so far, show the verdicts, and return them.

        Claims that need data are judged where these were real; `own` names what a reader's own files stand for.
        A claim whose table, column or rows are missing is an `InputError`: it never passes in silence.
        """
        real = {item.name for item in datasets.used() if item.kind in ("real", "mirror")} | {*own}
        verdicts = ledger.judged(self.slug, self.scale, self._read, real)
        self._claims = [verdict.record() for verdict in verdicts]
        self._save()
        display.markdown(ledger.markdown(verdicts))
        return ledger.frame(verdicts)

    def card(self) -> None:
        """Show where all this comes from: commit, packages, machine, parameters, data sets."""
        self._save()
        display.markdown(card(self._state()))

    def _read(self, name: str) -> pd.DataFrame:
        """Return a stored table as it stands in its file."""
        if name not in self._tables:
            raise unknown("table", name, self._tables)
        return table.read(self.out / "tables" / f"{name}.csv")

    def _check_id(self, kind: str, id: str, known: Mapping[str, Any]) -> None:
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise InputError(f"{kind} id {id!r} must be lower-case letters and digits, joined by single dashes")
        self._check_new(kind, id, known)

    def _check_new(self, kind: str, name: str, known: Mapping[str, Any]) -> None:
        """Refuse a repeated name, except that of a reader who runs a cell again."""
        rerun = display.live() and self.interactive
        if name in known and not rerun:
            raise InputError(f"{kind} '{name}' is in the book already")

    def _data(self, what: str, names: Iterable[str]) -> list[str]:
        """Return the data sets that something shows; each must have been read by this process."""
        if isinstance(names, str):
            raise InputError(f"{what}: data must be a list of names, not the text '{names}'")
        read = {item.name for item in datasets.used()}
        for name in names:
            if name not in read:
                raise unknown(f"data of {what} (not read by this notebook):", name, read)
        return list(names)

    def _tell(self, title: str, caption: str) -> None:
        if text := " ".join(filter(None, (f"**{title}**" if title else "", caption))):
            display.markdown(text)

    def _state(self) -> dict[str, Any]:
        parameters = asdict(self.parameters)
        return {
            "slug": self.slug,
            "scale": parameters.pop("scale"),
            "seed": parameters.pop("seed"),
            "parameters": parameters,
            **provenance(),
            "data": [item.record() for item in datasets.used()],
            "figures": list(self._figures.values()),
            "tables": list(self._tables.values()),
            "values": list(self._values.values()),
            "claims": self._claims,
        }

    def _save(self) -> None:
        files.write_json(self.out / "book.json", self._state())
