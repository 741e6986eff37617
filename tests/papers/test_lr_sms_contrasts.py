"""Contrasts of lr-sms: intervals against closed forms, and claims that can fail."""

import numpy as np
import pandas as pd
import pytest

from tenfold.book import claims
from tenfold.papers.lr_sms import contrasts
from tenfold.papers.lr_sms.cells import Cell, Plan

from .lr_sms_town import tiny

PLAN = Plan(tiny(replicates=3), Cell(width=12, inside=16))


def counts(rate, size=400, seed=0, words=5):
    edits = np.random.default_rng(seed).binomial(words, rate, size)
    return np.column_stack([edits, np.full(size, words)])


def test_the_interval_of_a_rate_is_that_of_a_mean():
    """Utterances of equal length: the rate is a mean, whose standard error is known."""
    one = counts(0.3)
    rates = one[:, 0] / 5
    low, high = contrasts.resampled(one)
    error = rates.std() / np.sqrt(len(one))
    assert low == pytest.approx(rates.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(rates.mean() + 1.96 * error, abs=0.15 * error)


def test_pairs_take_away_what_both_share():
    one = counts(0.3)
    assert contrasts.resampled(one, one) == (0.0, 0.0)
    worse = one + np.array([1, 0]) * (np.arange(400) % 10 == 0)[:, None]
    low, high = contrasts.resampled(worse, one)
    assert 0 < low < 0.02 < high
    first, second = (contrasts.resampled(part) for part in (one, worse))
    assert second[0] - first[1] < 0 < second[1] - first[0], "two intervals would not have told them apart"


def test_an_interval_does_not_depend_on_the_order_of_arguments_but_for_sign():
    one, other = counts(0.3), counts(0.2, seed=1)
    low, high = contrasts.resampled(one, other)
    assert contrasts.resampled(other, one) == pytest.approx((-high, -low))


def stored(errors, loss=1.0):
    part = {"words": errors, "characters": errors}
    rate = errors[:, 0].sum() / errors[:, 1].sum()
    rates = {f"{name}_{kind}": rate for name in ("test", "unseen") for kind in ("wer", "cer")}
    history = pd.DataFrame({"epoch": [1, 2], "test_loss": [9.0, loss], "test_wer": [1.0, rate]})
    return {"errors": {"test": part, "unseen": part}, "rates": rates, "history": history}


def made(shift):
    """Return networks of which each of the main ones errs by its own shift, in every seed."""
    found = {}
    for name, cell in PLAN.main.items():
        for seed in range(3):
            errors = counts(0.2, seed=seed)
            errors[:, 0] += shift.get(name, 0)
            found[cell, seed] = stored(errors)
    return found


def afterwards(value):
    rows = [PLAN.both.record() | {"seed": s, "state": t} for s in range(3) for t in ("cut", "tuned")]
    return pd.DataFrame(rows).assign(test_wer=value, unseen_wer=value, test_cer=value, unseen_cer=value)


def test_differences_are_those_of_the_same_seed():
    table = contrasts.differences(made({"attention": 1, "ff": 2}), PLAN)
    means = table.groupby("network").difference.agg(["min", "max"])
    assert means.loc["attention"].tolist() == pytest.approx([0.2, 0.2])
    assert means.loc["ff"].tolist() == pytest.approx([0.4, 0.4])
    assert (table[table.network == "narrow"][["difference", "low", "high"]] == 0).all().all()
    assert "dense" not in set(table.network) and len(table) == 8 * 3 * 2


@pytest.mark.parametrize(
    ("name", "holds", "fails"),
    [
        ("C1-small", {"dense": 1}, {"attention": 1}),
        ("C2-small", {"ff": 1}, {"dense": 1}),
        ("C3-small", {"rand": 1}, {"both": 1}),
        ("C4-increasing", {"both": 1}, {"increasing": 1}),
        ("C4-decreasing", {"both": 1}, {"decreasing": 1}),
        ("C5-small", {"dense": 1}, {"increasing": 1}),
        ("W2-control", {"least": 1}, {}),
        ("W3-narrow", {"narrow": 1}, {"both": 1}),
    ],
)
def test_a_claim_holds_where_its_effect_is_and_fails_where_it_is_not(name, holds, fails):
    (claim,) = [one for one in claims.load("lr-sms") if one.id == name]
    for shift, wanted in ((holds, True), (fails, False)):
        table = contrasts.effects(contrasts.scores(made(shift)), afterwards(0.5), PLAN)
        effects = table[claim.measure.column] - table[claim.measure.minus]
        assert len(table) == 3 and [claim.region.holds(effect) for effect in effects] == [wanted] * 3
    assert not claim.region.holds(claim.null)


def test_a_network_missing_in_a_seed_leaves_that_seed_out():
    found = made({})
    del found[PLAN.both, 2]
    table = contrasts.effects(contrasts.scores(found), afterwards(0.5), PLAN)
    assert table.seed.tolist() == [0, 1]


def test_rows_of_a_cell_are_found_by_all_of_it():
    table = contrasts.scores(made({}))
    assert len(contrasts.of(table, PLAN.both)) == 3
    assert contrasts.of(table, Cell(0.12, 0.26)).empty
    assert (contrasts.of(table, PLAN.narrow).width == 12).all()
