"""Figures of calibration-data: every number is drawn inside its axes, nothing cut off, no key over data, no warning."""

import numpy as np
import pandas as pd
import pytest

from tenfold.language.llama import LINEARS
from tenfold.papers.calibration_data import charts, masks, panels
from tenfold.papers.calibration_data.cells import NONSENSE, Cell
from tenfold.papers.calibration_data.frames import added
from tenfold.papers.calibration_data.looks import NAMES, colour, label
from tenfold.papers.calibration_data.parameters import SETS

from .calibration_data_town import made, plan, studied
from .drawing import check, points, words

pytestmark = [pytest.mark.usefixtures("look"), pytest.mark.xdist_group("calibration-data")]

SCALES = ("laptop", "paper")
"""Seven sets and three models; twelve sets and a single model."""


def shown(scale, *experiments):
    """Return a plan and a table of experiments beside the dense model; what pruning adds is random."""
    some, rng = plan(scale), np.random.default_rng(5)
    every = some.experiments()
    cells = [Cell("dense"), *(cell for name in experiments for cell in every[name])]
    tests = ("wikitext2", *some.sources[4:]) if scale == "paper" else some.sources
    base = dict(zip(tests, rng.uniform(1, 3, len(tests)), strict=True))
    grows = {"random": 4.0, "magnitude": 1.0}

    def loss(cell, seed, test):
        more = cell.sparsity * rng.uniform(0.05, 0.4) * grows.get(cell.method, 0.6)
        return base[test] + 0.01 * seed + (cell.method != "dense") * more

    return some, made(cells, tests, loss, range(some.p.models), pads=0.25)


def means(rows, *keys):
    """Return the mean over tests and replicates of what pruning adds."""
    return added(rows).groupby(list(keys), sort=False).added.mean()


def holds(axes, values, axis=0):
    """Whether every value is a coordinate of a point."""
    drawn = points(axes)[:, axis]
    return bool(len(values)) and all(np.isclose(drawn, value, rtol=1e-6, atol=1e-9).any() for value in values)


@pytest.mark.parametrize("scale", SCALES)
def test_every_set_has_its_place_with_every_replicate(scale):
    some, table = shown(scale, "sources", "high")
    axes = check(panels.sources(table), 4)
    names = [*some.sources, some.mix]
    rows = added(table)
    rows = rows[rows.source.isin(names)]
    grid = [(sparsity, method) for sparsity in (some.p.sparsity, 0.7) for method in ("wanda", "sparsegpt")]
    for item, (sparsity, method) in zip(axes, grid, strict=True):
        here = rows[(rows.method == method) & (rows.sparsity == sparsity)]
        assert holds(item, here.groupby("source").added.mean()), "means"
        assert holds(item, here.groupby(["source", "seed", "draw"]).added.mean()), "replicates"
        assert sorted({round(y) for y in points(item)[:, 1]}) == list(range(len(names)))
    told = words(axes[0].get_figure())
    assert all(label(name) in told for name in names)


@pytest.mark.parametrize("scale", SCALES)
def test_the_matrix_holds_every_pair_of_sets_and_frames_the_best(scale):
    some, table = shown(scale, "sources")
    (axes,) = check(panels.matrix(table), 1)
    rows = added(table[(table.method == "wanda") | (table.method == "dense")])
    wide = rows[rows.method == "wanda"].groupby(["source", "test"]).added.mean().unstack("test")
    sources = [*some.sources, some.mix, *NONSENSE]
    tests = list(dict.fromkeys(table.test))
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [label(name) for name in sources]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [label(name) for name in tests]
    found = {tuple(map(int, text.get_position())): float(text.get_text()) for text in axes.texts}
    assert len(found) == len(sources) * len(tests)
    for (column, row), value in found.items():
        assert value == pytest.approx(wide.loc[sources[row], tests[column]], abs=0.006)
    frames = [patch for patch in axes.patches if not patch.get_fill()]
    best = {(tests.index(test), wide.loc[list(some.sources), test].argmin()) for test in tests}
    middles = {tuple(np.round(np.add(p.get_xy(), (p.get_width() / 2, p.get_height() / 2))).astype(int)) for p in frames}
    assert middles == best


def test_every_method_and_pattern_is_drawn():
    _, table = shown("laptop", "methods")
    (axes,) = check(panels.methods(table), 1)
    pruned = means(table, "sparsity", "nm", "method")[[0.5, 0.6, 0.7]]
    assert len(pruned) == 4 * 5 == len(points(axes)) and holds(axes, pruned, 1)
    assert {tick.get_text() for tick in axes.get_xticklabels()} == {"50%", "60%", "70%", "2:4", "4:8"}


