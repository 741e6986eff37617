"""Downloads from a real local server: what arrives is whole, and what fails leaves nothing behind."""

import errno
import hashlib
import logging
import os
import shutil
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pooch
import pytest

from tenfold.datasets import fetch, resolve
from tenfold.datasets.registry import dataset
from tenfold.errors import InputError

from .conftest import CONTENT, sha256, zipped

WHOLE = ["datasets/numbers/one.bin", "datasets/numbers/two.bin"]


def failure(name: str = "numbers") -> str:
    """Fetch, and return the one line that says why it failed."""
    with pytest.raises(InputError) as caught:
        fetch.fetch(name)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{name}: ")
    return message


def archived(checkout, publisher, content: dict[str, bytes], checksum: str | None = None, base: str = ""):
    """Register `numbers` with an archive of `content` at the local server."""
    data = zipped(content)
    publisher.routes["/all.zip"] = data
    checksum = checksum or f"md5:{hashlib.md5(data).hexdigest()}"
    archive = {"url": f"{publisher.url}/all.zip", "checksum": checksum, "bytes": len(data), "folder": "inner"}
    checkout.register(base=base, archive=archive)


def test_good_download_is_whole_and_then_cached(published, publisher):
    first = fetch.fetch("numbers")
    assert first.source == "download"
    assert {file: (first.folder / file).read_bytes() for file in CONTENT} == CONTENT
    assert published.left() == WHOLE
    assert fetch.fetch("numbers").source == "cache"
    assert len(publisher.asked) == len(CONTENT)


def test_parallel_fetches_download_once(published, publisher):
    with ThreadPoolExecutor(4) as pool:
        sources = [found.source for found in pool.map(fetch.fetch, ["numbers"] * 4)]
    assert sorted(sources) == ["cache", "cache", "cache", "download"]
    assert sorted(publisher.asked) == ["/one.bin", "/two.bin"]


def test_downloaded_files_are_for_everyone(published):
    folder = fetch.fetch("numbers").folder
    assert all((folder / file).stat().st_mode & 0o444 == 0o444 for file in CONTENT)


def test_bad_checksum_names_file_expected_and_found(published, publisher):
    wrong = CONTENT["two.bin"].swapcase()
    publisher.routes["/two.bin"] = wrong
    message = failure()
    assert "bad checksum of two.bin" in message
    assert sha256(CONTENT["two.bin"]) in message
    assert sha256(wrong) in message
    assert published.left() == []


def test_truncated_download(published, publisher):
    publisher.broken["/one.bin"] = 99
    message = failure()
    assert "one.bin" in message
    assert "truncated" in message
    assert published.left() == []


def test_second_attempt_heals_a_broken_first(published, publisher, monkeypatch):
    monkeypatch.setattr(fetch, "RETRIES", 1)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    publisher.broken["/one.bin"] = 1
    assert fetch.fetch("numbers").source == "download"
    assert publisher.asked.count("/one.bin") == 2
    assert published.left() == WHOLE


def test_closed_port(checkout, nobody):
    checkout.register(base=f"{nobody}/")
    message = failure()
    assert nobody.removeprefix("http://") in message
    assert "cannot be reached (Connection refused)" in message
    assert checkout.left() == []


def test_refusal_tells_the_status(published, publisher):
    publisher.statuses["/one.bin"] = 403
    assert "refuses one.bin (HTTP 403)" in failure()
    assert published.left() == []


def test_too_little_room_is_found_before_anything_is_asked(published, publisher, monkeypatch):
    usage = namedtuple("usage", "total used free")
    free = sum(map(len, CONTENT.values())) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - free, free))
    message = failure()
    assert "is full" in message
    assert "TENFOLD_CACHE" in message
    assert publisher.asked == []
    assert published.left() == []


