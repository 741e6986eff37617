"""Plans of calibration-data: the experiments A to I, what is pruned once, and what counts as a replicate."""

from collections import Counter
from itertools import product

import pytest

from tenfold.papers.calibration_data.cells import NONSENSE, PADDINGS, Cell, seeded
from tenfold.papers.calibration_data.plans import METHODS, PATTERNS, jobs, own_format
from tenfold.pruning import METHODS as KNOWN

from .calibration_data_town import REAL, plan

SCALES = ("smoke", "laptop", "paper")


def found(cells, *names):
    """Return what cells have under these names, each once."""
    return {tuple(getattr(cell, name) for name in names) for cell in cells}


@pytest.mark.parametrize("scale", SCALES)
def test_sets_are_compared_by_both_methods_at_two_sparsities(scale):
    """Experiments A and B, and G, nonsense."""
    some = plan(scale)
    everywhere = [*some.sources, "+".join(some.sources)]
    both = {*product(("wanda", "sparsegpt"), everywhere)}
    experiments = some.experiments()
    low, high = experiments["sources"], experiments["high"]
    assert found(low, "method", "source") == both | {*product(("wanda", "sparsegpt"), NONSENSE)}
    assert found(high, "method", "source") == both
    assert found(low, "sparsity") == {(some.p.sparsity,)} and found(high, "sparsity") == {(some.p.high_sparsity,)}
    assert found(low, "windows", "length") == {(some.p.windows, some.p.length)}


@pytest.mark.parametrize("scale", SCALES)
def test_formats_are_compared_with_every_padding(scale):
    """Experiment C."""
    some = plan(scale)
    cells = some.experiments()["formats"]
    assert some.asked and some.reasoned
    for name in some.asked:
        here = [cell for cell in cells if cell.source == name and not cell.rationale]
        padded = {*product(["zero"], PADDINGS), ("single", "counted"), ("single", "excluded")}
        assert found(here, "fmt", "padding") == padded | {("icl", "excluded")}
    for name in some.reasoned:
        here = [cell for cell in cells if cell.source == name and cell.fmt == "icl"]
        assert found(here, "rationale") == {(False,), (True,)}
    padding = some.experiments()["padding"]
    kept = {*product(some.p.kept, ("counted", "excluded"))} | {(0, "excluded")}
    assert found(padding, "keep", "padding") == kept