def test_sparsities_are_a_curve_for_each_method():
    some, table = shown("laptop", "sweep")
    table = table.assign(loss=table.loss + 2 * table.sparsity)
    (axes,) = check(panels.sweep(table), 1)
    loss = table[table.method != "dense"].groupby(["method", "sparsity", "seed"]).loss.mean()
    assert holds(axes, np.exp(loss.groupby(["method", "sparsity"]).mean()), 1) and holds(axes, some.p.sweep)
    assert len(axes.get_yticks()) > 1


def test_a_narrow_range_of_perplexities_has_numbers_too():
    table = studied().table
    swept = pd.concat([table[table.method == "dense"], studied().of("sweep")], ignore_index=True)
    (axes,) = check(panels.sweep(swept), 1)
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2


def test_nonsense_stands_beside_the_range_of_sets():
    some, table = shown("laptop", "sources")
    axes = check(panels.nonsense(table), 2)
    for item, method in zip(axes, ("wanda", "sparsegpt"), strict=True):
        here = means(table, "method", "source")[method]
        assert holds(item, here[list(NONSENSE)])
        band = [patch.get_extents().transformed(item.transData.inverted()) for patch in item.patches]
        single = here[list(some.sources)]
        assert any(np.allclose((box.x0, box.x1), (single.min(), single.max())) for box in band)


@pytest.mark.parametrize("scale", SCALES)
def test_every_model_and_draw_is_a_line_over_sets(scale):
    some, table = shown(scale, "sources")
    (axes,) = check(panels.models(table), 1)
    rows = added(table)
    rows = rows[(rows.method == "wanda") & ~rows.source.isin(NONSENSE)]
    single = rows.groupby(["source", "seed", "draw"]).added.mean()
    assert holds(axes, single, 1) and len(single) == (len(some.sources) + 1) * some.p.models * some.p.draws
    order = rows.groupby("source").added.mean().sort_values().index
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [label(name) for name in order]


@pytest.mark.parametrize("scale", SCALES)
def test_mixtures_stand_beside_their_parts(scale):
    some, table = shown(scale, "mixtures")
    axes = check(panels.mixtures(table), len(some.partners()))
    here = means(table, "source")
    for item, name in zip(axes, some.partners(), strict=True):
        assert holds(item, here[[some.prose, name, f"{some.prose}+{name}", f"{some.prose}&{name}"]])


def test_outliers_are_drawn_for_every_method_with_and_without():
    some, table = shown("laptop", "outliers")
    axes = check(panels.outliers(table), 2)
    here = means(table, "sparsity", "method", "outliers")
    for item, level in zip(axes, (0.5, some.p.high_sparsity), strict=True):
        assert len(here[level]) == 6 and holds(item, here[level], 1)


def test_trainings_are_curves_that_end_where_they_ended():
    history = studied().history()
    (axes,) = check(panels.learning(history), 1)
    held = [name for name in history if name.startswith("held_out_")]
    ends = [float(line.get_ydata()[-1]) for line in axes.lines if len(line.get_ydata()) == len(history)]
    assert len(held) == 3
    for name in ("loss", *held):
        assert any(end == pytest.approx(history[name].iloc[-1]) for end in ends), name
    told = words(axes.get_figure())
    assert all(label(name.removeprefix("held_out_")) in told for name in held)


@pytest.mark.parametrize("scale", SCALES)
def test_answers_stand_beside_chance(scale):
    some, rng = plan(scale), np.random.default_rng(6)
    rows = [
        cell.record() | {"seed": 0, "test": test, "way": way, "right": rng.uniform(), "n": 8, "chance": chance}
        for cell in some.answering()
        for test in some.sources
        if (NAMES.get(test) and some.family("text").count(test) == 0) or test == "arithmetic"
        for way, chance in (("generated", 0.0), ("likeliest", 0.25))
    ]
    table = pd.DataFrame(rows)
    (axes,) = check(panels.accuracy(table), 1)
    assert holds(axes, table[table.method != "dense"].right)
    assert holds(axes, table[table.method == "dense"].groupby(["test", "way"]).right.mean())


def test_formats_have_a_panel_for_each_set_that_is_asked():
    some, table = shown("laptop", "formats")
    axes = check(charts.formats(table), len(some.asked))
    here = means(table[~table.rationale], "source", "fmt", "padding")
    for item, name in zip(axes, some.asked, strict=True):
        assert len(here[name]) == 6 and holds(item, here[name])
    assert "25%" in words(axes[0].get_figure()), "the share of padding"


@pytest.mark.parametrize("scale", SCALES)
def test_thoughts_are_drawn_on_all_tests_and_on_their_own(scale):
    some, table = shown(scale, "formats")
    axes = check(charts.thoughts(table), 2)
    rows = table[table.fmt.isin(["icl", ""]) & (table.source.isin(some.reasoned) | (table.method == "dense"))]
    assert holds(axes[0], means(rows, "source", "rationale")[some.reasoned], 1)
    own = means(rows, "source", "rationale", "test")
    tested = [name for name in some.reasoned if name in set(table.test)]
    assert holds(axes[1], [own[name, thought, name] for name in tested for thought in (False, True)], 1)


