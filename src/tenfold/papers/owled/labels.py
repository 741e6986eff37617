"""What label texts say: rules, statistics, constant answers, and the published dense errors beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tenfold.pruning import driving
from tenfold.pruning.driving import Scenes

METRICS = ("E_car", "E_ped", "Acc_TL", "D_TL", "E_lon", "E_lat")
UNITS = {"E_car": "cars", "E_ped": "pedestrians", "D_TL": "m", "E_lon": "of full scale", "E_lat": "of full scale"}
WORDS = {
    "E_car": "number of cars",
    "E_ped": "number of pedestrians",
    "Acc_TL": "state of the light",
    "D_TL": "distance of the light",
    "E_lon": "pedals",
    "E_lat": "steering",
    "token_loss": "token loss",
    "language": "offline language error",
}
PUBLISHED = {
    "Perceiver-BC": (0.869, 0.684, 0.900, 0.410, 0.180, 0.111),
    "LLM-Driver without pretraining": (0.101, 1.668, 0.758, 7.475, 0.094, 0.01441),
    "LLM-Driver with pretraining": (0.066, 0.313, 0.718, 6.624, 0.066, 0.01437),
}
"""arXiv 2310.01957, Table 1: dense drivers on the 990 scenes, in the order of `METRICS`."""
CONSTANT = (0.9152, 1.4424, 0.7455, 7.2068, 0.1979, 0.1207)
"""Errors of constant answers on the 990 scenes, as we derived them before this workbook was written."""
ROUNDING = 0.01
"""Metres to which a text rounds the distance of a light, and a little more."""
DRAWS = 1000


def parsed(texts: Sequence[str]) -> pd.DataFrame:
    """Return what each text says, a row per text; NaN where it does not say it."""
    return pd.DataFrame([driving.parse_caption(text) for text in texts])


def errors(truth: Sequence[str], said: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the errors of single texts against label texts behind each mean of `driving_metrics`, a hit for Acc_TL."""
    label, found = parsed(truth), parsed(said)
    rows = {}
    for metric, name in (("E_car", "cars"), ("E_ped", "pedestrians"), ("D_TL", "light_distance")):
        there = label[name].notna()
        away = label[name].astype(float) - found[name].astype(float).fillna(0)
        rows[metric] = away[there].abs().to_numpy()
    lit = label.light.notna()
    rows["Acc_TL"] = (label.light == found.light)[lit].to_numpy(float)
    control = [driving.pedals_to_control(t.accelerator.astype(float), t.brake.astype(float)) for t in (label, found)]
    pedals = (control[0] - control[1]).abs()
    side = (label.steering.astype(float) - found.steering.astype(float)).abs()
    both = pedals.notna() & side.notna()
    return rows | {"E_lon": pedals[both].to_numpy(), "E_lat": side[both].to_numpy()}


def rules(scenes: Scenes) -> pd.DataFrame:
    """Return how often what the vectors show agrees with what the texts say; `disagree` is a share of the scenes."""
    seen, told = pd.DataFrame([driving.visible_objects(scene) for scene in scenes]), parsed(scenes.texts)
    away = (seen.light_distance.astype(float) - told.light_distance.astype(float)).abs()
    same = {name: seen[name] == told[name] for name in ("cars", "pedestrians", "light")}
    same["light_distance"] = (away <= ROUNDING) | (seen.light_distance.isna() & told.light_distance.isna())
    rows = [(name, len(scenes), int(agree.sum()), 1 - float(agree.mean())) for name, agree in same.items()]
    return pd.DataFrame(rows, columns=["quantity", "scenes", "agree", "disagree"])


