"""Windows: who attends to whom, what counts, how documents become windows of one length."""

import itertools
import random

import pytest
import torch

from tenfold.errors import InputError
from tenfold.language.documents import Document
from tenfold.language.tokenizer import train_tokenizer
from tenfold.language.windows import Windows, calibration_windows, pack, stream_windows

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "one", "dog", "run", "to", "red", "houses"]
DRAW = random.Random(0)
PROSE = [" ".join(DRAW.choices(WORDS, k=k)) + "." for k in (3, 5, 40, 60, 80)]
ASKED = [
    Document(
        text=f"Question: {a} + {b}?\nAnswer: It is {a + b}.{' Yes. So.' * (a % 2)} So the answer is {a + b}.",
        question=f"Question: {a} + {b}?\nAnswer: ",
        answer=str(a + b),
        rationale=f"It is {a + b}.{' Yes. So.' * (a % 2)} So the answer is {a + b}.",
    )
    for a, b in itertools.product(range(1, 8), range(1, 8))
]
LENGTH = 32


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([*PROSE, *(document.text for document in ASKED)], 400)


def spelt(tokenizer, tokens):
    return tokenizer.decode(tokens, skip_special_tokens=True)


def without_padding(tokenizer, windows):
    """The texts of windows that begin with padding."""
    rows = zip(windows.ids, windows.real, strict=True)
    return [spelt(tokenizer, ids[real]) for ids, real in rows]


# Windows


def test_a_tensor_becomes_windows():
    ids, embeds = torch.zeros(3, 5, dtype=torch.int64), torch.zeros(3, 5, 2)
    assert Windows.of(ids).ids is ids
    assert Windows.of(embeds).embeds is embeds
    assert Windows.of(Windows(ids=ids)).ids is ids
    assert (len(Windows.of(embeds)), Windows.of(embeds).length, Windows.of(ids).pad_share) == (3, 5, 0)
    assert Windows.of(ids).mask() is None


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"ids": torch.zeros(2, 3, dtype=torch.int64), "embeds": torch.zeros(2, 3, 1)},
        {"ids": torch.zeros(2, 3)},
        {"ids": torch.zeros(6, dtype=torch.int64)},
        {"ids": torch.zeros(0, 3, dtype=torch.int64)},
        {"embeds": torch.zeros(2, 3)},
        {"ids": torch.zeros(2, 3, dtype=torch.int64), "attend": torch.ones(2, 4, dtype=torch.bool)},
        {"ids": torch.zeros(2, 3, dtype=torch.int64), "count": torch.ones(2, 3)},
    ],
)
def test_parts_that_do_not_fit(parts):
    with pytest.raises(InputError):
        Windows(**parts)


def test_the_mask_is_causal_and_leaves_out_what_may_not_be_attended_to():
    attend = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=torch.bool)
    mask = Windows(ids=torch.zeros(3, 4, dtype=torch.int64), attend=attend).mask()
    assert mask.shape == (3, 1, 4, 4)
    for i, query, key in itertools.product(range(3), range(4), range(4)):
        seen = key <= query and bool(attend[i, key])
        alone = not attend[i, : query + 1].any()
        assert bool(mask[i, 0, query, key]) == (seen or (alone and key == query))


def test_windows_are_split_in_order_with_their_marks():
    ids = torch.arange(20).view(5, 4)
    windows = Windows(ids=ids, count=ids % 3 > 0, real=ids % 2 > 0)
    parts = list(windows.split(2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part.ids for part in parts]), ids)
    assert torch.equal(torch.cat([part.count for part in parts]), windows.count)
    assert parts[0].attend is None
    assert windows.pad_share == 0.5
    assert torch.equal(windows.to("cpu").real, windows.real)
    with pytest.raises(InputError, match="at least one window"):
        next(windows.split(0))


# Streams


def test_each_document_is_tokenised_on_its_own(tokenizer):
    ids = pack([PROSE[0], ASKED[3]], tokenizer)
    assert ids.tolist() == tokenizer(PROSE[0])["input_ids"] + tokenizer(ASKED[3].text)["input_ids"]
    with pytest.raises(InputError, match="no document"):
        pack([], tokenizer)


def test_a_stream_is_cut_without_its_tail():
    ids = torch.arange(35)
    assert torch.equal(stream_windows(ids, 8).ids, torch.arange(32).view(4, 8))
    assert stream_windows(ids, 8, 2).ids[:, 0].tolist() == [0, 16]
    assert stream_windows(torch.arange(101), 10, 3).ids[:, 0].tolist() == [0, 30, 60]
    for wrong in (
        lambda: stream_windows(ids, 36),
        lambda: stream_windows(ids, 8, 5),
        lambda: stream_windows(ids, 8, seed=1),
    ):
        with pytest.raises(InputError):
            wrong()


