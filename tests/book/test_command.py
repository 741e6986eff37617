"""`tenfold claims`: the ledger on every width, the baseline and its exit status."""

import argparse
import json

import pytest

from tenfold import files, project
from tenfold.book import command, ledger
from tenfold.errors import InputError

PARSER = argparse.ArgumentParser()
command.add_arguments(PARSER)


def claims(*arguments):
    """Run `tenfold claims` with these arguments at smoke scale."""
    return command.run(PARSER.parse_args(["--scale", "smoke", *arguments]))


@pytest.fixture
def result(checkout):
    """Write verdicts as the result of a paper at smoke scale."""

    def result(*verdicts, slug="toy"):
        found = [
            {"id": id, "verdict": verdict, "effect": effect, "low": 0.9, "high": 1.1, "n": 3, "unit": "dex"}
            | {"accepted": "above 0", "null": 0, "published": 1.8, "plus": 0.3, "minus": 0.3}
            | {"sentence": f"Method a beats method b {'by far ' * 20}.", "noise": 0.1, "provenance": "Table 1"}
            for id, verdict, effect in verdicts
        ]
        files.write_json(project.results() / "smoke" / slug / "record.json", {"claims": found})

    return result


@pytest.fixture
def accepted(write, entry, result):
    """Two claims, a result, and that result accepted."""
    write(entry(), entry(id="C2"))
    result(("C1", "reproduced", 1.0), ("C2", "not reproduced", -1.0))
    assert claims("--accept") == 0


def test_claims_without_a_result_are_not_run(write, entry, capsys):
    write(entry(), entry(id="C2"))
    assert claims() == 0
    assert capsys.readouterr().out.count("not run") == 2


@pytest.mark.parametrize("columns", ["80", "160"])
def test_the_table_fits_and_says_everything_that_matters(write, entry, result, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    slug = "calibration-data"
    words = ["reproduced", "not reproduced", "inconclusive", "no published number", "not testable at this scale"]
    write(*(entry(id=f"C{k}") for k in range(1, 6)), slug=slug)
    result(*((f"C{k}", word, 1.0) for k, word in enumerate(words, 1)), slug=slug)
    assert claims() == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if "calibration-data C" in line]
    assert len(rows) == 5 and max(map(len, lines)) <= int(columns)
    for row, word in zip(rows, words, strict=True):
        assert row.startswith(word.removesuffix(" at this scale"))
        assert "1.00 [0.900, 1.10]" in row
    assert columns == "80" or len(lines) == 7, "one line a claim"
    assert all(("Method a beats" in row) == (columns == "160") for row in rows)


