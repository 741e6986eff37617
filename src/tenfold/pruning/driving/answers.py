"""Answers to questions about a scene: an offline score, and the prompt of the published grading."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from tenfold.errors import InputError

GRADER = "TENFOLD_GRADER"  # environment variable that allows prompts for a paid grader
_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
_TOKENS = re.compile(r"-?\d+(?:\.\d+)?|[a-z]+(?:'[a-z]+)?")
_GRADE = re.compile(r"^\s*(\d+)[.)].*?score:?\s*(\d+(?:\.\d+)?)", re.IGNORECASE | re.MULTILINE)


def language_score(answers: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return how answers agree with stored ones: numbers, token_f1, rouge_l, and n_numbers, n.

    numbers: share of the references with a number whose numbers, as a multiset, are those of the answer. token_f1:
    mean of 2 m / (a + r), m common tokens of a and r. rouge_l: the same with m the longest common subsequence. This is
    not the published metric, a language model's grade from 0 to 10. Raises InputError for lists that are empty or of
    unequal length.
    """
    from rapidfuzz.distance import LCSseq

    if len(answers) != len(references) or not len(references):
        raise InputError(f"{len(answers)} answers for {len(references)} references")
    exact, f1, rouge = [], [], []
    for answer, reference in zip(answers, references, strict=True):
        wanted = Counter(map(float, _NUMBERS.findall(reference)))
        if wanted:
            exact.append(Counter(map(float, _NUMBERS.findall(answer))) == wanted)
        a, r = (_TOKENS.findall(text.lower()) for text in (answer, reference))
        most = max(len(a) + len(r), 1)
        f1.append(2 * (Counter(a) & Counter(r)).total() / most)
        rouge.append(2 * LCSseq.similarity(a, r) / most)
    numbers = float(np.mean(exact)) if exact else float("nan")
    scores = {"numbers": numbers, "token_f1": float(np.mean(f1)), "rouge_l": float(np.mean(rouge))}
    return scores | {"n_numbers": len(exact), "n": len(references)}


def grading_prompt(observation: str, questions: Sequence[str], answers: Sequence[str]) -> list[dict[str, str]]:
    """Return the messages that ask a language model for grades of 0 to 10, one line for each answer.

    The structure is that of arXiv 2310.01957, the words are ours: an examiner, the label text, rules, the questions
    with the answers to be graded. Nothing is sent: a reader passes the messages to a service of their own and reads
    the reply with `parse_grades`. As that costs money, InputError is raised unless the environment variable
    TENFOLD_GRADER is set, and for lists that are empty or of unequal length.
    """
    if not os.environ.get(GRADER):
        raise InputError(f"grading asks a paid service: set {GRADER} to any value to build its prompts")
    if len(questions) != len(answers) or not len(questions):
        raise InputError(f"{len(answers)} answers for {len(questions)} questions")
    examiner = (
        "You examine learner drivers in London, where traffic keeps to the left. Distances are in metres; angles in "
        "degrees, 0 straight ahead, positive to the right. Red with yellow means that green is about to follow. "
        "Facts count more than style."
    )
    rules = (
        f"Grade each of the {len(questions)} answers from 0 (wrong, or numbers far off) to 10 (flawless) against what "
        "the learner has observed; part marks for answers that are partly right or numbers that are near. Where a "
        "question has nothing to do with driving, it is enough that the answer says so. Do not judge the observation. "
        "Reply with one line for each answer: '<number>. <one short sentence>. Score: <0-10>.'"
    )
    pairs = zip(questions, answers, strict=True)
    listed = "\n\n".join(f"Question {i}: {question}\nAnswer: {answer}" for i, (question, answer) in enumerate(pairs, 1))
    asked = f"{rules}\n\nObservation:\n{observation.strip()}\n\n{listed}"
    return [{"role": "system", "content": examiner}, {"role": "user", "content": asked}]


def parse_grades(reply: str, count: int) -> list[float | None]:
    """Return the grade of each of `count` answers in a grader's reply, None where there is none from 0 to 10."""
    grades: list[float | None] = [None] * count
    for number, grade in _GRADE.findall(reply):
        if 1 <= int(number) <= count and float(grade) <= 10:
            grades[int(number) - 1] = float(grade)
    return grades
