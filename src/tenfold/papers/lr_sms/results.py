"""Results of all experiments: begun at once, waited for when asked, and put into tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from tenfold import datasets
from tenfold.errors import InputError
from tenfold.papers.lr_sms import accounts, afterwards, checks, clocks, contrasts, spectra, training
from tenfold.papers.lr_sms.cells import Cell, Plan, uniform
from tenfold.speech import corpus
from tenfold.training import device

HOURS = 100.0
"""From which a reader's own corpus counts as a large one."""


class Results:
    """The corpus of a run, every network trained on it, and what was counted and timed."""

    def __init__(self, book: Any) -> None:
        self.book, self.p = book, book.parameters
        self.where = device(self.p.device)
        if self.p.scale == "paper" and self.where.type == "cpu":
            raise InputError("paper scale trains for days on a GPU and for years without one: there is none here")
        self.fixed = training.settings(self.p)
        self.parts, self.vocabulary = training.heard(self.fixed)
        budget = training.parameters(uniform(self.p), self.fixed, len(self.vocabulary))
        self.plan = Plan(self.p, training.narrowed(budget, self.fixed, len(self.vocabulary)))
        self.points = [(cell, self.p.seed + k) for cell, k in self.plan.points()]
        self._start()

    def _start(self) -> None:
        """Begin everything; what is timed comes last, so that no figure waits for it."""
        start, p, fixed = self.book.start, self.p, self.fixed
        seeds = [p.seed + k for k in range(p.replicates)]
        main = [cell.record() for cell in self.plan.main.values()]
        points = [{"seed": seed, "cell": cell.record()} for cell, seed in self.points]
        self._trained = start(training.trained, points, settings=fixed)
        self._cuts = start(afterwards.cuts, [self._cutting(seed) for seed in seeds], settings=fixed)
        both = self.plan.both.record()
        self._spectra = start(spectra.spectra, [{"seed": p.seed}], cell=both, settings=fixed)
        outputs = len(self.vocabulary)
        self._accounts = start(accounts.account, [{"seed": p.seed}], cells=main, settings=fixed, outputs=outputs)
        clocked = {"seed": p.seed, "repeats": p.repeats}
        self._steps = start(clocks.steps, [clocked], cells=main, settings=fixed)
        self._layers = start(clocks.layers, [clocked], frames=p.frames, device=p.device)
        cells = [Cell().record(), both]
        self._block = start(clocks.block, [clocked], frames=p.frames, cells=cells, device=p.device)
        self._published = None
        if self.where.type == "cuda":
            modes = [{"modality": name} | clocked for name in ("audio", "audiovisual")]
            self._published = start(clocks.published, modes, cells=cells, device=p.device)

    def _cutting(self, seed: int) -> dict[str, Any]:
        """Return which ranks a dense network is cut to: those of LR-SMS, then trained on for a quarter of the epochs.

        For the first seed those of the sweep too.
        """
        more = self.plan.sweep if seed == self.p.seed else []
        return {
            "seed": seed,
            "cells": [cell.record() for cell in (self.plan.both, *more)],
            "tuned": [max(1, self.p.epochs // 4), *[0] * len(more)],
        }

    @cached_property
    def found(self) -> dict[tuple[Cell, int], dict[str, Any]]:
        """Every trained network, by cell and seed."""
        return dict(zip(self.points, self._trained.results(), strict=True))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Error rates of every network with intervals over utterances."""
        return contrasts.scores(self.found)

    @cached_property
    def afterwards(self) -> pd.DataFrame:
        """Error rates of the dense networks that were cut afterwards."""
        return pd.concat([one["rows"] for one in self._cuts.results()], ignore_index=True)

    @property
    def data(self) -> list[str]:
        """The name of the corpus that every figure of a training shows."""
        return [self.corpus.resolution.name]

    @cached_property
    def corpus(self) -> Any:
        """The sound itself."""
        names = ("data", "utterances", "tests", "snr", "folder")
        name, utterances, tests, snr, folder = (self.fixed[key] for key in names)
        return corpus(name, utterances, tests, snr and tuple(snr), folder=folder)

    @property
    def nothing(self) -> list[str]:
        """The name under which a figure shows arithmetic and timings, of which no data are part."""
        datasets.synthetic("random numbers", "", "random numbers, no recordings")
        return ["random numbers"]

    def of(self, cells: list[Cell]) -> pd.DataFrame:
        """Return the error rates of some networks."""
        return self.scores[[Cell(**record) in cells for record in self.scores[contrasts.KEYS].to_dict("records")]]

    def curves(self) -> pd.DataFrame:
        """Return the learning curves of the dense network and of both modules from every start, first seed."""
        cells = {"dense": Cell()} | {cell.init: cell for cell in self.plan.inits}
        return contrasts.curves(self.found, cells, self.p.seed)

    def differences(self) -> pd.DataFrame:
        """Return differences from the dense network, paired over utterances."""
        return contrasts.differences(self.found, self.plan)

    def effects(self) -> pd.DataFrame:
        """Return what the claims compare, a row per seed."""
        return contrasts.effects(self.scores, self.afterwards, self.plan)

    def accounts(self) -> pd.DataFrame:
        """Return parameters and operations of the main networks."""
        return self._accounts.results()[0]

    def summary(self) -> pd.DataFrame:
        """Return Table 1."""
        return contrasts.summary(self.scores, self.afterwards, self.accounts(), self.steps(), self.plan)

    def spectra(self) -> pd.DataFrame:
        """Return the singular values of every map."""
        return self._spectra.results()[0]

    def steps(self) -> pd.DataFrame:
        """Return the time of a training step of the main networks."""
        return self._steps.results()[0]

    def layers(self) -> pd.DataFrame:
        """Return the time of single layers, dense and factorised."""
        return self._layers.results()[0]

    def block(self) -> pd.DataFrame:
        """Return the time of one block of the published size."""
        return self._block.results()[0]

    def published(self) -> pd.DataFrame:
        """Return the time of training steps of the published model; empty without a GPU."""
        return pd.concat(self._published.results(), ignore_index=True) if self._published else pd.DataFrame()

    def identities(self) -> pd.DataFrame:
        """Return what must come out."""
        return checks.identities(self.p.seed)

    @property
    def own(self) -> set[str]:
        """What this run has that claims need: a GPU, and a large corpus of the reader's own."""
        said = self.corpus.train
        hours = sum(len(wave) for wave in said.waves) / said.rate / 3600
        large = {"large_speech"} if self.fixed["data"] == "manifest" and hours >= HOURS else set()
        return large | ({"gpu"} if self.where.type == "cuda" else set())
