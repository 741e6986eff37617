"""What a recogniser makes of utterances, and how often it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tenfold.datasets.speech import Utterances
from tenfold.errors import InputError
from tenfold.speech.decoding import decode
from tenfold.speech.error_rates import characters, edits, words
from tenfold.speech.features import log_mel
from tenfold.speech.losses import ctc_losses
from tenfold.speech.recognizer import Recognizer
from tenfold.speech.vocabulary import Vocabulary

BANDS = 40
BATCH = 50  # utterances heard together


@dataclass(frozen=True)
class Heard:
    """Utterances as a recogniser takes them: features (T_i, 40) of each, and the transcripts."""

    features: tuple[Tensor, ...]
    texts: tuple[str, ...]


def listen(spoken: Utterances) -> Heard:
    """Return the standardised log-mel features of utterances with their transcripts."""
    features = tuple(log_mel(wave, spoken.rate, BANDS, normalise=True) for wave in spoken.waves)
    return Heard(features, spoken.texts)


def transcribe(model: Recognizer, heard: Heard, known: Vocabulary, beam: int = 1) -> list[str]:
    """Return what a recogniser writes for each utterance: the best path, or with a beam the best prefix.

    The model's mode is as before afterwards. Raises InputError for a beam below 1.
    """
    return _heard(model, heard, known, beam)[0]


def measured(model: Recognizer, heard: Heard, known: Vocabulary) -> dict[str, float]:
    """Return loss in nats per utterance and wer, greedily decoded, of a recogniser on utterances."""
    said, losses = _heard(model, heard, known, 1)
    wrong, length = edits(heard.texts, said).sum(axis=0)
    return {"loss": float(losses.mean()), "wer": wrong / length}


@torch.no_grad()
def _heard(model: Recognizer, heard: Heard, known: Vocabulary, beam: int) -> tuple[list[str], np.ndarray]:
    if beam < 1:
        raise InputError(f"a beam is 1 or wider, not {beam}")
    training, where = model.training, next(model.parameters()).device
    model.eval()
    said, losses = [""] * len(heard.texts), np.zeros(len(heard.texts))
    for rows in torch.tensor([len(row) for row in heard.features]).argsort().split(BATCH):
        chosen = rows.tolist()
        lengths = torch.tensor([len(heard.features[i]) for i in chosen], device=where)
        features = pad_sequence([heard.features[i] for i in chosen], batch_first=True).to(where)
        log_probs, frames = model(features, lengths)
        units = [torch.tensor(known.encode(heard.texts[i])) for i in chosen]
        counts = torch.tensor([len(row) for row in units], device=where)
        targets = pad_sequence(units, batch_first=True).to(where)
        losses[chosen] = ctc_losses(log_probs, targets, frames, counts).cpu()
        for i, numbers in zip(chosen, decode(log_probs, frames, beam), strict=True):
            said[i] = known.decode(numbers)
    model.train(training)
    return said, losses


def error_counts(texts: Sequence[str], said: Sequence[str]) -> dict[str, np.ndarray]:
    """Return edits and length (N, 2) of each utterance in words and in characters, for a bootstrap or a sum."""
    return {"words": edits(texts, said, words), "characters": edits(texts, said, characters)}


def rates(errors: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Return the error rates of `error_counts` by part: {"test_wer", "test_cer", "unseen_wer", ...}, shares."""
    found = {}
    for part, kinds in errors.items():
        for kind, name in (("words", "wer"), ("characters", "cer")):
            wrong, length = kinds[kind].sum(axis=0)
            found[f"{part}_{name}"] = float(wrong / length)
    return found
