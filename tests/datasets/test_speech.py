"""Speech files: audio in its formats, broken ones, manifests, FSDD from a folder, LibriSpeech's layout."""

import hashlib
import io
import sys
import tarfile
import types

import numpy as np
import pytest
from scipy.io import wavfile

from tenfold.datasets import fetch, provenance, speechlibrary
from tenfold.datasets.speech import Utterances, manifest, read_manifest, takes, write_manifest
from tenfold.datasets.speechfiles import read_audio, resampled
from tenfold.datasets.speechlibrary import PARTS, Part, librispeech, listed, located, unpack
from tenfold.errors import InputError


def tone(rate=8000, seconds=0.1, frequency=440.0):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("<i2", 1e-4), ("<i4", 1e-6), ("<f4", 0), ("<f8", 1e-7), ("u1", 0.016)]
)
def test_samples_are_shares_of_full_scale(tmp_path, kind, tolerance):
    x, kind = tone(), np.dtype(kind)
    scale = {"i": np.iinfo(kind).max if kind.kind in "iu" else 1, "u": 127, "f": 1}[kind.kind]
    stored = (x.astype(np.float64) * scale + (128 if kind.kind == "u" else 0)).astype(kind)
    wavfile.write(tmp_path / "x.wav", 8000, stored)
    found, rate = read_audio(tmp_path / "x.wav")
    assert (found.dtype, rate) == (np.float32, 8000)
    assert np.abs(found - x).max() <= tolerance


def test_channels_are_averaged_and_streams_read(tmp_path):
    x = tone()
    buffer = io.BytesIO()
    wavfile.write(buffer, 8000, np.stack([x, 3 * x], axis=1))
    buffer.seek(0)
    found, _ = read_audio(buffer, name="two.wav")
    assert np.allclose(found, 2 * x, atol=1e-6)


def test_resampling_keeps_the_tone():
    low = resampled(tone(22050, 0.5), 22050, 8000)
    assert len(low) == 4000
    assert np.abs(low - tone(8000, 0.5))[200:-200].max() < 0.01


def test_broken_files_are_named(tmp_path):
    wavfile.write(tmp_path / "whole.wav", 8000, (tone() * 32767).astype(np.int16))
    whole = (tmp_path / "whole.wav").read_bytes()
    contents = {"empty": b"", "text": b"no audio at all"} | {f"first{n}": whole[:n] for n in (20, 44, 300)}
    for name, content in contents.items():
        (tmp_path / f"{name}.wav").write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}\.wav"):
            read_audio(tmp_path / f"{name}.wav")
    with pytest.raises(InputError, match="there is no file"):
        read_audio(tmp_path / "none.wav")
    wavfile.write(tmp_path / "nan.wav", 8000, np.full(100, np.nan, dtype=np.float32))
    with pytest.raises(InputError, match="holds no audio"):
        read_audio(tmp_path / "nan.wav")


def test_flac_needs_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InputError, match="install the extra speech"):
        read_audio(tmp_path / "x.flac")


@pytest.fixture
def soundfile(monkeypatch):
    """A stand-in that takes flac files for text with one number a line."""

    def read(source, dtype):
        return np.loadtxt(source, dtype=dtype, ndmin=1), 16000

    monkeypatch.setitem(sys.modules, "soundfile", types.SimpleNamespace(read=read))


def test_other_formats_go_through_soundfile(tmp_path, soundfile):
    (tmp_path / "x.flac").write_text("0.5\n-0.25\n")
    assert read_audio(tmp_path / "x.flac")[0].tolist() == [0.5, -0.25]
    (tmp_path / "x.flac").write_text("noise\n")
    with pytest.raises(InputError, match=r"x\.flac cannot be read"):
        read_audio(tmp_path / "x.flac")


def test_utterances_fit_together():
    waves = [tone(), tone(frequency=200)]
    found = Utterances(waves, ["one", "two"], ["a", "b"], 8000)
    assert (len(found), found.seconds) == (2, pytest.approx(0.2))
    assert found[1:].texts == ("two",)
    assert found.digest() != found[[1, 0]].digest()
    assert found.digest() == Utterances(waves, ["one", "two"], ["a", "b"], 8000).digest()
    for texts, message in ((["one"], "a wave, a text and a speaker each"), (["one", " "], "utterance 1 has an empty")):
        with pytest.raises(InputError, match=message):
            Utterances(waves, texts, ["a", "b"], 8000)
    with pytest.raises(InputError, match="no finite samples"):
        Utterances([tone() * np.nan], ["one"], ["a"], 8000)


def test_a_manifest_of_own_recordings(tmp_path):
    (tmp_path / "audio").mkdir()
    for name in ("one", "two"):
        wavfile.write(tmp_path / "audio" / f"{name}.wav", 8000, tone())
    splits = {"one": "train", "two": "test"}
    rows = [{"path": f"audio/{n}.wav", "text": n, "speaker": "a", "split": splits[n]} for n in splits]
    write_manifest(tmp_path / "own.csv", rows)
    assert read_manifest(tmp_path / "own.csv") == rows
    found = manifest(tmp_path / "own.csv", rate=16000)
    assert set(found) == {"train", "test"}
    assert (found["test"].texts, found["test"].rate, len(found["test"].waves[0])) == (("two",), 16000, 1600)
    (tmp_path / "short.csv").write_text("path,text\naudio/one.wav,one\n")
    assert read_manifest(tmp_path / "short.csv")[0] == {**rows[0], "speaker": "unknown"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lists no utterance"),
        ("path,words\nx.wav,one\n", "line 2 has no text"),
        ("path,text\nx.wav, \n", "line 2 has an empty transcript"),
        ("path,text\nx.wav,one\n", r"there is no file .*x\.wav"),
    ],
)
def test_manifests_that_do_not_hold(tmp_path, content, message):
    (tmp_path / "own.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        manifest(tmp_path / "own.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path / "none.csv")


