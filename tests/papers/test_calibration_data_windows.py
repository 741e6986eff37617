"""Windows of calibration-data: lengths, formats, what padding does, mixtures, and what is held out."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from tenfold.language.questions import pair
from tenfold.papers.calibration_data.cells import NONSENSE, PADDINGS, Cell
from tenfold.papers.calibration_data.plans import own_format
from tenfold.papers.calibration_data.windows import drawn, read

from .calibration_data_town import bench, fitted, plan

pytestmark = pytest.mark.xdist_group("calibration-data")

LENGTH = 96


def cell(source, **changes):
    plain = Cell("wanda", 0.6, source=source, fmt=own_format(source), windows=8, length=LENGTH)
    return replace(plain, **changes)


def windows(asked, seed=0):
    return drawn(asked, seed, bench().tokenizer, bench().settings)


def settings(**changes):
    return {**bench().settings, **changes}


def documents(ids):
    """Return the texts that begin and end within a stream of tokens, in its order."""
    starts = [*(ids == bench().tokenizer.bos_token_id).nonzero().ravel().tolist()]
    parts = [ids[a:b] for a, b in pairwise(starts)]
    return [bench().tokenizer.decode(part, skip_special_tokens=True) for part in parts]


@pytest.mark.parametrize("source", ["prose", "code", "arithmetic", "prose+arithmetic", *NONSENSE])
def test_windows_are_as_many_and_as_long_as_asked_and_full(source):
    for n, length in ((1, 16), (8, LENGTH)):
        found = windows(cell(source, windows=n, length=length))
        assert found.ids.shape == (n, length) and found.pad_share == 0
        assert found.attend is found.count is found.real is None, "all is seen and counted"
        assert not (found.ids == bench().tokenizer.pad_token_id).any()


def test_running_text_is_a_slice_of_one_training_document_each():
    known = [f" {' '.join(map(str, bench().tokenizer(d.text)['input_ids']))} " for d in read("prose", settings()).train]
    for ids in windows(cell("prose")).ids:
        assert any(f" {' '.join(map(str, ids.tolist()))} " in text for text in known)


def test_a_question_alone_and_with_its_answer_lie_behind_padding():
    train = read("arithmetic", settings()).train
    texts = {"zero": {d.question for d in train}, "single": {pair(d, False) for d in train}}
    shares = {}
    for fmt, known in texts.items():
        found = windows(cell("arithmetic", fmt=fmt, length=160))
        shares[fmt] = found.pad_share
        for ids, real in zip(found.ids, found.real, strict=True):
            start = int(real.long().argmax())
            assert real[start:].all() and not real[:start].any() and start > 0, "padding lies on the left"
            assert (ids[:start] == bench().tokenizer.pad_token_id).all()
            assert ids[start] == bench().tokenizer.bos_token_id
            assert bench().tokenizer.decode(ids[start:], skip_special_tokens=True) in known
    assert 0.5 < shares["single"] < shares["zero"] < 1
    assert shares["zero"] == pytest.approx(1 - found_real(cell("arithmetic", fmt="zero", length=160)))


def found_real(asked):
    return float((windows(asked).ids != bench().tokenizer.pad_token_id).float().mean())


@pytest.mark.parametrize("rationale", [False, True])
def test_packed_pairs_begin_each_on_their_own(rationale):
    known = {pair(d, rationale) for d in read("arithmetic", settings()).train}
    found = windows(cell("arithmetic", rationale=rationale, length=400))
    whole = [text for ids in found.ids for text in documents(ids)]
    assert len(whole) >= 2 * len(found) and {*whole} <= known
    assert all("So the answer is" in text for text in whole) == rationale


def test_a_fixed_number_of_pairs_and_of_steps():
    found = windows(cell("arithmetic", pairs=2, length=400))
    assert ((found.ids == bench().tokenizer.bos_token_id).sum(1) == 2).all() and found.pad_share > 0
    some = read("arithmetic", settings()).train
    stepped = {pair(d, True) for d in some if d.rationale.count(". ") == 2}
    found = windows(cell("arithmetic", rationale=True, steps=2, length=400))
    whole = [text for ids in found.ids for text in documents(ids)]
    assert whole and {*whole} <= stepped < {pair(d, True) for d in some}


@pytest.mark.parametrize("changes", [{"fmt": "zero", "length": 160}, {"keep": 16}])
def test_padding_is_seen_and_counted_or_counted_alone_or_left_out(changes):
    found = {padding: windows(cell("arithmetic", padding=padding, **changes)) for padding in PADDINGS}
    real = found["counted"].real
    assert not real.all()
    for padding, each in found.items():
        assert torch.equal(each.ids, found["counted"].ids) and torch.equal(each.real, real), "the same windows"
        assert each.attend is None if padding == "counted" else torch.equal(each.attend, real)
        assert torch.equal(each.count, real) if padding == "excluded" else each.count is None


@pytest.mark.parametrize("keep", [1, 16, LENGTH - 1])
def test_all_but_the_last_tokens_become_padding(keep):
    whole, found = windows(cell("arithmetic")), windows(cell("arithmetic", keep=keep))
    assert (found.real.sum(1) == keep).all() and found.real[:, -keep:].all()
    assert torch.equal(found.ids[:, -keep:], whole.ids[:, -keep:]), "the same pairs"
    assert (found.ids[:, :-keep] == bench().tokenizer.pad_token_id).all()
    assert found.pad_share == pytest.approx(1 - keep / LENGTH)


@pytest.mark.parametrize("count", [2, 6, 8])
def test_mixtures_are_divided_evenly_and_hold_each_set_in_its_own_format(count):
    names = ("prose", "code", "arithmetic")
    found = windows(cell("+".join(names), windows=count)).ids
    assert found.shape == (count, LENGTH)
    shares = [len(part) for part in torch.arange(count).tensor_split(3)]
    for name, part in zip(names, found.split(shares), strict=True):
        if len(part):
            assert torch.equal(part, windows(cell(name, windows=len(part))).ids), "as the set draws alone"
    begins = (found == bench().tokenizer.bos_token_id).float().mean(1)
    assert count < 3 or begins[-1] > 2 * begins[0], "pairs begin more often than documents"


def test_the_same_seed_draws_the_same_windows_and_another_draw_others():
    for asked in (cell("prose"), cell("arithmetic"), cell("random"), cell("tokens"), cell("prose+arithmetic")):
        assert torch.equal(windows(asked).ids, windows(asked).ids)
        others = [windows(replace(asked, draw=1)), windows(asked, seed=1)]
        assert not any(torch.equal(each.ids, windows(asked).ids) for each in others)


def test_nonsense_says_nothing():
    decode = bench().tokenizer.decode
    assert {*decode(windows(cell("ellipses")).ids[0], skip_special_tokens=True)} == {"."}
    text = decode(windows(cell("random")).ids[0], skip_special_tokens=True)
    assert text.isalnum() and len({*text}) > 20
    tokens = windows(cell("tokens", windows=64)).ids
    assert not torch.isin(tokens, torch.tensor(bench().tokenizer.all_special_ids)).any()
    assert len(tokens.unique()) > 0.9 * (len(bench().tokenizer) - 3), "any token"


@pytest.mark.parametrize("name", ["prose", "code", "arithmetic"])
def test_held_out_windows_are_of_test_documents_alone(name):
    place = settings(test_windows=0)
    found, data = fitted(test_windows=0).tests[name], read(name, place)
    ids = torch.cat([bench().tokenizer(d.text, return_tensors="pt")["input_ids"][0] for d in data.test])
    length = place["length"]
    assert torch.equal(found.ids, ids[: len(ids) // length * length].view(-1, length)), "all of them, the tail dropped"
    texts = documents(found.ids.ravel())
    train = {d.text for d in data.train}
    assert not {d.text for d in data.test} & train and (not texts or not {*texts} & train)
    few = fitted(test_windows=2).tests[name]
    assert len(few) == 2 and all(any(torch.equal(row, other) for other in found.ids) for row in few.ids)


def test_calibration_never_draws_a_test_document():
    test = {pair(d, False) for d in read("arithmetic", settings()).test}
    for draw in range(3):
        found = windows(cell("arithmetic", draw=draw, windows=32, length=400))
        assert not {text for ids in found.ids for text in documents(ids)} & test


def test_before_a_checkpoint_running_text_is_one_stream():
    tests = fitted(model="somewhere", test_windows=0).tests
    begins = {name: int((found.ids == bench().tokenizer.bos_token_id).sum()) for name, found in tests.items()}
    assert begins["prose"] == begins["code"] == 1 and begins["arithmetic"] > 10
    text = bench().tokenizer.decode(tests["prose"].ids[0], skip_special_tokens=True)
    assert "\n\n".join(d.text for d in read("prose", settings()).test).startswith(text)


def test_windows_of_a_plan_can_all_be_drawn():
    """Every kind of window that a run needs, small or large."""
    for asked in {
        replace(c, method="wanda", sparsity=0.0) for e in plan().experiments().values() for c in e if c.source
    }:
        if "&" not in asked.source:
            assert windows(asked).ids.shape == (asked.windows, asked.length)
