"""Methods of sparse training: their names, their settings, and what is said about them in the papers."""

from __future__ import annotations

from dataclasses import dataclass

from tenfold.errors import InputError, unknown
from tenfold.sparsity.erk import ALLOCATIONS, check_density
from tenfold.sparsity.schedules import SHAPES
from tenfold.sparsity.updates import RIGL_RULES, SET_RULES

EXPLORE = {"set": SET_RULES, "rigl": RIGL_RULES, "granet": RIGL_RULES}
"""Methods that move connections, with the rules they know, the default first."""
PRUNE = ("gmp", "granet")
"""Methods that prune on the way."""
SCORED = ("snip", "snip-resampled", "grasp", "synflow")
"""Methods that look at a batch of data before training."""
TRAINED = ("omp", "lth", "omp-erk")
"""Methods that look at the weights of a trained dense network."""
FIXED = ("static", "uniform", "random", *SCORED, *TRAINED)
"""Methods whose masks never change."""
METHODS = ("dense", *FIXED, "set", "rigl", "gmp", "granet")

DROPS = {"set": (0.2, 0.001), "rigl": (0.5, 0.005), "granet": (0.5, 0.005)}
UPDATES = {"set": 50, "rigl": 22, "gmp": 50, "granet": 62}
WINDOWS = {"gmp": (0.1, 0.8), "granet": (0.0, 0.6875)}
CYCLE_UPDATES = 66
OWNERS = {"rule": EXPLORE, "drop": DROPS, "window": WINDOWS, "interval": UPDATES, "updates_per_run": UPDATES}
"""Settings that mean something to some methods alone."""


@dataclass(frozen=True)
class Method:
    """How one network of a stack is kept sparse.

    `density` d is that of the prunable tensors that the network owns. `allocation` of the d sum N weights: "erk",
    "uniform", or "east-floor", one pass with the absolute `floor`. set, rigl, granet: `rule`, first and last `drop`
    fraction f, on a cosine over the run. An update falls on every multiple of `interval` steps or, with
    `updates_per_run` n, on the steps floor(k T/n); none later than the share `stop` of the run. gmp, granet: from
    the density `initial`, pruning by global magnitude between the shares `window` of the run; `off_by_one` keeps one
    weight less than the budget. `cyclic` (set, rigl): `cycles` = (count, first length in steps or as a share of the
    run below 1, growth of the length), density d to min(`multiplier` d, 1) and back, changed every `cycle_interval`
    steps or `cycle_updates` times, the last time exactly to d; moves begin after the cycles. `temperature`: GraSP's;
    `rounds`: SynFlow's. Defaults: arXiv 2411.13545 (rigl, granet, cycles), arXiv 2409.09196 (set, gmp).
    Raises InputError for what is unknown, out of range, or means nothing to the method.
    """

    name: str
    density: float = 1.0
    allocation: str = "erk"
    floor: float = 0.001
    rule: str | None = None
    drop: tuple[float, float] | None = None
    interval: int | None = None
    updates_per_run: int | None = None
    stop: float = 1.0
    initial: float = 1.0
    window: tuple[float, float] | None = None
    off_by_one: bool = False
    cyclic: bool = False
    cycles: tuple[int, float, float] = (2, 0.2, 1.0)
    multiplier: float = 3.0
    cycle_shape: str = "cosine"
    cycle_interval: int | None = None
    cycle_updates: int | None = None
    temperature: float = 200.0
    rounds: int = 100

    def __post_init__(self) -> None:
        """Fill in the method's own rule, drop and window, and look at every number."""
        if self.name not in METHODS:
            raise unknown("method", self.name, METHODS)
        for key, owners in OWNERS.items():
            if getattr(self, key) is not None and self.name not in owners:
                raise InputError(f"{key} means nothing to the method {self.name}")
        rules = EXPLORE.get(self.name)
        own = {"rule": rules and rules[0], "drop": DROPS.get(self.name), "window": WINDOWS.get(self.name)}
        for key, value in own.items():
            if getattr(self, key) is None:
                object.__setattr__(self, key, value)
        self._check_names()
        self._check_numbers()

    @property
    def dynamic(self) -> bool:
        """Whether the masks change during training."""
        return self.name in UPDATES

    @property
    def first(self) -> float:
        """The density with which training begins."""
        return self.initial if self.name in PRUNE else self.density

    @property
    def rhythm(self) -> tuple[int | None, int | None]:
        """The interval in steps, or None and the number of updates in a run."""
        return self.interval, self.updates_per_run or UPDATES[self.name]

    @property
    def cycle_rhythm(self) -> tuple[int | None, int | None]:
        """The interval in steps, or None and the number of updates, during the cycles."""
        return self.cycle_interval, self.cycle_updates or CYCLE_UPDATES

    def _check_names(self) -> None:
        named = (
            (f"rule of {self.name}", self.rule, EXPLORE.get(self.name, (None,))),
            ("allocation", self.allocation, ALLOCATIONS),
            ("shape of a cycle", self.cycle_shape, SHAPES),
        )
        for kind, name, known in named:
            if name not in known:
                raise unknown(kind, str(name), known)
        if self.cyclic and self.name not in ("set", "rigl"):
            raise InputError(f"{self.name} has no cycles of density; set and rigl have")

    def _check_numbers(self) -> None:
        check_density(self.density)
        check_density(self.initial)
        if self.drop and not all(0 <= f <= 1 for f in self.drop):
            raise InputError(f"drop fractions are in [0, 1], not {self.drop}")
        if self.window and not 0 <= self.window[0] <= self.window[1] <= 1:
            raise InputError(f"a window of pruning is two shares of the run in order, not {self.window}")
        if self.name == "dense" and self.density != 1:
            raise InputError(f"a dense network has density 1, not {self.density}")
        if not 0 <= self.stop <= 1 or self.multiplier < 1 or self.initial < self.density:
            raise InputError("stop is in [0, 1], the multiplier at least 1, the initial density no less than the final")
        for pair in ((self.interval, self.updates_per_run), (self.cycle_interval, self.cycle_updates)):
            if None not in pair:
                raise InputError(f"an interval or a number of updates, not both: {pair}")
            if any(value is not None and value < 1 for value in pair):
                raise InputError(f"an interval and a number of updates are at least 1, not {pair}")
