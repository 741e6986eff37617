"""Text sets: readers of the packed files, a reader's own files, the hub, splits, and the real files where they are."""

import json
import lzma
import sys
import types

import pytest

from tenfold import datasets
from tenfold.datasets import hub, installed, text, textfiles
from tenfold.errors import InputError


def packed(path, content):
    path.write_bytes(lzma.compress(content if isinstance(content, bytes) else content.encode()))
    return path


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def own(folder, name, rows):
    (folder / f"{name}.jsonl").write_text(lines(rows), encoding="utf-8")
    return folder


ASKED = [{"question": f"How many is {i}?", "answer": str(i)} for i in range(50)]


def test_gsm8k_is_taken_apart_at_the_four_marks(tmp_path):
    path = packed(tmp_path / "x.jsonl.xz", lines([{"question": "Two?", "answer": "1+1=<<1+1=2>>2 eggs.\nSo.\n#### 2"}]))
    assert textfiles.read_gsm8k(path) == [
        {"question": "Two?", "answer": "2", "rationale": "1+1=<<1+1=2>>2 eggs.\nSo.."}
    ]


def test_svamp_joins_body_and_question(tmp_path):
    row = {"Body": "Eva has 8 nuts.", "Question": "How many?", "Equation": "( 8.0 - 3.0 )", "Answer": 5.0}
    path = packed(tmp_path / "x.json.xz", json.dumps([row]))
    assert textfiles.read_svamp(path) == [{"question": "Eva has 8 nuts. How many?", "answer": "( 8.0 - 3.0 )"}]


@pytest.mark.parametrize(
    ("equation", "side"),
    [
        ("56*9=x", "56*9"),
        ("X=(27.0*16.0)", "(27.0*16.0)"),
        ("profit=55.0-44.0", "55.0-44.0"),
        ("0.8 - 0.1", "0.8 - 0.1"),
        ("41 + X = 87", None),
        ("2*x=x+4", None),
        ("1=2", None),
        ("x = y", None),
    ],
)
def test_the_known_side_of_an_equation(equation, side):
    assert textfiles.expression(equation) == side


def test_mawps_falls_back_to_the_solution(tmp_path):
    rows = [
        {"sQuestion": " Sum? ", "lEquations": ["x=1+2"], "lSolutions": [3.0]},
        {"sQuestion": "Rest?", "lEquations": ["41 + x = 87"], "lSolutions": [46.0]},
    ]
    path = packed(tmp_path / "x.json.xz", json.dumps(rows))
    assert [row["answer"] for row in textfiles.read_mawps(path)] == ["1+2", "46.0"]
    assert textfiles.read_mawps(path)[0]["question"] == "Sum?"


def test_winogrande_is_taken_out_of_its_instruction(tmp_path):
    asked = (
        "Please choose the correct answer to fill in the blank to complete the given sentence: Ada met Eva as _ left."
    )
    row = {
        "instruction": f"{asked}\n\nOption1: Ada Option2: Eva B. Answer format: option1/option2",
        "answer": "option2",
    }
    path = packed(tmp_path / "x.json.xz", json.dumps([row]))
    assert textfiles.read_winogrande(path) == [
        {"sentence": "Ada met Eva as _ left.", "option1": "Ada", "option2": "Eva B.", "answer": "2"}
    ]
    packed(path, json.dumps([row | {"answer": "option3"}]))
    with pytest.raises(InputError, match="record 1"):
        textfiles.read_winogrande(path)


