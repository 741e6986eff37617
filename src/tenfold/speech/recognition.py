"""Small recognisers trained from scratch with CTC, in a form that can be stored."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tenfold.errors import InputError, unknown
from tenfold.speech.attention import LinearFactory, dense, unbiased
from tenfold.speech.batches import Batches
from tenfold.speech.conformer import ConformerEncoder
from tenfold.speech.corpora import Corpus, corpus
from tenfold.speech.decoder import TransformerDecoder
from tenfold.speech.recognizer import Recognizer, Subsampling
from tenfold.speech.transcription import BANDS, Heard, error_counts, listen, measured, rates, transcribe
from tenfold.speech.vocabulary import Vocabulary, restored, subwords, vocabulary
from tenfold.training import Recipe, fit

if TYPE_CHECKING:
    from tenfold.training import Run

PARTS = ("test", "unseen")
SHAPE = ("d", "heads", "ff", "blocks", "kernel")
# Arguments of `train_recognizer` at each size. On one thread of a busy machine: smoke 1 s; laptop 15 to 19 s for "fsdd"
# (378 steps of 16 strings of 2.2 s), after which 10 % of the words in noise at 0 to 15 dB are wrong. A step with
# strides (2, 2) costs 1.6 times as much; with lr 3e-3, one seed, 12 % were wrong.
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "data": "formant-digits",
        "utterances": 100,
        "tests": 20,
        "d": 32,
        "heads": 2,
        "ff": 64,
        "blocks": 2,
        "epochs": 4,
        "batch": 16,
        "lr": 6e-3,
    },
    "laptop": {
        "utterances": 1000,
        "tests": 400,
        "d": 64,
        "heads": 4,
        "ff": 256,
        "blocks": 3,
        "epochs": 6,
        "batch": 16,
        "lr": 6e-3,
    },
}


def train_recognizer(
    seed: int = 0,
    data: str = "formant-grid",
    utterances: int = 1000,
    tests: int = 400,
    snr: Sequence[float] | None = (0.0, 15.0),
    units: str = "words",
    d: int = 64,
    heads: int = 4,
    ff: int = 256,
    blocks: int = 3,
    kernel: int = 15,
    strides: Sequence[int] = (2, 2, 2),
    epochs: int = 6,
    batch: int = 16,
    lr: float = 6e-3,
    decay: float = 0.01,
    masks: Mapping[str, int] | None = None,
    folder: str | None = None,
    dropout: float = 0.0,
    decoder_blocks: int = 0,
    unit_count: int = 500,
    device: str = "cpu",
    precision: str = "fp32",
    linear: LinearFactory = dense,
    positions: LinearFactory = unbiased,
    checkpoint: str | Path | None = None,
) -> dict[str, Any]:
    """Train a Conformer with CTC from scratch on a corpus and return it as plain values; see `restore_recognizer`.

    "weights" {name: array}, "config" (all plain arguments), "vocabulary", "history" (a data frame, one row an epoch:
    lr, loss in nats per utterance, test_loss, test_wer, seconds), "errors" {"test", "unseen": {"words", "characters":
    (N, 2) edits and length of each utterance}}, "rates" {"test_wer", ...: shares}.

    data, utterances, tests, snr, folder: as in `corpus`, whose seed is 0 whatever `seed` is: that draws the weights,
    the order of the batches and the masks. units: "words", "characters" or "subwords" (unit_count of them at most).
    strides: of the convolutions before the encoder. AdamW (0.9, 0.98) with `decay`, clipped at norm 5, a tenth of the
    steps as warm-up, then a cosine to 2 % of `lr`. masks: arguments of `spec_augment`, or None. decoder_blocks: of an
    attention decoder; then 0.1 CTC + 0.9 label-smoothed cross entropy is minimised, while rates stay those of CTC's
    best path. device, precision: as in `Recipe`. linear, positions: as in `ConformerEncoder`, a low-rank factory goes
    here; the decoder's maps have names that begin with "decoder.". checkpoint: a folder, in which training.pt is kept
    to resume from. Raises InputError for an unknown corpus, sizes that do not fit and, with CTC, utterances that are
    too short for their transcripts.
    """
    arguments = locals()
    config = {name: _plain(arguments[name]) for name in arguments if name not in ("linear", "positions", "checkpoint")}
    heard, known = material(data, utterances, tests, snr, units, folder, unit_count)
    model = build(config, len(known), linear, positions)
    spoken = Batches(heard["train"].features, [known.encode(text) for text in heard["train"].texts], masks)
    _check_room(spoken, model.frontend)
    history = fit(
        model,
        spoken,
        _recipe(epochs, batch, lr, decay, device, precision),
        [seed],
        objective=recognise,
        checkpoint=Path(checkpoint) / "training.pt" if checkpoint else None,
        test=partial(_tested, heard=heard["test"], known=known),
        test_every=1,
    )
    errors = {part: error_counts(heard[part].texts, transcribe(model, heard[part], known)) for part in PARTS}
    weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    return {
        "weights": weights,
        "config": config,
        "vocabulary": known.stored(),
        "history": history,
        "errors": errors,
        "rates": rates(errors),
    }


def restore_recognizer(
    stored: Mapping[str, Any], linear: LinearFactory = dense, positions: LinearFactory = unbiased
) -> tuple[Recognizer, Vocabulary]:
    """Return model and units of what `train_recognizer` returned, or of what was read back from where it was stored.

    linear, positions: the factories that it was trained with. Raises InputError where weights and sizes do not fit.
    """
    known = restored(stored["vocabulary"])
    model = build(stored["config"], len(known), linear, positions)
    # Copies: training the model again must not change what is stored.
    weights = {name: torch.tensor(value) for name, value in stored["weights"].items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError("the stored weights do not fit the stored sizes and the linear maps asked for") from error
    return model.eval(), known


def sizes(scale: str) -> dict[str, Any]:
    """Return the arguments of `train_recognizer` at a size, "smoke" or "laptop"; raises InputError for another."""
    if scale not in SIZES:
        raise unknown("size of a recogniser", scale, SIZES)
    return dict(SIZES[scale])


def build(
    config: Mapping[str, Any], outputs: int, linear: LinearFactory = dense, positions: LinearFactory = unbiased
) -> Recognizer:
    """Return the recogniser of a configuration, untrained, with the weights of its seed."""
    shape = {name: config[name] for name in SHAPE}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config["seed"])
        frontend, drop = Subsampling(BANDS, config["d"], config["strides"]), config.get("dropout", 0.0)
        encoder = ConformerEncoder(**shape, dropout=drop, norm="layer", linear=linear, positions=positions)
        if not config.get("decoder_blocks"):
            return Recognizer(frontend, encoder, outputs, dropout=drop)
        # One more output: the mark of begin and end.
        sizes = {name: config[name] for name in ("d", "heads", "ff")} | {"blocks": config["decoder_blocks"]}
        named = lambda name, n, m: linear(f"decoder.{name}", n, m)  # noqa: E731
        decoder = TransformerDecoder(outputs + 1, **sizes, dropout=drop, linear=named)
        return Recognizer(frontend, encoder, outputs + 1, decoder, dropout=drop)


def recognise(run: Run, features: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return the CTC loss (1,) of a batch, in nats per utterance; what `fit` minimises."""
    return run.model.losses((features[0], lengths[0]), targets[0], target_lengths[0])[None]