def statistics(scenes: Scenes) -> pd.DataFrame:
    """Return what the label texts say in numbers: mean, deviation, least and greatest; shares of the lights."""
    told = parsed(scenes.texts)
    told["control"] = driving.pedals_to_control(told.accelerator.astype(float), told.brake.astype(float))
    rows = []
    for name in ("cars", "pedestrians", "light_distance", "control", "steering"):
        values = told[name].astype(float).dropna()
        ends = (values.min(), values.max()) if len(values) else (np.nan, np.nan)
        rows.append((name, len(values), values.mean(), values.std(ddof=0), *ends))
    rows += [
        (f"light: {name}", count, count / len(told), np.nan, np.nan, np.nan)
        for name, count in Counter(told.light).most_common()
    ]
    return pd.DataFrame(rows, columns=["quantity", "scenes", "mean", "deviation", "least", "greatest"])


def constants(scenes: Scenes) -> pd.DataFrame:
    """Return the errors of constant answers on these scenes beside those derived before on the 990 real ones."""
    found = driving.constant_baseline(scenes.texts)
    table = pd.DataFrame({"metric": METRICS, "derived": CONSTANT, "found": [found[name] for name in METRICS]})
    return table.assign(residual=table.found - table.derived)


def published(scenes: Scenes) -> pd.DataFrame:
    """Return the published errors of dense drivers beside those of a constant answer on these scenes."""
    found = driving.constant_baseline(scenes.texts)
    rows = {"metric": METRICS, "means": [WORDS[name] for name in METRICS]} | PUBLISHED
    return pd.DataFrame(rows | {"constant answer": [found[name] for name in METRICS]})


def chance(scenes: Scenes, seed: int) -> pd.DataFrame:
    """Return what the published dense driver is worth against a constant answer, with 95 % intervals over scenes.

    lead: published accuracy minus that of the commonest light; share: published error over that of the median
    distance. Accuracy has no share and distance no lead but its difference in metres.
    """
    told, rng = parsed(scenes.texts), np.random.default_rng(seed)
    best = driving.constant_baseline(scenes.texts)
    hits = (told.light == Counter(told.light).most_common(1)[0][0]).to_numpy(float)
    away = told.light_distance.astype(float).dropna().to_numpy()
    errors = np.abs(away - np.median(away))
    values = dict(zip(METRICS, PUBLISHED["LLM-Driver with pretraining"], strict=True))
    rows = []
    for metric, found in (("Acc_TL", hits), ("D_TL", errors)):
        drawn = found[rng.integers(len(found), size=(DRAWS, len(found)))].mean(1)
        lead, share = values[metric] - drawn, values[metric] / drawn
        row: dict[str, Any] = {"metric": metric, "published": values[metric], "constant": best[metric]}
        row |= {"lead": values[metric] - best[metric], "low": np.quantile(lead, 0.025)}
        row |= {"high": np.quantile(lead, 0.975), "share": values[metric] / best[metric]}
        rows.append(row | {"low_share": np.quantile(share, 0.025), "high_share": np.quantile(share, 0.975)})
    return pd.DataFrame(rows)


GRADED = {"I don't know": (2.92, 0.0), "answers of other questions": (3.88, 0.26)}
"""arXiv 2310.01957, Table 2: grades of 0 to 10 by GPT-3.5 and by people."""


def graded(scenes: Scenes, count: int, seed: int) -> pd.DataFrame:
    """Return the offline score of trivial answers to the stored questions of some scenes, beside published grades.

    This score is not the paper's: it compares words and numbers, and knows no meaning.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(scenes))[:count]
    truth = [answer for number in chosen for answer in scenes.answers[number]]
    said = {
        "the stored answers": truth,
        "I don't know": ["I don't know"] * len(truth),
        "answers of other questions": [truth[number] for number in rng.permutation(len(truth))],
    }
    rows = []
    for name, texts in said.items():
        gpt, people = GRADED.get(name, (np.nan, np.nan))
        row = {"answers": name, "questions": len(truth), **driving.language_score(texts, truth)}
        rows.append(row | {"published_gpt_grade": gpt, "published_human_grade": people})
    return pd.DataFrame(rows)