def test_random_windows_reach_both_ends():
    ids = torch.arange(12)
    windows = stream_windows(ids, 8, 400, seed=1)
    assert set(windows.ids[:, 0].tolist()) == set(range(5))
    assert bool((windows.ids.diff(dim=1) == 1).all())
    assert torch.equal(windows.ids, stream_windows(ids, 8, 400, seed=1).ids)
    assert not torch.equal(windows.ids, stream_windows(ids, 8, 400, seed=2).ids)


# Calibration


def test_text_draws_long_documents_alone_as_written_out(tokenizer):
    """Documents with replacement until one is longer than the window, then a slice that begins anywhere."""
    draw, wanted = random.Random(7), []
    while len(wanted) < 20:
        tokens = tokenizer(PROSE[draw.randint(0, len(PROSE) - 1)])["input_ids"]
        if len(tokens) > LENGTH:
            start = draw.randint(0, len(tokens) - LENGTH - 1)
            wanted.append(tokens[start : start + LENGTH])
    windows = calibration_windows(PROSE, tokenizer, "text", 20, LENGTH, 7)
    assert windows.ids.tolist() == wanted
    assert (windows.attend, windows.count, windows.pad_share) == (None, None, 0)


def test_the_last_slice_is_never_drawn(tokenizer):
    """As in the code of Wanda: of a document with one token more than the window only the first slice."""
    tokens = tokenizer(PROSE[3])["input_ids"]
    windows = calibration_windows(PROSE[3:4], tokenizer, "text", 10, len(tokens) - 1, 0)
    assert windows.ids.tolist() == [tokens[:-1]] * 10


def test_documents_that_are_all_too_short_are_named_or_joined(tokenizer):
    short = PROSE[:2]
    with pytest.raises(InputError, match=f"the longest has {len(tokenizer(short[1])['input_ids'])}, '{short[1][:20]}"):
        calibration_windows(short, tokenizer, "text", 2, LENGTH, 0)
    stream = pack(short * 9, tokenizer).tolist()
    windows = calibration_windows(short * 9, tokenizer, "text", 6, LENGTH, 0, join=True)
    slices = [stream[i : i + LENGTH] for i in range(len(stream) - LENGTH)]
    assert all(row in slices for row in windows.ids.tolist())
    with pytest.raises(InputError, match="all documents together"):
        calibration_windows(short, tokenizer, "text", 2, 200, 0, join=True)


@pytest.mark.parametrize(
    ("fmt", "rationale", "text"),
    [
        ("zero", False, lambda d: d.question),
        ("single", False, lambda d: d.question + d.answer),
        ("single", True, lambda d: d.question + d.rationale),
    ],
)
def test_one_question_is_padded_on_the_left(tokenizer, fmt, rationale, text):
    windows = calibration_windows(ASKED, tokenizer, fmt, 12, 48, 3, rationale=rationale)
    draw = random.Random(3)
    assert without_padding(tokenizer, windows) == [text(ASKED[draw.randint(0, len(ASKED) - 1)]) for _ in range(12)]
    assert bool((windows.ids[~windows.real] == tokenizer.pad_token_id).all())
    assert bool((windows.real.int().diff(dim=1) >= 0).all())
    first = windows.ids.gather(1, (~windows.real).sum(1, keepdim=True))
    assert first.unique().tolist() == [tokenizer.bos_token_id]
    assert windows.pad_share == pytest.approx(1 - windows.real.sum().item() / (12 * 48))


def test_what_is_done_with_padding(tokenizer):
    """Counted and attended to (GSM8K in the official code), counted only (ANLI, SVAMP), neither (clean), attended."""
    for counted, attended, count, attend in [
        (True, None, False, False),
        (True, False, False, True),
        (False, None, True, True),
        (False, True, True, False),
    ]:
        windows = calibration_windows(ASKED, tokenizer, "zero", 4, 48, 3, counted, attend_padding=attended)
        assert (windows.count is not None, windows.attend is not None) == (count, attend)
        for marks in filter(lambda marks: marks is not None, (windows.count, windows.attend)):
            assert torch.equal(marks, windows.real)


