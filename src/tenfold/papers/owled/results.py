"""Results of all experiments: begun at once, waited for when asked, and put into tables."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tenfold import language
from tenfold.datasets import driving as published
from tenfold.language.pretraining import pretrained
from tenfold.papers.owled import cells, contrasts, proxies, runs, subjects, traps, voice
from tenfold.papers.owled.labels import METRICS
from tenfold.papers.owled.parameters import HALF, HIGH
from tenfold.pruning import driving
from tenfold.pruning.driving import Scenes, train_driver


class Results:
    """The drivers and text models of a run, and everything that was pruned of them."""

    def __init__(self, book: Any) -> None:
        self.book, self.p = book, book.parameters
        subjects.check(self.p)
        self.fixed = subjects.settings(self.p)
        self.seeds = [self.p.seed + number for number in range(self.p.replicates)]
        self.text_seeds = self.seeds[: self.p.text_replicates]
        self.grid = cells.grid(self.p)
        self.real = published.scenes(missing_ok=True)
        self._drivers = self._texts = None
        # Trainings first: what follows takes them from the store, seed by seed in the same order.
        if not self.p.checkpoint:
            self._drivers = self._start(train_driver, self.seeds, **self.fixed["driver"])
            self._texts = self._start(pretrained, self.text_seeds, **subjects.text_training(self.fixed))
        count = cells.jobs(self.p, self.grid)
        shares = [[cell.record() for cell in share] for share in cells.shares(self.grid, count)]
        points = [{"seed": seed, "cells": share} for seed in self.seeds for share in shares]
        self._scores = book.start(runs.score, points, settings=self.fixed)
        # The longest of the rest first, so that no core waits at the end.
        self._text_proxies = book.start(proxies.proxy, self._named("text"), settings=self.fixed)
        self._proxies = book.start(proxies.proxy, self._named("driver"), settings=self.fixed)
        self._grids = book.start(proxies.grid, self._named("driver"), settings=self.fixed)
        self._traps = {
            job.__name__: self._start(job, self.seeds, settings=self.fixed)
            for job in (traps.adapter, traps.planted, traps.fooled)
        }
        self._transfer = self._spoken = None
        if self.real is not None and not self.p.checkpoint:
            self._transfer = self._start(runs.transfer, self.seeds, settings=self.fixed)
            speakers = [cell.record() for cell in cells.SPEAKERS.values()]
            asked = {"numbers": self._busy(), "cells": speakers, "settings": self.fixed}
            self._spoken = self._start(runs.spoken, self.seeds[:1], **asked)

    def _start(self, job: Any, seeds: list[int], **fixed: Any) -> Any:
        return self.book.start(job, [{"seed": seed} for seed in seeds], **fixed)

    def _busy(self) -> list[int]:
        """Return the real scene with most cars, pedestrians and a light."""
        seen = [driving.visible_objects(scene) for scene in self.real]
        rich = [s["cars"] + s["pedestrians"] + 4 * (s["light_distance"] is not None) for s in seen]
        return [int(np.argmax(rich))]

    def _named(self, name: str) -> list[dict[str, Any]]:
        return [{"name": name, "seed": seed} for seed in (self.seeds if name == "driver" else self.text_seeds)]

    @cached_property
    def test(self) -> Scenes:
        """The held-out scenes."""
        return subjects.scenes(self.fixed)

    @property
    def shown(self) -> Scenes:
        """Real scenes where they are at hand, else synthetic ones: what labels and maps are shown of."""
        return self.test if self.real is None else self.real

    @cached_property
    def histories(self) -> list[pd.DataFrame]:
        """The loss of every training of a driver; none with a checkpoint."""
        return [] if self._drivers is None else [stored["history"] for stored in self._drivers.results()]

    def history(self) -> pd.DataFrame:
        """Return the token loss of every training by the share of its last stage, which trains the whole driver.

        Empty where nothing was trained: with a checkpoint, or with no steps.
        """
        frames = []
        for seed, table in zip(self.seeds, self.histories, strict=False):
            if len(table):
                last = table[table.stage == table.stage.max()]
                frames.append(last.assign(seed=seed, share=last.epoch / last.epoch.max())[["seed", "share", "loss"]])
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @cached_property
    def _scored(self) -> list[dict[str, pd.DataFrame]]:
        return self._scores.results()

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every cell: a row per pruned driver and seed."""
        table = pd.concat([found["scores"] for found in self._scored], ignore_index=True)
        order = table.part.map(cells.order)
        keys = ["seed", "order", "method", "allocation", "inputs", "calibration", "sparsity"]
        return table.assign(order=order).sort_values(keys).drop(columns="order").reset_index(drop=True)

    @cached_property
    def said(self) -> pd.DataFrame:
        """What drivers said: a row per cell that was heard, seed and scene."""
        return pd.concat([found["said"] for found in self._scored], ignore_index=True)

    def dense(self) -> pd.DataFrame:
        """Return the dense driver's errors beside constant answers."""
        return contrasts.dense(self.scores, self.said, self.test.texts, self.p.seed)

    def comparison(self) -> pd.DataFrame:
        """Return the table of methods and metrics at two sparsities."""
        return contrasts.comparison(self.scores, self.test.texts, (HALF, HIGH))

    def constant(self) -> dict[str, float]:
        """Return the errors of constant answers on the held-out scenes."""
        return driving.constant_baseline(self.test.texts)

    @cached_property
    def _proxied(self) -> list[dict[str, pd.DataFrame]]:
        return [*self._proxies.results(), *self._text_proxies.results()]

    def proxies(self, name: str) -> pd.DataFrame:
        """Return "blocks", "maps", "losses" or "ratios" of both subjects and all seeds."""
        return pd.concat([found[name] for found in self._proxied], ignore_index=True)

    def outliers(self) -> pd.DataFrame:
        """Return D and sensitivity of every block at the threshold of the run."""
        table = self.proxies("blocks")
        return table[self.p.threshold == table.M].reset_index(drop=True)

    def proxy(self) -> pd.DataFrame:
        """Return the losses under every allocation, a row per subject, method and seed."""
        return contrasts.proxy(self.proxies("blocks"), self.proxies("losses"), self.p.threshold)

    def grids(self) -> pd.DataFrame:
        """Return OWL's loss minus that of one ratio for every M and lambda."""
        return pd.concat(self._grids.results(), ignore_index=True)

    def trap(self, name: str) -> pd.DataFrame:
        """Return the table of a trap: "adapter", "planted" or "fooled"."""
        return pd.concat(self._traps[name].results(), ignore_index=True)

    def transfer(self) -> pd.DataFrame:
        """Return the small driver's errors on the real scenes beside constant answers; empty where there are none."""
        if self._transfer is None:
            return pd.DataFrame()
        found = pd.concat(self._transfer.results(), ignore_index=True)
        constant = driving.constant_baseline(voice.shortened(self.real).texts)
        table = pd.concat([pd.DataFrame([constant | {"who": "constant answer"}]), found.assign(who="driver")])
        return table[["who", "seed", "token_loss", *METRICS, "parsed_E_car", "parsed_E_lon"]]

    def spoken(self) -> pd.DataFrame | None:
        """Return what drivers say of a busy real scene; None where there is none."""
        return None if self._spoken is None else self._spoken.results()[0]

    @property
    def sources(self) -> list[str]:
        """The data sets behind what was pruned and heard."""
        return [self.test.name]

    @property
    def texts(self) -> list[str]:
        """The data sets behind the text model."""
        named = [name for name in (self.p.text_source, self.p.text_test) if name]
        return language.sources(named or self.fixed["domains"])

    @property
    def own(self) -> set[str]:
        """What claims need that only a reader can bring: LLaMA-7B, and the published driver."""
        if not self.p.checkpoint:
            return set()
        large = _is_7b(self.p.checkpoint)
        return ({"llama_7b"} if large else set()) | ({"llm_driver"} if large and self.p.adapter else set())


def _is_7b(folder: str) -> bool:
    """Tell whether a checkpoint has the shape of LLaMA-7B."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    return (config.get("hidden_size"), config.get("num_hidden_layers")) == (4096, 32)
