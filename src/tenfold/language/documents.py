"""Documents: a text, and what is asked and answered in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A document of a domain; `text` is all of it, as a model is trained on it.

    question: the prompt that ends in "Answer: " or "Label: ", None for running text; answer: what completes it, so
    that question + answer is a pair; rationale: the answer with its explanation, "<explanation> So the answer is
    <answer>.", None where there is none; choices: the answers to choose from, () where they are free; label: what an
    answer is judged by, in arithmetic an expression of the right value.
    """

    text: str
    question: str | None = None
    answer: str | None = None
    rationale: str | None = None
    choices: tuple[str, ...] = ()
    label: str | None = None
