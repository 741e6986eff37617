"""Domains: sets of documents of one kind, cut to size, each with training and test documents."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tenfold import datasets
from tenfold.datasets import text
from tenfold.datasets.installed import CODE, NAMES, PROSE, installed, installed_texts
from tenfold.errors import InputError, unknown
from tenfold.language import problems, questions
from tenfold.language.documents import Document

REAL = ("wikitext2", "gsm8k", "svamp", "mawps", "commonsenseqa", "winogrande", "esnli")
EMBEDDED = (PROSE, CODE, "arithmetic")
KINDS = {PROSE: "prose", CODE: "code", "arithmetic": "arithmetic", **text.KINDS}
HELD_OUT = slice(6, None, 10)  # every tenth document of prose and code is for tests
BREAK = "\n\n"  # between paragraphs
TEST_SHARE = 5  # a domain that is cut has so many times more training text than test text


@dataclass(frozen=True)
class Domain:
    """A set of documents: kind is prose, code, arithmetic, choice or nli; source is its name in `datasets.used()`."""

    name: str
    kind: str
    train: tuple[Document, ...]
    test: tuple[Document, ...]
    source: str


def domain(name: str, characters: int | None = None, seed: int = 0, folder: str | Path | None = None) -> Domain:
    """Return a domain by name, cut to about so many characters of training text and a fifth of that for tests.

    `prose` and `code` come with Python (and differ between its versions; every tenth document is for tests),
    `arithmetic` is generated from the seed, 470,000 characters unless told; others are `datasets.text.records`, where
    `folder` is explained. Where a real domain is cut, `seed` says which training documents come first; the test
    documents are the first ones in their order. None: not cut. Raises InputError for an unknown name, for a text that
    is nowhere, and for characters below 1.
    """
    if name not in KINDS:
        raise unknown("domain", name, KINDS)
    if characters is not None and characters < 1:
        raise InputError(f"a domain has at least one character, not {characters}")
    if name == "arithmetic":
        return _generated(characters, seed)
    source = _locate(name, folder)
    train, test = _documents(name, source.digest, folder)
    if characters is not None:
        train = _cut(random.Random(seed).sample(train, len(train)), characters)
        test = _cut(test, max(characters // TEST_SHARE, 1))
    return Domain(name, KINDS[name], tuple(train), tuple(test), source.name)


def at_hand() -> tuple[str, ...]:
    """Return `REAL` where all of them are in the mirror or the cache, else `EMBEDDED`."""
    return REAL if all(text.present(name) for name in REAL) else EMBEDDED


def sources(names: Iterable[str], folder: str | Path | None = None) -> list[str]:
    """Return the names under which `datasets.label` tells where domains come from, and note that they are used."""
    return [(problems.noted() if name == "arithmetic" else _locate(name, folder)).name for name in names]


def _locate(name: str, folder: str | Path | None) -> datasets.Resolution:
    if name in NAMES:
        return datasets.note(installed(name))
    return text.locate(name, folder)


@functools.lru_cache(maxsize=32)
def _documents(name: str, digest: str, folder: str | Path | None) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """Return training and test documents; the digest is there so that changed files are read again."""
    if name in NAMES:
        return _held_out(list(installed_texts(name).values()))
    found = text.records(name, folder)
    return tuple(tuple(questions.document(name, record) for record in found[part]) for part in ("train", "test"))


def _held_out(texts: list[str]) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """Return all texts but some as training documents, and of those some what the others do not say as well.

    Topics of Python's help repeat one another: without that, a quarter of the test text would be training text.
    """
    held = texts[HELD_OUT]
    train = [text for text in texts if text not in held]
    known = {paragraph.strip() for text in train for paragraph in text.split(BREAK)}
    test = [BREAK.join(part for part in text.split(BREAK) if part.strip() not in known) for text in held]
    return tuple(map(Document, train)), tuple(Document(text) for text in test if text)


def _generated(characters: int | None, seed: int) -> Domain:
    train, test = problems.generated(characters or problems.CHARACTERS, TEST_SHARE, seed)
    return Domain("arithmetic", KINDS["arithmetic"], train, test, problems.noted().name)


def _cut(documents: Sequence[Document], characters: int) -> list[Document]:
    """Return the first documents with so many characters; running text is cut within a document, questions are not."""
    found, left = [], characters
    for document in documents:
        if left <= 0:
            break
        if document.question is None:
            document = replace(document, text=document.text[:left])
        found.append(document)
        left -= len(document.text)
    return found
