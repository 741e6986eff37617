"""Questions: how records of tasks are worded as prompt, answer and rationale (arXiv 2410.07461)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tenfold.errors import InputError
from tenfold.language.documents import Document

LETTERS = "ABCDE"
NLI = ("entailment", "neutral", "contradiction")
STEP = ". "


def asked(question: str) -> str:
    """Return the prompt of a free question."""
    return f"Question: {question}\nAnswer: "


def chosen(question: str, choices: Sequence[str]) -> str:
    """Return the prompt of a question with choices, lettered A to E."""
    return f"Question: {question}\nChoices:\n{_lettered(choices)}\nAnswer: "


def read(article: str, question: str, options: Sequence[str]) -> str:
    """Return the prompt of a question about an article with options, lettered A to E."""
    return f"Article: {article}\nQuestion: {question}\nOptions:\n{_lettered(options)}\nAnswer: "


def filled(sentence: str, options: Sequence[str]) -> str:
    """Return the prompt of a sentence with a blank (`_`) and its options, numbered 1 and 2."""
    listed = "\n".join(f"{i}. {option}" for i, option in enumerate(options, 1))
    return f"Sentence: {sentence}\nOptions:\n{listed}\nAnswer: "


def inferred(premise: str, hypothesis: str) -> str:
    """Return the prompt of a premise and a hypothesis."""
    return f"Premise: {premise}\nHypothesis: {hypothesis}\nLabel: "


def explained(explanation: str, answer: str) -> str:
    """Return a rationale: the explanation, and the answer that follows from it."""
    return f"{explanation} So the answer is {answer}."


def steps(rationale: str) -> int:
    """Return the number of steps of a rationale: how often a full stop and a blank stand in it."""
    return rationale.count(STEP)


def pair(document: Document, rationale: bool = False) -> str:
    """Return question and answer, or question and rationale where it is wanted and there is one.

    Raises InputError for running text.
    """
    if document.question is None or document.answer is None:
        raise InputError(f"a document without a question has no answer: '{document.text[:40]}...'")
    return document.question + (document.rationale if rationale and document.rationale else document.answer)


def posed(
    question: str,
    answer: str,
    rationale: str | None = None,
    choices: Sequence[str] = (),
    label: str | None = None,
) -> Document:
    """Return the document of a prompt and its answer; its text has the rationale where there is one."""
    text = question + (rationale or answer)
    return Document(text, question, answer, rationale, tuple(choices), answer if label is None else label)


def document(name: str, record: Mapping[str, Any]) -> Document:
    """Return the document of a record of `datasets.text.records`.

    A record with a text only is running text. Answers: the final number (gsm8k), an expression (svamp, mawps), a
    letter, 1 or 2 (winogrande), or entailment, neutral, contradiction. Raises InputError for a record that lacks what
    its fields need.
    """
    try:
        return _worded(record)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        shown = ", ".join(map(str, record)) if isinstance(record, Mapping) else type(record).__name__
        raise InputError(f"{name}: a record with {shown} is no document ({error})") from error


def _worded(record: Mapping[str, Any]) -> Document:
    if "text" in record:
        if not isinstance(record["text"], str):
            raise TypeError("its text is none")
        return Document(record["text"])
    explanation = record.get("rationale")
    if "premise" in record:
        answer = record["label"]
        return _closed(inferred(record["premise"], record["hypothesis"]), answer, explanation, NLI)
    if "sentence" in record:
        options = (record["option1"], record["option2"])
        return _closed(filled(record["sentence"], options), str(record["answer"]), explanation, ("1", "2"))
    if "choices" in record:
        options = record["choices"]
        article = record.get("article")
        prompt = chosen(record["question"], options) if article is None else read(article, record["question"], options)
        return _closed(prompt, record["answer"], explanation, LETTERS[: len(options)])
    answer = str(record["answer"])
    return posed(asked(record["question"]), answer, explained(explanation, answer) if explanation else None)


def _closed(prompt: str, answer: str, explanation: str | None, choices: Sequence[str]) -> Document:
    if answer not in choices:
        raise ValueError(f"answer '{answer}' is none of {', '.join(choices)}")
    return posed(prompt, answer, explained(explanation, answer) if explanation else None, choices)


def _lettered(choices: Sequence[str]) -> str:
    if len(choices) > len(LETTERS):
        raise ValueError(f"{len(choices)} choices, at most {len(LETTERS)}")
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))
