"""Phones as stretches of sound, and how the 51 words of the GRID grammar are said with them."""

from __future__ import annotations

from dataclasses import dataclass

from tenfold.errors import InputError, unknown


@dataclass(frozen=True)
class Stretch:
    """A stretch of sound: milliseconds, three resonances at its begin and end (Hz), levels of voice and of noise.

    noise: level in [0, 1] of a band around `band` Hz with half-width `spread`; whatever is 0 is silent.
    """

    duration: float
    begin: tuple[float, float, float]
    end: tuple[float, float, float]
    voice: float = 1.0
    noise: float = 0.0
    band: float = 2500.0
    spread: float = 600.0


Resonances = tuple[float, float, float]
NEUTRAL: Resonances = (500.0, 1500.0, 2500.0)


def _steady(duration: float, at: Resonances, voice: float = 1.0, **noise: float) -> tuple[Stretch, ...]:
    return (Stretch(duration, at, at, voice, **noise),)


def _stop(locus: Resonances, band: float, voiced: bool, aspiration: float = 0.0) -> tuple[Stretch, ...]:
    """Return closure, burst and, of a voiceless stop, breath."""
    closure = Stretch(45 if voiced else 55, locus, locus, 0.12 if voiced else 0.0)
    burst = Stretch(15, locus, locus, 0.2 if voiced else 0.0, 0.7, band, 900)
    breath = Stretch(aspiration, locus, locus, 0.0, 0.25, 1800, 1400)
    return (closure, burst, breath) if aspiration else (closure, burst)


def _hiss(duration: float, band: float, spread: float, level: float, voice: float = 0.0) -> tuple[Stretch, ...]:
    return _steady(duration, NEUTRAL, voice, noise=level, band=band, spread=spread)


# Resonances of an adult man's vowels after Peterson and Barney 1952, J. Acoust. Soc. Am. 24, 175, rounded.
IY, IH, EH, AE = (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410)
AA, AO, UH, UW = (730, 1090, 2440), (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240)
AH, OW = (640, 1190, 2390), (480, 900, 2350)
LABIAL, ALVEOLAR, VELAR = (250, 900, 2200), (280, 1750, 2650), (260, 1900, 2300)

PHONES: dict[str, tuple[Stretch, ...]] = {
    "iy": _steady(110, IY),
    "ih": _steady(80, IH),
    "eh": _steady(95, EH),
    "ae": _steady(120, AE),
    "aa": _steady(120, AA),
    "ao": _steady(120, AO),
    "ah": _steady(85, AH),
    "uw": _steady(115, UW),
    "ey": (Stretch(140, EH, IY),),
    "ay": (Stretch(160, AA, IH),),
    "aw": (Stretch(160, AE, UH),),
    "ow": (Stretch(140, OW, UW),),
    "y": (Stretch(55, (260, 2200, 3000), IH, 0.8),),
    "w": (Stretch(65, (290, 650, 2200), UH, 0.8),),
    "r": (Stretch(70, (330, 1080, 1500), (420, 1250, 1800), 0.8),),
    "l": _steady(65, (340, 1050, 2700), 0.7),
    "m": _steady(70, (270, 1000, 2200), 0.45),
    "n": _steady(70, (280, 1650, 2500), 0.45),
    "s": _hiss(110, 3700, 500, 0.5),
    "z": _hiss(90, 3700, 500, 0.3, 0.25),
    "f": _hiss(95, 2300, 1500, 0.18),
    "v": _hiss(65, 2300, 1500, 0.08, 0.35),
    "th": _hiss(90, 3000, 1300, 0.12),
    "b": _stop(LABIAL, 700, True),
    "d": _stop(ALVEOLAR, 3200, True),
    "g": _stop(VELAR, 1900, True),
    "p": _stop(LABIAL, 800, False, 40),
    "t": _stop(ALVEOLAR, 3400, False, 35),
    "k": _stop(VELAR, 2000, False, 40),
    "ch": (*_stop(ALVEOLAR, 2600, False), *_hiss(70, 2600, 500, 0.45)),
    "jh": (*_stop(ALVEOLAR, 2500, True), *_hiss(55, 2500, 500, 0.3, 0.2)),
}
PAUSE = Stretch(30, NEUTRAL, NEUTRAL, 0.0)

LEXICON = {
    "bin": "b ih n",
    "lay": "l ey",
    "place": "p l ey s",
    "set": "s eh t",
    "blue": "b l uw",
    "green": "g r iy n",
    "red": "r eh d",
    "white": "w ay t",
    "at": "ae t",
    "by": "b ay",
    "in": "ih n",
    "with": "w ih th",
    "a": "ey",
    "b": "b iy",
    "c": "s iy",
    "d": "d iy",
    "e": "iy",
    "f": "eh f",
    "g": "jh iy",
    "h": "ey ch",
    "i": "ay",
    "j": "jh ey",
    "k": "k ey",
    "l": "eh l",
    "m": "eh m",
    "n": "eh n",
    "o": "ow",
    "p": "p iy",
    "q": "k y uw",
    "r": "aa r",
    "s": "eh s",
    "t": "t iy",
    "u": "y uw",
    "v": "v iy",
    "x": "eh k s",
    "y": "w ay",
    "z": "z iy",
    "zero": "z ih r ow",
    "one": "w ah n",
    "two": "t uw",
    "three": "th r iy",
    "four": "f ao r",
    "five": "f ay v",
    "six": "s ih k s",
    "seven": "s eh v ah n",
    "eight": "ey t",
    "nine": "n ay n",
    "again": "ah g eh n",
    "now": "n aw",
    "please": "p l iy z",
    "soon": "s uw n",
}


def stretches(text: str) -> list[Stretch]:
    """Return how a text is said, a pause before, between and after its words.

    Raises InputError for an empty text and for a word that is not in the lexicon.
    """
    words = text.lower().split()
    if not words:
        raise InputError("an empty text cannot be spoken")
    said = [PAUSE]
    for word in words:
        if word not in LEXICON:
            raise unknown("word", word, LEXICON)
        said += [part for phone in LEXICON[word].split() for part in PHONES[phone]]
        said.append(PAUSE)
    return said
