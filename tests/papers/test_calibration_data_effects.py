"""Effects of calibration-data: what claims and tables are made of, on tables whose answers are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from tenfold.book import claims
from tenfold.papers.calibration_data import effects, frames, tables
from tenfold.papers.calibration_data.cells import Cell
from tenfold.papers.calibration_data.effects import Losses

from .calibration_data_town import REAL, everything, made, plan, studied

pytestmark = pytest.mark.xdist_group("calibration-data")


def sets(some, loss, tests=None, seeds=(0,), draws=3):
    """Return a table of Wanda on each set of a plan, losses from a function of source, draw, seed and test."""
    cells = [some.cell("wanda", name, draw=draw) for name in some.sources for draw in range(draws)]
    return made(cells, tests or some.sources, lambda c, s, t: loss(c.source, c.draw, s, t), seeds)


def test_the_spread_of_sets_against_draws_is_the_f_ratio():
    some, rng = plan("paper"), np.random.default_rng(1)
    table = sets(some, lambda *_: rng.normal(), ["wikitext2", "gsm8k"])
    found = effects.spread(some, table, "draw").set_index("replicate")
    for test, rows in table.groupby("test"):
        groups = [each.loss.to_numpy() for _, each in rows.groupby("source")]
        ratio = f_oneway(*groups).statistic
        assert found.log_ratio[test] == pytest.approx(np.log(ratio) / 2)
        assert found.within[test] == pytest.approx(np.sqrt(np.mean([np.var(group, ddof=1) for group in groups])))
        assert found.between[test] == pytest.approx(np.std([np.mean(group) for group in groups], ddof=1))
    assert (found.sets == 12).all() and (found.draws == 3).all()


def test_the_spread_of_trained_models_is_that_of_their_mean_losses():
    some, rng = plan("laptop"), np.random.default_rng(2)
    table = sets(some, lambda *_: rng.normal(), seeds=(0, 1))
    found = effects.spread(some, table, "seed").set_index("replicate")
    assert list(found.index) == [0, 1]
    for seed, rows in table.groupby("seed"):
        means = rows.groupby(["source", "draw"], sort=False).loss.mean()
        ratio = f_oneway(*(means[name] for name in some.sources)).statistic
        assert np.exp(2 * found.log_ratio[seed]) == pytest.approx(ratio)


def test_sets_that_make_no_difference_are_spread_as_far_as_their_draws():
    some, rng = plan("paper"), np.random.default_rng(3)
    tests = [f"test {number}" for number in range(200)]
    found = effects.spread(some, sets(some, lambda *_: rng.normal(), tests), "draw")
    assert len(found) == 200
    # F of 11 and 24 degrees of freedom has mean 24 / 22.
    assert np.exp(2 * found.log_ratio).mean() == pytest.approx(24 / 22, abs=0.12)
    assert abs(found.log_ratio.mean()) < 0.1
    shifted = effects.spread(some, sets(some, lambda source, *_: len(source) + rng.normal(), tests), "draw")
    assert shifted.log_ratio.min() > found.log_ratio.median()


def test_the_spread_is_of_wanda_at_the_main_sparsity_alone():
    some, rng = plan("laptop"), np.random.default_rng(4)
    table = sets(some, lambda *_: rng.normal())
    more = everything(some)
    others = more[~((more.method == "wanda") & (more.sparsity == some.p.sparsity) & more.source.isin(some.sources))]
    together = pd.concat([table, others], ignore_index=True)
    pd.testing.assert_frame_equal(effects.spread(some, together, "seed"), effects.spread(some, table, "seed"))


def test_own_calibration_stands_beside_the_best_and_the_mean_of_the_others():
    some = plan("smoke", ("prose", "gsm8k", "svamp"))
    added = {"prose": 3.0, "gsm8k": 1.0, "svamp": 2.0}
    own = {"gsm8k": -0.5, "svamp": 0.25}
    table = sets(some, lambda name, d, s, test: added[name] + (name == test) * own.get(test, 0) + 0.01 * d, draws=2)
    found = effects.own(some, Losses(table, "draw"))
    assert len(found) == 4 and list(found.test) == ["gsm8k", "svamp"] * 2, "running text is no task"
    first = found[found.replicate == 0].set_index("test")
    assert first.loc["gsm8k", ["own", "others", "best"]].tolist() == [0.5, 2.5, 2.0]
    assert first.loc["svamp", ["own", "others", "best"]].tolist() == [2.25, 2.0, 1.0]
    assert list(first.best_source) == ["gsm8k", "gsm8k"]
    owned = effects.owned(found)
    assert list(owned.replicate) == [0, 1] and list(owned.tasks) == [2, 2]
    assert owned.own_best.tolist() == [0.5, 0.5] and owned.gain.tolist() == pytest.approx([(2 - 0.25) / 2] * 2)


def test_chains_of_thought_are_compared_on_all_tests_and_on_the_sets_own():
    some = plan("smoke", ("prose", "gsm8k", "esnli"))
    cells = [some.cell("wanda", n, rationale=r, draw=d) for n in some.reasoned for r in (False, True) for d in (0, 1)]
    gain = {"gsm8k": 0.3, "esnli": -0.1}
    table = made(cells, ["prose", "gsm8k"], lambda c, s, t: 2 - c.rationale * gain[c.source] - (t == "gsm8k"))
    found = effects.thoughts(some, Losses(table, "draw")).set_index(["source", "replicate"])
    assert len(found) == 4
    assert (found.icl - found.cot).loc["gsm8k"].tolist() == pytest.approx([0.3, 0.3])
    assert (found.icl - found.cot).loc["esnli"].tolist() == pytest.approx([-0.1, -0.1])
    assert found.loc["gsm8k", "icl"].tolist() == [1.5, 1.5] and found.loc["gsm8k", "icl_own"].tolist() == [1.0, 1.0]
    assert found.loc["esnli", "icl_own"].isna().all(), "it is not tested"
    assert effects.thoughts(plan("smoke", ("prose", "race")), Losses(table, "draw")).empty


def asked(some, right, seeds=(0,)):
    """Return a table of answers of every cell that is asked, by both ways on sets of choices."""
    rows = [
        cell.record() | {"seed": seed, "test": test, "way": way, "right": right(cell, test, way), "n": 9, "chance": 0}
        for seed in seeds
        for cell in some.answering()
        for test in ("gsm8k", "esnli")
        for way in ("generated", "likeliest")
        if way == "generated" or test == "esnli"
    ]
    return pd.DataFrame(rows)


def test_right_answers_are_means_over_tests_of_what_was_generated():
    some = plan("paper")
    better = {"pile": 0.1, "oscar": 0.2, "gsm8k": 0.05, "svamp": 0.05, "mawps": 0.08}

    def right(cell, test, way):
        if way == "likeliest":
            return 99.0
        value = 0.9 if cell.method == "dense" else 0.5 + better.get(cell.source, 0) + 0.01 * cell.draw
        value += (cell.fmt == "zero") * (-0.2 if cell.padding == "counted" else 0.02)
        return (
            value
            + cell.rationale * {"gsm8k": 0.07, "esnli": -0.03, "anli": 0.0}.get(cell.source, 0)
            + (0.1 if test == "gsm8k" else -0.1)
        )

    found = effects.answered(some, asked(some, right), "draw")
    assert list(found.replicate) == [0, 1, 2]
    first = found.iloc[0]
    assert first.c4 == pytest.approx(0.5) and first.oscar == pytest.approx(0.7)
    assert first.pretraining == pytest.approx(0.5 + 0.3 / 4) and first.arithmetic == pytest.approx(0.56)
    assert first.others_best == pytest.approx(0.7) and found.dense.tolist() == pytest.approx([0.9] * 3)
    assert (first.thought_least, first.thought_most) == pytest.approx((-0.03, 0.07))
    assert first.icl == pytest.approx(0.54), "MAWPS and e-SNLI"
    assert (first.zero_counted, first.zero_excluded) == pytest.approx((0.34, 0.56))
    assert (found.c4 - first.c4).tolist() == pytest.approx([0, 0.01, 0.02])


def test_choices_are_scored_by_likelihood_where_nothing_was_generated():
    some = plan("laptop", models=1)
    table = asked(some, lambda c, test, way: 0.25 if way == "generated" else 0.5)
    table = table[(table.way == "likeliest") | (table.test == "gsm8k")]
    found = effects.answered(some, table, "draw")
    assert found.gsm8k.tolist() == pytest.approx([0.375] * 3)


def test_perplexities_beside_the_published_ones():
    some = plan("paper")
    loss = {"magnitude": np.log(15), "wanda": np.log(6.5), "sparsegpt": np.log(6.4)}
    table = made(some.readme(), ["wikitext2", "gsm8k"], lambda c, s, t: loss[c.method] + 0.1 * (c.nm == "2:4"))
    found = effects.readme(some, table, "draw")
    assert set(found.way) == {"50 %", "2:4", "4:8"} and set(found.columns) >= {"method", "replicate"}
    rows = found.set_index(["method", "way", "replicate"]).perplexity
    assert rows["wanda", "50 %", 2] == pytest.approx(6.5) and rows["magnitude", "2:4", 0] == pytest.approx(
        15 * np.exp(0.1)
    )
    assert len(found) == 3 * (3 + 3 + 1), "three draws of what looks at data, one of magnitude"
    shown = tables.published(found)
    ours = shown.set_index(["method", "zeros"]).ours
    assert ours["wanda", "50 %"] == pytest.approx(6.5) and np.isnan(ours["dense", "dense"])
    assert shown.set_index(["method", "zeros"]).published["wanda", "2:4"] == 11.02
    empty = effects.readme(plan("laptop"), everything(plan("laptop")), "seed")
    assert empty.empty and tables.published(empty).ours.isna().all()


def test_only_cells_that_look_at_no_data_stand_for_every_draw():
    some = plan("paper")
    blind, seen = some.cell("magnitude", "c4"), some.cell("wanda", "c4")
    random = some.cell("random", "c4")
    cells = [Cell("dense"), blind, *(replace(seen, draw=d) for d in range(3)), replace(seen, windows=64), random]
    found = Losses(made(cells, ["gsm8k", "svamp"], lambda c, s, t: 1 + c.draw + (t == "svamp")), "draw")
    assert found.replicates == [0, 1, 2]
    for cell in (blind, Cell("dense")):
        assert found.of(cell).to_numpy().tolist() == [[1, 2]] * 3
    assert found.mean(seen).tolist() == [1.5, 2.5, 3.5] and found.mean(replace(seen, draw=2)).tolist() == [
        1.5,
        2.5,
        3.5,
    ]
    for cell in (replace(seen, windows=64), random):
        assert found.of(cell).iloc[1:].isna().all(axis=None), "one draw says nothing about the others"
    assert found.mean_of([blind, seen]).tolist() == [1.5, 2.0, 2.5]


def test_losses_of_trained_models_are_means_over_their_draws():
    some = plan("laptop")
    cells = [some.cell("wanda", "gsm8k", draw=draw) for draw in range(3)]
    found = Losses(made(cells, ["gsm8k"], lambda c, s, t: s + 0.3 * c.draw, seeds=(4, 7)), "seed")
    assert found.mean(cells[0]).to_dict() == pytest.approx({4: 4.3, 7: 7.3})


@pytest.mark.parametrize("models", [1, 3])
def test_effects_are_what_their_names_say(models):
    some = plan("laptop", models=models)
    table = everything(some, seeds=range(models))
    by = "seed" if models > 1 else "draw"
    found = Losses(table, by)
    row = effects.effects(some, found).set_index("replicate")
    assert len(row) == 3 and np.isfinite(row).all(axis=None)

    def mean(**wanted):
        rows = table[np.logical_and.reduce([table[key] == value for key, value in wanted.items()])]
        rows = rows if models > 1 or wanted["method"] in ("dense", "magnitude") else rows[rows.draw == 1]
        return rows[rows.seed == (1 if models > 1 else 0)].loss.mean()

    s, here = some.p.sparsity, row.loc[1]
    own = {"method": "wanda", "sparsity": s, "rationale": False, "padding": "excluded", "keep": 0, "outliers": 0}
    own |= {"windows": some.p.windows, "length": some.p.length, "nm": ""}
    assert here.dense == pytest.approx(mean(method="dense", outliers=0))
    assert here["magnitude_0.7"] == pytest.approx(mean(method="magnitude", sparsity=0.7, outliers=0, nm=""))
    assert here["magnitude_0.7_outliers"] == pytest.approx(mean(method="magnitude", sparsity=0.7, outliers=32, nm=""))
    assert here.wanda_24 == pytest.approx(mean(**own | {"sparsity": 0.5, "nm": "2:4", "source": some.mix}))
    assert here.wanda == here.on_mix == pytest.approx(mean(**own, source=some.mix))
    assert here.on_ellipses == pytest.approx(mean(**own, source="ellipses"))
    single = {name: mean(**own, source=name, fmt="text" if name == "wikitext2" else "icl") for name in REAL}
    assert here.on_best == pytest.approx(min(single.values()))
    families = {"text": ["wikitext2"], "arithmetic": ["gsm8k", "svamp", "mawps"]}
    families |= {"choice": ["commonsenseqa", "winogrande"], "inference": ["esnli"]}
    families = {name: np.mean([single[each] for each in names]) for name, names in families.items()}
    for name, value in families.items():
        assert here[f"on_{name}"] == pytest.approx(value)
    assert here.on_worst == pytest.approx(max(families.values()))
    partners = ("gsm8k", "commonsenseqa", "esnli")
    for word, join in {"mixed": "+", "merged": "&"}.items():
        pairs = [mean(**own, source=f"wikitext2{join}{name}") for name in partners]
        assert here[word] == pytest.approx(np.mean(pairs)), word
    formats = {"icl": ("icl", "excluded"), "zero_masked": ("zero", "masked"), "single_counted": ("single", "counted")}
    for word, (fmt, padding) in formats.items():
        each = [mean(**own | {"source": name, "fmt": fmt, "padding": padding}) for name in some.asked]
        assert here[word] == pytest.approx(np.mean(each)), word
    blank = own | {"source": "mawps", "keep": 4}
    assert here.blank_excluded == pytest.approx(mean(**blank))
    assert here.blank_counted == pytest.approx(mean(**blank | {"padding": "counted"}))
    assert here.blank_none == pytest.approx(mean(**blank | {"keep": 0, "fmt": "icl"}))
    ends = [mean(**own | {"method": "sparsegpt", "source": "wikitext2", "windows": n}) for n in (1, 64)]
    assert here.gain_windows_sparsegpt == pytest.approx(ends[0] - ends[1])


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_every_claim_measures_a_column_that_its_table_has(scale):
    some = plan(scale)
    by = "seed" if some.p.models > 1 else "draw"
    table = everything(some, range(some.p.models), [*some.sources, "wikitext2"] if scale == "paper" else None)
    found = Losses(table, by)
    made_of = {
        "c-effects": effects.effects(some, found),
        "c-spread": effects.spread(some, table, by),
        "c-thoughts": effects.thoughts(some, found),
        "c-owned": effects.owned(effects.own(some, found)),
        "c-accuracy": effects.answered(some, asked(some, lambda *_: 0.5, range(some.p.models)), by),
        "c-readme": effects.readme(some, table, by),
        "e-identities": pd.DataFrame({"residual": [0.0]}),
    }
    for claim in claims.load("calibration-data"):
        if scale in claim.scales:
            table, measure = made_of[claim.measure.table], claim.measure
            rows = table
            for key, value in measure.where.items():
                rows = rows[rows[key] == value]
            assert len(rows), claim.id
            columns = [name for name in (measure.column, measure.minus) if name]
            assert np.isfinite(rows[columns].to_numpy(dtype=float)).all(), claim.id
            assert measure.by is None or rows[measure.by].is_unique, claim.id


def test_what_pruning_adds_is_against_the_same_seeds_dense_model_on_the_same_test():
    some = plan("smoke", ("prose", "gsm8k"))
    cells = [
        Cell("dense"),
        Cell("dense", outliers=8),
        *(some.cell("wanda", n, draw=d) for n in some.sources for d in (0, 1)),
    ]
    base = {"prose": 3, "gsm8k": 2}
    table = made(cells, base, lambda c, s, t: base[t] + 10 * s + 0.5 * (c.method == "wanda") + c.draw, seeds=(0, 1))
    rows = frames.added(table)
    assert rows[rows.method == "dense"].added.eq(0).all()
    mean = frames.averaged(rows[rows.method == "wanda"], ["source"]).set_index("source").loc["gsm8k"]
    assert mean.tolist() == [1.0, 0.5, 1.5, 4], "mean, least, largest, how many"
    assert frames.whiskers(mean.to_frame().T).ravel().tolist() == [0.5, 0.5]


def test_perplexities_have_a_geometric_mean():
    table = pd.DataFrame(
        {"method": "wanda", "test": ["a", "b"] * 2, "loss": np.log([4, 9, 4, 9]), "seed": [0, 0, 1, 1]}
    )
    (row,) = frames.perplexities(table, ["method"]).to_dict("records")
    assert row == {"method": "wanda", "a": pytest.approx(4), "b": pytest.approx(9), "GM": pytest.approx(6)}


def test_sets_are_ranked_least_first_without_nonsense():
    some = plan("smoke", ("prose", "gsm8k", "esnli"))
    added = {"prose": 0.3, "gsm8k": 0.1, "esnli": 0.2}
    cells = [Cell("dense"), *some.compared(), *some.high()]
    table = made(cells, some.sources, lambda c, s, t: 2 + added.get(c.source, 0.05 * (c.method != "dense")))
    ranked = tables.ranking(table)
    wanda = ranked[(ranked.method == "wanda") & (ranked.sparsity == some.p.sparsity)]
    assert wanda.source.tolist() == ["all sets, mixed", "GSM8K", "e-SNLI", "prose"]
    assert wanda["mean"].tolist() == pytest.approx([0.05, 0.1, 0.2, 0.3])
    shown = tables.sets(table[table.sparsity != some.p.high_sparsity])
    assert shown.calibration.tolist()[0] == "dense model" and len(shown) == 1 + 3 + 1 + 3
    assert shown.GM.tolist()[0] == pytest.approx(np.exp(2))


def test_the_smallest_run_gives_every_table():
    found = studied()
    for table in (found.effects(), found.spread(), found.owns(), found.thoughts(), found.answered()):
        assert len(table) and np.isfinite(table.select_dtypes("number")).all(axis=None)
    assert found.readme().empty and found.own == set()
    assert effects.owned(found.owns()).tasks.tolist() == [1, 1]
