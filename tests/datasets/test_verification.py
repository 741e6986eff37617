"""What `tenfold data list` and `tenfold data verify` report, and their exit."""

from argparse import ArgumentParser

import pytest

from tenfold.datasets import command
from tenfold.datasets.verification import Check, table, verify
from tenfold.errors import InputError

from .conftest import CONTENT


def run(*words: str) -> int:
    parser = ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_verify_tells_every_file_in_every_place(published):
    published.fill_mirror()
    published.fill_cache(content={"one.bin": b"short"})
    assert verify("numbers") == [
        Check("numbers", "mirror", "one.bin", "ok"),
        Check("numbers", "mirror", "two.bin", "ok"),
        Check("numbers", "cache", "one.bin", f"truncated: 5 bytes, expected {len(CONTENT['one.bin'])}"),
        Check("numbers", "cache", "two.bin", "missing"),
        Check("numbers", "embedded", "test/small.json", "ok"),
    ]


def test_verify_tells_an_absent_place_in_one_row(published):
    assert verify("numbers")[0] == Check("numbers", "cache", "", "absent")


def test_table_says_where(published):
    published.register("others", embedded=False)
    published.fill_mirror()
    megabytes = sum(map(len, CONTENT.values())) / 1e6
    assert table() == [
        ("numbers", "test", megabytes, "CC0", "mirror, embedded"),
        ("others", "test", megabytes, "CC0", ""),
    ]


def test_command_list(published, capsys):
    assert run("list") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "domain", "MB", "licence", "at", "hand"]
    assert row.split() == ["numbers", "test", "0.01", "CC0", "embedded"]


def test_command_fetch(published, capsys):
    assert run("fetch", "numbers") == 0
    assert capsys.readouterr().out.startswith("numbers: downloaded in ")
    assert run("fetch", "numbers") == 0
    assert capsys.readouterr().out.startswith("numbers: already whole in ")


def test_command_fetch_checks_all_names_first(published, publisher):
    with pytest.raises(InputError, match="did you mean 'numbers'"):
        run("fetch", "numbers", "numbrs")
    assert publisher.asked == []


def test_command_verify_passes_and_fails(published, capsys):
    published.fill_mirror()
    assert run("verify") == 0
    published.fill_mirror(content={"two.bin": b"other"})
    with pytest.raises(InputError, match=r"1 of 4 files are damaged: numbers/two\.bin \(mirror\)"):
        run("verify", "numbers")
    assert "truncated" in capsys.readouterr().out