def test_lost_empty_lines_of_wikitext_come_back(tmp_path):
    """Of a complete copy and of one with none of the empty lines: the same articles, which joined are the file."""
    complete = (
        " \n = One = \n \n a b \n c @-@ d \n \n = = Part = = \n \n \n = = = Piece = = = \n \n e \n \n"
        " \n = Two : 2 = \n \n f = g \n \n"
    )
    bare = "".join(f"{line}\r\n" for line in complete.split("\n") if line.strip())
    rows = ["" if not line.strip() else f"{line}\n" for line in complete.split("\n")[:-1]]
    found = [textfiles.read_wikitext(packed(tmp_path / "x.xz", content)) for content in (complete, bare)]
    assert found[0] == found[1] and len(found[0]) == 2
    assert "\n\n".join(article["text"] for article in found[0]) == "\n\n".join(rows)


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (textfiles.read_gsm8k, lines([{"question": "?", "answer": "no marks"}])),
        (textfiles.read_gsm8k, "{not json}"),
        (textfiles.read_gsm8k, lines([["question", "answer"]])),
        (textfiles.read_svamp, "{}"),
        (textfiles.read_svamp, json.dumps([{"Body": "b"}])),
        (textfiles.read_mawps, json.dumps([{"sQuestion": "?", "lEquations": [], "lSolutions": []}])),
        (textfiles.read_commonsenseqa, lines([{"question": "?", "answerKey": "A"}])),
        (textfiles.read_winogrande, json.dumps([{"instruction": "Fill in!", "answer": "option1"}])),
        (textfiles.read_esnli, "premise\thypothesis\tneutral\n"),
        (textfiles.read_wikitext, "no title\n"),
        (textfiles.read_wikitext, b"\xff\xfe"),
    ],
)
def test_wrong_files_are_named(read, content, tmp_path):
    with pytest.raises(InputError, match=r"wrong\.xz"):
        read(packed(tmp_path / "wrong.xz", content))


def test_damaged_files_are_named(tmp_path):
    path = packed(tmp_path / "cut.xz", "some text " * 1000)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"cut\.xz cannot be read"):
        textfiles.read_text(path)


def test_a_readers_own_records_come_first_and_keep_their_split(bare, tmp_path, monkeypatch):
    rows = [row | {"split": "test" if i % 5 == 0 else "train"} for i, row in enumerate(ASKED)]
    monkeypatch.setenv("TENFOLD_TEXT", str(own(tmp_path, "gsm8k", rows)))
    found = text.records("gsm8k")
    assert found["test"] == rows[::5] and len(found["train"]) == 40
    where = text.locate("gsm8k")
    assert where.kind == "real" and datasets.fingerprint(where.name) == where.fingerprint
    named = tmp_path / "named"
    named.mkdir()
    own(named, "gsm8k", ASKED[:10])
    assert sum(map(len, text.records("gsm8k", folder=named).values())) == 10  # a folder that is named comes before
    own(named, "gsm8k", ASKED[:20])
    assert sum(map(len, text.records("gsm8k", folder=named).values())) == 20  # and is read again where it changed


