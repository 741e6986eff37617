"""The tokenizer: every text comes back, digits stand alone, the same texts give the same tokens."""

import random

import pytest

from tenfold.errors import InputError
from tenfold.language.tokenizer import from_json, to_json, train_tokenizer

TEXTS = ["the cat sat on the mat with 12 cats", "return sum(the_cats[12:345])", "Σ of the cats\n\n\tand the mats"] * 5


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 280)


def test_every_text_comes_back(tokenizer):
    draw = random.Random(0)
    strange = "".join(chr(draw.choice([*range(32, 127), 10, 9, 233, 0x3A3, 0x4E2D, 0x1F600])) for _ in range(400))
    for text in ("", " ", "the cats ", "\n\n  a", "</s> is an end", strange):
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids[1:]) == text


def test_digits_stand_alone_wherever_they_are(tokenizer):
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("12 cats, x345y")["input_ids"])
    assert [piece for piece in pieces if any(c.isdigit() for c in piece)] == ["1", "2", "3", "4", "5"]


def test_frequent_words_are_one_token_and_specials_have_their_places(tokenizer):
    assert len(tokenizer(" the")["input_ids"]) == 2
    assert len(tokenizer) == 280
    assert [tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id] == [
        0,
        1,
        2,
        3,
    ]


def test_padding_goes_to_the_left(tokenizer):
    found = tokenizer(["the", "the cat sat"], padding=True)
    assert found["input_ids"][0][0] == tokenizer.pad_token_id
    assert found["attention_mask"][0][-1] == 1


def test_the_same_texts_give_the_same_tokenizer_and_json_gives_it_back(tokenizer):
    text = to_json(tokenizer)
    assert to_json(train_tokenizer(iter(TEXTS), 280)) == text
    again = from_json(text)
    assert to_json(again) == text
    assert again("the 12 cats")["input_ids"] == tokenizer("the 12 cats")["input_ids"]
    assert (again.pad_token_id, again.padding_side) == (3, "left")


def test_what_cannot_be_a_tokenizer():
    with pytest.raises(InputError, match="at least 260"):
        train_tokenizer(TEXTS, 259)
    with pytest.raises(InputError, match="needs a text"):
        train_tokenizer(["", ""], 300)
    with pytest.raises(InputError, match="no tokenizer"):
        from_json("{}")
