"""The wording of questions, answers and rationales, and the documents that records become."""

import pytest

from tenfold.errors import InputError
from tenfold.language import questions
from tenfold.language.documents import Document

CHOICE = {"question": "Where?", "choices": ["bank", "mall", "sea"], "answer": "C"}

WORDED = {
    "gsm8k": (
        {"question": "How many?", "answer": "72", "rationale": "48/2 = 24.\n48+24 = 72.."},
        "Question: How many?\nAnswer: ",
        "72",
        "48/2 = 24.\n48+24 = 72.. So the answer is 72.",
    ),
    "svamp": (
        {"question": "Paid? How much?", "answer": "( 8.0 - 3.0 )"},
        "Question: Paid? How much?\nAnswer: ",
        "( 8.0 - 3.0 )",
        None,
    ),
    "commonsenseqa": (CHOICE, "Question: Where?\nChoices:\nA. bank\nB. mall\nC. sea\nAnswer: ", "C", None),
    "race": (
        CHOICE | {"article": "Once."},
        "Article: Once.\nQuestion: Where?\nOptions:\nA. bank\nB. mall\nC. sea\nAnswer: ",
        "C",
        None,
    ),
    "winogrande": (
        {"sentence": "As _ left.", "option1": "Ada", "option2": "Eva", "answer": "2"},
        "Sentence: As _ left.\nOptions:\n1. Ada\n2. Eva\nAnswer: ",
        "2",
        None,
    ),
    "esnli": (
        {"premise": "A dog.", "hypothesis": "A cat.", "label": "contradiction", "rationale": "no cat is a dog"},
        "Premise: A dog.\nHypothesis: A cat.\nLabel: ",
        "contradiction",
        "no cat is a dog So the answer is contradiction.",
    ),
}


@pytest.mark.parametrize("name", WORDED)
def test_a_record_is_worded_as_its_task_is(name):
    record, prompt, answer, rationale = WORDED[name]
    found = questions.document(name, record)
    assert (found.question, found.answer, found.rationale) == (prompt, answer, rationale)
    assert found.text == prompt + (rationale or answer)
    assert found.label == answer
    assert questions.pair(found) == prompt + answer
    assert questions.pair(found, rationale=True) == prompt + (rationale or answer)


def test_choices_are_the_answers_to_choose_from():
    found = {name: questions.document(name, record).choices for name, (record, *_) in WORDED.items()}
    assert found["commonsenseqa"] == found["race"] == ("A", "B", "C")
    assert found["winogrande"] == ("1", "2")
    assert found["esnli"] == ("entailment", "neutral", "contradiction")
    assert found["gsm8k"] == found["svamp"] == ()


def test_running_text_is_no_question():
    found = questions.document("c4", {"text": "Once upon a time."})
    assert found == Document("Once upon a time.")
    with pytest.raises(InputError, match="Once upon"):
        questions.pair(found)


def test_steps_are_full_stops_with_a_blank():
    assert questions.steps("a. b. So the answer is 1.") == 2
    assert questions.steps("1.5 is a.\nb") == 0
    assert questions.steps("") == 0


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"question": "Where?"},
        {"text": 3},
        {"premise": "a", "hypothesis": "b", "label": "perhaps"},
        {"premise": "a", "label": "neutral"},
        CHOICE | {"answer": "D"},
        CHOICE | {"choices": list("abcdefg")},
        {"sentence": "_", "option1": "a", "option2": "b", "answer": "3"},
        ["text"],
        "text",
    ],
)
def test_records_that_lack_something_are_refused(record):
    with pytest.raises(InputError, match="esnli: a record with"):
        questions.document("esnli", record)
