"""Tables of contrasts: a row per seed, a column per thing that a claim compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tenfold.papers.owled.labels import METRICS, errors
from tenfold.papers.owled.parameters import METHODS
from tenfold.papers.owled.proxies import rank_correlation
from tenfold.pruning import driving

SCALES = {"E_lon": 1.0, "E_lat": 1.0}
"""Errors of a driver none of whose actions can be read: full scale, or unreadable answers would be left out."""
COMPARED = ("token_loss", "E_car", "E_ped", "E_lon", "E_lat", "language")
DRAWS = 400


def methods(scores: pd.DataFrame) -> pd.DataFrame:
    """Return errors of the pruned LLM, a row per metric, sparsity and seed, a column per method and allocation.

    `uniform_best` and `owl_best` are the least of the three methods.
    """
    rows = scores[(scores.part == "llm") & (scores.calibration == "driving")]
    frames = []
    for metric in COMPARED:
        table = rows.assign(value=rows[metric].fillna(SCALES.get(metric, np.nan)))
        names = np.where(table.allocation == "owl", "owl_" + table.method, table.method)
        wide = table.assign(name=names).pivot(index=["sparsity", "seed"], columns="name", values="value")
        wide["uniform_best"] = wide[[*METHODS]].min(axis=1)
        wide["owl_best"] = wide[[f"owl_{name}" for name in METHODS]].min(axis=1)
        frames.append(wide.reset_index().assign(metric=metric))
    found = pd.concat(frames, ignore_index=True)
    return found[["metric", "sparsity", "seed", *found.columns.drop(["metric", "sparsity", "seed"])]]


def calibrations(scores: pd.DataFrame) -> pd.DataFrame:
    """Return Wanda's token loss on the LLM by what calibrates it, a row per sparsity and seed."""
    rows = calibrated(scores)
    wide = rows.pivot(index=["sparsity", "seed"], columns="calibration", values="token_loss")
    return wide.dropna().reset_index()


