"""Tasks: few-shot prompts, answers read from what a model says, and how often they are right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch.nn.utils.rnn import pad_sequence

from tenfold.errors import InputError, unknown
from tenfold.language.arithmetic import evaluate
from tenfold.language.documents import Document
from tenfold.language.domains import Domain
from tenfold.language.generation import generate
from tenfold.language.llama import context_of, evaluating
from tenfold.language.questions import pair

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NEW_TOKENS = {"arithmetic": 256, "choice": 20, "nli": 20}
LONG = 256  # for rationales
CONCLUSION = re.compile(r".*\banswer is\b", re.DOTALL)
# A model that goes on asks itself the next question.
NEXT = re.compile(r"\n\s*\n|\n(?=(?:Question|Premise|Sentence|Article):)")


def prompt(domain: Domain, document: Document, shots: int, rationale: bool = False) -> str:
    """Return the first `shots` training questions with their answers, and a question to answer, a blank line between.

    They are the same for every question. Raises InputError where the domain has no questions, or fewer of them.
    """
    if document.question is None or len(domain.train) < shots or shots < 0:
        raise InputError(f"{domain.name}: {len(domain.train)} training documents do not make {shots} solved questions")
    solved = [pair(example, rationale) for example in domain.train[:shots]]
    return "\n\n".join([*solved, document.question.rstrip()])


def parse(kind: str, text: str, rationale: bool = False) -> str:
    """Return the answer of a kind of task that a text gives, "" where it gives none.

    What counts is the text before the first blank line or the next question: of "arithmetic" what stands behind the
    last ####, of "choice" and "nli" the first line, in upper and lower case. With rationales it is what follows the
    last "answer is". Full stops at the end are no part of an answer. Raises InputError for an unknown kind.
    Source: arXiv 2410.07461.
    """
    if kind not in NEW_TOKENS:
        raise unknown("kind of task", kind, NEW_TOKENS)
    said = NEXT.split(text, maxsplit=1)[0]
    if rationale and (found := CONCLUSION.match(said)):
        said = said[found.end() :]
    if kind == "arithmetic":
        said = said.split("####")[-1]
    said = said.strip().split("\n")[0].rstrip(" .")
    return said.upper() if kind == "choice" else said.lower()


def right(kind: str, parsed: str, label: str) -> bool:
    """Tell whether an answer is right: in arithmetic one of the same value as the label, otherwise the label."""
    if kind != "arithmetic":
        return parsed == parse(kind, label)
    try:
        return math.isclose(evaluate(parsed), evaluate(label), rel_tol=1e-6, abs_tol=1e-9)
    except ValueError:
        return False


def score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    domain: Domain,
    n: int,
    shots: int = 3,
    max_new_tokens: int | None = None,
    decoding: str = "greedy",
    rationale: bool = False,
    batch: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what a model answers to the first n test questions: domain, question, generated, parsed, label, right.

    Answers have up to 256 tokens in arithmetic and with rationales, else 20, unless told. A question that does not fit
    the model's context behind `shots` solved ones has fewer of them in front (column `shots`). Raises InputError where
    the domain has not so many questions, and where a question alone does not fit.
    """
    documents = _questions(domain, n)
    room = max_new_tokens or (LONG if rationale else NEW_TOKENS[domain.kind])
    asked, used = _fitted(model, tokenizer, domain, documents, shots, room, rationale)
    said = generate(model, tokenizer, asked, room, batch=batch, decoding=decoding, seed=seed)
    rows = []
    for document, generated, count in zip(documents, said, used, strict=True):
        parsed = parse(domain.kind, generated, rationale)
        row = {"domain": domain.name, "question": document.question, "shots": count, "generated": generated}
        row |= {"parsed": parsed, "label": document.label, "right": right(domain.kind, parsed, document.label)}
        rows.append(row)
    return pd.DataFrame(rows)


