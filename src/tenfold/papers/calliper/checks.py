"""Checks: the numbers that must come out, the encoding's kernel in closed form, and calibrated similarity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from tenfold import datasets
from tenfold.datasets import london
from tenfold.papers.calliper.city import SHARES, City
from tenfold.urban import GridEncoder, LocationEncoder, Pretrained, TextFeatures
from tenfold.urban.autocorrelation import lisa, moran, neighbours
from tenfold.urban.heads import TextHead

# Wavelength ranges in metres: the paper's, and the one that suits the spacing of the open POIs.
RANGES = {"100 m to 10 km (paper)": (100.0, 10_000.0), "360 m to 20 km (laptop)": (360.0, 20_000.0)}
CENTRE = (530_000.0, 180_000.0)
LANDMARKS = {"The National Gallery": (529_990.0, 180_546.0)}
"""Where a text has a place: easting and northing in metres, from 51.5089 N, 0.1283 W."""
CELLS = 10_000_000
"""Probabilities that are computed at once: 80 MB."""


def kernels() -> pd.DataFrame:
    r"""Return the similarity <PE(x), PE(x + d)>/2F to the east of a place, measured and in closed form.

    With d = (d_E, 0) it is (F + sum_k cos(d_E / lambda_k)) / 2F, wherever x lies.
    """
    datasets.synthetic("equations", "", "equations alone, no data")
    distance = np.linspace(0, 60_000, 2401)
    start = np.array([CENTRE])
    frames = []
    for name, (low, high) in RANGES.items():
        grid = GridEncoder(32, low, high)
        line = grid(start + np.column_stack([distance, np.zeros_like(distance)]))
        pairs = grid.width / 2
        closed = (pairs / 2 + np.cos(distance[:, None] / grid.wavelengths).sum(axis=1)) / pairs
        found = {"range": name, "distance": distance, "measured": line @ grid(start)[0] / pairs, "closed_form": closed}
        frames.append(pd.DataFrame(found))
    return pd.concat(frames, ignore_index=True)


def identities(city: City) -> pd.DataFrame:
    """Return numbers that must come out, with what did: sizes of the networks, and of the city where it is real."""
    encoder = sum(weights.numel() for weights in LocationEncoder(GridEncoder()).parameters())
    head = sum(weights.numel() for weights in TextHead(torch.zeros(1, 384), 128).parameters())
    rows = [
        ("parameters of the location encoder", 592_128, encoder),
        ("parameters of the text projection and the temperature", 49_281, head),
        ("trained parameters", 641_409, encoder + head),
        ("boroughs", 33, len(london.boroughs(city.source))),
        ("largest |sum of shares - 1|", 0, float(np.abs(london.ns_sec(city.source)[SHARES].sum(axis=1) - 1).max())),
    ]
    if city.hexagons.attrs["kind"] in ("real", "mirror"):
        area = city.hexagons.area.mean() / 1e6
        rows += [
            ("areas", 4994, len(london.ns_sec(city.source))),
            ("hexagons", 15_041, len(city.hexagons)),
            ("area of a hexagon in km2", 0.1061, float(area)),
            ("area of London in km2", 1594.7, float(london.outline(city.source).area.sum() / 1e6)),
        ]
    table = pd.DataFrame(rows, columns=["quantity", "expected", "found"]).astype({"expected": float, "found": float})
    return table.assign(residual=(table.found - table.expected) / np.maximum(table.expected, 1))


def autocorrelation(city: City) -> pd.DataFrame:
    """Return Moran's I of each NS-SeC share with a permutation p-value: why a random split leaks."""
    task = city.tasks["sdm"]
    weights = neighbours(task.xy)
    found = [moran(share, weights, seed=city.seed) for share in task.target.T]
    return pd.DataFrame({"share": task.classes, "moran": [m.i for m in found], "p": [m.p for m in found]})


def fold(dealt: dict[str, np.ndarray], rows: int) -> np.ndarray:
    """Return the number (N,) of the fold, from 1, in which each row is tested."""
    number = np.zeros(rows, dtype=int)
    for count, tested in enumerate(dealt.values(), 1):
        number[tested] = count
    return number


