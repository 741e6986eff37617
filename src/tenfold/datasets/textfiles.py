"""Readers of the registered text files: xz, then JSON, lines of JSON, columns, or articles."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tenfold.errors import InputError

Record = dict[str, Any]

HEADING = re.compile(r" =( =)* .* =( =)* ")
# Rests of formulas in the test file that look like titles.
FORMULAS = (" = 1 rad / s and a nominal impedance k = ", " = 1 henry and capacitance C = ")
TITLE = re.compile(r" = [^=].* = ")
VARIABLE = re.compile(r"[A-Za-z_]\w*")
WINOGRANDE = re.compile(
    r"Please choose the correct answer to fill in the blank to complete the given sentence: (?P<sentence>.*)\n\n"
    r"Option1: (?P<option1>.*?) Option2: (?P<option2>.*) Answer format: option1/option2",
    re.DOTALL,
)


def read_text(path: Path) -> str:
    """Return the text of a file packed by xz; raises InputError where it is damaged or no UTF-8."""
    try:
        return lzma.decompress(path.read_bytes()).decode("utf-8")
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def read_wikitext(path: Path) -> list[Record]:
    """Return the articles of a WikiText-2 file: its lines, those without a word as "", joined by a blank line.

    Joined by a blank line once more, they are what perplexities are published on. The lines around headings and after
    articles that a copy has lost come back, since all of them are empty; marks such as " @-@ " stay, as they do there.
    """
    found = articles(read_text(path).replace("\r\n", "\n").split("\n"))
    if not found:
        raise InputError(f"{path} holds no article")
    return found


def articles(lines: Iterable[str]) -> list[Record]:
    """Return the articles of WikiText as `read_wikitext` does; lines before the first title are dropped."""
    found: list[list[str]] = []
    for line in (line.rstrip("\n") for line in lines):
        heading = line not in FORMULAS and HEADING.fullmatch(line)
        if heading and TITLE.fullmatch(line):
            found.append([])
        if line.strip() and found:
            found[-1] += ["", f"{line}\n", ""] if heading else [f"{line}\n"]
    return [{"text": "\n\n".join([*rows, ""])} for rows in found]


def read_gsm8k(path: Path) -> list[Record]:
    """Return question, answer (the number behind ####) and rationale, which ends in a full stop added to it."""
    rows = []
    for i, row in enumerate(_objects(path), 1):
        try:
            explanation, answer = row["answer"].split("####")
            rows.append({"question": row["question"], "answer": answer.strip(), "rationale": explanation.strip() + "."})
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise _wrong(path, i) from error
    return rows


def read_svamp(path: Path) -> list[Record]:
    """Return question and answer, which is the equation as it is printed, such as "( 8.0 - 3.0 )"."""
    return [
        {"question": f"{row['Body']} {row['Question']}", "answer": row["Equation"]}
        for row in _table(path, "Body", "Question", "Equation")
    ]


def read_mawps(path: Path) -> list[Record]:
    """Return question and answer: the expression that an equation sets the unknown to, else the solution."""
    rows = []
    for i, row in enumerate(_table(path, "sQuestion", "lEquations", "lSolutions"), 1):
        try:
            answer = expression(row["lEquations"][0]) or str(row["lSolutions"][0])
        except (IndexError, TypeError, AttributeError) as error:
            raise _wrong(path, i) from error
        rows.append({"question": row["sQuestion"].strip(), "answer": answer})
    return rows


def expression(equation: str) -> str | None:
    """Return the side of an equation that the unknown on the other side equals, None where there is none such."""
    sides = [side.strip() for side in equation.split("=")]
    known = [side for side in sides if side and not VARIABLE.search(side)]
    unknowns = [side for side in sides if VARIABLE.fullmatch(side)]
    return known[0] if len(known) == 1 and len(known) + len(unknowns) == len(sides) else None


def read_commonsenseqa(path: Path) -> list[Record]:
    """Return question, its five choices, and the letter of the right one."""
    rows = []
    for i, row in enumerate(_objects(path), 1):
        try:
            asked = row["question"]
            choices = [choice["text"] for choice in asked["choices"]]
            rows.append({"question": asked["stem"], "choices": choices, "answer": row["answerKey"]})
        except (KeyError, TypeError) as error:
            raise _wrong(path, i) from error
    return rows


def read_winogrande(path: Path) -> list[Record]:
    """Return sentence, two options, and "1" or "2", taken out of the instructions of the file."""
    rows = []
    for i, row in enumerate(_table(path, "instruction", "answer"), 1):
        found = WINOGRANDE.fullmatch(row["instruction"])
        if found is None or row["answer"] not in ("option1", "option2"):
            raise _wrong(path, i)
        rows.append({**found.groupdict(), "answer": row["answer"][-1]})
    return rows


def read_esnli(path: Path) -> list[Record]:
    """Return premise, hypothesis, label and rationale, the first explanation of the file."""
    rows = []
    for i, line in enumerate(read_text(path).strip("\n").split("\n"), 1):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 4:
            raise _wrong(path, i)
        rows.append(dict(zip(("premise", "hypothesis", "label", "rationale"), columns, strict=True)))
    return rows


def _objects(path: Path) -> list[Record]:
    """Return what lines of JSON hold."""
    try:
        return [json.loads(line) for line in read_text(path).split("\n") if line]
    except ValueError as error:
        raise InputError(f"{path} does not hold a JSON object in each line: {error}") from error


def _table(path: Path, *fields: str) -> list[Record]:
    """Return the objects of a JSON list, each with these fields."""
    text = read_text(path)
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from error
    if not isinstance(rows, list):
        raise InputError(f"{path} must hold a list of records")
    for i, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not row.keys() >= set(fields):
            raise _wrong(path, i)
    return rows


def _wrong(path: Path, row: int) -> InputError:
    return InputError(f"{path}: record {row} has not the fields that it should have")
