"""Listening: test utterances, what they look like to a recogniser, and what it writes."""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tenfold.book.style import WIDTH_DOUBLE
from tenfold.papers.lr_sms.cells import Cell
from tenfold.papers.lr_sms.results import Results
from tenfold.papers.lr_sms.training import restored
from tenfold.speech import log_mel, transcribe
from tenfold.speech.transcription import BANDS, Heard

SHOWN = 3
LONGEST = 3.0
"""Seconds of an utterance that is played: a second at 8 kHz takes 21 kB of a notebook."""


def chosen(found: Results) -> list[tuple[str, int]]:
    """Return the part and number of the utterances that are shown: two of known voices, one unseen, not too long."""
    picked = []
    for part, count in (("test", SHOWN - 1), ("unseen", 1)):
        said = getattr(found.corpus, part)
        short = [i for i, wave in enumerate(said.waves) if len(wave) <= LONGEST * said.rate]
        picked += [(part, i) for i in (short or range(len(said.waves)))[:count]]
    return picked


def players(found: Results) -> None:
    """Put a player below the cell for each utterance that is shown."""
    from IPython.display import Audio, Markdown, display

    for part, i in chosen(found):
        said = getattr(found.corpus, part)
        display(Markdown(f"{part}, {said.speakers[i]}: *{said.texts[i]}*"))
        display(Audio(said.waves[i][: int(LONGEST * said.rate)], rate=said.rate, normalize=True))


def heard(found: Results) -> pd.DataFrame:
    """Return what dense and low-rank networks write for the utterances that are shown."""
    rows = []
    for part, i in chosen(found):
        said, features = getattr(found.corpus, part), found.parts[part]
        row: dict[str, Any] = {"part": part, "speaker": said.speakers[i], "said": said.texts[i]}
        for words, cell in (("dense", Cell()), ("low_rank", found.plan.both)):
            model = restored(found.found[cell, found.p.seed], cell, found.fixed)
            one = Heard(features.features[i : i + 1], features.texts[i : i + 1])
            row[words] = transcribe(model, one, found.vocabulary)[0] or "(nothing)"
        rows.append(row)
    return pd.DataFrame(rows)


def picture(found: Results) -> tuple[Figure, pd.DataFrame]:
    """Draw the log-mel features of the utterances that are shown; return their energies by frame too."""
    picked = chosen(found)
    figure, panels = plt.subplots(1, len(picked), figsize=(WIDTH_DOUBLE, 2.0), sharey=True, squeeze=False)
    rows = []
    for axes, (part, i) in zip(panels[0], picked, strict=True):
        said = getattr(found.corpus, part)
        mel = log_mel(said.waves[i], said.rate, BANDS).numpy()
        axes.imshow(mel.T, origin="lower", aspect="auto", extent=(0, len(mel) / 100, 0, BANDS), cmap="magma")
        axes.set_title(textwrap.shorten(said.texts[i], 40, placeholder=" ..."), fontsize=7)
        axes.set_xlabel("seconds")
        rows += [{"part": part, "number": i, "frame": k, "energy": float(e)} for k, e in enumerate(mel.mean(1))]
    panels[0, 0].set_ylabel("mel band")
    return figure, pd.DataFrame(rows)
