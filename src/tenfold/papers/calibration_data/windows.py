"""Calibration windows of a cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from tenfold.language.domains import Domain, domain
from tenfold.language.windows import Windows, calibration_windows
from tenfold.papers.calibration_data.cells import NONSENSE, Cell, seeded
from tenfold.papers.calibration_data.plans import own_format


def drawn(cell: Cell, seed: int, tokenizer: Any, settings: dict[str, Any]) -> Windows:
    """Return the calibration windows of a cell; those of a mixture are divided evenly, each set in its own format."""
    names = cell.source.split("+")
    if len(names) == 1:
        return _blanked(_drawn(cell, seed, tokenizer, settings), cell, tokenizer)
    share, more = divmod(cell.windows, len(names))
    counts = {name: share + (number < more) for number, name in enumerate(names)}
    parts = [replace(cell, source=name, fmt=own_format(name), windows=n) for name, n in counts.items() if n]
    return Windows(ids=torch.cat([_drawn(part, seed, tokenizer, settings).ids for part in parts]))


def _drawn(cell: Cell, seed: int, tokenizer: Any, settings: dict[str, Any]) -> Windows:
    source = cell.source if cell.source in NONSENSE else read(cell.source, settings)
    options = {"rationale": cell.rationale, "pairs": cell.pairs or None, "steps": cell.steps or None}
    plain = (tokenizer, cell.fmt, cell.windows, cell.length, seeded(cell, seed))
    counted, attended = cell.padding != "excluded", cell.padding == "counted"
    return calibration_windows(source, *plain, counted, attend_padding=attended, **options)


def _blanked(windows: Windows, cell: Cell, tokenizer: Any) -> Windows:
    """Return the windows with all but their last `keep` tokens turned into padding."""
    if not cell.keep:
        return windows
    real = torch.zeros_like(windows.ids, dtype=torch.bool)
    real[:, -cell.keep :] = True
    ids = torch.where(real, windows.ids, tokenizer.pad_token_id)
    marks = {
        "attend": None if cell.padding == "counted" else real,
        "count": real if cell.padding == "excluded" else None,
    }
    return Windows(ids=ids, real=real, **marks)


def read(name: str, settings: dict[str, Any]) -> Domain:
    """Return a set, cut as the run says, from the reader's folder where there is one."""
    return domain(name, settings["characters"] or None, folder=settings["folder"] or None)
