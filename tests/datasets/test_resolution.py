"""The order in which data are sought, what is never hidden, and fingerprints that agree with it."""

import os

import pytest

from tenfold.datasets import digests, fingerprint, local, resolution, resolve, used
from tenfold.datasets.places import Place
from tenfold.errors import InputError

from .conftest import CONTENT, STAND_IN, sha256


def test_order_mirror_cache_download_embedded(published, publisher):
    assert resolve("numbers", offline=True).source == "embedded"
    assert resolve("numbers").source == "download"
    assert resolve("numbers").source == "cache"
    published.fill_mirror()
    found = resolve("numbers")
    assert found.source == "mirror"
    assert found.folder == published.mirror / "shelf" / "numbers"
    assert len(publisher.asked) == len(CONTENT)


def test_digest_is_that_of_the_files_wherever_they_are(published):
    expected = digests.digest((file, sha256(data)) for file, data in CONTENT.items())
    download, cache = resolve("numbers"), resolve("numbers")
    published.fill_mirror()
    assert {item.digest for item in (download, cache, resolve("numbers"))} == {expected}


def test_digest_ignores_order_but_not_names():
    pairs = [("one", "aa"), ("two", "bb")]
    assert digests.digest(pairs) == digests.digest(pairs[::-1])
    assert digests.digest(pairs) != digests.digest([("one", "bb"), ("two", "aa")])


def test_mirror_without_this_data_set_goes_on(published):
    published.fill_mirror("another")
    assert resolve("numbers").source == "download"


@pytest.mark.parametrize("place", ["mirror", "cache"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"one.bin": b"short"}, f"truncated: 5 bytes, expected {len(CONTENT['one.bin'])}"),
        ({"one.bin": CONTENT["one.bin"] + b"x"}, "too long"),
        ({"one.bin": CONTENT["one.bin"][::-1]}, sha256(CONTENT["one.bin"][::-1])),
    ],
    ids=["truncated", "too-long", "bad-checksum"],
)
def test_damage_is_an_error_and_never_a_fallback(published, publisher, place, damage, words):
    fill = {"mirror": published.fill_mirror, "cache": published.fill_cache}[place]
    folder = fill(content=CONTENT | damage)
    with pytest.raises(InputError) as caught:
        resolve("numbers")
    message = str(caught.value)
    assert str(folder / "one.bin") in message
    assert words in message
    assert "\n" not in message
    assert publisher.asked == []
    assert used() == []


def test_missing_file_in_the_mirror_is_an_error(published):
    folder = published.fill_mirror()
    (folder / "two.bin").unlink()
    with pytest.raises(InputError, match=r"two\.bin \(mirror\) missing"):
        resolve("numbers")


def test_damaged_stand_in_is_an_error(published):
    published.write(published.root / "data" / "embedded" / "test" / "small.json", STAND_IN.upper())
    with pytest.raises(InputError, match=r"small\.json \(embedded\) bad checksum"):
        resolve("numbers", offline=True)


def test_no_network_takes_the_stand_in_says_so_and_is_remembered(checkout, nobody, capsys):
    checkout.register(base=f"{nobody}/")
    assert resolve("numbers").source == "embedded"
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("numbers: embedded (")
    assert "cannot be reached" in said[-1]
    assert os.environ["TENFOLD_OFFLINE"] == "1"
    assert checkout.left() == []


def test_no_network_and_no_stand_in(checkout, nobody):
    checkout.register(base=f"{nobody}/", embedded=False)
    with pytest.raises(InputError) as caught:
        resolve("numbers")
    message = str(caught.value)
    for words in ("no mirror", str(checkout.cache), "cannot be reached", "tenfold data fetch numbers"):
        assert words in message
    assert "\n" not in message


def test_refusal_takes_the_stand_in_but_the_network_is_there(published, publisher):
    publisher.statuses["/one.bin"] = 503
    assert resolve("numbers").source == "embedded"
    assert os.environ["TENFOLD_OFFLINE"] == "0"


@pytest.mark.parametrize("wrong", ["checksum", "truncated"])
def test_wrong_download_is_an_error_and_no_fallback(published, publisher, wrong):
    if wrong == "checksum":
        publisher.routes["/one.bin"] = CONTENT["one.bin"][::-1]
    else:
        publisher.broken["/one.bin"] = 99
    with pytest.raises(InputError, match=r"one\.bin"):
        resolve("numbers")
    assert used() == []
    assert published.left() == []


def test_offline_by_environment_and_by_argument(published, publisher, monkeypatch):
    monkeypatch.setenv("TENFOLD_OFFLINE", "1")
    assert resolve("numbers").source == "embedded"
    assert resolve("numbers", offline=True).source == "embedded"
    assert publisher.asked == []
    assert resolve("numbers", offline=False).source == "download"


def test_embedded_can_be_refused(published):
    with pytest.raises(InputError, match="offline"):
        resolve("numbers", offline=True, embedded=False)


def test_missing_ok_is_logged_as_absent(checkout):
    checkout.register(embedded=False)
    found = resolve("numbers", missing_ok=True)
    assert (found.source, found.kind, found.folder, found.fingerprint) == ("absent", "absent", None, "absent")
    assert used() == [found]
    assert fingerprint("numbers") == "absent"


