"""Tables on disk: CSV that gives every number back bit for bit, Markdown for eyes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.book.numerals import rounded
from tenfold.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def tidy(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a frame as it can be stored: named columns, one plain value a cell, no index.

    Named index levels become columns. What CSV would garble is an `InputError` that names the table:
    several header rows, equal column names, arrays or lists in cells, complex numbers, an unnamed index
    that is not a count.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{name} must be a pandas DataFrame, not {type(frame).__name__}")
    frame = _flat(frame, name)
    if not all(isinstance(column, str) for column in frame.columns):
        raise InputError(f"{name}: column names must be texts, not {list(frame.columns)}")
    if not frame.columns.is_unique:
        raise InputError(f"{name}: two columns are called '{frame.columns[frame.columns.duplicated()][0]}'")
    for column in frame.columns:
        _plain(frame[column], f"{name}: column '{column}'")
    return frame


def _flat(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    levels = frame.index.names
    if all(level is None for level in levels):
        if frame.index.nlevels > 1 or frame.index.dtype.kind not in "iu":
            raise InputError(f"{name}: give the index a name, or make it a column")
        return frame.reset_index(drop=True)
    return frame.reset_index()


def _plain(column: pd.Series, name: str) -> None:
    if column.dtype.kind == "c":
        raise InputError(f"{name} holds complex numbers: make the parts two columns")
    if column.dtype != object:
        return
    for value in column:
        if getattr(value, "ndim", 0) or isinstance(value, list | tuple | dict | set | complex):
            raise InputError(f"{name} holds a {type(value).__name__}: one value a cell")


def csv(frame: pd.DataFrame) -> str:
    """Return a tidy frame as CSV; every float is written so that it is read back exactly."""
    return frame.to_csv(index=False, lineterminator="\n")


def read(path: Path) -> pd.DataFrame:
    """Return what `csv` wrote; only empty cells are gaps, so a method called 'None' keeps its name."""
    import pandas as pd

    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def markdown(frame: pd.DataFrame, most: int | None = None) -> str:
    """Return a tidy frame as a Markdown table of rounded numbers, with at most `most` rows."""
    shown = frame if most is None else frame.head(most)
    numeric = [frame[column].dtype.kind in "iuf" for column in frame.columns]
    cells = [[_cell(value) for value in row] for row in shown.astype(object).itertuples(index=False)]
    text = pipe(list(frame.columns), cells, numeric)
    left = len(frame) - len(shown)
    return f"{text}\n\n{left} more rows in the file." if left else text


def pipe(header: list[str], cells: list[list[str]], right: list[bool]) -> str:
    """Return texts as a Markdown table; columns marked in `right` are set to the right."""
    from tabulate import tabulate

    lines = [[text.replace("|", r"\|").replace("\n", " ") for text in row] for row in [header, *cells]]
    sides = ["right" if flag else "left" for flag in right]
    return tabulate(lines[1:], lines[0], tablefmt="pipe", disable_numparse=True, colalign=sides if cells else None)


def _cell(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return ""
    if isinstance(value, bool | str):
        return str(value)
    plain = value.item() if hasattr(value, "item") else value
    return rounded(plain) if isinstance(plain, int | float) and not isinstance(plain, bool) else str(plain)