def local(city: City, residual: np.ndarray) -> pd.DataFrame:
    """Return the local Moran statistics of a residual (N,) of the areas, the global one as `attrs["moran"]`."""
    weights = neighbours(city.tasks["sdm"].xy)
    found = lisa(residual, weights, seed=city.seed)
    found.attrs["moran"] = moran(residual, weights, permutations=0).i
    return found


def calibration(model: Pretrained, city: City, features: TextFeatures, bins: int = 12) -> pd.DataFrame:
    """Return how often a class occurs among POIs that no training saw, by the probability that the encoder gave it.

    P(t | x) = n_t exp A_t(x) / sum_t' n_t' exp A_t'(x), summed over the texts t of a class: names make many of one.
    Where all POIs were trained on, they are asked themselves, and `held_out` is false.
    """
    table = london.pois(city.source, path=city.pois_file or None)
    unseen = table.drop(city.places.index)
    asked = unseen if len(unseen) else city.places
    asked = asked.sample(min(len(asked), 20_000), random_state=city.seed)
    texts, index = city.texts
    counts = np.bincount(index, minlength=len(texts))
    member = np.zeros((len(texts), len(city.classes)))
    np.add.at(member, (index, city.poi_class), 1)
    member /= counts[:, None]
    # With a name in each text there are tens of thousands, too many to hold for all places at once.
    blocks = np.array_split(asked[["easting", "northing"]].to_numpy(), 1 + len(asked) * len(texts) // CELLS)
    given = np.concatenate([model.class_probability(xy, features.features, counts) @ member for xy in blocks])
    hit = asked.poi_class.to_numpy(dtype=str)[:, None] == np.array(city.classes)
    order = np.argsort(given, axis=None)
    parts = np.array_split(order, bins)
    given, hit = given.ravel(), hit.ravel()
    rows = [{"predicted": given[part].mean(), "observed": hit[part].mean(), "n": len(part)} for part in parts]
    return pd.DataFrame(rows).assign(held_out=len(unseen) > 0)


def training(history: pd.DataFrame) -> pd.DataFrame:
    """Return, per encoder and seed, best epoch, validation loss, the bound ln B, the floor, and the information."""
    best = history.loc[history.groupby(["run", "seed"], sort=False).validation_loss.idxmin()]
    return best.assign(information=best.bound - best.validation_loss).reset_index(drop=True)


def inventory(city: City) -> pd.DataFrame:
    """Return the POIs of the run by class: category, licence, number, an example of the text."""
    texts, index = city.texts
    groups = city.places.assign(text=np.array(texts)[index]).groupby("poi_class")
    table = groups.agg(
        category=("category", "first"),
        licence=("licence", lambda column: ", ".join(sorted(set(column)))),
        pois=("text", "size"),
        text=("text", "first"),
    )
    return table.sort_values("pois", ascending=False).reset_index()


def batch(model: Pretrained, city: City, features: TextFeatures, size: int = 8) -> dict[str, Any]:
    """Return a small batch of pairs with distinct texts: texts, places (B, 2), and their similarity (B, B)."""
    texts, index = city.texts
    rows = np.random.default_rng(city.seed).permutation(len(index))
    _, first = np.unique(index[rows], return_index=True)
    rows = rows[np.sort(first)[:size]]
    xy = city.poi_xy[rows]
    similarity = model.similarity(xy, features.features[index[rows]]).T
    return {"texts": [texts[number] for number in index[rows]], "xy": xy, "similarity": similarity}


def pairs(batch: dict[str, Any]) -> pd.DataFrame:
    """Return the similarity of each text with each place of a batch, a row per pair."""
    count = len(batch["texts"])
    text, place = np.divmod(np.arange(count**2), count)
    named = [batch["texts"][number] for number in text]
    return pd.DataFrame({"text": named, "place": place, "similarity": batch["similarity"].ravel()})


def searcher(model: Pretrained, city: City, features: TextFeatures) -> Callable[[str], tuple[str, np.ndarray]]:
    """Return the function from a text to what is understood of it, and its cosine (H,) with every hexagon."""

    def search(query: str) -> tuple[str, np.ndarray]:
        return features.understood([query])[0], model.similarity(city.hexagon_xy, features.encode([query]))[:, 0]

    return search