def test_each_resolution_is_said_once(published, capsys):
    published.fill_mirror()
    for _ in range(3):
        resolve("numbers")
    captured = capsys.readouterr()
    assert captured.err == "numbers: mirror\n"
    assert captured.out == ""


def test_fingerprint_equals_resolution_in_every_situation(published):
    for situation in ("embedded", "download", "cache", "mirror"):
        if situation == "mirror":
            published.fill_mirror()
        offline = situation == "embedded"
        before = fingerprint("numbers")
        found = resolve("numbers", offline=offline)
        assert found.source == situation
        assert found.fingerprint == fingerprint("numbers")
        assert (before == found.fingerprint) == (situation != "download")
        assert found.fingerprint.split(":")[0] == ("cache" if situation == "download" else situation)


def test_fingerprint_downloads_nothing_and_sees_damage(published, publisher):
    whole = fingerprint("numbers")
    published.fill_cache()
    good = fingerprint("numbers")
    published.fill_cache(content={"one.bin": b"short"})
    damaged = fingerprint("numbers")
    assert len({whole, good, damaged}) == 3
    assert publisher.asked == []


def test_fingerprint_of_big_data_is_remembered_on_disk(published, monkeypatch):
    """The second look reads no byte, another process included; a changed file is read again."""
    monkeypatch.setattr(digests, "REMEMBER_FROM", 1)
    folder = published.fill_mirror()
    read = []
    real = digests.files.sha256
    monkeypatch.setattr(digests.files, "sha256", lambda path: read.append(path.name) or real(path))
    looks = []
    for number in range(3):
        monkeypatch.setattr(digests, "_seen", {})  # as in a new process
        if number == 2:
            (folder / "two.bin").write_bytes(CONTENT["two.bin"][::-1])
            os.utime(folder / "two.bin", ns=(0, 0))  # another time for sure, at the same size
        read.clear()
        looks.append((fingerprint("numbers"), list(read)))
    assert [names for _, names in looks] == [["one.bin", "two.bin"], [], ["two.bin"]]
    assert looks[0][0] == looks[1][0] != looks[2][0]
    assert published.left() == ["checksums.json"]


@pytest.mark.parametrize("content", [b"no json", b"[]", b'{"x": 1}'])
def test_spoilt_memory_costs_only_time(published, monkeypatch, content):
    monkeypatch.setattr(digests, "REMEMBER_FROM", 1)
    published.fill_mirror()
    published.write(published.cache / "checksums.json", content)
    assert fingerprint("numbers") == resolve("numbers").fingerprint


def test_a_readers_own_folder_is_real(checkout, tmp_path):
    checkout.register()
    folder = tmp_path / "mine"
    checkout.write(folder / "values.txt", b"1 2 3")
    found = local(folder)
    assert (found.source, found.kind, found.title) == ("real", "real", "mine")
    assert found.fingerprint == fingerprint(str(folder))
    checkout.write(folder / "values.txt", b"1 2 3 4")
    assert found.fingerprint != fingerprint(str(folder))


def test_a_readers_own_file_is_real_and_its_neighbours_do_not_matter(checkout, tmp_path):
    checkout.register()
    path = tmp_path / "mine" / "values.csv"
    checkout.write(path, b"1,2,3")
    found = local(path)
    assert (found.source, found.kind, found.title) == ("real", "real", "values.csv")
    checkout.write(path.with_name("other.csv"), b"4")
    assert found.fingerprint == fingerprint(str(path))
    checkout.write(path, b"1,2,4")
    assert found.fingerprint != fingerprint(str(path))


def test_what_is_only_embedded_is_asked_nowhere_else(checkout, publisher, capsys):
    checkout.register("small")
    head, _, tail = checkout.text.partition("files = [")
    text = head.replace('mirror = "shelf/small"\nbase = ""\n', "") + tail[tail.index("[small.embedded]") :]
    checkout.write(checkout.root / "data" / "registry.toml", text.encode())
    found = resolve("small")
    assert (found.source, found.fingerprint) == ("embedded", fingerprint("small"))
    assert [place.source for place in resolution.places(resolution.dataset("small"))] == ["embedded"]
    assert resolution.dataset("small").bytes == len(STAND_IN)
    assert not resolution.dataset("small").published
    assert capsys.readouterr().err == "small: embedded\n"


def test_unknown_name(published):
    with pytest.raises(InputError, match="unknown data set 'numbrs'; did you mean 'numbers'"):
        resolve("numbrs")


def test_fingerprint_of_what_is_gone(published):
    assert fingerprint("removed_from_the_registry") == "absent"
    assert fingerprint(str(published.root / "removed")) == "absent"


def test_unreadable_file_is_one_line(checkout, monkeypatch):
    checkout.register()
    checkout.fill_mirror()

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tenfold.datasets.places.checksum", refuse)
    with pytest.raises(InputError, match=r"one\.bin \(mirror\) cannot be read \(Permission denied\)"):
        resolve("numbers")


def test_places_are_asked_in_order(checkout):
    checkout.register()
    checkout.fill_mirror()
    asked = resolution.places(resolution.dataset("numbers"))
    assert [place.source for place in asked] == ["mirror", "cache", "embedded"]
    assert all(isinstance(place, Place) for place in asked)