def test_disk_that_fills_up_while_writing(published, monkeypatch):
    real = shutil.move

    def move(source, target):
        if str(target).endswith("two.bin"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(source, target)

    monkeypatch.setattr("pooch.core.shutil.move", move)
    assert "is full" in failure()
    assert published.left() == []


def test_cache_that_cannot_be_written(published):
    published.write(published.cache, b"a file where the cache should be")
    message = failure()
    assert "cannot write to the cache" in message
    assert str(published.cache) in message


@pytest.mark.parametrize("damage", [b"", b"x" * len(CONTENT["one.bin"])], ids=["truncated", "altered"])
def test_damaged_cache_is_replaced(published, damage):
    folder = published.fill_cache(content=CONTENT | {"one.bin": damage})
    assert fetch.fetch("numbers").source == "download"
    assert (folder / "one.bin").read_bytes() == CONTENT["one.bin"]
    assert published.left() == WHOLE


def test_failure_keeps_what_the_cache_had(published, publisher):
    folder = published.fill_cache(content={"one.bin": CONTENT["one.bin"]})
    publisher.statuses["/two.bin"] = 500
    failure()
    assert published.left() == ["datasets/numbers/one.bin"]
    assert (folder / "one.bin").read_bytes() == CONTENT["one.bin"]


def test_leftovers_of_a_killed_download_go(published):
    published.write(published.cache / "datasets" / ".numbers~killed" / "new" / "one.bin", b"half")
    published.write(published.cache / "datasets" / ".numbers-two~alive" / "new" / "one.bin", b"not ours")
    fetch.fetch("numbers")
    assert published.left() == ["datasets/.numbers-two~alive/new/one.bin", *WHOLE]


def test_archive_is_asked_first_and_unpacked(checkout, publisher):
    archived(checkout, publisher, {f"top/inner/{file}": data for file, data in CONTENT.items()} | {"top/x": b"x"})
    found = fetch.fetch("numbers")
    assert publisher.asked == ["/all.zip"]
    assert {file: (found.folder / file).read_bytes() for file in CONTENT} == CONTENT
    assert checkout.left() == WHOLE


def test_single_files_stand_in_for_a_broken_archive(checkout, publisher):
    publisher.routes |= {f"/{file}": data for file, data in CONTENT.items()}
    archived(checkout, publisher, {}, checksum="md5:" + "0" * 32, base=f"{publisher.url}/")
    assert fetch.fetch("numbers").source == "download"
    assert publisher.asked == ["/all.zip", "/one.bin", "/two.bin"]
    assert checkout.left() == WHOLE


def test_archive_with_a_missing_member(checkout, publisher):
    archived(checkout, publisher, {"inner/one.bin": CONTENT["one.bin"]})
    assert "holds no inner/two.bin" in failure()
    assert checkout.left() == []


def test_archive_with_two_candidates(checkout, publisher):
    twice = {f"{top}/inner/{file}": data for file, data in CONTENT.items() for top in ("a", "b")}
    archived(checkout, publisher, twice)
    assert "holds no inner/one.bin" in failure()


def test_archive_with_another_file_inside(checkout, publisher):
    other = CONTENT["two.bin"].swapcase()
    archived(checkout, publisher, {"inner/one.bin": CONTENT["one.bin"], "inner/two.bin": other})
    message = failure()
    assert sha256(CONTENT["two.bin"]) in message
    assert sha256(other) in message
    assert checkout.left() == []


def test_archive_that_is_no_archive(checkout, publisher):
    archived(checkout, publisher, {}, checksum=f"sha256:{sha256(b'no zip')}")
    publisher.routes["/all.zip"] = b"no zip"
    assert "is damaged" in failure()
    assert checkout.left() == []


def test_wrong_bytes_outrank_silence(checkout, publisher, nobody):
    """A bad archive is told even when the single files cannot be reached: no stand-in hides it."""
    archived(checkout, publisher, {}, checksum="md5:" + "0" * 32, base=f"{nobody}/")
    assert "bad checksum of archive.zip" in failure()
    with pytest.raises(InputError, match="bad checksum"):
        resolve("numbers")
    assert checkout.left() == []


def test_no_address(checkout):
    checkout.register(base="")
    assert not dataset("numbers").published
    assert "no address" in failure()


def test_offline_forbids_it(published, publisher, monkeypatch):
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    assert "forbidden" in failure()
    assert publisher.asked == []


def test_unknown_name_gives_the_nearest(published):
    with pytest.raises(InputError, match="did you mean 'numbers'"):
        fetch.fetch("number")


def test_only_our_own_line_is_said(published, publisher, capsys):
    pooch_said = []
    handler = logging.Handler()
    handler.emit = pooch_said.append
    pooch.get_logger().addHandler(handler)
    publisher.broken["/one.bin"] = 99
    failure()
    pooch.get_logger().removeHandler(handler)
    captured = capsys.readouterr()
    assert pooch_said == []
    assert captured.out == ""
    assert captured.err == f"numbers: downloading from {publisher.url.removeprefix('http://')}\n"
