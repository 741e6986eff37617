"""Results of all experiments: begun at once, waited for when asked, and put into tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tenfold import language
from tenfold.language.pretraining import pretrained
from tenfold.papers.welore import bench, checks, compressions, costs, effects, films, finetunings
from tenfold.papers.welore.parameters import MAIN
from tenfold.papers.welore.plans import TUNINGS

ALONE = (0.3, 0.5, 0.7, 0.9)
"""Shares of the rank that go from one kind of map alone."""


class Results:
    """The dense models of a run, and everything that was made of them."""

    def __init__(self, book: Any) -> None:
        self.book, self.p = book, book.parameters
        bench.check(self.p)
        self.fixed, self.tasks = bench.settings(self.p), bench.tasks(self.p)
        # Their texts are looked for here, before anything heavy starts.
        self.data = language.sources(dict.fromkeys((*self.fixed["texts"], *self.tasks)), self.p.folder or None)
        self.seeds = [self.p.seed + number for number in range(self.p.models)]
        self._trained = None
        if not self.p.model:
            self._trained = book.start(pretrained, [{"seed": seed} for seed in self.seeds], **self.fixed["training"])
        self._begin()

    def _begin(self) -> None:
        p, errs = self.p, list(self.p.errs)
        moves = {"steps": p.film_steps, "every": p.film_every}
        self._films = self._start(films.film, [{"shape": p.film, **moves}])
        owl = {"M": p.outlier_factor, "lam": p.strength}
        self._curves = self._start(compressions.curves, [{"errs": errs, "owl": owl}])
        self._spectra = self._start(compressions.spectra, [{"errs": errs}])
        self._modules = self._start(compressions.modules, [{"errs": list(ALONE)}])
        points = [{"err": err, "method": method} for err in p.tuned_errs for method in TUNINGS]
        self._tuned = self._start(finetunings.tuned, points, tune=self.tune)
        points = [{"err": err, "task": task} for err in self.task_errs for task in self.tasks]
        less = self.tune | {"steps": p.task_steps}
        self._tasks = self._start(finetunings.downstream, points, tune=less, questions=p.questions)
        self._checks = self.book.start(checks.identities, [{"seed": self.seeds[0]}], settings=self.fixed)

    def _start(self, job: Any, points: list[dict[str, Any]], **fixed: Any) -> Any:
        every = [{"seed": seed, **point} for seed in self.seeds for point in points]
        return self.book.start(job, every, settings=self.fixed, **fixed)

    @property
    def tune(self) -> dict[str, Any]:
        """Settings of fine-tuning, as plain values."""
        names = ("steps", "batch", "lora_rank", "galore_rank", "galore_gap")
        plain = {name: getattr(self.p, name) for name in names}
        return plain | {"rates": list(self.p.rates), "length": self.p.tune_length}

    @property
    def task_errs(self) -> list[float]:
        """ERRs of the models that are tuned for tasks: the dense one, and those of the run up to 50 %."""
        return [0.0, *(err for err in self.p.tuned_errs if err <= MAIN)]

    def by(self, part: str) -> str:
        """Return what replicates are: seeds, or parts of one model."""
        return "seed" if self.p.models > 1 or not self.p.model else part

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Losses and parameters after compression; see `compressions.curves`."""
        return pd.concat(self._curves.results(), ignore_index=True)

    def spectra(self, name: str) -> pd.DataFrame:
        """Return one of the tables of `compressions.spectra`, all seeds."""
        return pd.concat([found[name] for found in self._spectra.results()], ignore_index=True)

    def modules(self) -> pd.DataFrame:
        """Return the loss that each kind of map adds alone."""
        return pd.concat(self._modules.results(), ignore_index=True)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Fine-tuning step by step."""
        found = [result["history"] for result in self._tuned.results()]
        return pd.concat([part for part in found if len(part)], ignore_index=True)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What every fine-tuning cost."""
        found = [result["costs"] for result in self._tuned.results()]
        return pd.concat([part for part in found if len(part)], ignore_index=True)

    def answers(self) -> pd.DataFrame:
        """Return how models tuned for tasks do."""
        return pd.concat(self._tasks.results(), ignore_index=True)

    @cached_property
    def films(self) -> list[dict[str, Any]]:
        """The films, one a seed; see `films.film`."""
        return [found | {"seed": seed} for seed, found in zip(self.seeds, self._films.results(), strict=True)]

    def film(self, name: str) -> pd.DataFrame:
        """Return one of the tables of the films, all seeds."""
        return pd.concat([film[name].assign(seed=film["seed"]) for film in self.films], ignore_index=True)

    def linked(self) -> pd.DataFrame:
        """Return each map's steadiness of gradients beside its rank; see `effects.linked`."""
        return pd.concat([effects.linked(film) for film in self.films], ignore_index=True)

    def identities(self) -> pd.DataFrame:
        """Return what must come out, and that optimisers keep as many bytes as are counted."""
        table = pd.concat(self._checks.results(), ignore_index=True)
        off = (self.costs.held_bytes - self.costs.optimizer_bytes).abs().max()
        row = {"quantity": "optimiser's bytes, measured less counted", "expected": 0.0, "found": float(off)}
        row |= {"tolerance": 0.5, "residual": off / 0.5, "seed": self.seeds[0]}
        return pd.concat([table, pd.DataFrame([row])], ignore_index=True)

    def claims(self) -> dict[str, pd.DataFrame]:
        """Return what claims compare, a row per replicate: by name of their table."""
        ranks, after = self.spectra("ranks"), effects.tuned(self.history, self.by("part"))
        return {
            "kept": effects.modules(ranks, self.by("block")),
            "depth": effects.depth(ranks, self.by("linear")),
            "loss": effects.losses(self.curves, self.by("part")),
            "perplexity": effects.perplexities(self.curves, self.by("part")),
            "normalised": effects.normalised(self.curves, self.by("part")),
            "equal": effects.equal_parameters(self.curves, self.by("part")),
            "tuned": after,
            "tuned-perplexity": np.exp(after.set_index("replicate")).reset_index(),
            "cost": effects.costs(self.costs),
            "gradient": effects.gradients(self.films, self.by("linear")),
            "honesty": costs.honesty(),
        }

    @property
    def own(self) -> set[str]:
        """What the reader brought that claims need."""
        return bench.brought(self.p)

    @property
    def known(self) -> str:
        """Which published model the checkpoint is, "" for another."""
        return bench.known(self.p)