def test_digits_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_used", {})
    for name in ("3_theo_0", "7_lucas_49", "noise"):
        wavfile.write(tmp_path / f"{name}.wav", 8000, tone())
    found, resolution = takes(tmp_path)
    assert set(found) == {(3, "theo", 0), (7, "lucas", 49)}
    assert resolution.kind == "real"
    (tmp_path / "fsdd").mkdir()
    monkeypatch.setenv("TENFOLD_SPEECH", str(tmp_path))
    with pytest.raises(InputError, match="no recording <digit>"):
        takes()
    monkeypatch.setenv("TENFOLD_SPEECH", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="TENFOLD_SPEECH: there is no folder"):
        takes()


@pytest.mark.mirror
def test_digits_of_the_mirror(mirror):
    found, resolution = takes()
    assert resolution.source == "mirror"
    assert len(found) == 3000
    assert sum(map(len, found.values())) / 8000 / 60 == pytest.approx(21.87, abs=0.01)


@pytest.mark.mirror
def test_a_sample_of_the_mirror(mirror):
    wave, rate = read_audio(mirror / "speech" / "ljspeech_LJ002-0020.wav")
    assert (rate, len(wave)) == (22050, 33949)
    assert 0.1 < np.abs(wave).max() <= 1


@pytest.fixture
def library(tmp_path):
    """A part of two readers with three utterances, as it is unpacked."""
    base = tmp_path / "LibriSpeech"
    for reader, texts in (("84", ["HE SAID", "NOTHING"]), ("12", ["GO ON"])):
        chapter = base / "dev-clean" / reader / "7"
        chapter.mkdir(parents=True)
        lines = [f"{reader}-7-{i:04d} {text}" for i, text in enumerate(texts)]
        (chapter / f"{reader}-7.trans.txt").write_text("\n".join(lines) + "\n")
        for line in lines:
            (chapter / f"{line.split()[0]}.flac").write_text("0.5\n0.25\n")
    return tmp_path


def test_a_part_of_librispeech(library, soundfile, monkeypatch):
    monkeypatch.setenv("TENFOLD_SPEECH", str(library))
    monkeypatch.setattr(provenance, "_used", {})
    found = librispeech("dev-clean")
    assert found.texts == ("go on", "he said", "nothing")
    assert (found.speakers, found.rate) == (("12", "84", "84"), 16000)
    assert len(librispeech("dev-clean", limit=2)) == 2
    with pytest.raises(InputError, match="holds no test-clean"):
        librispeech("test-clean")
    with pytest.raises(InputError, match="did you mean 'dev-clean'"):
        librispeech("dev-cleam")
    next(library.rglob("84-7-0001.flac")).unlink()
    with pytest.raises(InputError, match=r"84-7-0001\.flac, which is not there"):
        listed(library / "LibriSpeech" / "dev-clean")


def test_librispeech_that_is_nowhere(bare, monkeypatch):
    monkeypatch.delenv("TENFOLD_SPEECH", raising=False)
    with pytest.raises(InputError, match=r"offline; unpack https://.*/12/test-clean\.tar\.gz"):
        located("test-clean")


def test_a_part_is_downloaded_once(library, published_part, monkeypatch, tmp_path):
    place = located("dev-clean-2")
    assert [path.name for path, _, _ in listed(place)] == ["12-7-0000.flac", "84-7-0000.flac", "84-7-0001.flac"]
    asked = len(published_part.asked)
    assert located("dev-clean-2") == place
    assert len(published_part.asked) == asked == 1
    assert not list(place.parent.glob(".dev-clean-2~*"))


def test_a_bad_archive_leaves_nothing(published_part, monkeypatch, tmp_path):
    monkeypatch.setitem(PARTS, "dev-clean-2", Part(31, "md5:" + "0" * 32, 0.0))
    with pytest.raises(InputError, match="bad checksum"):
        located("dev-clean-2")
    assert not (tmp_path / "cache" / "datasets" / "librispeech" / "dev-clean-2").exists()
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "out")


@pytest.fixture
def published_part(library, publisher, monkeypatch, tmp_path):
    """The part dev-clean-2 as an archive at the local publisher, and an empty cache."""
    (library / "LibriSpeech" / "dev-clean").rename(library / "LibriSpeech" / "dev-clean-2")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(library / "LibriSpeech", "LibriSpeech")
    publisher.routes["/31/dev-clean-2.tar.gz"] = buffer.getvalue()
    digest = hashlib.md5(buffer.getvalue()).hexdigest()
    monkeypatch.setitem(PARTS, "dev-clean-2", Part(31, f"md5:{digest}", 0.0))
    monkeypatch.setattr(fetch, "RETRIES", 0)
    monkeypatch.setattr(speechlibrary, "ADDRESS", publisher.url + "/{number}/{part}.tar.gz")
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TENFOLD_OFFLINE", "0")
    monkeypatch.delenv("TENFOLD_SPEECH", raising=False)
    return publisher