def test_packed_pairs_have_no_padding_and_a_bos_each(tokenizer):
    for fmt, rationale in (("icl", False), ("concat", False), ("cot", True)):
        windows = calibration_windows(ASKED, tokenizer, fmt, 10, 60, 5)
        assert windows.real is None
        assert windows.ids.shape == (10, 60)
        assert bool((windows.ids == tokenizer.bos_token_id).any(dim=1).all())
        assert all(("So the answer" in spelt(tokenizer, row)) == rationale for row in windows.ids)
        # Between two BOS stands a whole pair.
        whole = {d.question + (d.rationale if rationale else d.answer) for d in ASKED}
        for row in windows.ids.tolist():
            pieces = tokenizer.decode(row).split(tokenizer.bos_token)[1:-1]
            assert set(pieces) <= whole
    concat, icl = (calibration_windows(ASKED, tokenizer, fmt, 10, 60, 5).ids for fmt in ("concat", "icl"))
    assert torch.equal(concat, icl)


def test_a_fixed_number_of_pairs_is_padded_or_sliced(tokenizer):
    windows = calibration_windows(ASKED, tokenizer, "icl", 8, 120, 5, pairs=3)
    assert (windows.ids == tokenizer.bos_token_id).sum(dim=1).tolist() == [3] * 8
    assert 0 < windows.pad_share < 1
    assert calibration_windows(ASKED, tokenizer, "icl", 8, 24, 5, pairs=9).real is None


def test_documents_of_so_many_steps(tokenizer):
    """The rationale of an even first number has one step, of an odd one three."""
    for steps, odd in ((1, 0), (3, 1)):
        windows = calibration_windows(ASKED, tokenizer, "single", 9, 64, 0, rationale=True, steps=steps)
        assert {int(text.split()[1]) % 2 for text in without_padding(tokenizer, windows)} == {odd}
    with pytest.raises(InputError, match="no document has a question with 2 steps"):
        calibration_windows(ASKED, tokenizer, "cot", 9, 64, 0, steps=2)


def test_controls_are_nonsense_and_fill_their_windows(tokenizer):
    dots = calibration_windows("ellipses", tokenizer, "text", 2, 1500, 0)
    assert set(spelt(tokenizer, dots.ids[0])) == {"."}
    letters = calibration_windows("random", tokenizer, "icl", 2, LENGTH, 0)
    assert spelt(tokenizer, letters.ids[0]).isalnum()
    assert not torch.equal(letters.ids[0], letters.ids[1])
    tokens = calibration_windows("tokens", tokenizer, "text", 50, 200, 0)
    assert set(tokens.ids.unique().tolist()) == set(range(4, len(tokenizer)))
    assert tokens.length == 200
    assert torch.equal(tokens.ids, calibration_windows("tokens", tokenizer, "text", 50, 200, 0).ids)


def test_a_mixture_divides_its_windows_evenly(tokenizer):
    mixed = calibration_windows([PROSE, "tokens", PROSE[2:]], tokenizer, "text", 8, LENGTH, 4)
    alone = [(PROSE, 3), ("tokens", 3), (PROSE[2:], 2)]
    parts = [calibration_windows(source, tokenizer, "text", n, LENGTH, 4).ids for source, n in alone]
    assert torch.equal(mixed.ids, torch.cat(parts))
    with pytest.raises(InputError, match="2 windows cannot be divided among 3"):
        calibration_windows([PROSE, "tokens", PROSE], tokenizer, "text", 2, LENGTH, 4)


def test_the_seed_says_what_is_drawn(tokenizer):
    first, again, other = (calibration_windows(ASKED, tokenizer, "icl", 5, LENGTH, seed).ids for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_padding_needs_a_token_for_it(tokenizer):
    bare = train_tokenizer([*PROSE, *(document.text for document in ASKED)], 400)
    bare.pad_token = None
    with pytest.raises(InputError, match="no pad token"):
        calibration_windows(ASKED, bare, "zero", 3, 64, 0)
    assert calibration_windows(ASKED, bare, "icl", 3, LENGTH, 0).real is None


@pytest.mark.parametrize(
    ("source", "fmt", "options", "message"),
    [
        (PROSE, "concatt", {}, "did you mean 'concat'"),
        (PROSE, "icl", {}, "no document has a question"),
        (ASKED[:1], "cot", {"steps": -1}, "steps are at least 0"),
        (ASKED, "zero", {"pairs": 3}, "pairs are at least 1"),
        (ASKED, "icl", {"pairs": 0}, "pairs are at least 1"),
        (ASKED, "icl", {"join": True}, "only the format text joins"),
        (ASKED, "icl", {"n": 0}, "at least one window"),
        ([], "text", {}, "empty list"),
        ("prosee", "text", {}, "did you mean 'prose'"),
    ],
)
def test_what_cannot_be_drawn(tokenizer, source, fmt, options, message):
    with pytest.raises(InputError, match=message):
        calibration_windows(source, tokenizer, fmt, **{"n": 4, "length": LENGTH, "seed": 0} | options)
