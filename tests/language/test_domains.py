"""Domains: the texts of Python, generated problems and real sets, their cuts, splits and names."""

import json

import pytest

from tenfold import datasets
from tenfold.datasets import installed, provenance
from tenfold.errors import InputError
from tenfold.language import domains, problems
from tenfold.language.arithmetic import evaluate
from tenfold.language.domains import domain
from tenfold.language.questions import steps


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with neither mirror nor cache nor network."""
    monkeypatch.setenv("TENFOLD_MIRROR", str(tmp_path / "none"))
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    monkeypatch.setattr(provenance, "_used", {})


def size(documents):
    return sum(len(document.text) for document in documents)


@pytest.mark.parametrize("name", domains.EMBEDDED)
def test_embedded_domains_need_nothing(name, bare):
    found = domain(name)
    assert (found.name, found.kind, found.source) == (name, name, name)
    assert 400_000 < size(found.train) < 480_000
    assert 0.06 < size(found.test) / size(found.train) < 0.25
    assert [item.name for item in datasets.used()] == [name]


@pytest.mark.parametrize("name", ["prose", "code"])
def test_held_out_text_is_not_in_the_training_text(name):
    found = domain(name)
    whole = "\n\n".join(document.text for document in found.train)
    for document in found.test:
        for paragraph in document.text.split("\n\n"):
            assert f"\n\n{paragraph.strip()}\n\n" not in whole
    texts = list(installed.installed_texts(name).values())
    assert len(found.train) + len(found.test) == len(texts)
    assert size(found.train) + size(found.test) > 0.95 * sum(map(len, texts))


@pytest.mark.parametrize("name", domains.EMBEDDED)
@pytest.mark.parametrize("characters", [1, 5_000, 100_000])
def test_domains_are_cut_to_size(name, characters):
    """Running text to the character, problems to the end of the last one."""
    found = domain(name, characters)
    over = max(len(document.text) for document in found.train) - 1 if name == "arithmetic" else 0
    for documents, wanted in ((found.train, characters), (found.test, max(characters // 5, 1))):
        assert wanted <= size(documents) <= wanted + over


def test_a_seed_chooses_the_training_text_and_leaves_the_test_text():
    first, same, other = (domain("prose", 50_000, seed) for seed in (0, 0, 1))
    assert first == same
    assert first.train != other.train and first.test == other.test
    assert domain("prose", seed=1) == domain("prose", seed=0)  # nothing is cut, nothing is chosen


def test_generated_problems_are_right():
    found = domain("arithmetic", 60_000)
    for document in (*found.train, *found.test):
        assert float(document.answer) == evaluate(document.label)
        assert document.question.startswith("Question: ") and document.question.endswith("?\nAnswer: ")
        assert document.text == document.question + document.rationale
        assert document.rationale.endswith(f" So the answer is {document.answer}.")
        for equation in (part for part in document.rationale.split(". ") if "=" in part):
            left, value = equation.split("=")
            assert evaluate(left) == evaluate(value)
        assert document.rationale.count(f"= {document.answer}.") == 1
        # Every number of the calculation is one of the question's, or a result.
        told = document.question.split()
        assert all(term in told for term in document.label.split() if term.isdigit())


def test_generated_problems_are_of_six_kinds_and_never_come_twice():
    found = domain("arithmetic")  # all of it: some 3,500 problems, of which a few would come twice
    asked = [document.question for document in (*found.train, *found.test)]
    assert len(set(asked)) == len(asked)
    signs = ["".join(term for term in document.label.split() if not term.isdigit()) for document in found.train]
    assert set(signs) == {"+", "-", "*", "/", "*+", "*-"}
    assert {steps(document.rationale) for document in found.train} == {2, 3, 4}
    assert len(problems.KINDS) == 6


def test_generated_problems_follow_from_the_seed():
    assert domain("arithmetic", 9_000, 3) == domain("arithmetic", 9_000, 3)
    assert not {d.text for d in domain("arithmetic", 9_000, 3).train} & {
        d.text for d in domain("arithmetic", 9_000, 4).train
    }
    # More training text, and still the same first test questions.
    small, large = domain("arithmetic", 9_000), domain("arithmetic", 20_000)
    assert large.test[: len(small.test)] == small.test


def test_without_a_mirror_embedded_domains_are_at_hand(bare):
    assert domains.at_hand() == domains.EMBEDDED
    with pytest.raises(InputError, match="gsm8k: offline"):
        domain("gsm8k")


def test_figures_can_name_the_sources(bare):
    names = domains.sources(domains.EMBEDDED)
    assert datasets.label(names) == (
        "Data: Python's help topics (embedded), Python's standard library (embedded), generated word problems"
        " (synthetic)"
    )
    domain("arithmetic", 2_000, seed=5)
    assert len(datasets.used()) == 3  # one name, whatever the size and the seed


def test_a_readers_own_texts(bare, tmp_path):
    rows = [{"question": f"How many is {i}?", "answer": str(i), "rationale": "Count."} for i in range(40)]
    (tmp_path / "mawps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = domain("mawps", folder=tmp_path)
    assert found.kind == "arithmetic" and len(found.train) == 32 and len(found.test) == 8
    assert found.train[0].rationale.startswith("Count. So the answer is ")
    assert domains.sources(["mawps"], tmp_path) == [found.source]
    assert datasets.label([found.source]) == "Data: mawps.jsonl (real)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: domain("arithmetik"), "did you mean 'arithmetic'"),
        (lambda: domain("prose", 0), "at least one character"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.mirror
@pytest.mark.parametrize("name", domains.REAL)
def test_real_domains(name, mirror):
    if domains.at_hand() != domains.REAL:
        pytest.skip("the mirror has not all text sets")
    found = domain(name, 20_000)
    assert found.source == name and found.kind == domains.KINDS[name]
    assert 20_000 <= size(found.train) < 25_000 or name == "wikitext2"
    for document in (*found.train, *found.test):
        if found.kind == "prose":
            assert document.question is None
        elif found.kind == "arithmetic":
            evaluate(document.label)
        else:
            assert document.answer in document.choices
    assert all((document.rationale is not None) == (name in ("gsm8k", "esnli")) for document in found.train)


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["gsm8k", "svamp", "mawps"])
def test_every_label_of_the_real_problems_has_a_value(name, mirror):
    if domains.at_hand() != domains.REAL:
        pytest.skip("the mirror has not all text sets")
    found = domain(name)
    values = [evaluate(document.label) for document in (*found.train, *found.test)]
    assert len(values) > 900
