"""The log of what was used, and the footer of figures."""

import pytest

from tenfold.datasets import Resolution, label, note, reset, resolve, synthetic, used
from tenfold.errors import InputError


def test_used_keeps_order_and_no_doubles(published):
    first = resolve("numbers", offline=True)
    second = synthetic("toy", "00ff", "toy numbers")
    resolve("numbers", offline=True)
    assert used() == [first, second]
    reset()
    assert used() == []


def test_label_names_title_and_kind(published):
    resolve("numbers", offline=True)
    synthetic("toy", "00ff", "toy numbers")
    assert label(["numbers", "toy", "numbers"]) == "Data: two files (embedded), toy numbers (synthetic)"
    assert label() == "Data: two files (embedded), toy numbers (synthetic)"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("mirror", "mirror"),
        ("cache", "real"),
        ("download", "real"),
        ("real", "real"),
        ("embedded", "embedded"),
    ],
)
def test_kind_tells_the_reader(checkout, source, kind):
    checkout.register()
    note(Resolution("x", source, None, "00", "things"))
    assert label(["x"]) == f"Data: things ({kind})"


def test_label_of_data_read_by_another_process(published):
    assert label(["numbers"]) == "Data: two files (embedded)"
    published.fill_mirror()
    assert label(["numbers"]) == "Data: two files (mirror)"
    assert used() == []


def test_label_follows_the_last_resolution(published):
    resolve("numbers", offline=True)
    resolve("numbers")
    assert label(["numbers"]) == "Data: two files (real)"


def test_label_without_data_and_with_unknown_name(published):
    assert label() == "Data: none"
    assert label([]) == "Data: none"
    with pytest.raises(InputError, match="unknown data set 'numbr'; did you mean 'numbers'"):
        label(["numbr"])


def test_record_holds_no_folder(published):
    record = resolve("numbers").record()
    assert record["kind"] == "real"
    assert record["source"] == "download"
    assert str(published.root) not in str(record)


def test_record_returns_as_the_same_use(published):
    found = resolve("numbers")
    again = Resolution.from_record(found.record())
    assert again.fingerprint == found.fingerprint
    assert (again.title, again.kind, again.licence) == (found.title, found.kind, found.licence)
    note(again)
    assert used() == [found]