@torch.no_grad()
def choice_accuracy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    domain: Domain,
    n: int,
    shots: int = 0,
    batch: int = 32,
) -> pd.DataFrame:
    """Return which choice a model holds most likely: domain, question, shots, parsed, label, right, chance.

    The log-likelihood of a choice is the sum over its tokens after the prompt; of equal ones the first counts. chance
    is one over the number of choices: what a guess is worth. Only for questions with choices; errors as in `score`.
    """
    documents = _questions(domain, n)
    if not all(document.choices for document in documents):
        raise InputError(f"{domain.name}: its questions have no choices to compare")
    asked, used = _fitted(model, tokenizer, domain, documents, shots, NEW_TOKENS[domain.kind], False)
    ends = [
        [_continued(tokenizer, text, choice) for choice in document.choices]
        for text, document in zip(asked, documents, strict=True)
    ]
    likelihoods = iter(_likelihoods(model, [end for choices in ends for end in choices], batch))
    rows = []
    for document, count in zip(documents, used, strict=True):
        values = [next(likelihoods) for _ in document.choices]
        parsed = document.choices[values.index(max(values))]
        row = {"domain": domain.name, "question": document.question, "shots": count, "parsed": parsed}
        rows.append(row | {"label": document.label, "right": parsed == document.label, "chance": 1 / len(values)})
    return pd.DataFrame(rows)


def _questions(domain: Domain, n: int) -> Sequence[Document]:
    documents = [document for document in domain.test if document.question is not None]
    if not 1 <= n <= len(documents):
        raise InputError(f"{domain.name} has {len(documents)} test questions, not {n}")
    return documents[:n]


def _fitted(
    model, tokenizer, domain: Domain, documents: Sequence[Document], shots: int, room: int, rationale: bool
) -> tuple[list[str], list[int]]:
    """Return the prompts and the numbers of solved questions in them, at most `shots`, that leave so much room."""
    context = context_of(model)
    asked, used = [], []
    for document in documents:
        for count in range(shots, -1, -1):
            text = prompt(domain, document, count, rationale)
            if context is None or len(tokenizer(text)["input_ids"]) + room <= context:
                break
        else:
            raise InputError(f"{domain.name}: a question and an answer of {room} tokens exceed the context {context}")
        asked.append(text)
        used.append(count)
    return asked, used


def _continued(tokenizer, text: str, choice: str) -> tuple[tuple[int, ...], int]:
    """Return the tokens of a prompt with a choice, and how many of them are the prompt's."""
    start = len(tokenizer(text)["input_ids"])
    ids = tuple(tokenizer(f"{text} {choice}")["input_ids"])
    if len(ids) <= start:
        raise InputError(f"the choice '{choice}' has no token of its own after the prompt")
    return ids, start


def _likelihoods(model, ends: Sequence[tuple[tuple[int, ...], int]], batch: int) -> Iterator[float]:
    """Yield the log-likelihood of the tokens behind each prompt; what is seen before the last token runs once."""
    seen = sorted({ids[:-1] for ids, _ in ends}, key=lambda ids: (len(ids), ids))
    wanted: dict[tuple[int, ...], set[tuple[int, int]]] = {ids: set() for ids in seen}
    for ids, start in ends:
        wanted[ids[:-1]] |= {(place, ids[place]) for place in range(start, len(ids))}
    found: dict[tuple[tuple[int, ...], int, int], float] = {}
    for begin in range(0, len(seen), batch):
        rows = seen[begin : begin + batch]
        # Padding on the right: nothing that counts attends to it.
        padded = pad_sequence([torch.tensor(ids) for ids in rows], batch_first=True).to(model.device)
        with evaluating(model):
            logits = model(input_ids=padded, use_cache=False).logits
        for ids, row in zip(rows, logits, strict=True):
            for place, token in wanted[ids]:
                found[ids, place, token] = row[place - 1].float().log_softmax(0)[token].item()
    for ids, start in ends:
        yield sum(found[ids[:-1], place, ids[place]] for place in range(start, len(ids)))
