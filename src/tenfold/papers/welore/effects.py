"""Tables that claims compare: a row per replicate, a column per method."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tenfold.papers.welore.parameters import HIGH, MAIN
from tenfold.papers.welore.plans import NORMALISED

LOW_RANK, HIGH_RANK, BETWEEN = ["q_proj", "k_proj"], ["v_proj", "up_proj", "down_proj"], ["o_proj", "gate_proj"]
"""The paper's heavy-tailed maps, those that are not, and those it counts to the former less often."""


def percent(err: float) -> int:
    """Return an ERR in whole percent, as column names have it."""
    return round(100 * err)


def column(method: str, err: float) -> str:
    """Return the name of a column: welore_lrc_50."""
    return f"{method.replace('-', '_')}_{percent(err)}"


def modules(ranks: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the kept share of the rank at ERR 50 % by kind of map: replicate, the seven maps, qk, vud, og.

    by: "seed", or "block" for one model. Min-max, one global threshold.
    """
    rows = ranks[(ranks.by == "minmax") & (ranks.err == MAIN)]
    wide = rows.groupby([by, "linear"]).kept.mean().unstack("linear")
    groups = {"qk": LOW_RANK, "vud": HIGH_RANK, "og": BETWEEN}
    wide = wide.assign(**{name: wide[members].mean(axis=1) for name, members in groups.items()})
    return wide.reset_index().rename(columns={by: "replicate"}).rename_axis(columns=None)


def depth(ranks: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the kept share of the rank at ERR 50 % at both ends of the network and between: replicate, ends, middle.

    Ends: the first and last sixteenth of the blocks, one at least; of 32 blocks 0, 1, 30 and 31. by: "seed", or
    "linear" for one model.
    """
    rows = ranks[(ranks.by == "minmax") & (ranks.err == MAIN)]
    count = rows.block.max() + 1
    ends = (rows.block < edge(count)) | (rows.block >= count - edge(count))
    middle = ~ends if (~ends).any() else ends
    parts = {"ends": rows[ends].groupby(by).kept.mean(), "middle": rows[middle].groupby(by).kept.mean()}
    return pd.DataFrame(parts).reset_index().rename(columns={by: "replicate"})


def edge(count: int) -> int:
    """Return how many blocks are an end."""
    return max(1, round(count / 16))


def losses(curves: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return losses in nats, means over tests, by method and ERR: replicate, dense, and `column` of each.

    by: "seed", or "part" of the test windows for one model.
    """
    rows = curves.groupby([by, "method", "target"]).loss.mean().reset_index()
    names = [m if m == "dense" else column(m, e) for m, e in zip(rows.method, rows.target, strict=True)]
    return _wide(rows.assign(column=names), by, "loss")


def perplexities(curves: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the same as perplexities, exp of the mean loss."""
    table = losses(curves, by).set_index("replicate")
    return np.exp(table).reset_index()


def normalised(curves: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return min-max beside the best other normalisation at ERR 70 %: replicate, minmax, other, other_sized, share.

    Losses in nats; other: the least at the same ERR, other_sized: the least at the same share of parameters, see
    `at_share`.
    """
    rows = curves.groupby([by, "method", "target"])[["loss", "share"]].mean().reset_index()
    others, found = [name for name in NORMALISED if name != "welore"], []
    for replicate, here in rows.groupby(by):
        mine = here[(here.method == "welore") & (here.target == HIGH)].iloc[0]
        other = here[here.method.isin(others) & (here.target == HIGH)].loss.min()
        sized = min(at_share(here, name, mine.share) for name in others)
        row = {"replicate": replicate, "minmax": mine.loss, "other": other, "other_sized": sized}
        found.append(row | {"share": mine.share})
    return pd.DataFrame(found)


def equal_parameters(curves: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return WeLore (LRC rule) at ERR 70 % and uniform ranks of its size: replicate, welore, uniform (nats), share."""
    rows = curves.groupby([by, "method", "target"])[["loss", "share"]].mean().reset_index()
    found = []
    for replicate, here in rows.groupby(by):
        mine = here[(here.method == "welore-lrc") & (here.target == HIGH)].iloc[0]
        row = {"replicate": replicate, "welore": mine.loss, "uniform": at_share(here, "uniform", mine.share)}
        found.append(row | {"share": mine.share})
    return pd.DataFrame(found)


def at_share(rows: pd.DataFrame, method: str, share: float) -> float:
    """Return the loss of a method at a share of parameters, a line between the ERRs of the run and the dense model.

    What is larger than the dense maps is left out.
    """
    line = rows[((rows.method == method) & (rows.share < 1)) | (rows.method == "dense")].sort_values("share")
    return float(np.interp(share, line.share, line.loss))


def final(history: pd.DataFrame) -> pd.DataFrame:
    """Return where each fine-tuning began and ended: err, method, rate, seed, part, before, after (nats, all tests)."""
    tested = history.dropna(subset=["held"])
    keys = ["err", "method", "rate", "seed", "part"]
    found = tested.sort_values("step").groupby(keys).held.agg(["first", "last"]).reset_index()
    return found.rename(columns={"first": "before", "last": "after"})


def best(history: pd.DataFrame) -> pd.DataFrame:
    """Return the same at the rate that is best for a method and ERR, by the mean over replicates."""
    found = final(history)
    means = found.groupby(["err", "method", "rate"]).after.mean().reset_index()
    rates = means.loc[means.groupby(["err", "method"]).after.idxmin(), ["err", "method", "rate"]]
    return found.merge(rates, on=["err", "method", "rate"])


def tuned(history: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return losses after fine-tuning at each method's best rate: replicate, `column` of each method, before_<ERR>."""
    found = best(history)
    after = found.assign(column=[column(m, e) for m, e in zip(found.method, found.err, strict=True)], loss=found.after)
    before = found[found.method == found.method.iloc[0]]
    before = before.assign(column=[column("before", e) for e in before.err], loss=before.before)
    return _wide(pd.concat([after, before]), by, "loss")


def costs(table: pd.DataFrame) -> pd.DataFrame:
    """Return what methods cost against full fine-tuning: a row per seed and ERR.

    seed, err, then for lrc, n_lrc, lora and galore: _share (trainable numbers), _work (multiply-adds), _bytes and
    _speed (tokens per second, measured, so it never comes out the same) over those of "full".
    """
    rows = table.groupby(["seed", "err", "method"])[["trainable", "macs", "bytes", "tokens_per_second"]].mean()
    full = rows.xs("full", level="method")
    words = {"trainable": "share", "macs": "work", "bytes": "bytes", "tokens_per_second": "speed"}
    found = {}
    for method in ("welore", "n-lrc", "lora", "galore"):
        if method in rows.index.get_level_values("method"):
            part = rows.xs(method, level="method") / full
            found |= {f"{method.replace('-', '_')}_{word}": part[name] for name, word in words.items()}
    return pd.DataFrame(found).reset_index()


def gradients(films: list[dict], by: str) -> pd.DataFrame:
    """Return what links gradients to ranks: replicate, correlation, qk, updown, fall.

    correlation: Spearman's, over maps, of the cosine between neighbouring pictures' gradients (mean over the second
    half of the training) with the kept share of the rank at ERR 50 % in the end; qk, updown: that share for the two
    pairs of maps of the paper's figures; fall: mean stable rank of the weights in the end over that at the start.
    by: "seed", or "linear" for one film.
    """
    rows = []
    for film in films:
        for replicate, table in linked(film).groupby(by):
            row = {"replicate": replicate, "correlation": table.cosine.corr(table.kept, method="spearman")}
            rows.append(row | _pairs(linked(film)) | {"fall": table.end.mean() / table.start.mean()})
    # Where all ranks are equal there is no correlation.
    return pd.DataFrame(rows).dropna(ignore_index=True)


def linked(film: dict) -> pd.DataFrame:
    """Return a row per map of a film: name, block, linear, seed, cosine, kept, start and end (stable rank of W)."""
    adjacent, table = film["adjacent"], film["table"]
    late = adjacent[adjacent.step > adjacent.step.max() / 2].groupby("name").cosine.mean().rename("cosine")
    ends = table.sort_values("step").groupby("name").stable_rank.agg(["first", "last"])
    ends = ends.rename(columns={"first": "start", "last": "end"})
    return film["ranks"].join(late, on="name").join(ends, on="name").assign(seed=film["seed"])


def _pairs(table: pd.DataFrame) -> dict[str, float]:
    inner = min(table.block.max(), int(7 / 12 * (table.block.max() + 1)))
    first = table[(table.block == 0) & table.linear.isin(LOW_RANK)]
    later = table[(table.block == inner) & table.linear.isin(["up_proj", "down_proj"])]
    return {"qk": first.kept.mean(), "updown": later.kept.mean()}


def _wide(rows: pd.DataFrame, by: str, value: str) -> pd.DataFrame:
    wide = rows.pivot_table(index=by, columns="column", values=value, sort=False)
    return wide.reset_index().rename(columns={by: "replicate"}).rename_axis(columns=None)