def test_a_text_file_is_cut_in_two(bare, tmp_path):
    (tmp_path / "c4.txt").write_text("abcdefghij" * 10, encoding="utf-8")
    found = text.records("c4", folder=tmp_path)
    assert [len(found[part][0]["text"]) for part in ("train", "test")] == [80, 20]
    assert found["train"][0]["text"] + found["test"][0]["text"] == "abcdefghij" * 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no text"),
        ("[1]\n", "record 1"),
        ('{"text": "a"}\n{"text": "b", "split": "dev"}\n', "record 2"),
        ('{"text": "a", "split": "train"}\n', "either split"),
        ("{broken\n", "cannot be read"),
    ],
)
def test_wrong_files_of_a_reader_are_named(content, message, bare, tmp_path):
    (tmp_path / "pile.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=rf"pile\.jsonl.*{message}"):
        text.records("pile", folder=tmp_path)


def test_both_ways_are_told_where_a_text_is_nowhere(bare, tmp_path):
    assert not text.present("gsm8k") and not text.present("c4")
    for name in ("gsm8k", "race"):
        with pytest.raises(InputError, match=rf"{name}: offline; .*{name}\.jsonl.*TENFOLD_TEXT.*tenfold\[hub\]"):
            text.records(name, folder=tmp_path)
    with pytest.raises(InputError, match="no folder of texts"):
        text.records("gsm8k", folder=tmp_path / "none")
    with pytest.raises(InputError, match="did you mean 'gsm8k'"):
        text.records("gsm8")


def test_a_split_is_fixed_and_keeps_together_what_belongs_together():
    rows = [{"premise": f"p{i // 3}", "hypothesis": f"h{i}", "label": "neutral"} for i in range(300)]
    found = text.split(rows)
    premises = [{row["premise"] for row in found[part]} for part in ("train", "test")]
    assert not premises[0] & premises[1]
    assert len(found["test"]) == 60 and len(found["train"]) == 240
    assert found == text.split(rows)
    assert found["test"] == [row for row in rows if row in found["test"]]  # in their order
    assert found["test"] != rows[-60:]


class Library(types.ModuleType):
    """Stands for the library `datasets`: remembers what was asked of it."""

    def __init__(self, rows):
        super().__init__("datasets")
        self.rows, self.asked = rows, []

    def load_dataset(self, repository, configuration, *, split, streaming, data_files, revision):
        self.asked.append((repository, configuration, split, streaming, data_files, revision))
        return iter(self.rows)


@pytest.fixture
def online(bare, monkeypatch):
    monkeypatch.setenv("TENFOLD_OFFLINE", "0")

    def serve(rows):
        library = Library(rows)
        monkeypatch.setitem(sys.modules, "datasets", library)
        return library

    return serve


def test_the_hub_is_asked_once(online):
    library = online([{"premise": "a", "hypothesis": str(i), "label": i % 3, "reason": "r" * i} for i in range(7)])
    found = text.records("anli")
    assert [ask[2] for ask in library.asked] == ["train_r1", "test_r1"] and all(ask[3] for ask in library.asked)
    assert found["test"][1] == {
        "premise": "a",
        "hypothesis": "1",
        "label": "neutral",
        "rationale": "r",
        "split": "test",
    }
    assert "rationale" not in found["test"][0]
    assert text.records("anli") == found and len(library.asked) == 2
    where = text.locate("anli")
    assert where.kind == "real" and datasets.fingerprint(where.name) == where.fingerprint


def test_only_the_first_documents_are_taken(online):
    taken = []
    online(taken.append(i) or {"text": f"document {i}"} for i in range(10**9))
    found = text.records("c4")
    assert sum(map(len, found.values())) == 5000 == len(taken)
    assert len(found["test"]) == 1000


def test_a_hub_that_fails_is_told(online):
    online([{"text": "a row of another kind"}])
    with pytest.raises(InputError, match=r"redpajama: the hub does not give togethercomputer.*KeyError.*TENFOLD_TEXT"):
        text.records("redpajama")


def test_every_set_has_a_place():
    assert set(hub.SHELVES) == set(text.KINDS) and set(text.READERS) <= set(text.KINDS)


def test_installed_texts_have_a_fingerprint():
    for name in installed.NAMES:
        where = installed.installed(name)
        assert where.kind == "embedded" and datasets.fingerprint(name) == where.fingerprint
        assert 400_000 < sum(map(len, installed.installed_texts(name).values())) < 550_000
    with pytest.raises(InputError, match="did you mean 'code'"):
        installed.installed_texts("cod")


SIZES = {
    "wikitext2": (60, 60),
    "gsm8k": (7473, 1319),
    "svamp": (700, 300),
    "mawps": (1898, 475),
    "commonsenseqa": (9741, 1221),
    "winogrande": (1013, 254),
    "esnli": (7859, 1965),
}


@pytest.mark.mirror
@pytest.mark.parametrize("name", SIZES)
def test_the_real_sets(name, mirror):
    if not text.present(name):
        pytest.skip(f"the mirror has no {name}")
    found = text.records(name)
    assert tuple(len(found[part]) for part in ("train", "test")) == SIZES[name]
    if name in ("winogrande", "esnli"):
        groups = [{text._group(row) for row in found[part]} for part in ("train", "test")]
        assert not groups[0] & groups[1]


@pytest.mark.mirror
def test_wikitext_of_the_mirror_is_the_published_one_but_for_a_line(mirror):
    """The tokenised file has all its empty lines: joined articles are its lines joined, one odd article apart."""
    if not text.present("wikitext2"):
        pytest.skip("the mirror has no wikitext2")
    file = datasets.dataset("wikitext2").files[0].name
    content = textfiles.read_text(mirror / "text" / file)
    rows = ["" if not line.strip() else f"{line}\n" for line in content.split("\n")[:-1]]
    found = "\n\n".join(row["text"] for row in text.records("wikitext2")["train"])
    assert len(found) == len("\n\n".join(rows)) + 2
    assert found[:480_000] == "\n\n".join(rows)[:480_000] and found[-600_000:] == "\n\n".join(rows)[-600_000:]