def test_a_pipe_gets_one_plain_line_a_claim(write, entry, result, monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    write(entry())
    result(("C1", "reproduced", 1.0))
    claims()
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len([line for line in out.splitlines() if line.startswith("reproduced")]) == 1


def test_json_is_the_ledger_as_data(accepted, capsys):
    capsys.readouterr()
    assert claims("--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["scale"] == "smoke"
    assert [(row["paper"], row["id"], row["verdict"]) for row in value["claims"]] == [
        ("toy", "C1", "reproduced"),
        ("toy", "C2", "not reproduced"),
    ]
    assert claims("--json", "--against-baseline") == 0
    assert json.loads(capsys.readouterr().out)["differences"] == []


def test_the_accepted_ledger_is_as_it_was(accepted, checkout, capsys):
    stored = json.loads((checkout / "data" / "baseline" / "smoke.json").read_text())
    assert stored == {
        "toy": {
            "C1": {"verdict": "reproduced", "effect": 1.0, "noise": 0.1},
            "C2": {"verdict": "not reproduced", "effect": -1.0, "noise": 0.1},
        }
    }
    assert claims("--against-baseline") == 0
    assert "0 differences, 0 for the worse" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("first", "second", "status", "told"),
    [
        (("reproduced", 1.09), ("not reproduced", -1.0), 0, ""),
        (("reproduced", 1.11), ("not reproduced", -1.0), 1, "WORSE toy C1: effect 1 -> 1.11"),
        (("reproduced", 0.8), ("not reproduced", -1.0), 1, "beyond the noise of 0.1"),
        (("inconclusive", 1.0), ("not reproduced", -1.0), 1, "WORSE toy C1: reproduced -> inconclusive"),
        (("not reproduced", 1.0), ("not reproduced", -1.0), 1, "reproduced -> not reproduced (worse)"),
        (("not testable at this scale", None), ("not reproduced", -1.0), 1, "-> not testable at this scale (worse)"),
        (("reproduced", 1.0), ("no published number", -1.0), 1, "WORSE toy C2: not reproduced -> no published"),
        (("reproduced", 1.0), ("inconclusive", -1.0), 0, "note  toy C2: not reproduced -> inconclusive (better)"),
        (("reproduced", 1.0), ("reproduced", 1.0), 1, "not reproduced -> reproduced (better); effect -1 -> 1"),
    ],
)
def test_what_became_worse_fails_and_what_became_better_does_not(accepted, result, capsys, first, second, status, told):
    result(("C1", *first), ("C2", *second))
    assert claims("--against-baseline") == status
    assert told in capsys.readouterr().out


def test_a_result_that_is_gone_fails(accepted, result, checkout, capsys):
    result(("C1", "reproduced", 1.0))
    assert claims("--against-baseline") == 1
    assert "toy C2: not reproduced -> not run (worse)" in capsys.readouterr().out
    (checkout / "results" / "smoke" / "toy" / "record.json").unlink()
    assert claims("--against-baseline", "toy") == 1


def test_a_claim_that_was_struck_out_fails(accepted, write, entry, capsys):
    write(entry())
    assert claims("--against-baseline") == 1
    assert "toy C2: not reproduced -> missing (worse)" in capsys.readouterr().out


def test_a_paper_that_was_struck_out_fails(accepted, write, entry, checkout, capsys):
    write(entry(), slug="other")
    (checkout / "data" / "claims" / "toy.yaml").unlink()
    assert claims("--against-baseline") == 1
    assert "toy C1: reproduced -> missing (worse)" in capsys.readouterr().out


def test_a_new_claim_is_told_and_not_blamed(accepted, write, entry, result, capsys):
    write(entry(), entry(id="C2"), entry(id="C3"))
    result(("C1", "reproduced", 1.0), ("C2", "not reproduced", -1.0), ("C3", "not reproduced", 0.0))
    assert claims("--against-baseline") == 0
    assert "note  toy C3: new: not reproduced" in capsys.readouterr().out


def test_other_papers_neither_fail_nor_lose_their_baseline(accepted, write, entry, result, checkout):
    write(entry(), slug="other")
    result(("C1", "reproduced", 5.0), slug="other")
    assert claims("--accept", "other") == 0
    stored = json.loads((checkout / "data" / "baseline" / "smoke.json").read_text())
    assert set(stored) == {"toy", "other"}
    result(("C1", "not reproduced", -5.0))
    assert claims("--against-baseline", "other") == 0
    assert claims("--against-baseline") == 1


def test_bad_input_is_told(write, entry, result, checkout):
    write(entry())
    with pytest.raises(InputError, match="unknown paper 'toi'; did you mean 'toy'"):
        claims("toi")
    with pytest.raises(InputError, match="unknown scale 'smok'"):
        command.run(PARSER.parse_args(["--scale", "smok"]))
    with pytest.raises(InputError, match=r"no baseline data/baseline/smoke.json"):
        claims("--against-baseline")
    with pytest.raises(InputError, match="nothing to accept"):
        claims("--accept")
    (checkout / "notebooks" / "bare.ipynb").write_text("{}")
    with pytest.raises(InputError, match=r"no claims of bare: data/claims/bare.yaml is missing"):
        claims("bare")
    result(("C1", "reproduced", 1.0))
    (checkout / "results" / "smoke" / "toy" / "record.json").write_text('{"claims": [')
    with pytest.raises(InputError, match=r"record.json among the results is damaged"):
        claims()
    for text in ("{", '{"toy": {"C1": {"verdict": "fine", "effect": 1, "noise": 1}}}'):
        files.write_text(checkout / "data" / "baseline" / "smoke.json", text)
        result(("C1", "reproduced", 1.0))
        with pytest.raises(InputError, match=r"the baseline data/baseline/smoke.json"):
            claims("--against-baseline")


def test_after_a_run_papers_without_claims_are_passed_over(write, entry, checkout, capsys):
    (checkout / "notebooks" / "bare.ipynb").write_text("{}")
    command.show(["bare"], "smoke")
    assert capsys.readouterr().out == ""
    write(entry())
    command.show(["bare", "toy"], "smoke")
    assert "toy C1" in capsys.readouterr().out


def test_papers_are_those_with_a_notebook_or_claims(write, entry, checkout):
    write(entry(), slug="other")
    (checkout / "data" / "claims" / "README.md").write_text("")
    assert ledger.chosen([]) == ["other"]
    assert ledger.chosen(["other", "toy", "other"]) == ["other", "toy"]
