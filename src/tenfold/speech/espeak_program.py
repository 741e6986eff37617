"""A program that speaks with espeak-ng: run by itself, in a process of its own, it imports nothing of this package.

python espeak_program.py REQUEST OUTPUT: REQUEST is JSON, a list of [text, voice, words per minute, pitch, range];
OUTPUT becomes an npz of samples (int16, all utterances joined), lengths and rate. Exit status 3 with one line on
stderr for a library that is missing or a voice that is unknown. The library, GPL-3.0-or-later, is loaded here alone.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SYNCHRONOUS, UTF8 = 2, 1
RATE, PITCH, RANGE = 1, 3, 4  # numbers of the library's parameters
VARIANTS = Path("voices") / "!v"
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Trouble(Exception):
    """What the caller is told in one line."""


class Speaker:
    """The library, speaking into memory."""

    def __init__(self, library: ctypes.CDLL, data: Path):
        self.library, self.data, self.blocks = library, data, []
        self.rate = library.espeak_Initialize(SYNCHRONOUS, 0, str(data).encode(), 0)
        if self.rate <= 0:
            raise Trouble(f"espeak-ng does not start with the data in {data}")
        self.callback = CALLBACK(self._take)
        library.espeak_SetSynthCallback(self.callback)

    def _take(self, samples, count: int, events) -> int:
        if samples and count > 0:
            self.blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, voice: str, speed: int, pitch: int, span: int) -> np.ndarray:
        """Return the samples (int16) of a text."""
        self._choose(voice)
        for parameter, value in ((RATE, speed), (PITCH, pitch), (RANGE, span)):
            self.library.espeak_SetParameter(parameter, int(value), 0)
        self.blocks = []
        spoken = text.encode()
        self.library.espeak_Synth(spoken, ctypes.c_size_t(len(spoken) + 1), 0, 1, 0, UTF8, None, None)
        self.library.espeak_Synchronize()
        if not self.blocks:
            raise Trouble(f"espeak-ng says nothing to '{text}'")
        return np.concatenate(self.blocks)

    def _choose(self, voice: str) -> None:
        """Take a voice; the library itself would go on with the last one, and ignore a variant it does not know."""
        _, _, variant = voice.partition("+")
        unknown = variant and not (self.data / VARIANTS / variant).is_file()
        if unknown or self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise Trouble(f"espeak-ng has no voice '{voice}'")


def load() -> Speaker:
    """Return the library that the package espeakng_loader brings."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise Trouble("espeak-ng is not installed: install the extra speech (espeakng-loader)") from error
    try:
        library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    except OSError as error:
        raise Trouble(f"espeak-ng cannot be loaded: {error}") from error
    return Speaker(library, Path(espeakng_loader.get_data_path()))


def main(arguments: Sequence[str]) -> int:
    """Speak what is requested and return the exit status."""
    request, output = map(Path, arguments)
    try:
        speaker = load()
        waves = [speaker.say(*line) for line in json.loads(request.read_text(encoding="utf-8"))]
    except Trouble as error:
        print(error, file=sys.stderr)
        return 3
    lengths = np.array([len(wave) for wave in waves])
    np.savez(output, samples=np.concatenate(waves), lengths=lengths, rate=speaker.rate)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