def material(
    data: str,
    utterances: int,
    tests: int,
    snr: Sequence[float] | None,
    units: str,
    folder: str | None = None,
    unit_count: int = 500,
) -> tuple[dict[str, Heard], Vocabulary]:
    """Return features and transcripts of a corpus's parts, and its units; kept, since all trainings share them."""
    return _listened(corpus(data, utterances, tests, snr and tuple(snr), folder=folder), units, unit_count)


@functools.lru_cache(maxsize=2)
def _listened(spoken: Corpus, units: str, unit_count: int) -> tuple[dict[str, Heard], Vocabulary]:
    parts = {part: getattr(spoken, part) for part in ("train", *PARTS)}
    if units == "subwords":
        known = subwords(spoken.train.texts, unit_count)
    else:
        # Of all parts: words are a closed list, and what training never heard counts as an error, not as a crash.
        known = vocabulary([text for part in parts.values() for text in part.texts], units)
    return {part: listen(said) for part, said in parts.items()}, known


def _recipe(epochs: int, batch: int, lr: float, decay: float, device: str, precision: str) -> Recipe:
    return Recipe(
        epochs=epochs,
        batch=batch,
        lr=lr,
        optimizer="adamw",
        betas=(0.9, 0.98),
        weight_decay=decay,
        schedule="cosine",
        lr_end=0.02,
        warmup=0.1 * epochs,
        clip=5.0,
        channels_last=False,
        device=device,
        precision=precision,
    )


def _tested(run: Run, heard: Heard, known: Vocabulary) -> dict[str, Tensor]:
    return {f"test_{name}": torch.tensor([value]) for name, value in measured(run.model, heard, known).items()}


def _check_room(spoken: Batches, frontend: Subsampling) -> None:
    """Refuse utterances of fewer frames than units and repeats: no path gives them, and CTC would learn nothing."""
    for length, units in zip(spoken.lengths.tolist(), spoken.units, strict=True):
        needed = len(units) + sum(a == b for a, b in pairwise(units))
        if frontend.frames(length) < needed:
            raise InputError(f"{frontend.frames(length)} frames cannot hold {needed} units: use smaller strides")


def _plain(value: Any) -> Any:
    """Return tuples as lists and mappings as dictionaries, as they come back from where they are stored."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, list | tuple) else value
