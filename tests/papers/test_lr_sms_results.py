"""Results of lr-sms at its smallest: every network trained, cut and told; figures whole, and players small."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from tenfold.lowrank import decompose, maps
from tenfold.papers.lr_sms import (
    accounts,
    afterwards,
    contrasts,
    explore,
    listening,
    machine,
    panels,
    spectra,
    training,
)
from tenfold.papers.lr_sms.cells import Cell, factorised
from tenfold.papers.lr_sms.results import Results
from tenfold.runner.store import kept
from tenfold.speech import transcribe

from .lr_sms_town import studied

pytestmark = pytest.mark.xdist_group("lr-sms")


def test_every_network_is_told_once_for_each_seed():
    found = studied()
    assert len(found.scores) == len(found.points)
    assert not found.scores.duplicated([*contrasts.KEYS, "seed"]).any()
    assert np.isfinite(found.scores.select_dtypes("number")).all().all()
    for part in ("test", "unseen"):
        low, rate, high = (found.scores[f"{part}_{name}"] for name in ("low", "wer", "high"))
        assert (low <= rate + 1e-12).all() and (rate <= high + 1e-12).all()


def test_the_same_seed_gives_the_same_bits():
    found = studied()
    again = training.trained(0, found.plan.both.record(), found.fixed)
    for name, value in found.found[found.plan.both, 0]["weights"].items():
        assert np.array_equal(value, again["weights"][name])


def test_a_network_that_was_stored_hears_what_the_trained_one_did():
    found = studied()
    cell = found.plan.main["increasing"]
    stored = found.found[cell, 0]
    model = training.restored(stored, cell, found.fixed)
    said = transcribe(model, found.parts["test"], found.vocabulary)
    errors = contrasts.resampled(stored["errors"]["test"]["words"])
    assert len(said) == 4 and errors[0] <= stored["rates"]["test_wer"] <= errors[1]
    counted = afterwards.counted(model, found.fixed)["test"]["words"]
    assert np.array_equal(counted, stored["errors"]["test"]["words"])


def test_cutting_nothing_changes_nothing_and_cutting_is_the_nearest():
    found = studied()
    dense = training.restored(found.found[Cell(), 0], Cell(), found.fixed)
    held = decompose(dense, factorised)
    whole = afterwards.cut(dense, held, Cell(), found.fixed)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), dense.parameters(), strict=True))
    before = {name: part.weight.clone() for name, part in maps(dense, factorised).items()}
    for name, part in maps(afterwards.cut(dense, held, found.plan.both, found.fixed), factorised).items():
        lost = (before[name] - part.product()).square().sum().item()
        assert lost == pytest.approx(held[name].lost(part.rank), rel=1e-3)


def test_training_on_moves_only_the_copy():
    found = studied()
    dense = training.restored(found.found[Cell(), 0], Cell(), found.fixed)
    cut = afterwards.cut(dense, decompose(dense, factorised), found.plan.both, found.fixed)
    before = [parameter.clone() for parameter in dense.parameters()]
    start = [parameter.clone() for parameter in cut.parameters()]
    afterwards.train_on(cut, 0, 1, found.fixed)
    assert all(torch.equal(a, b) for a, b in zip(before, dense.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(start, cut.parameters(), strict=True))


def test_cut_networks_are_there_for_every_share():
    rows = studied().afterwards
    assert set(rows[rows.state == "cut"].attention) >= {0.02, 0.12, 0.5} and (rows.state == "tuned").sum() == 1


def test_spectra_are_those_of_the_product():
    found = studied()
    table = found.spectra()
    stored = kept(training.trained, seed=0, cell=found.plan.both.record(), settings=found.fixed)
    model = training.restored(stored, found.plan.both, found.fixed)
    name, part = next(iter(maps(model, factorised).items()))
    rows = table[(table.name == name) & (table.network == "low rank") & (table.state == "trained")]
    values = np.linalg.svd(part.product().detach().numpy(), compute_uv=False)
    assert rows.sigma.to_numpy() == pytest.approx(values[: part.rank], rel=1e-3, abs=1e-5)
    assert (spectra.effective(table).effective >= 1).all()


def test_table_1_has_every_network():
    table = studied().summary().set_index("network")
    assert list(table.index) == [
        "dense",
        "attention",
        "ff",
        "both",
        "dense, cut",
        "dense, tuned",
        "rand",
        "increasing",
        "decreasing",
        "narrow",
        "least",
    ]
    assert table.times_fewer["dense"] == 1 and table.parameters["both"] == table.parameters["increasing"]
    assert table.parameters["narrow"] == pytest.approx(table.parameters["both"], rel=0.02)


def drawings():
    found = studied()
    return {
        "shares": (lambda: panels.shares(found.scores, found.afterwards), 2),
        "differences": (lambda: panels.differences(found.differences()), 2),
        "learning": (lambda: panels.learning(found.curves()), 2),
        "mappings": (lambda: panels.mappings(found.of(found.plan.mappings), found.plan.both, found.p.blocks), 3),
        "rates": (lambda: panels.against(found.of(found.plan.rates), "rate", found.p.lr, "learning rate"), 2),
        "longer": (lambda: panels.against(found.of(found.plan.longer), "epochs", found.p.epochs, "epochs"), 2),
        "baselines": (lambda: panels.baselines(found.effects()), 2),
        "spectra": (lambda: spectra.draw(found.spectra()), 2),
        "sizes": (lambda: machine.sizes(accounts.sizes(), accounts.base()), 1),
        "layers": (lambda: machine.layers(found.layers()), 2),
        "mel": (lambda: listening.picture(found)[0], 3),
    }


@pytest.mark.usefixtures("look")
@pytest.mark.parametrize(
    "name", ["shares", "differences", "learning", "mappings", "rates", "longer", "baselines", "spectra"]
)
def test_figures_of_trainings_are_whole(name):
    whole(*drawings()[name])


@pytest.mark.usefixtures("look")
@pytest.mark.parametrize("name", ["sizes", "layers", "mel"])
def test_figures_of_sizes_times_and_sounds_are_whole(name):
    whole(*drawings()[name])


def whole(draw, count):
    """Paint a figure: as many axes with data as wanted, nothing cut off, no key over a panel."""
    figure = draw()
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    axes = [item for item in figure.axes if item.has_data()]
    assert len(axes) == count
    box, page = figure.get_tightbbox(), figure.bbox_inches.padded(0.05)
    assert page.x0 <= box.x0 and box.x1 <= page.x1, "something is cut off"
    for legend in figure.legends:
        assert not [item for item in axes if item.get_window_extent().overlaps(legend.get_window_extent())]


def test_what_is_played_is_short():
    found = studied()
    picked = listening.chosen(found)
    assert len(picked) == listening.SHOWN and {part for part, _ in picked} == {"test", "unseen"}
    assert all(len(getattr(found.corpus, part).waves[i]) <= 3 * 8000 for part, i in picked)
    assert listening.heard(found).said.str.len().min() > 0


def test_nobody_is_asked_for_a_slider_in_a_headless_run(house_style, capsys):
    assert explore.widget(live=False) is None
    assert "FloatSlider" not in capsys.readouterr().out


def test_a_small_corpus_and_no_gpu_bring_nothing_that_claims_need():
    assert studied().own == set()


@pytest.mark.parametrize(("hours", "data"), [(101, "manifest"), (99, "manifest"), (101, "fsdd")])
def test_a_large_corpus_of_ones_own_is_what_claims_need(hours, data):
    said = SimpleNamespace(waves=[range(3600)] * hours, rate=1)
    run = SimpleNamespace(corpus=SimpleNamespace(train=said), fixed={"data": data}, where=torch.device("cpu"))
    assert Results.own.fget(run) == ({"large_speech"} if (hours, data) == (101, "manifest") else set())
    run.where = torch.device("cuda")
    assert "gpu" in Results.own.fget(run)
