"""The documentation site: the pages beside this file, and every notebook with its latest results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat

from tenfold import __version__, files
from tenfold import project as places

project = "tenfold"
author = "The tenfold developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = f"tenfold {release}"

# Straight quotes: V' is a derivative.
smartquotes = False

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"

SCALES = ("paper", "laptop", "smoke")
WIDGET = "application/vnd.jupyter.widget-view+json"


def collect_notebooks(app: Any, config: Any) -> None:
    """Put into docs/papers the executed notebook of each paper at its largest scale, else the bare one."""
    folder = Path(app.srcdir) / "papers"
    slugs = {path.stem for path in (places.root() / "notebooks").glob("*.ipynb")}
    for stale in folder.glob("*.ipynb"):
        if stale.stem not in slugs:
            stale.unlink()
    for slug in sorted(slugs):
        text = page(slug)
        copy = folder / f"{slug}.ipynb"
        # An unchanged copy keeps its time, so that the next build need not read it again.
        if not copy.is_file() or copy.read_text(encoding="utf-8") != text:
            files.write_text(copy, text)


def page(slug: str) -> str:
    """Return a paper's notebook as the site shows it: solutions folded away, sliders as they start."""
    made = [places.results() / scale / slug / "notebook.ipynb" for scale in SCALES]
    source = next((path for path in made if path.is_file()), places.root() / "notebooks" / f"{slug}.ipynb")
    notebook = nbformat.read(source, as_version=4)
    state = notebook.metadata.pop("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state", {})
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", []):
            cell.metadata.tags = [*cell.metadata.tags, "hide-cell"]
        if cell.cell_type == "code":
            cell.outputs = [shown for output in cell.outputs for shown in still(output, state)]
    return nbformat.writes(notebook)


def still(output: Any, state: dict[str, Any]) -> list[Any]:
    """Return an output without live widgets: sliders need a kernel, what they drew at first does not."""
    view = output.get("data", {}).get(WIDGET)
    return [output] if view is None else state.get(view["model_id"], {}).get("state", {}).get("outputs", [])


# Docstrings are plain text with `code` and $formulas$; |, * and a trailing _ mean nothing but themselves.
_MARKUP = re.compile(r"``.+?``|`(?P<code>[^`]+)`|\$(?P<formula>[^$]+)\$|(?P<sign>[|*]|_(?!\w))", re.DOTALL)


def as_restructured_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Say a docstring in the markup that autodoc reads, each line kept as a line."""
    text = _MARKUP.sub(_say, "\n".join(lines))
    lines[:] = [f"| {line}".rstrip() if line.strip() else "" for line in text.splitlines()]


def _say(found: re.Match[str]) -> str:
    if found["code"]:
        # Markup ends at a blank or a sign: before a letter, as in `Window`s, an escaped blank stands for nothing.
        glued = found.string[found.end() : found.end() + 1].isalnum()
        return f"``{found['code']}``" + ("\\ " if glued else "")
    if found["formula"]:
        return f":math:`{found['formula']}`"
    return f"\\{found['sign']}" if found["sign"] else found[0]


def skip_field(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples, of which autodoc knows no more than their number."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("config-inited", collect_notebooks)
    app.connect("autodoc-process-docstring", as_restructured_text)
    app.connect("autodoc-skip-member", skip_field)