def calibrated(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the cells whose calibration is compared."""
    rows = scores[(scores.part == "llm") & (scores.method == "wanda") & (scores.allocation == "uniform")]
    tried = set(rows[rows.calibration != "driving"].sparsity)
    return rows[rows.sparsity.isin(tried)].reset_index(drop=True)


def parts(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the excess token loss of pruning encoder, LLM or both, a row per method, sparsity, inputs and seed."""
    dense = scores[scores.part == "dense"].set_index("seed").token_loss
    rows = scores[(scores.allocation == "uniform") & (scores.calibration == "driving") & (scores.part != "dense")]
    rows = rows.assign(excess=rows.token_loss - rows.seed.map(dense))
    keys = ["method", "sparsity", "seed"]
    llm = rows[rows.part == "llm"].set_index(keys).excess
    wide = rows[rows.part != "llm"].pivot(index=[*keys, "inputs"], columns="part", values="excess").reset_index()
    wide["llm"] = llm.reindex(pd.MultiIndex.from_frame(wide[keys])).to_numpy()
    return wide[["method", "sparsity", "inputs", "seed", "encoder", "llm", "both"]]


def dense(scores: pd.DataFrame, said: pd.DataFrame, truth: Sequence[str], seed: int) -> pd.DataFrame:
    """Return the dense driver's errors beside constant answers, a row per metric and seed.

    low, high: 95 % bootstrap interval over scenes; share: error over that of the constant answer.
    """
    constant, rng = driving.constant_baseline(truth), np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for replicate, (number, texts) in enumerate(said[said.part == "dense"].groupby("seed")):
        found = errors(truth, texts.sort_values("scene").text.fillna(""))
        for metric in METRICS:
            values = found[metric]
            if not len(values):
                continue
            drawn = values[rng.integers(len(values), size=(DRAWS, len(values)))].mean(1)
            row = {"metric": metric, "replicate": replicate, "seed": number, "items": len(values)}
            row |= {"dense": values.mean(), "low": np.quantile(drawn, 0.025), "high": np.quantile(drawn, 0.975)}
            rows.append(row | {"constant": constant[metric]})
    return pd.DataFrame(rows)


def comparison(scores: pd.DataFrame, truth: Sequence[str], sparsities: Sequence[float]) -> pd.DataFrame:
    """Return the table of methods and metrics, means over seeds: constant answers, the dense driver, pruned LLMs.

    n_actions: scenes, of all seeds together, whose actions could be read, on which E_lon and E_lat rest.
    """
    constant = {"method": "constant answer", "sparsity": 0.0, "items": len(truth)}
    rows = [constant | {name: driving.constant_baseline(truth)[name] for name in METRICS}]
    chosen = scores[(scores.calibration == "driving") & scores.part.isin(["dense", "llm"])]
    for sparsity in (0.0, *sparsities):
        here = chosen[chosen.sparsity == sparsity]
        for (method, allocation), group in here.groupby(["method", "allocation"], sort=False):
            row: dict[str, Any] = {"method": f"OWL + {method}" if allocation == "owl" else method}
            row |= {"sparsity": sparsity, "items": len(truth) * len(group), "token_loss": group.token_loss.mean()}
            row |= {name: group[name].mean() for name in METRICS} | {"D_TL_median": group.D_TL_median.mean()}
            row |= {"D_TL_clipped": group.D_TL_clipped.mean(), "language": group.language.mean()}
            parsed = {"n_counts": "parsed_E_car", "n_light": "parsed_Acc_TL", "n_actions": "parsed_E_lon"}
            rows.append(row | {name: int(group[column].sum()) for name, column in parsed.items()})
    return pd.DataFrame(rows)


def proxy(blocks: pd.DataFrame, losses: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return the loss under every allocation, a row per subject, method and seed; permuted is a mean.

    spearman: rank correlation of D with sensitivity over blocks; rank: share of permutations that beat OWL.
    """
    here = blocks[threshold == blocks.M]
    rank = {
        key: rank_correlation(group.D.to_numpy(), group.excess.to_numpy())
        for key, group in here.groupby(["subject", "seed"])
    }
    keys = ["subject", "method", "seed"]
    wide = losses[losses.method != "dense"].pivot_table(index=keys, columns="allocation", values="loss").reset_index()
    chance = losses[losses.allocation == "permuted"].merge(wide[[*keys, "owl"]], on=keys)
    better = (chance.loss < chance.owl).groupby([chance[key] for key in keys]).mean().rename("better_than_owl")
    wide["spearman"] = [rank[row.subject, row.seed] for row in wide.itertuples()]
    return wide.merge(better.reset_index(), on=keys, how="left")


def differences(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the loss of every allocation minus that of one ratio, same subject, method and seed."""
    keys = ["subject", "method", "seed"]
    even = losses[(losses.allocation == "uniform") & (losses.method != "dense")][[*keys, "loss"]]
    table = losses[losses.method.isin(["wanda", "sparsegpt"])].merge(even.rename(columns={"loss": "even"}), on=keys)
    return table.assign(difference=table.loss - table.even)


def perplexities(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the text model's perplexity at sparsity 0.7 by method and allocation, a row per seed."""
    rows = losses[(losses.subject == "text") & losses.allocation.isin(["uniform", "owl"])]
    return rows[["method", "allocation", "seed", "loss"]].assign(perplexity=np.exp(rows.loss)).reset_index(drop=True)


def trap(table: pd.DataFrame) -> pd.DataFrame:
    """Return what is left of the zeros when an adapter is merged after pruning, a row per seed."""
    wide = table.pivot(index="seed", columns="order", values=["zeros_adapted", "zeros", "token_loss"])
    after, before = "prune, then merge", "merge, then prune"
    left = wide["zeros_adapted"][after] / wide["zeros_adapted"][before]
    columns = {"zeros_left": left, "loss_merged_first": wide["token_loss"][before]}
    return pd.DataFrame(columns | {"loss_merged_after": wide["token_loss"][after]}).reset_index()


def decoy(table: pd.DataFrame) -> pd.DataFrame:
    """Return OWL's loss minus that of one ratio, as trained and with a decoy, a row per seed."""
    wide = table.assign(gap=table.owl - table.uniform).pivot(
        index="seed", columns="model", values=["gap", "D", "ratio"]
    )
    columns = {"as_trained": wide["gap"]["as trained"], "with_decoy": wide["gap"]["with a decoy"]}
    columns |= {"D_before": wide["D"]["as trained"], "D_after": wide["D"]["with a decoy"]}
    return pd.DataFrame(columns | {"ratio_after": wide["ratio"]["with a decoy"]}).reset_index()
