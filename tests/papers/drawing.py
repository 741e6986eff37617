"""What figures of papers must keep: every number inside its axes, nothing cut off, no key over data."""

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure


def check(figure, count):
    """Paint a figure; return its axes with data: all numbers inside, nothing cut off, no key over data."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    axes = [item for item in figure.axes if item.has_data() and item.axison and item.get_label() != "<colorbar>"]
    assert len(axes) == count
    for item in axes:
        low, high = sorted(item.get_xlim()), sorted(item.get_ylim())
        for x, y in np.concatenate([points(item), *(path.vertices for path in paths(item))]):
            assert low[0] <= x <= low[1] and high[0] <= y <= high[1], (item.get_title(loc="left"), x, y)
    whole, page = figure.get_tightbbox(), figure.bbox_inches.padded(0.05)
    assert page.x0 <= whole.x0 and whole.x1 <= page.x1, "something is cut off"
    assert page.y0 <= whole.y0 and whole.y1 <= page.y1, "something is cut off above or below"
    for legend in figure.legends:
        assert not [item for item in axes if item.get_window_extent().overlaps(legend.get_window_extent())]
    assert not [item for item in axes if hidden(item)], "a key lies over data"
    return axes


def points(axes, colour=None, marker=None):
    """Return every finite marked point (N, 2) of one colour and marker, where they are given."""
    found = [np.empty((0, 2))]
    for line in axes.lines:
        if line.get_marker() in ("None", None, "", " ") or (marker and line.get_marker() != marker):
            continue
        if colour is None or to_rgb(line.get_color()) == to_rgb(colour):
            found.append(np.column_stack([np.asarray(part, dtype=float) for part in line.get_data()]))
    every = np.concatenate(found)
    return every[np.isfinite(every).all(axis=1)]


def paths(axes):
    """Return the curves and error bars of axes in their numbers; lines across all of the axes are no data."""
    found = [line.get_path() for line in axes.lines if line.get_transform() == axes.transData]
    bars = [item for item in axes.collections if isinstance(item, LineCollection)]
    found += [path for item in bars if item.get_transform() == axes.transData for path in item.get_paths()]
    return [path for path in found if len(path.vertices) and np.isfinite(path.vertices).all()]


def hidden(axes):
    """Return what of the numbers of axes lies under their own key."""
    if axes.get_legend() is None:
        return []
    box = axes.get_legend().get_window_extent()
    under = [path for path in paths(axes) if axes.transData.transform_path(path).intersects_bbox(box, filled=False)]
    return [*under, *(xy for xy in axes.transData.transform(points(axes)) if box.contains(*xy))]


def words(figure):
    """Return all texts of a figure."""
    return " ".join(item.get_text() for item in figure.findobj(matplotlib.text.Text))
