"""Scenes from above, with what the label and drivers, dense and pruned, say of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Polygon

from tenfold.book.style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, WIDTH_DOUBLE
from tenfold.papers.owled.cells import SPEAKERS
from tenfold.papers.owled.labels import parsed
from tenfold.papers.owled.results import Results
from tenfold.pruning.driving import Scenes, geometry, visible_objects

SIGHT = 60.0
"""Degrees to either side that the instructor looks at."""
REACH = {BLUE: 40.0, ORANGE: 30.0}
"""Metres within which cars and pedestrians count, by their colour."""
LIGHTS = {"green": GREEN, "yellow": "#E0C000", "red": VERMILLION, "red+yellow": ORANGE}
UNSEEN = "#cfcfcf"
ITEMS = ("cars", "pedestrians", "light", "light_distance", "accelerator", "brake", "steering")


def said_of(said: pd.DataFrame, scene: int) -> dict[str, str]:
    """Return what each of `SPEAKERS` said of a scene, of the first seed."""
    rows = said[(said.scene == scene) & (said.seed == said.seed.min()) & (said.calibration == "driving")]
    found = {}
    for name, cell in SPEAKERS.items():
        keys = ("part", "method", "sparsity", "allocation")
        here = np.logical_and.reduce([rows[key] == getattr(cell, key) for key in keys])
        found[name] = str(rows[here].text.iloc[0])
    return found


def right(truth: str, text: str) -> int:
    """Return how many of the seven items of a label a text has right; an item that is absent must be absent."""
    label, found = (parsed([each]).iloc[0] for each in (truth, text))
    return sum(label[name] == found[name] or (pd.isna(label[name]) and pd.isna(found[name])) for name in ITEMS)


def figure(views: Mapping[str, tuple[Mapping[str, Any], str, Mapping[str, str]]]) -> Figure:
    """Draw scenes from above, a row each, beside their label and the answers: {title: (scene, label, {who: text})}."""
    count = len(views)
    figure, panels = plt.subplots(count, 2, figsize=(WIDTH_DOUBLE, 2.9 * count), width_ratios=(1, 1.6), squeeze=False)
    for (left, side), (title, (scene, label, texts)) in zip(panels, views.items(), strict=True):
        above(left, scene)
        left.set_title(title)
        left.set_anchor("N")
        side.set_axis_off()
        _spoken(side, label, texts)
    return figure


def above(axes: Axes, scene: Mapping[str, Any]) -> None:
    """Draw one scene from above, ahead upwards, in metres; grey is what the instructor does not count."""
    table = geometry(scene)
    route = table[table.kind == "route"]
    axes.plot(-route.y, route.x, color=GREY, lw=1.0, ls=":", zorder=0)
    for colour, reach in REACH.items():
        wedge = {"theta1": 90 - SIGHT, "theta2": 90 + SIGHT, "color": colour, "lw": 0.6, "ls": "--"}
        axes.add_patch(Arc((0, 0), 2 * reach, 2 * reach, **wedge))
    for sign in (-1, 1):
        edge = np.radians(SIGHT)
        axes.plot([0, sign * 40 * np.sin(edge)], [0, 40 * np.cos(edge)], color=UNSEEN, lw=0.6, zorder=0)
    for row in table[table.kind.isin(["car", "parked"])].itertuples():
        axes.add_patch(Polygon(_corners(row), fc=BLUE if row.visible else UNSEEN, ec="white", lw=0.3, zorder=2))
    people = table[table.kind == "pedestrian"]
    for visible, colour in ((False, UNSEEN), (True, ORANGE)):
        some = people[people.visible == visible]
        axes.plot(-some.y, some.x, "o", color=colour, ms=3.5, mec="white", mew=0.3, zorder=3)
    _light(axes, scene, table)
    axes.plot(0, 0, marker=(3, 0, 0), color=BLACK, ms=7, zorder=4)
    axes.set(xlim=(-42, 42), ylim=(-8, 48), aspect="equal", xlabel="m to the right", ylabel="m ahead")


def _corners(row: Any) -> np.ndarray:
    """Return the corners (4, 2) of a car on the page; its angle is positive to the right of straight ahead."""
    along, across = row.length / 2, row.width / 2
    turn = np.radians(row.angle)
    ahead, side = np.array([np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), -np.sin(turn)])
    centre = np.array([-row.y, row.x])
    return np.array([centre + a * along * ahead + b * across * side for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))])


def _light(axes: Axes, scene: Mapping[str, Any], table: pd.DataFrame) -> None:
    there = table[table.kind == "light"]
    state = visible_objects(scene)["light"]
    if len(there):
        row = there.iloc[0]
        colour = LIGHTS.get(state, UNSEEN)
        axes.plot(-row.y, row.x, "s", color=colour, ms=6, mec=BLACK, mew=0.6, zorder=4)


def _spoken(axes: Axes, label: str, texts: Mapping[str, str]) -> None:
    """Write the label and the answers below each other; an answer with an error is vermillion."""
    height = 1.0
    step = 1.0 / (len(texts) + 1)
    for who, text in {"label": label, **texts}.items():
        hits = right(label, text)
        colour = BLACK if who == "label" else (GREEN if hits == len(ITEMS) else VERMILLION)
        head = who if who == "label" else f"{who}: {hits} of {len(ITEMS)} right"
        axes.text(0, height, head, fontsize=7, weight="bold", color=colour, va="top", transform=axes.transAxes)
        lines = textwrap.wrap(" ".join(text.replace("\n- ", "; ").split()), 78)[:4]
        body = "\n".join(lines).replace("$", r"\$")
        axes.text(0, height - 0.06, body, fontsize=6.3, va="top", transform=axes.transAxes, linespacing=1.15)
        height -= step


def views(found: Results, real: pd.DataFrame | None) -> dict[str, tuple[Mapping[str, Any], str, Mapping[str, str]]]:
    """Return what the figure shows: a real scene where there are any, a held-out one, and the worst failure."""
    shown = {}
    if real is not None and len(real):
        number = int(real.scene.iloc[0])
        scene = found.real[number]
        shown["a. real scene"] = (scene, _short(found.real, number), said_of(real, number))
    test, said = found.test, found.said
    for title, number in zip(("held-out scene", "where Wanda fails most"), chosen(test, said), strict=True):
        shown[f"{'abc'[len(shown)]}. {title}"] = (test[number], test.texts[number], said_of(said, number))
    return shown


def answers(views: Mapping[str, tuple[Mapping[str, Any], str, Mapping[str, str]]]) -> pd.DataFrame:
    """Return what is written in the figure: view, speaker, text, and how many items of the label it has right."""
    rows = []
    for title, (_, label, texts) in views.items():
        for who, text in {"label": label, **texts}.items():
            rows.append({"view": title, "who": who, "right": right(label, text), "text": " ".join(text.split())})
    return pd.DataFrame(rows)


def chosen(test: Scenes, said: pd.DataFrame) -> list[int]:
    """Return a scene with much to say that the dense driver has right, and the one where Wanda at 0.7 loses most."""
    rows = []
    for number in range(min(len(test), 100)):
        texts = said_of(said, number)
        label = test.texts[number]
        dense, wanda = right(label, texts["dense"]), right(label, texts["Wanda, 0.7"])
        seen = visible_objects(test[number])
        rich = min(seen["cars"], 3) + min(seen["pedestrians"], 3) + 3 * (seen["light_distance"] is not None)
        rows.append((number, dense, dense - wanda, rich))
    table = pd.DataFrame(rows, columns=["scene", "dense", "lost", "rich"])
    first = table.sort_values(["dense", "rich"], ascending=False, kind="stable").scene.iloc[0]
    rest = table[table.scene != first].sort_values(["lost", "dense"], ascending=False, kind="stable")
    return [int(first), int(rest.scene.iloc[0])]


def _short(scenes: Scenes, number: int) -> str:
    from tenfold.papers.owled.voice import shortened

    return shortened(scenes[number : number + 1]).texts[0]


def viewed(found: Results, scene: int) -> tuple[Figure, pd.DataFrame]:
    """Return the picture of one held-out scene with all answers, and how many items each has right."""
    label, texts = found.test.texts[scene], said_of(found.said, scene)
    hits = [(who, right(label, text)) for who, text in texts.items()]
    return figure({f"scene {scene}": (found.test[scene], label, texts)}), pd.DataFrame(
        hits, columns=["who", "right of 7"]
    )