def test_padding_alone_is_drawn_seen_and_left_out():
    some, table = shown("laptop", "padding")
    (axes,) = check(charts.padding(table, some.p.length), 1)
    here = means(table, "keep", "padding")[list(some.p.kept)]
    assert len(here) == 2 * len(some.p.kept) and holds(axes, here, 1)
    assert holds(axes, [100 * (1 - keep / some.p.length) for keep in some.p.kept])
    none = means(table, "method", "keep")["wanda", 0]
    assert any(np.allclose(line.get_ydata(), none) for line in axes.lines), "without padding"


def test_pairs_and_steps_are_drawn():
    some, table = shown("laptop", "pairs", "steps")
    axes = check(charts.pairs(table[table.steps == 0], table[table.pairs == 0]), 2)
    here = means(table, "method", "pairs", "steps", "padding")["sparsegpt"]
    paired, stepped = here[here.index.get_level_values("pairs") > 0], here[here.index.get_level_values("steps") > 0]
    assert len(paired) == 2 * len(some.p.pairs) and holds(axes[0], paired, 1)
    assert len(stepped) == len(some.p.steps) and holds(axes[1], stepped, 1)


def test_a_run_without_rationales_has_no_steps():
    _, table = shown("smoke", "pairs")
    figure = charts.pairs(table, table[table.method == "dense"])
    figure.canvas.draw()
    assert "no set has rationales" in words(figure)


def test_windows_are_counted_and_measured():
    some, table = shown("laptop", "counts", "lengths")
    counts = some.experiments()["counts"]
    wanted = pd.Series([Cell(**record) for record in table[list(Cell.__dataclass_fields__)].to_dict("records")])
    dense = table.method == "dense"
    one = table[dense | wanted.isin(counts)]
    two = table[dense | wanted.isin(some.experiments()["lengths"])]
    axes = check(charts.windows(one, two, some.p.windows * some.p.length), 2)
    here = means(one, "windows", "method")[list(some.p.counts)]
    assert len(here) == 2 * len(some.p.counts) and holds(axes[0], here, 1) and holds(axes[0], some.p.counts)
    here = means(two, "method", "length", "windows")["wanda"]
    assert len(here) == 2 * len(some.p.lengths) - 1 and holds(axes[1], here, 1)


def overlaps(some):
    """Return overlaps of every pair of cells whose masks are compared."""
    rng, cells = np.random.default_rng(7), some.overlapping()
    rows = [
        {"first": a.source, "first_draw": a.draw, "second": b.source, "second_draw": b.draw, "block": 0, "linear": name}
        for number, a in enumerate(cells)
        for b in cells[number + 1 :]
        for name in LINEARS
    ]
    table = pd.DataFrame(rows)
    return table.assign(jaccard=rng.uniform(0.5, 0.95, len(table)), expected=0.6 / 1.4, seed=0)


@pytest.mark.parametrize("scale", SCALES)
def test_overlaps_are_drawn_by_pair_and_by_map(scale):
    some = plan(scale)
    table = overlaps(some)
    found = masks.pairs(table)
    names = [*some.sources, some.mix, *NONSENSE]
    # Two draws of every set, and every pair of different sources.
    assert len(found) == len(some.sources) + 1 + len(names) * (len(names) - 1) // 2
    axes = check(masks.overlap(table), 2)
    grid = {tuple(map(int, text.get_position())): float(text.get_text()) for text in axes[0].texts}
    for row in found.itertuples():
        place = names.index(row.first), names.index(row.second)
        for each in (place, place[::-1]):
            assert grid[each] == pytest.approx(100 * row.jaccard, abs=0.51)
    sets = table[~table["first"].isin(NONSENSE) & ~table.second.isin(NONSENSE)]
    same = sets[sets["first"] == sets.second].groupby("linear").jaccard.mean()
    other = sets[(sets["first"] != sets.second) & (sets.first_draw + sets.second_draw == 0)]
    assert holds(axes[1], same) and holds(axes[1], other.groupby("linear").jaccard.mean())


def test_overlap_beyond_chance_is_measured_from_chance_to_one():
    row = {"first": "a", "first_draw": 0, "second": "b", "second_draw": 0, "jaccard": 0.7, "expected": 0.4}
    assert masks.pairs(pd.DataFrame([row])).beyond.tolist() == [pytest.approx(0.5)]


def test_every_set_has_words_and_a_colour():
    assert len({label(name) for name in SETS}) == len(SETS)
    assert label("c4+gsm8k") == "C4 and GSM8K, mixed" and label("c4&gsm8k") == "C4 and GSM8K, merged"
    assert label("c4+gsm8k+anli") == "all sets, mixed"
    assert colour("c4") == colour("pile") != colour("gsm8k") == colour("svamp")
    assert len({colour(name) for name in ("c4", "gsm8k", "race", "anli", "c4+anli", "ellipses")}) == 6