@pytest.mark.parametrize("scale", SCALES)
def test_pairs_steps_windows_and_sparsities_are_swept(scale):
    """Experiments D, E and F."""
    some = plan(scale)
    p, experiments = some.p, some.experiments()
    assert found(experiments["pairs"], "pairs", "padding") == {*product(p.pairs, ("counted", "excluded"))}
    assert found(experiments["steps"], "steps", "rationale") == {(n, True) for n in p.steps}
    assert found([*experiments["pairs"], *experiments["steps"]], "method") == {("sparsegpt",)}
    assert found(experiments["counts"], "method", "windows") == {*product(("wanda", "sparsegpt"), p.counts)}
    tokens = p.windows * p.length
    as_many = {(n, p.windows) for n in p.lengths}
    assert found(experiments["lengths"], "length", "windows") == as_many | {(n, tokens // n) for n in p.lengths}
    assert found(experiments["sweep"], "method", "sparsity") == {*product(METHODS[1:], p.sweep)}
    assert found(experiments["sweep"], "source") == {(some.prose,), ("",)}


@pytest.mark.parametrize("scale", SCALES)
def test_mixtures_and_merged_models_join_running_text_with_each_other_family(scale):
    """Experiment I; every part stands there alone as well."""
    some = plan(scale)
    names = {cell.source for cell in some.experiments()["mixtures"]}
    partners = [name for name in names if "+" not in name and "&" not in name and name != some.prose]
    assert names == {some.prose, *partners, *(f"{some.prose}{j}{name}" for j, name in product("+&", partners))}
    assert len(partners) == (1 if scale == "smoke" else 3)


@pytest.mark.parametrize("scale", SCALES)
def test_every_method_has_every_pattern_beside_the_dense_model(scale):
    cells = plan(scale).experiments()["methods"]
    assert Cell("dense") in cells
    ways = {(s, "") for s in (0.5, 0.6, 0.7)} | {(0.5, nm) for nm in PATTERNS}
    assert found(cells, "method", "sparsity", "nm") == {(m, *way) for m in METHODS for way in ways} | {("dense", 0, "")}
    assert {*METHODS} <= {*KNOWN}


@pytest.mark.parametrize("scale", SCALES)
def test_outliers_stand_beside_the_same_cells_without(scale):
    some = plan(scale)
    cells = some.experiments()["outliers"]
    marks = {cell.outliers for cell in cells}
    assert marks == {0, some.p.outliers}
    without = Counter((cell.method, cell.sparsity, cell.draw) for cell in cells if not cell.outliers)
    assert without == Counter((cell.method, cell.sparsity, cell.draw) for cell in cells if cell.outliers)


@pytest.mark.parametrize("scale", SCALES)
def test_a_cell_that_experiments_share_is_pruned_once(scale):
    some = plan(scale)
    work = [cell for cells in jobs(some).values() for cell in cells]
    wanted = {cell for cells in some.experiments().values() for cell in cells}
    assert len(work) == len({*work}) and {*work} == wanted
    assert len(work) < sum(map(len, some.experiments().values())), "some are shared"
    assert all(jobs(some).values()), "no job without work"


def test_cells_that_look_at_no_data_do_not_depend_on_data():
    some = plan("laptop")
    for method in ("dense", "magnitude"):
        cells = {some.cell(method, name, draw=draw) for name in REAL for draw in range(3)}
        assert len(cells) == 1 and cells.pop().source == ""
    masks = {some.cell("random", name, draw=draw) for name in REAL for draw in range(3)}
    assert {(cell.source, cell.draw) for cell in masks} == {("", 0), ("", 1), ("", 2)}, "masks are drawn"
    assert len({some.cell("wanda", name, draw=draw) for name in REAL for draw in range(3)}) == 21
    assert some.cell("magnitude", "gsm8k", outliers=8) != some.cell("magnitude", "gsm8k")


def test_draws_replicate_a_single_model_and_seeds_several():
    draws = {}
    for models in (1, 3):
        some = plan("laptop", models=models, draws=3)
        experiments = some.experiments()
        assert found(experiments["sources"], "method", "draw") >= {("wanda", n) for n in range(3)}, "noise of draws"
        draws[models] = {
            name: {cell.draw for cell in cells if not cell.blind} for name, cells in experiments.items() if cells
        }
        assert {cell.draw for cell in some.answering() if not cell.blind} == draws[models]["methods"]
    claimed = {"methods", "high", "formats", "padding", "pairs", "steps", "counts", "mixtures", "outliers"}
    assert all(draws[1][name] == {0, 1, 2} and draws[3][name] == {0} for name in claimed)


def test_cells_of_the_official_table_need_c4():
    assert plan("laptop").readme() == [] and plan("smoke").readme() == []
    cells = plan("paper").readme()
    assert found(cells, "source", "sparsity", "fmt") == {("c4", 0.5, "text"), ("", 0.5, "")}
    assert found(cells, "method", "nm") == {*product(("magnitude", "wanda", "sparsegpt"), ("", *PATTERNS))}


def test_the_corpora_come_first_and_the_pile_before_them():
    assert plan("paper").prose == "pile" and plan("laptop").prose == "wikitext2" and plan("smoke").prose == "prose"
    assert plan("paper").asked == ["mawps", "esnli"] and plan("smoke").asked == ["arithmetic"]
    assert plan("laptop", ("wikitext2", "race")).asked == ["race"]
    assert plan("laptop", ("wikitext2", "race")).experiments()["steps"] == [], "no set has rationales"
    assert plan("paper").reasoned == ["gsm8k", "esnli", "anli"]
    assert plan("paper").family("text") == ["c4", "pile", "oscar", "redpajama"]


def test_every_set_has_a_format_of_its_own():
    assert {own_format(name) for name in ("c4", "prose", *NONSENSE)} == {"text"}
    assert {own_format(name) for name in ("gsm8k", "esnli", "race")} == {"icl"}
    assert own_format("c4+gsm8k") == own_format("c4&gsm8k") == "own"


def test_masks_are_compared_between_sets_and_draws_of_a_set():
    some = plan("laptop")
    cells = some.overlapping()
    counts = Counter(cell.source for cell in cells)
    assert counts == {**dict.fromkeys([*some.sources, some.mix], 2), **dict.fromkeys(NONSENSE, 1)}
    assert len({cell.source for cell in some.overlapping(3)}) == 3 + len(NONSENSE)
    assert {cell.method for cell in cells} == {"wanda"} and {cell.draw for cell in cells} == {0, 1}


def test_cells_are_plain_values_and_no_two_share_a_seed():
    cell = plan().cell("wanda", "prose", nm="4:8", draw=2)
    assert Cell(**cell.record()) == cell and cell.pattern == (4, 8) and Cell("wanda").pattern is None
    assert len({seeded(Cell("wanda", draw=draw), seed) for draw in range(20) for seed in range(20)}) == 400
