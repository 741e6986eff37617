"""espeak-ng in a process of its own: the protocol with a library that stands in for it, errors, the cache."""

import sys
import types

import numpy as np
import pytest

from tenfold.errors import InputError
from tenfold.speech import Line, espeak, espeak_voices, speak
from tenfold.speech import espeak_program as program


class Library:
    """Says each text as many samples as it has bytes, louder with each call: what came before can be heard."""

    def __init__(self):
        self.said, self.parameters, self.voice = 0, {}, ""

    def espeak_Initialize(self, output, buffer, path, options):
        return 22050

    def espeak_SetSynthCallback(self, callback):
        self.callback = callback

    def espeak_SetVoiceByName(self, name):
        if name == b"en-gb":
            return 2
        self.voice = name.decode()
        return 0

    def espeak_SetParameter(self, number, value, relative):
        self.parameters[number] = value

    def espeak_Synth(self, text, size, *rest):
        self.said += 1
        samples = np.full(size.value, self.said, dtype=np.int16)
        pointer = samples.ctypes.data_as(program.ctypes.POINTER(program.ctypes.c_short))
        self.callback(pointer, len(samples), None)
        self.callback(None, 0, None)

    def espeak_Synchronize(self):
        return 0


@pytest.fixture
def speaker(tmp_path):
    (tmp_path / "voices" / "!v").mkdir(parents=True)
    (tmp_path / "voices" / "!v" / "f1").write_text("")
    return program.Speaker(Library(), tmp_path)


def test_samples_come_through_the_callback(speaker):
    first, second = speaker.say("one", "en-us", 200, 40, 60), speaker.say("seven", "en+f1", 150, 30, 50)
    assert (first.tolist(), second.tolist()) == ([1] * 4, [2] * 6)
    assert speaker.library.voice == "en+f1"
    assert speaker.library.parameters == {1: 150, 3: 30, 4: 50}


@pytest.mark.parametrize("voice", ["en-gb", "en-us+nosuch"])
def test_a_voice_that_is_unknown_is_no_other_voice(speaker, voice):
    with pytest.raises(program.Trouble, match="has no voice '" + voice.replace("+", r"\+")):
        speaker.say("one", voice, 200, 40, 60)


STAND_IN = """
import json, sys
import numpy as np
lines = json.loads(open(sys.argv[1]).read())
if lines[0][1] == "xx":
    print("espeak-ng has no voice 'xx'", file=sys.stderr)
    sys.exit(3)
waves = [np.full(441 * len(line[0]), 1000 * i, dtype=np.int16) for i, line in enumerate(lines, 1)]
np.savez(sys.argv[2], samples=np.concatenate(waves), lengths=[len(w) for w in waves], rate=22050)
"""


@pytest.fixture
def standing_in(monkeypatch, tmp_path):
    (tmp_path / "program.py").write_text(STAND_IN)
    monkeypatch.setattr(espeak, "PROGRAM", tmp_path / "program.py")
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_lines_come_back_resampled_and_are_kept(standing_in, monkeypatch):
    lines = [Line("one"), Line("three", "en-us+f1")]
    waves, digest = speak(lines)
    assert [len(wave) for wave in waves] == [160 * 3, 160 * 5]
    assert waves[1][400] == pytest.approx(2000 / 32768, rel=0.01)
    monkeypatch.setattr(espeak, "PROGRAM", standing_in / "gone.py")
    again, same = speak(lines)
    assert same == digest
    assert all(np.array_equal(a, b) for a, b in zip(waves, again, strict=True))
    with pytest.raises(InputError):
        speak([*lines, Line("two")])


def test_errors_are_one_line(standing_in):
    with pytest.raises(InputError, match=r"^espeak-ng has no voice 'xx'$"):
        speak([Line("one", "xx")])
    with pytest.raises(InputError, match="empty text"):
        speak([Line(" ")])
    assert not list((standing_in / "cache").rglob("*.npz"))
    speak([Line("one")])
    (kept,) = (standing_in / "cache").rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged: delete it"):
        speak([Line("one")])


def test_without_the_library_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    (tmp_path / "request.json").write_text("[]")
    assert program.main([str(tmp_path / "request.json"), str(tmp_path / "out.npz")]) == 3
    assert "install the extra speech" in capsys.readouterr().err
    loader = types.SimpleNamespace(get_library_path=lambda: tmp_path / "no.so", get_data_path=lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "espeakng_loader", loader)
    assert program.main([str(tmp_path / "request.json"), str(tmp_path / "out.npz")]) == 3
    assert "cannot be loaded" in capsys.readouterr().err


def test_voices_have_four_accents_and_four_speakers():
    names = espeak_voices()
    assert len(set(names)) == 16
    assert {name.split("+")[0] for name in names[:12]} == {name.split("+")[0] for name in names[12:]}
    assert not {name.split("+")[1] for name in names[:12]} & {name.split("+")[1] for name in names[12:]}
