"""Identities of calibration-data: they hold, and each of them can fail."""

import pandas as pd
import pytest
import torch

from tenfold.language.llama import blocks, linears
from tenfold.papers.calibration_data import checks
from tenfold.pruning import magnitude_mask, prune, sparsegpt, wanda_mask

from .calibration_data_town import bench, plan, studied

pytestmark = pytest.mark.xdist_group("calibration-data")

WANDA = "Wanda: zeros of a row beyond floor(s d_in)"
GROUPS = "Wanda 2:4: zeros of a group beyond 2"
SPARSEGPT = "SparseGPT: zeros of 128 columns beyond floor(s n)"
FIXED = "embeddings, norms and outputs that pruning changes"
NOTHING = "SparseGPT at sparsity 0: largest change"
MASKS = "planted outlier channels: share of Wanda's masks changed"
LOSS = "planted outlier channels: change of a loss"


@pytest.fixture
def table(monkeypatch):
    """Return the identities of the smallest model."""
    monkeypatch.setattr(checks.Bench, "of", lambda *_: bench())
    return lambda: checks.identities(0, plan().cell("wanda", plan().mix, windows=6).record(), bench().settings)


def failed(found):
    return {*found[found.residual.abs() > 1].quantity}


def test_every_identity_holds():
    found = studied().identities()
    assert isinstance(found, pd.DataFrame) and len(found) == 11 and found.quantity.is_unique
    assert failed(found) == set() and (found.tolerance > 0).all() and set(found.seed) == {0}


def changed(change, only=None):
    """Return `prune` with a change of what it returns, for one method alone where it is named."""

    def wrong(model, windows, method, sparsity, *rest):
        pruned = prune(model, windows, method, sparsity, *rest)
        if only is None or (method, sparsity, *rest) == only:
            with torch.no_grad():
                change(pruned)
        return pruned

    return wrong


def revived(model):
    """One weight more of one row in a map of the last block."""
    weight = linears(blocks(model)[-1])["up_proj"].weight
    weight[3, (weight[3] == 0).nonzero()[0]] = 0.1


def nudged(model):
    blocks(model)[0].input_layernorm.weight[0] += 1e-3


def dropped(model):
    linears(blocks(model)[0])["q_proj"].weight[0] = 0


@pytest.mark.parametrize(
    ("change", "only", "wanted"),
    [
        (revived, ("wanda", 0.6), {WANDA}),
        (revived, ("wanda", 0.5, (2, 4)), {GROUPS}),
        (dropped, ("sparsegpt", 0.6), {SPARSEGPT}),
        (nudged, ("sparsegpt", 0.5), {FIXED}),
        (dropped, ("sparsegpt", 0.0), {NOTHING}),
    ],
)
def test_a_model_that_is_pruned_wrongly_is_found(table, monkeypatch, change, only, wanted):
    monkeypatch.setattr(checks, "prune", changed(change, only))
    assert failed(table()) == wanted


def test_outlier_channels_that_change_what_is_computed_are_found(table, monkeypatch):
    def wrong(model, count):
        planted = checks_inject(model, count)
        with torch.no_grad():
            for block in blocks(planted):
                block.input_layernorm.weight *= 1.5
        return planted

    checks_inject = checks.inject_outliers
    monkeypatch.setattr(checks, "inject_outliers", wrong)
    assert LOSS in failed(table())


def test_masks_that_outlier_channels_change_are_found(table, monkeypatch):
    """Magnitude in the place of Wanda."""

    def wrong(model, windows, method, sparsity, *rest):
        return prune(
            model, windows, "magnitude" if (method, sparsity, *rest) == ("wanda", 0.5) else method, sparsity, *rest
        )

    monkeypatch.setattr(checks, "prune", wrong)
    assert failed(table()) == {MASKS}


@pytest.mark.parametrize(
    ("name", "wrong", "quantity"),
    [
        ("wanda_mask", lambda w, x, s: wanda_mask(w, x + 1, s), "scale of the inputs"),
        ("wanda_mask", lambda w, x, s: wanda_mask(w + torch.arange(64.0)[:, None], x, s), "order of the rows"),
        ("sparsegpt", lambda w, h, s: 1.001 * sparsegpt(w, h, s), "independent inputs"),
        ("sparsegpt", lambda w, h, s: sparsegpt(w, h + 0.01, s), "independent inputs"),
        ("perplexity", lambda *_: 1023.0, "equal chances"),
    ],
)
def test_formulas_that_are_wrong_are_found(monkeypatch, name, wrong, quantity):
    monkeypatch.setattr(checks, name, wrong)
    rows = [row for row in checks.formulas(0) if quantity in row[0]]
    assert len(rows) == 1 and abs(rows[0][2] - rows[0][1]) > rows[0][3]


def test_the_difference_of_masks_is_a_share():
    one = bench().dense
    assert checks.difference(one, one) == 0
    half = prune(one, bench().tests["prose"], "magnitude", 0.5)
    assert checks.difference(one, half) == pytest.approx(0.5, abs=0.01)
    weight = linears(blocks(half)[0])["q_proj"].weight
    assert ((weight != 0) == magnitude_mask(linears(blocks(one)[0])["q_proj"].weight, 0.5)).all()
