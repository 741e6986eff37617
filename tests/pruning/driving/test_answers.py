"""The offline score of answers, and the prompt for a grader."""

import pytest

from tenfold.errors import InputError
from tenfold.pruning.driving import grading_prompt, language_score, parse_grades


def test_the_stored_answers_score_one():
    texts = ["The light is red, 12.5 m ahead.", "I see 2 cars."]
    assert language_score(texts, texts) == {"numbers": 1, "token_f1": 1, "rouge_l": 1, "n_numbers": 2, "n": 2}


def test_scores_by_hand():
    """Four tokens against four: three in common in any order, one in the same order; of two numbers one is wrong."""
    found = language_score(["cars 2 see we", "none"], ["we see 3 cars", "a light"])
    assert found["token_f1"] == pytest.approx((2 * 3 / 8 + 0) / 2)
    assert found["rouge_l"] == pytest.approx((2 * 1 / 8 + 0) / 2)
    assert (found["numbers"], found["n_numbers"]) == (0, 1)


def test_order_of_numbers_does_not_matter_but_how_often_they_come_does():
    assert language_score(["3 then 2.0"], ["2 and 3"])["numbers"] == 1
    assert language_score(["2 and 3 and 3"], ["2 and 3"])["numbers"] == 0


def test_unequal_lists_are_refused():
    with pytest.raises(InputError):
        language_score(["a"], [])


def test_a_prompt_needs_the_variable(monkeypatch):
    monkeypatch.delenv("TENFOLD_GRADER", raising=False)
    with pytest.raises(InputError, match="TENFOLD_GRADER"):
        grading_prompt("I see.", ["What?"], ["That."])
    monkeypatch.setenv("TENFOLD_GRADER", "1")
    system, user = grading_prompt("I see nothing.", ["What?", "Why?"], ["That.", "So."])
    assert (system["role"], user["role"]) == ("system", "user")
    for part in ("I see nothing.", "Question 2: Why?\nAnswer: So.", "2 answers"):
        assert part in user["content"]


def test_grades_are_read_from_a_reply():
    reply = "1. Right. Score: 10.\nnoise\n3. Half right, 7 of 12. Score: 4.5\n4. Odd. Score: 11\n9. None. Score: 1"
    assert parse_grades(reply, 4) == [10, None, 4.5, None]
